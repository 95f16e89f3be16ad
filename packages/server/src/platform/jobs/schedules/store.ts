import { type SQL, sql } from "pg-sql2";
import type { Queryable } from "../../postgres/database.ts";
import type { Json, NewJob } from "../types.ts";
import type { Missed, NewSchedule, ScheduleInfo } from "./types.ts";

type Db = Pick<Queryable, "query">;

/** Told when schedules have come, changed or gone. */
export const schedulesChannel = "mainstay_schedules";

/** What a schedule's jobs have besides name, payload and key. */
export interface RunOptions {
  readonly queue?: string;
  readonly priority?: number;
  readonly orderKey?: string;
  readonly maxAttempts?: number;
  /** When so many of its jobs (those of one order key) are waiting, a run is left out. */
  readonly waitingMax?: number;
}

/** A schedule that is due or to be planned, locked until the transaction ends. Times are Unix ms of PostgreSQL's clock. */
export interface DueRow {
  readonly owner: string;
  readonly name: string;
  readonly expression: string;
  readonly timeZone: string;
  readonly missed: Missed;
  readonly jobName: string;
  readonly payload: Json;
  readonly options: RunOptions;
  readonly definedAtMs: number;
  readonly nextRunAtMs: number | null;
  readonly lastRunAtMs: number | null;
  readonly nowMs: number;
  /** When PostgreSQL was started. */
  readonly startedAtMs: number;
}

/** How a schedule goes on. */
export interface Settled {
  readonly owner: string;
  readonly name: string;
  /** `null`: never again. */
  readonly nextRunAtMs: number | null;
  readonly lastRunAtMs: number | null;
}

export interface Outlook {
  /** In how many ms the next is due, negative when it was; `null` when none is. */
  readonly dueInMs: number | null;
  readonly hasUnplanned: boolean;
  /** A run was made for a time that is so far ahead that the clock must have been wrong. */
  readonly isAhead: boolean;
  readonly startedAtMs: number;
}

const lineOf = (jobName: string, orderKey: string | null | undefined): string => `${jobName}/${orderKey ?? ""}`;

const unixMs = (time: SQL) => sql`floor(extract(epoch from ${time}) * 1000)::float8`;

const timeOf = sql`case when r."nextRunAtMs" is null then 'infinity' else to_timestamp(r."nextRunAtMs" / 1000) end`;

const secondsOf = (ms: number) => sql`make_interval(secs => ${sql.value(ms / 1_000)}::float8)`;

