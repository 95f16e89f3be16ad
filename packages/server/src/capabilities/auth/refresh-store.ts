import { type SQL, sql } from "pg-sql2";
import type { Queryable } from "../../platform/postgres/database.ts";
import { type Parameter, prepare } from "../../platform/postgres/prepared.ts";
import type { Origin } from "./session-store.ts";
import { firstCounter, generationSize, type RefreshClaim } from "./tokens.ts";
import type { AuthenticationMethod, User } from "./user.ts";
import { accountFrom, type UserRow, userColumns, userFields } from "./user-store.ts";

export interface Refreshed {
  /** Of the live token. */
  readonly counter: number;
  readonly aal: string;
  /** Newest first. */
  readonly amr: readonly AuthenticationMethod[];
  readonly user: User;
}

/** The rules that a refresh is held to, in seconds. 0 for no end. */
export interface RefreshRules {
  readonly rotates: boolean;
  readonly reuseSeconds: number;
  readonly timeboxSeconds: number;
  readonly inactivitySeconds: number;
}

/** Why there was no refresh. With `again` there is none any more: what was in the way has changed meanwhile. */
export type Refusal = "unknown" | "banned" | "expired" | "reused" | "again";

interface Rules extends Readonly<Record<string, Parameter>> {
  readonly session: string;
  readonly presented: number;
  readonly rotates: boolean;
  readonly reuse: number;
  readonly timebox: number;
  readonly inactivity: number;
}

interface Values extends Rules {
  readonly agent: string | null;
  readonly ip: string | null;
}

type RefreshedRow = UserRow & {
  readonly counter: number;
  readonly aal: string;
  /** With when each was used, in Unix seconds to the microsecond. */
  readonly methods: readonly (readonly [method: string, seconds: number])[];
};

type Name = (name: "session" | "presented" | "rotates" | "reuse" | "timebox" | "inactivity") => SQL;

const generation = sql.literal(generationSize);

const isOver = (parameter: Name) => sql`(
  coalesce(s.not_after <= now(), false)
  or (${parameter("timebox")}::float8 > 0
    and s.created_at < clock_timestamp() - make_interval(secs => ${parameter("timebox")}::float8))
  or (${parameter("inactivity")}::float8 > 0
    and coalesce(s.refreshed_at at time zone 'UTC', s.created_at)
      < clock_timestamp() - make_interval(secs => ${parameter("inactivity")}::float8)))`;

/** The live token, or its parent (the answer was lost), or any within the reuse interval (the app refreshes twice at once). */
const isCurrent = (parameter: Name) => sql`(
  s.refresh_token_counter <= ${parameter("presented")}::bigint + 1
  or not ${parameter("rotates")}::boolean
  or coalesce(s.refreshed_at at time zone 'UTC', s.created_at)
    > clock_timestamp() - make_interval(secs => ${parameter("reuse")}::float8))`;

const isSameGeneration = (parameter: Name) =>
  sql`s.refresh_token_counter / ${generation} = ${parameter("presented")}::bigint / ${generation}`;

/**
 * A whole refresh. One update, so one at a time per session: one that has to wait decides by the row as the other left it.
 * A counter beyond the session's own is the token of a phone that remembers more than a restored backup does: it is the live one.
 * The user is read as of before the wait, which an hour's token does not notice.
 */
const refresh = prepare<Values>(
  [["counter", "number"], ["aal", "text"], ["methods", "json"], ...userColumns],
  (parameter) => sql`
    update auth.sessions s set
      refresh_token_counter = case
        when s.refresh_token_counter > ${parameter("presented")}::bigint then s.refresh_token_counter
        when ${parameter("rotates")}::boolean then ${parameter("presented")}::bigint + 1
        else ${parameter("presented")}::bigint end,
      refreshed_at = case
        when s.refresh_token_counter > ${parameter("presented")}::bigint then s.refreshed_at
        else clock_timestamp() at time zone 'UTC' end,
      updated_at = now(), user_agent = ${parameter("agent")}, ip = ${parameter("ip")}::inet
    from auth.users u
    where s.id = ${parameter("session")}::uuid and u.id = s.user_id
      and ${isSameGeneration(parameter)} and ${isCurrent(parameter)} and not ${isOver(parameter)}
      and coalesce(u.banned_until <= now(), true)
    returning s.refresh_token_counter as counter, coalesce(s.aal::text, 'aal1') as aal,
      coalesce((
        select json_agg(json_build_array(a.authentication_method, extract(epoch from a.updated_at)))
        from auth.mfa_amr_claims a where a.session_id = s.id
      ), '[]') as methods,
      ${userFields}`,
);

