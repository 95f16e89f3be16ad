import { sql } from "pg-sql2";
import type { Queryable } from "../../../platform/postgres/database.ts";
import type { Origin } from "../session-store.ts";
import { firstCounter, generationSize } from "../tokens.ts";
import { methodOf, type SecondMethod } from "./factor.ts";

/** All SQL that moves sessions between the levels of assurance. */
export const levelStore = {
  /**
   * Keeps refreshes and sign-outs of a session waiting until the transaction ends.
   * @returns false when it has ended, or is not the user's
   * @throws SQLSTATE 55P03 when somebody else holds it for longer than `timeoutMs`
   */
  async hold(tx: Queryable, sessionId: string, userId: string, timeoutMs: number): Promise<boolean> {
    await tx.query(sql`select set_config('lock_timeout', ${sql.value(String(timeoutMs))}, true)`);
    const rows = await tx.query(sql`
      select id from auth.sessions
      where id = ${sql.value(sessionId)} and user_id = ${sql.value(userId)} and (not_after is null or not_after > now())
      for update`);
    return rows.length === 1;
  },

  /**
   * Raises a session to `aal2`. Its refresh tokens are of another generation from now on: one of the lower level must not lead
   * to one of the higher, as a used token leads to its successor. @returns the new counter, `null` when the session is gone
   */
  async raise(
    tx: Queryable,
    raise: {
      readonly sessionId: string;
      readonly factorId: string | null;
      readonly method: SecondMethod;
      /** Whether the end that a session of `aal1` was given is taken away. */
      readonly liftsEnd: boolean;
      readonly origin: Origin;
    },
  ): Promise<number | null> {
    const { sessionId, factorId, method, liftsEnd, origin } = raise;
    const [row] = await tx.query<{ counter: string }>(sql`
      with raised as (
        update auth.sessions set aal = 'aal2', factor_id = ${sql.value(factorId)}::uuid, updated_at = now(),
          refresh_token_counter = (coalesce(refresh_token_counter, 0) / ${sql.value(generationSize)}::bigint + 1)
            * ${sql.value(generationSize)}::bigint + ${sql.value(firstCounter)}::bigint,
          refreshed_at = now() at time zone 'UTC', user_agent = ${sql.value(origin.userAgent)},
          ip = ${sql.value(origin.ip)}::inet,
          not_after = case when ${sql.value(liftsEnd)}::boolean then null else not_after end
        where id = ${sql.value(sessionId)} returning id, refresh_token_counter
      ), dead as (
        delete from auth.refresh_tokens where session_id = (select id from raised)
      ), shown as (
        insert into auth.mfa_amr_claims (id, session_id, authentication_method, created_at, updated_at)
        select gen_random_uuid(), id, ${sql.value(method)}, clock_timestamp(), clock_timestamp() from raised
        on conflict (session_id, authentication_method) do update set updated_at = excluded.updated_at
      )
      select refresh_token_counter as counter from raised`);
    return row === undefined ? null : Number(row.counter);
  },

  /** Takes the level back that the factor gave: every second method has to be shown anew. */
  async lower(tx: Queryable, sessionId: string, factorId: string, aal1Seconds: number): Promise<void> {
    await tx.query(sql`
      with lowered as (
        update auth.sessions set aal = 'aal1', factor_id = null, updated_at = now(),
          not_after = case when ${sql.value(aal1Seconds)}::float8 > 0
            then now() + make_interval(secs => ${sql.value(aal1Seconds)}) else not_after end
        where id = ${sql.value(sessionId)} and factor_id = ${sql.value(factorId)} returning id
      )
      delete from auth.mfa_amr_claims
      where session_id = (select id from lowered)
        and authentication_method = any (${sql.value(Object.values(methodOf))}::text[])`);
  },

  /** Ends the sessions raised with a factor (threat A22). @param exceptId one that stays, `null` for none */
  async endRaisedWith(tx: Queryable, userId: string, factorId: string, exceptId: string | null): Promise<void> {
    await tx.query(sql`
      delete from auth.sessions
      where user_id = ${sql.value(userId)} and factor_id = ${sql.value(factorId)}
        and id is distinct from ${sql.value(exceptId)}::uuid`);
  },

  /** Ends the user's sessions that did not show a second factor, but this one. */
  async endBelowAal2(tx: Queryable, userId: string, exceptId: string): Promise<void> {
    await tx.query(sql`
      delete from auth.sessions
      where user_id = ${sql.value(userId)} and id <> ${sql.value(exceptId)} and coalesce(aal, 'aal1') = 'aal1'`);
  },

  /** Ends a session of `aal1` after so long. */
  async limitLife(tx: Queryable, sessionId: string, seconds: number): Promise<void> {
    await tx.query(sql`
      update auth.sessions set not_after = now() + make_interval(secs => ${sql.value(seconds)})
      where id = ${sql.value(sessionId)} and coalesce(aal, 'aal1') = 'aal1'`);
  },
};
