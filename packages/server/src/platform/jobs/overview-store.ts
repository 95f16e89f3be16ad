import { sql } from "pg-sql2";
import type { Queryable } from "../postgres/database.ts";
import { rfc3339 } from "../postgres/sql-fragments.ts";
import type { JobQueue, JobStep, JobTrouble, JobWait, LateSchedule } from "./tools.ts";

type Db = Pick<Queryable, "query">;

/** SQL about jobs for people: it reads much, and nothing that runs them waits for it. */
export const jobsOverviewStore = {
  steps(db: Db, jobId: string): Promise<readonly JobStep[]> {
    return db.query<JobStep>(sql`
      select s.name, s.kind, case when s.kind = 'done' then s.value end as value, ${rfc3339(sql`s.kept_at`)} as at,
        ${rfc3339(sql`case when s.kind <> 'done' then to_timestamp((s.value ->> 'untilMs')::float8 / 1000) end`)} as until
      from mainstay.job_steps s where s.job_id = ${sql.value(jobId)}::uuid order by s.kept_at, s.name`);
  },

  async wait(db: Db, jobId: string): Promise<JobWait | null> {
    const [row] = await db.query<JobWait>(sql`
      select w.step, w.event, w.key, ${rfc3339(sql`w.until_at`)} as until
      from mainstay.job_waits w where w.job_id = ${sql.value(jobId)}::uuid`);
    return row ?? null;
  },

  /** The node that has it; `null` when none does. */
  async nodeOf(db: Db, jobId: string): Promise<string | null> {
    const [row] = await db.query<{ node: string }>(sql`
      select n.node_id as node from mainstay.jobs j join mainstay.job_nodes n on n.number = j.claimed_by
      where j.id = ${sql.value(jobId)}::uuid`);
    return row?.node ?? null;
  },

  queues(db: Db): Promise<readonly JobQueue[]> {
    return db.query<JobQueue>(sql`
      with counts as (
        select j.queue as name,
          count(*) filter (where j.state = 0 and j.claimed_by is null)::int as ready,
          count(*) filter (where j.state = 0 and j.claimed_by is not null)::int as running,
          count(*) filter (where j.state = 1)::int as later,
          count(*) filter (where j.state = 2)::int as behind,
          count(*) filter (where j.state = 3)::int as waiting,
          count(*) filter (where j.state = 5)::int as dead,
          -- Since it could have run; between attempts and behind others it could not.
          (extract(epoch from clock_timestamp() - min(j.run_at) filter (where j.state = 0 and j.claimed_by is null)) * 1000)::float8 as oldest_ms
        from mainstay.jobs j group by j.queue
      )
      select name, coalesce(c.ready, 0) as ready, coalesce(c.running, 0) as running, coalesce(c.later, 0) as later,
        coalesce(c.behind, 0) as behind, coalesce(c.waiting, 0) as waiting, coalesce(c.dead, 0) as dead,
        case when c.oldest_ms < 0 then 0 else c.oldest_ms end as "oldestReadyMs", q.concurrency, coalesce(q.is_paused, false) as "isPaused"
      from counts c full join mainstay.job_queues q using (name) order by name`);
  },

  /** Its limit stays as it is. A row that says nothing goes. */
  async pause(db: Db, queue: string, isPaused: boolean): Promise<void> {
    await db.query(sql`
      insert into mainstay.job_queues as q (name, is_paused) values (${sql.value(queue)}, ${sql.value(isPaused)})
      on conflict (name) do update set is_paused = excluded.is_paused where q.is_paused <> excluded.is_paused`);
    await db.query(sql`
      delete from mainstay.job_queues where name = ${sql.value(queue)} and concurrency is null and not is_paused`);
  },

  /** Has those run again that are dead, the oldest first. @returns how many */
  async retryDead(db: Db, name: string | null, limit: number): Promise<number> {
    const [row] = await db.query<{ count: number }>(sql`
      with dead as materialized (
        select j.id from mainstay.jobs j
        where j.state = 5 and (${sql.value(name)}::text is null or j.name = ${sql.value(name)})
        order by j.finished_at limit ${sql.value(limit)}
      )
      select count(*) filter (where mainstay.retry_job(id))::int as count from dead`);
    return row!.count;
  },

  /** Schedules that were due so long ago and have not run, or that nobody has planned since. */
  lateSchedules(db: Db, lateMs: number): Promise<readonly LateSchedule[]> {
    return db.query<LateSchedule>(sql`
      select s.owner, s.name, ${rfc3339(sql`s.next_run_at`)} as "dueAt" from mainstay.schedules s
      where coalesce(s.next_run_at, s.defined_at) < clock_timestamp() - make_interval(secs => ${sql.value(lateMs / 1_000)}::float8)
      order by s.owner, s.name`);
  },

  /**
   * Jobs by name that need somebody to look: dead ones, those that could have run for so long and that no server takes (of queues that are not
   * paused), those whose server is gone and that nobody has taken over.
   */
  trouble(db: Db, lateMs: number): Promise<readonly JobTrouble[]> {
    return db.query<JobTrouble>(sql`
      select * from (
        select j.name, count(*) filter (where j.state = 5)::int as dead,
          count(*) filter (
            where j.state = 0 and j.claimed_by is null and q.is_paused is not true
              and j.run_at < clock_timestamp() - make_interval(secs => ${sql.value(lateMs / 1_000)}::float8)
          )::int as late,
          count(*) filter (
            where j.state = 0 and j.claimed_by is not null and n.lease_until is distinct from greatest(n.lease_until, clock_timestamp())
          )::int as abandoned
        from mainstay.jobs j left join mainstay.job_queues q on q.name = j.queue left join mainstay.job_nodes n on n.number = j.claimed_by
        group by j.name
      ) t where dead + late + abandoned > 0 order by name`);
  },
};