/** Says why there was no refresh, and ends the session where that is due. Sees what the refresh saw, or something newer. */
const refuse = prepare<Rules>(
  [
    ["refusal", "text"],
    ["userId", "text"],
  ],
  (parameter) => sql`
    with held as (
      select s.id,
        case
          when not ${isSameGeneration(parameter)} then 'unknown'
          when u.banned_until > now() then 'banned'
          when ${isOver(parameter)} then 'expired'
          when not ${isCurrent(parameter)} then 'reused'
          else 'again'
        end as refusal, s.user_id
      from auth.sessions s join auth.users u on u.id = s.user_id
      where s.id = ${parameter("session")}::uuid
      for update of s
    ), ended as (
      delete from auth.sessions where id in (select id from held where refusal in ('expired', 'reused'))
    )
    select refusal, user_id as "userId" from held`,
);

/** Refreshes: the one hot path of sign-in. */
export const refreshStore = {
  /** `null` when the token may not be refreshed. Rejects with SQLSTATE 55P03 when the session is held for too long. */
  async refresh(db: Queryable, claim: RefreshClaim, rules: RefreshRules, origin: Origin): Promise<Refreshed | null> {
    const [row] = await db.execute<RefreshedRow, Values>(refresh, {
      ...valuesOf(claim, rules),
      agent: origin.userAgent,
      ip: origin.ip,
    });
    if (row === undefined) return null;
    const { counter, aal, methods, ...account } = row;
    return { counter, aal, amr: amrOf(methods), user: accountFrom(account).user };
  },

  async refuse(
    db: Queryable,
    claim: RefreshClaim,
    rules: RefreshRules,
  ): Promise<{ readonly refusal: Refusal; readonly userId: string | null }> {
    const [row] = await db.execute<{ refusal: Refusal; userId: string }, Rules>(refuse, valuesOf(claim, rules));
    return row ?? { refusal: "unknown", userId: null };
  },

  /**
   * Takes over a session that began elsewhere, by a token that its rows hold as it is: from now on it has tokens of ours. Its live
   * token, and that one's parent, stand before our first; any other is as old as can be. @returns `null` for no such token
   */
  async adopt(db: Queryable, token: string): Promise<RefreshClaim | null> {
    const [row] = await db.query<{ id: string; isLive: boolean }>(sql`
      update auth.sessions s set refresh_token_counter = coalesce(s.refresh_token_counter, ${sql.value(firstCounter - 1)})
      from auth.refresh_tokens t
      where t.token = ${sql.value(token)} and s.id = t.session_id
      returning s.id, t.revoked is not true or exists (
        select from auth.refresh_tokens live
        where live.session_id = s.id and live.revoked is not true and live.parent = t.token
      ) as "isLive"`);
    return row === undefined ? null : { sessionId: row.id, counter: row.isLive ? firstCounter - 1 : firstCounter - 3 };
  },
};

/** In order here: sorting one or two in PostgreSQL takes it longer than finding them. */
const amrOf = (methods: RefreshedRow["methods"]): readonly AuthenticationMethod[] =>
  methods
    .toSorted(([, one], [, other]) => other - one)
    .map(([method, seconds]) => ({ method, timestamp: Math.round(seconds) }));

function valuesOf({ sessionId, counter }: RefreshClaim, rules: RefreshRules): Rules {
  return {
    session: sessionId,
    presented: counter,
    rotates: rules.rotates,
    reuse: rules.reuseSeconds,
    timebox: rules.timeboxSeconds,
    inactivity: rules.inactivitySeconds,
  };
}
