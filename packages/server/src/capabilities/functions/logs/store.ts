import { type SQL, sql } from "pg-sql2";
import type { Queryable } from "../../../platform/postgres/database.ts";
import { rfc3339 } from "../../../platform/postgres/sql-fragments.ts";
import { type FunctionLog, type FunctionLogFilter, logLevels, type NewLogRow } from "./types.ts";

type Db = Pick<Queryable, "query">;

const secondsAgo = (ms: number): SQL =>
  sql`clock_timestamp() - make_interval(secs => ${sql.value(ms / 1_000)}::float8)`;
const array = (values: readonly (string | number | null)[]) => sql.value([...values]);

/** All SQL about functions' logs. */
export const functionLogsStore = {
  /**
   * Writes lines in their order. Nobody else does meanwhile, until this is committed: that makes ids grow in the order of commits. Does not wait for
   * the disk, since what is lost with it are the last words of a machine that has crashed.
   */
  async put(db: Db, rows: readonly NewLogRow[]): Promise<void> {
    await db.query(sql`
      with alone as materialized (
        select pg_catalog.set_config('synchronous_commit', 'off', true), pg_catalog.pg_advisory_xact_lock(5432105, 3)
      )
      insert into mainstay.function_logs
        (at, level, is_end, status, duration_ms, function_name, invocation_id, request_id, message, fields)
      select to_timestamp(r.at_ms / 1000), r.level, r.duration_ms is not null, r.status, r.duration_ms, r.function_name, r.invocation_id,
        r.request_id, r.message, r.fields::json
      from alone cross join unnest(
        ${array(rows.map(({ atMs }) => atMs))}::float8[], ${array(rows.map(({ level }) => logLevels.indexOf(level)))}::int2[],
        ${array(rows.map(({ end }) => end?.status ?? null))}::int2[], ${array(rows.map(({ end }) => end?.durationMs ?? null))}::float4[],
        ${array(rows.map(({ functionName }) => functionName))}::text[], ${array(rows.map(({ invocationId }) => invocationId))}::text[],
        ${array(rows.map(({ requestId }) => requestId))}::text[], ${array(rows.map(({ message }) => message))}::text[],
        ${array(rows.map(({ fields }) => fields))}::text[]
      ) with ordinality as r (at_ms, level, status, duration_ms, function_name, invocation_id, request_id, message, fields, place)
      order by r.place`);
  },

  async list(
    db: Db,
    { functionName, requestId, level, sinceMs, after, limit }: FunctionLogFilter,
  ): Promise<readonly FunctionLog[]> {
    const conditions = [
      ...(functionName === undefined ? [] : [sql`l.function_name = ${sql.value(functionName)}`]),
      ...(requestId === undefined ? [] : [sql`l.request_id = ${sql.value(requestId)}`]),
      ...(level === undefined || level === "debug"
        ? []
        : [sql`l.level >= ${sql.value(logLevels.indexOf(level))}::int2`]),
      ...(sinceMs === undefined ? [] : [sql`l.at >= to_timestamp(${sql.value(sinceMs / 1_000)}::float8)`]),
      ...(after === undefined ? [] : [sql`l.id > ${sql.value(after)}::bigint`]),
    ];
    const where = conditions.length === 0 ? sql`true` : sql.join(conditions, " and ");
    const rows = await db.query<Omit<FunctionLog, "level"> & { readonly level: number }>(sql`
      select l.id::float8 as id, ${rfc3339(sql`l.at`)} as at, l.level, l.function_name as "functionName", l.invocation_id as "invocationId",
        l.request_id as "requestId", l.message, l.fields, l.is_end as "isEnd", l.status, l.duration_ms::float8 as "durationMs"
      from mainstay.function_logs l where ${where}
      order by l.id ${after === undefined ? sql`desc` : sql`asc`} limit ${sql.value(limit)}`);
    const named = rows.map((row) => ({ ...row, level: logLevels[row.level]! }));
    return after === undefined ? named.reverse() : named;
  },

  /** What the chain of a job, or of a run of one, began with; `null` when nothing of it was logged. Reads everything: there is no index for it. */
  async rootOf(db: Db, id: string): Promise<string | null> {
    const [job = ""] = id.split("/");
    const jobId = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(job) ? job : null;
    const [row] = await db.query<{ root: string }>(sql`
      select coalesce(
        (select j.caused_by from mainstay.jobs j where j.id = ${sql.value(jobId)}::uuid),
        (select l.request_id from mainstay.function_logs l
          where l.invocation_id = ${sql.value(id)} or starts_with(l.invocation_id, ${sql.value(`${id}/`)}) limit 1)
      ) as root`);
    return row?.root ?? null;
  },

  async lastId(db: Db): Promise<number> {
    const [row] = await db.query<{ id: number }>(sql`
      select coalesce(max(id), 0)::float8 as id from mainstay.function_logs`);
    return row!.id;
  },

  /** Removes some of what is older than it may be. @returns how many lines */
  async sweepOld(
    db: Db,
    keep: { readonly level: "debug" | "all"; readonly ms: number },
    limit: number,
  ): Promise<number> {
    const rows = await db.query(sql`
      delete from mainstay.function_logs where id = any (array(
        select l.id from mainstay.function_logs l
        where l.at < ${secondsAgo(keep.ms)} ${keep.level === "debug" ? sql`and l.level = 0` : sql``}
        order by l.at limit ${sql.value(limit)}))
      returning 1`);
    return rows.length;
  },

  /** Removes some of what is before the newest so many. @returns how many lines */
  async sweepMany(db: Db, keepRows: number, limit: number): Promise<number> {
    const rows = await db.query(sql`
      delete from mainstay.function_logs where id = any (array(
        select l.id from mainstay.function_logs l
        where l.id <= (select n.id from mainstay.function_logs n order by n.id desc offset ${sql.value(keepRows)} limit 1)
        order by l.id limit ${sql.value(limit)}))
      returning 1`);
    return rows.length;
  },
};
