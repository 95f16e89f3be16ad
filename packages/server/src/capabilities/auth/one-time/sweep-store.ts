import { type SQL, sql } from "pg-sql2";
import type { Queryable } from "../../../platform/postgres/database.ts";

/** Rows taken at once: short locks, and little for whoever waits for the write-ahead log. */
const batch = 1_000;

const ago = (seconds: number): SQL => sql`clock_timestamp() - make_interval(secs => ${sql.value(seconds)})`;

/** Deletes a batch and counts it. `ctid` names rows of tables without a common key; rows others hold are for another time. */
async function sweep(db: Queryable, table: SQL, where: SQL): Promise<number> {
  const rows = await db.query(sql`
    delete from ${table} where ctid = any (array(
      select t.ctid from ${table} t where ${where} limit ${sql.value(batch)} for update skip locked)) returning 1 as gone`);
  return rows.length;
}

/** All SQL that clears away what has had its time. Each takes one batch and says how many that were. */
export const sweepStore = {
  batch,
  oneTimeTokens: (db: Queryable, keptSeconds: number) =>
    sweep(db, sql`mainstay.one_time_tokens`, sql`t.expires_at < ${ago(keptSeconds)}`),
  usedCodes: (db: Queryable, keptSeconds: number) =>
    sweep(db, sql`mainstay.used_auth_codes`, sql`t.used_at < ${ago(keptSeconds)}`),
  flows: (db: Queryable, keptSeconds: number) =>
    sweep(db, sql`auth.flow_state`, sql`coalesce(t.auth_code_issued_at, t.created_at) < ${ago(keptSeconds)}`),

  /** Sessions past their end, or past what the settings allow; 0 allows any time. */
  sessions(
    db: Queryable,
    limits: { readonly keptSeconds: number; readonly timeboxSeconds: number; readonly inactivitySeconds: number },
  ): Promise<number> {
    const { keptSeconds, timeboxSeconds, inactivitySeconds } = limits;
    const over = [
      sql`t.not_after < ${ago(keptSeconds)}`,
      ...(timeboxSeconds > 0 ? [sql`t.created_at < ${ago(timeboxSeconds + keptSeconds)}`] : []),
      ...(inactivitySeconds > 0
        ? [sql`coalesce(t.refreshed_at at time zone 'UTC', t.created_at) < ${ago(inactivitySeconds + keptSeconds)}`]
        : []),
    ];
    return sweep(db, sql`auth.sessions`, sql`(${sql.join(over, " or ")})`);
  },

  /** Used ones nobody may come with any more. The live token's parent still may, however old it is (threat A08). */
  refreshTokens: (db: Queryable, keptSeconds: number) =>
    sweep(
      db,
      sql`auth.refresh_tokens`,
      sql`t.revoked and t.updated_at < ${ago(keptSeconds)} and not exists (
        select from auth.refresh_tokens live
        where live.session_id = t.session_id and live.parent = t.token and live.revoked is not true)`,
    ),
};
