import { type SQL, sql } from "pg-sql2";
import type { Queryable } from "../../platform/postgres/database.ts";
import { firstCounter } from "./tokens.ts";
import type { AuthenticationMethod } from "./user.ts";
import { hasPassword } from "./user-store.ts";

export interface SessionRow {
  readonly id: string;
  readonly userId: string;
  readonly aal: string;
  /** Newest first. */
  readonly amr: readonly AuthenticationMethod[];
  /** Seconds since it began, and since it was last refreshed, by the database's clock. */
  readonly ageSeconds: number;
  readonly idleSeconds: number;
  /** True when `not_after` has passed. */
  readonly isOver: boolean;
}

/** Where a session was opened or refreshed from. */
export interface Origin {
  readonly userAgent: string | null;
  /** `null` when it is no IP address. */
  readonly ip: string | null;
}

const selectSession = sql`
  select s.id, s.user_id as "userId", coalesce(s.aal::text, 'aal1') as aal,
    coalesce(s.not_after <= now(), false) as "isOver",
    extract(epoch from clock_timestamp() - s.created_at)::float8 as "ageSeconds",
    extract(epoch from clock_timestamp() - coalesce(s.refreshed_at at time zone 'UTC', s.created_at))::float8
      as "idleSeconds",
    coalesce((
      select json_agg(json_build_object(
        'method', a.authentication_method, 'timestamp', extract(epoch from a.updated_at)::bigint
      ) order by a.updated_at desc)
      from auth.mfa_amr_claims a where a.session_id = s.id
    ), '[]') as amr
  from auth.sessions s`;

/** All SQL about sessions but their refreshes. */
export const sessionStore = {
  /**
   * Opens a session, unless the password (or its absence) is no longer the one that was verified: a change that came between
   * the two wins (threat A22). One statement. @returns false when it lost
   */
  async open(
    db: Queryable,
    session: {
      readonly id: string;
      readonly userId: string;
      readonly passwordHash: string | null;
      readonly method: string;
      readonly aal: "aal1" | "aal2";
      readonly origin: Origin;
    },
  ): Promise<boolean> {
    const rows = await db.query(sql`
      with verified as (
        update auth.users set last_sign_in_at = now(), updated_at = now()
        where id = ${sql.value(session.userId)}
          and nullif(encrypted_password, '') is not distinct from ${sql.value(session.passwordHash)}::text
        returning id
      ), opened as (
        insert into auth.sessions
          (id, user_id, aal, refresh_token_counter, created_at, updated_at, user_agent, ip)
        select ${sql.value(session.id)}, id, ${sql.value(session.aal)}::auth.aal_level, ${sql.value(firstCounter)}, now(),
          now(), ${sql.value(session.origin.userAgent)}, ${sql.value(session.origin.ip)}::inet
        from verified returning id, user_id
      ), proven as (
        insert into auth.mfa_amr_claims (id, session_id, authentication_method, created_at, updated_at)
        select gen_random_uuid(), id, ${sql.value(session.method)}, now(), now() from opened
      ), seen as (
        update auth.identities set last_sign_in_at = now(), updated_at = now()
        where user_id = (select user_id from opened) and ${hasPassword(sql`provider`)}
      )
      select id from opened`);
    return rows.length === 1;
  },

  async find(db: Queryable, id: string): Promise<SessionRow | null> {
    const [row] = await db.query<SessionRow>(sql`${selectSession} where s.id = ${sql.value(id)}`);
    return row ?? null;
  },

  /** Ends it: its refresh tokens lead nowhere. */
  async end(db: Queryable, id: string): Promise<void> {
    await db.query(sql`delete from auth.sessions where id = ${sql.value(id)}`);
  },

  /** Ends all of a user's sessions, or all but one. */
  async endAll(db: Queryable, userId: string, exceptId: string | null = null): Promise<void> {
    const others: SQL = exceptId === null ? sql`true` : sql`id <> ${sql.value(exceptId)}`;
    await db.query(sql`delete from auth.sessions where user_id = ${sql.value(userId)} and ${others}`);
  },
};