/** All SQL about what runs on time. */
export const schedulesStore = {
  /** What there is to do, and when. Changes nothing. */
  async outlook(db: Db, clockBackMs: number): Promise<Outlook> {
    const [row] = await db.query<Outlook>(sql`
      select
        (extract(epoch from min(next_run_at) filter (where next_run_at < 'infinity') - clock_timestamp()) * 1000)::float8 as "dueInMs",
        coalesce(bool_or(next_run_at is null), false) as "hasUnplanned",
        coalesce(bool_or(last_run_at > clock_timestamp() + ${secondsOf(clockBackMs)}), false) as "isAhead",
        ${unixMs(sql`pg_catalog.pg_postmaster_start_time()`)} as "startedAtMs"
      from mainstay.schedules`);
    return row!;
  },

  /** Takes what is due, as far as no other node has it. The earliest first: whoever was missed longest. */
  claim(tx: Db, count: number): Promise<readonly DueRow[]> {
    return tx.query<DueRow>(sql`
      select owner, name, expression, time_zone as "timeZone", missed, job_name as "jobName", payload, options,
        ${unixMs(sql`defined_at`)} as "definedAtMs", ${unixMs(sql`last_run_at`)} as "lastRunAtMs", ${unixMs(sql`next_run_at`)} as "nextRunAtMs",
        ${unixMs(sql`clock_timestamp()`)} as "nowMs", ${unixMs(sql`pg_catalog.pg_postmaster_start_time()`)} as "startedAtMs"
      from mainstay.schedules
      where next_run_at is null or next_run_at <= clock_timestamp()
      order by next_run_at nulls first, owner, name
      limit ${sql.value(count)}
      for update skip locked`);
  },

  /** Without the runs for which no room is left behind those that wait already. */
  async withoutCrowd(tx: Db, made: readonly NewJob[], rows: readonly DueRow[]): Promise<readonly NewJob[]> {
    const limits = new Map(rows.map(({ jobName, options }) => [lineOf(jobName, options.orderKey), options.waitingMax]));
    const lines = made.filter(({ name, orderKey }) => limits.get(lineOf(name, orderKey)) !== undefined);
    if (lines.length === 0) return made;
    const waiting = await tx.query<{ line: string; count: number }>(sql`
      select l.name || '/' || l."orderKey" as line, (
          select count(*)::int from mainstay.jobs j
          where j.name = l.name and j.order_key = l."orderKey" and j.order_key is not null and j.state in (0, 1, 3) and j.claimed_by is null
        ) + (select count(*)::int from mainstay.jobs j where j.name = l.name and j.order_key = l."orderKey" and j.state = 2) as count
      from jsonb_to_recordset(${sql.value(JSON.stringify(lines))}::jsonb) as l (name text, "orderKey" text)
      group by l.name, l."orderKey"`);
    const counts = new Map(waiting.map(({ line, count }) => [line, count]));
    return made.filter(({ name, orderKey }) => {
      const line = lineOf(name, orderKey);
      const [limit, count] = [limits.get(line), counts.get(line) ?? 0];
      if (limit !== undefined && count >= limit) return false;
      counts.set(line, count + 1);
      return true;
    });
  },

  async settle(tx: Db, settled: readonly Settled[]): Promise<void> {
    await tx.query(sql`
      update mainstay.schedules s set next_run_at = ${timeOf},
        last_run_at = greatest(s.last_run_at, to_timestamp(r."lastRunAtMs" / 1000))
      from jsonb_to_recordset(${sql.value(JSON.stringify(settled))}::jsonb)
        as r (owner text, name text, "nextRunAtMs" float8, "lastRunAtMs" float8)
      where s.owner = r.owner and s.name = r.name`);
  },

  /** Plans anew what was run for times that have not come yet: the clock was wrong, and is right again. */
  async recover(db: Db, clockBackMs: number): Promise<void> {
    await db.query(sql`
      update mainstay.schedules set next_run_at = null, last_run_at = null, defined_at = clock_timestamp()
      where last_run_at > clock_timestamp() + ${secondsOf(clockBackMs)}`);
  },

  /** Plans anew what runs with every start of PostgreSQL. */
  async restarted(db: Db, owner: string): Promise<void> {
    await db.query(sql`
      update mainstay.schedules set next_run_at = null
      where owner = ${sql.value(owner)} and next_run_at = 'infinity' and lower(expression) ~ '@re(boot|start)'
        and coalesce(last_run_at, defined_at) < date_trunc('milliseconds', pg_catalog.pg_postmaster_start_time())`);
  },

  /** Makes these the owner's. What is the same is not written; what has another time is planned anew, from now on. */
  async define(tx: Db, owner: string, schedules: readonly (NewSchedule & { options: RunOptions })[]): Promise<void> {
    const wanted = JSON.stringify(
      schedules.map(({ name, expression, timeZone = "UTC", missed = "once", jobName, payload = null, options }) => {
        return { name, expression, time_zone: timeZone, missed, job_name: jobName, payload, options };
      }),
    );
    // Nodes that start together define the same, and would wait for each other's rows crosswise.
    await tx.query(
      sql`select pg_advisory_xact_lock(hashtextextended('mainstay.schedules/' || ${sql.value(owner)}, 0))`,
    );
    await tx.query(sql`
      with wanted as (
        select * from jsonb_to_recordset(${sql.value(wanted)}::jsonb)
          as r (name text, expression text, time_zone text, missed text, job_name text, payload jsonb, options jsonb)
      ),
      gone as (
        delete from mainstay.schedules s
        where s.owner = ${sql.value(owner)} and not exists (select from wanted w where w.name = s.name)
        returning 1
      ),
      kept as (
        insert into mainstay.schedules as s (owner, name, expression, time_zone, missed, job_name, payload, options)
        select ${sql.value(owner)}, name, expression, time_zone, missed, job_name, coalesce(payload, 'null'), options from wanted
        on conflict (owner, name) do update set
          expression = excluded.expression, time_zone = excluded.time_zone, missed = excluded.missed, job_name = excluded.job_name,
          payload = excluded.payload, options = excluded.options,
          defined_at = case when (s.expression, s.time_zone) is distinct from (excluded.expression, excluded.time_zone)
            then excluded.defined_at else s.defined_at end,
          next_run_at = case when (s.expression, s.time_zone) is distinct from (excluded.expression, excluded.time_zone)
            then null else s.next_run_at end
        where (s.expression, s.time_zone, s.missed, s.job_name, s.payload, s.options) is distinct from
          (excluded.expression, excluded.time_zone, excluded.missed, excluded.job_name, excluded.payload, excluded.options)
        returning 1
      )
      select pg_catalog.pg_notify(${sql.value(schedulesChannel)}, '')
      where exists (select from gone) or exists (select from kept)`);
  },

  list(db: Db, limit: number): Promise<readonly ScheduleInfo[]> {
    const iso = (time: SQL) => sql`to_char(${time} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
    return db.query<ScheduleInfo>(sql`
      select owner, name, expression, time_zone as "timeZone", missed, job_name as "jobName",
        ${iso(sql`nullif(next_run_at, 'infinity')`)} as "nextRunAt", ${iso(sql`last_run_at`)} as "lastRunAt"
      from mainstay.schedules order by owner, name limit ${sql.value(limit)}`);
  },
};
