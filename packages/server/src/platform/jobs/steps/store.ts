import { type SQL, sql } from "pg-sql2";
import type { Queryable } from "../../postgres/database.ts";
import type { Json } from "../types.ts";

type Db = Pick<Queryable, "query">;

/** Told when an event was sent, and when a job begins to wait for one. */
export const jobEventsChannel = "mainstay_job_events";

export interface StepRow {
  readonly kind: "done" | "sleep" | "wait";
  readonly value: Json;
  /** Until when it sleeps or waits, in ms from now, by PostgreSQL's clock; `null` for ever, or of one that is done. */
  readonly leftMs: number | null;
}

/** How long something takes from now on, by PostgreSQL's clock, or until when it does (Unix ms). */
export type Until = { readonly untilMs: number } | { readonly forMs: number };

const nowMs = sql`(extract(epoch from clock_timestamp()) * 1000)::float8`;

const untilOf = (until: Until | null) =>
  until === null
    ? sql`'{}'::jsonb`
    : "untilMs" in until
      ? sql`jsonb_build_object('untilMs', ${sql.value(until.untilMs)}::float8)`
      : sql`jsonb_build_object('untilMs', ${nowMs} + ${sql.value(until.forMs)}::float8)`;

/** The first event that a job has not had, and that was sent since it was put in. */
const nextEvent = (jobId: SQL, name: SQL, key: SQL) => sql`
  e.name = ${name} and coalesce(e.key, '') = coalesce(${key}, '')
  and not exists (select from mainstay.job_steps had where had.job_id = ${jobId} and had.event_id = e.id)`;

/** All SQL about steps of workflows and the events they wait for. */
export const stepsStore = {
  async find(db: Db, jobId: string, name: string): Promise<StepRow | null> {
    const [row] = await db.query<StepRow>(sql`
      select kind, value, (value ->> 'untilMs')::float8 - ${nowMs} as "leftMs"
      from mainstay.job_steps where job_id = ${sql.value(jobId)}::uuid and name = ${sql.value(name)} and kind <> 'done'
      union all
      select kind, value, null
      from mainstay.job_steps where job_id = ${sql.value(jobId)}::uuid and name = ${sql.value(name)} and kind = 'done'`);
    return row ?? null;
  },

  async count(db: Db, jobId: string): Promise<number> {
    const [row] = await db.query<{ count: number }>(
      sql`select count(*)::int as count from mainstay.job_steps where job_id = ${sql.value(jobId)}::uuid`,
    );
    return row!.count;
  },

  /** @returns whether there was no step of this name that is done */
  async keep(tx: Db, jobId: string, name: string, json: string): Promise<boolean> {
    const rows = await tx.query(sql`
      insert into mainstay.job_steps as s (job_id, name, value)
      values (${sql.value(jobId)}::uuid, ${sql.value(name)}, ${sql.value(json)}::jsonb)
      on conflict (job_id, name) do update set kind = 'done', value = excluded.value, kept_at = excluded.kept_at where s.kind <> 'done'
      returning 1`);
    return rows.length > 0;
  },

  /** Remembers until when it sleeps or waits, unless it is remembered already. */
  async begin(tx: Db, jobId: string, name: string, kind: "sleep" | "wait", until: Until | null): Promise<void> {
    await tx.query(sql`
      insert into mainstay.job_steps (job_id, name, kind, value)
      values (${sql.value(jobId)}::uuid, ${sql.value(name)}, ${sql.value(kind)}, ${untilOf(until)})
      on conflict (job_id, name) do nothing`);
  },

  /** Takes an event that was sent before the job began to wait for it. @returns its payload; `null` when there is none */
  async takeEvent(
    tx: Db,
    jobId: string,
    name: string,
    event: string,
    key: string | null,
  ): Promise<{ readonly payload: Json } | null> {
    const job = sql`${sql.value(jobId)}::uuid`;
    const [row] = await tx.query<{ payload: Json }>(sql`
      insert into mainstay.job_steps as s (job_id, name, value, event_id)
      select ${job}, ${sql.value(name)}, e.payload, e.id
      from mainstay.job_events e
      where ${nextEvent(job, sql.value(event), sql`${sql.value(key)}::text`)}
        and e.sent_at >= (select j.created_at from mainstay.jobs j where j.id = ${job})
      order by e.id limit 1
      on conflict (job_id, name) do update
        set kind = 'done', value = excluded.value, event_id = excluded.event_id, kept_at = excluded.kept_at where s.kind = 'wait'
      returning value as payload`);
    return row ?? null;
  },

  /** What failed before a step was done is over: attempts are counted from here. */
  async forgive(tx: Db, jobId: string): Promise<void> {
    await tx.query(sql`
      update mainstay.jobs set failures = 0, losses = 0
      where id = ${sql.value(jobId)}::uuid and (failures > 0 or losses > 0)`);
  },

  async send(db: Db, name: string, payload: Json, key: string | null): Promise<void> {
    await db.query(sql`
      select mainstay.send_event(${sql.value(name)}, ${sql.value(JSON.stringify(payload))}::jsonb, ${sql.value(key)})`);
  },

  /**
   * Gives events to the jobs that wait for them: job first, then its wait, in the order everybody locks them. A job that somebody has
   * locked is left for the next time. @returns how many could have been woken, and how many were
   */
  async deliver(db: Db, count: number): Promise<{ readonly found: number; readonly woken: number }> {
    const [row] = await db.query<{ found: number; woken: number }>(sql`
      with found as materialized (
        select w.job_id, w.step, e.id as event_id, e.payload
        from mainstay.job_waits w
        cross join lateral (
          select e.id, e.payload from mainstay.job_events e
          where ${nextEvent(sql`w.job_id`, sql`w.event`, sql`w.key`)} and (e.sent_at >= w.since or e.id > w.after_event)
          order by e.id limit 1
        ) e
        limit ${sql.value(count)}
      ), held as materialized (
        select f.* from found f
        cross join lateral (select from mainstay.jobs j where j.id = f.job_id and j.state = 3 for update skip locked) j
      ), gone as (
        delete from mainstay.job_waits w using held h where w.job_id = h.job_id and w.step = h.step
        returning h.job_id, h.step, h.event_id, h.payload
      ), kept as (
        insert into mainstay.job_steps (job_id, name, value, event_id)
        select job_id, step, payload, event_id from gone
        on conflict (job_id, name) do update
          set kind = 'done', value = excluded.value, event_id = excluded.event_id, kept_at = excluded.kept_at
      ), woken as materialized (
        select count(*)::int as count, mainstay.wake_jobs(array_agg(job_id)) from gone having count(*) > 0
      )
      select (select count(*)::int from found) as found, coalesce((select count from woken), 0) as woken`);
    return row!;
  },

  /** Removes events past their time, steps of jobs that are no more, and waits of jobs that wait no more. */
  async sweep(db: Db, keepEventsMs: number): Promise<void> {
    await db.query(sql`
      delete from mainstay.job_events
      where sent_at < clock_timestamp() - make_interval(secs => ${sql.value(keepEventsMs / 1_000)}::float8)`);
    // Young ones are left alone: nothing that is under way can be met.
    await db.query(sql`
      delete from mainstay.job_steps s
      where s.kept_at < clock_timestamp() - interval '1 minute' and not exists (select from mainstay.jobs j where j.id = s.job_id)`);
    await db.query(sql`
      delete from mainstay.job_waits w where not exists (select from mainstay.jobs j where j.id = w.job_id and j.state = 3)`);
  },
};
