import { sql } from "pg-sql2";
import type { Queryable } from "../../platform/postgres/database.ts";
import { type Parameter, prepare } from "../../platform/postgres/prepared.ts";
import type { Origin } from "./session-store.ts";
import type { AuthenticationMethod, User } from "./user.ts";
import { accountOf, selectUser, type UserRow } from "./user-store.ts";

/** What became of a refresh: see migration 0012. */
export interface Refreshed {
  readonly outcome: "rotated" | "kept" | "current" | "reused" | "expired" | "banned" | "unknown";
  readonly sessionId: string;
  /** The live token as stored. */
  readonly stored: string;
  /** The token presented, as stored. */
  readonly used: string;
  readonly aal: string;
  /** Newest first. */
  readonly amr: readonly AuthenticationMethod[];
  /** `null` when the token was unknown. */
  readonly user: User | null;
}

export interface RefreshRequest extends Origin {
  /** The token as we store it, and as it came: rows from elsewhere hold it so. */
  readonly form: string;
  readonly raw: string;
  /** What its successor is stored as. */
  readonly successor: string;
  readonly rotates: boolean;
  readonly reuseSeconds: number;
  /** 0 for no end. */
  readonly timeboxSeconds: number;
  readonly inactivitySeconds: number;
}

type Row = Omit<Refreshed, "user"> & { readonly account: UserRow | null };

interface Values extends Readonly<Record<string, Parameter>> {
  readonly form: string;
  readonly raw: string;
  readonly successor: string;
  readonly agent: string | null;
  readonly ip: string | null;
  readonly rotates: boolean;
  readonly reuse: number;
  readonly timebox: number;
  readonly inactivity: number;
}

// The user is read by the snapshot of this statement, taken before the function waited for its lock: what is in the token
// is then as old as the wait, which an hour's token does not notice. What decides is read in the function.
const refreshSession = prepare<Values>(
  "auth-refresh",
  (parameter) => sql`
    select r.outcome, r.session_id as "sessionId", r.stored, r.used, r.aal, r.amr, to_json(x) as account
    from mainstay.refresh_session(${parameter("form")}, ${parameter("raw")}, ${parameter("successor")},
      ${parameter("agent")}, ${parameter("ip")}::inet, ${parameter("rotates")}, ${parameter("reuse")},
      ${parameter("timebox")}, ${parameter("inactivity")}) r
    left join lateral (${selectUser} where u.id = r.user_id) x on true`,
);

/** Refreshes: the one hot path of sign-in. */
export const refreshStore = {
  /** A whole refresh in one statement. Rejects with SQLSTATE 55P03 when somebody else holds the session for 5 seconds. */
  async refresh(db: Queryable, request: RefreshRequest): Promise<Refreshed> {
    const [row] = await db.execute<Row, Values>(refreshSession, {
      form: request.form,
      raw: request.raw,
      successor: request.successor,
      agent: request.userAgent,
      ip: request.ip,
      rotates: request.rotates,
      reuse: request.reuseSeconds,
      timebox: request.timeboxSeconds,
      inactivity: request.inactivitySeconds,
    });
    const { account, ...refreshed } = row!;
    return { ...refreshed, user: account === null ? null : accountOf(account).user };
  },

  /**
   * Puts another token in the place of the live one, and keeps its place in the family: whoever holds `parent` may still come for it.
   * @returns false when the live token was used meanwhile
   */
  async replace(
    db: Queryable,
    sessionId: string,
    of: { readonly stored: string; readonly parent: string; readonly successor: string },
  ): Promise<boolean> {
    const rows = await db.query(sql`
      with used as (
        update auth.refresh_tokens set revoked = true, updated_at = clock_timestamp()
        where session_id = ${sql.value(sessionId)} and token = ${sql.value(of.stored)} and revoked is not true
        returning user_id, session_id
      )
      insert into auth.refresh_tokens (instance_id, token, user_id, session_id, parent, revoked, created_at, updated_at)
      select '00000000-0000-0000-0000-000000000000', ${sql.value(of.successor)}, user_id, session_id,
        ${sql.value(of.parent)}, false, now(), now()
      from used returning id`);
    return rows.length === 1;
  },
};
