import { type SQL, sql } from "pg-sql2";
import type { Database, Queryable } from "../postgres/database.ts";
import { jsonb, rfc3339 } from "../postgres/sql-fragments.ts";
import type { Seen } from "./looks.ts";
import type { EnqueuedJob, JobFilter, JobInfo, JobState, Json, NewJob } from "./types.ts";

type Db = Pick<Queryable, "query">;

/** Told to nodes that sleep: there may be something to do. */
export const jobsNews = "mainstay_jobs";
/** Told to all nodes, with the id of a job that ran and was cancelled. */
export const jobsCancelled = "mainstay_jobs_cancelled";

/** How the database says states. `ready` there means: as soon as a node takes it, or a node has it. */
export const stateNumbers = { ready: 0, waiting: 3, done: 4, dead: 5, cancelled: 6 } as const;

/** What a turn claims, in the order in which it comes. */
export type ClaimedRow = readonly [
  id: string,
  name: string,
  queue: string,
  payload: Json,
  key: string | null,
  claim: number,
  failures: number,
  losses: number,
  maxAttempts: number | null,
  priority: number,
  place: number,
  createdAtMs: number,
  causedBy: string | null,
];

/** A claim that has ended and leaves something. */
export interface EndedClaim {
  readonly id: string;
  readonly claim: number;
  readonly state: (typeof stateNumbers)[keyof typeof stateNumbers];
  readonly result?: Json;
  readonly error?: string;
  readonly delay_ms?: number;
  /** 1 for an attempt that failed. */
  readonly failures?: number;
  /** Dead only when these are used up. */
  readonly max_attempts?: number;
  readonly step?: string;
  readonly event?: string;
  readonly event_key?: string | null;
}

/** Under which number a node has its claims, and which of its beginnings this is. */
export interface Membership {
  readonly number: number;
  readonly epoch: number;
}

export interface Turn {
  readonly node: Membership;
  readonly doneIds: readonly string[];
  readonly doneClaims: readonly number[];
  readonly ended: readonly EndedClaim[];
  readonly names: readonly string[];
  readonly wants: readonly number[];
  readonly total: number;
  readonly leaseMs: number;
  readonly isIdle: boolean;
  readonly seen: Seen;
}

export interface TurnResult {
  readonly jobs: readonly ClaimedRow[];
  /** How long it took to claim them. */
  readonly lookMs: number;
  /** Claims that were not ours any more, or had been settled before. */
  readonly lost: number;
  /** Jobs that some transaction holds: to be settled again. */
  readonly held: readonly string[];
  readonly isFull: boolean;
  readonly fellAsleep: boolean;
  readonly nextDueMs: number | null;
}

export interface Look {
  readonly isKnown: boolean;
  readonly hasJobs: boolean;
  readonly nextDueMs: number | null;
}

const interval = (ms: number): SQL => sql`make_interval(secs => ${sql.value(ms)}::float8 / 1000)`;

const state = sql`case
  when j.state = 0 and j.claimed_by is not null then 'running' when j.state in (0, 1, 2) then 'ready' when j.state = 3 then 'waiting'
  when j.state = 4 then 'done' when j.state = 5 then 'dead' else 'cancelled' end`;

const conditionOf: Readonly<Record<JobState, SQL>> = {
  ready: sql`j.state in (0, 1, 2) and j.claimed_by is null`,
  running: sql`j.state = 0 and j.claimed_by is not null`,
  waiting: sql`j.state = 3`,
  done: sql`j.state = 4`,
  dead: sql`j.state = 5`,
  cancelled: sql`j.state = 6`,
};

const infoColumns = sql`j.id, j.name, j.queue, ${state} as state, j.key, j.payload,
  j.failures + (j.claimed_by is not null or j.state = 4)::int as attempts, j.max_attempts as "maxAttempts",
  j.progress::float8 as progress, j.result, j.last_error as "lastError", j.caused_by as "causedBy", ${rfc3339(sql`j.created_at`)} as "createdAt",
  ${rfc3339(sql`case when j.run_at < 'infinity' then j.run_at else j.created_at end`)} as "runAt",
  ${rfc3339(sql`j.started_at`)} as "startedAt", ${rfc3339(sql`j.finished_at`)} as "finishedAt"`;

/** As the database has it: `null` attempts are its handler's. */
export type JobRow = Omit<JobInfo, "maxAttempts"> & { readonly maxAttempts: number | null };

/** All SQL about jobs that is not in the database's own functions (migration 0029). */
export const jobsStore = {
  async enqueue(db: Db, jobs: readonly NewJob[]): Promise<readonly EnqueuedJob[]> {
    const rows = jobs.map((job) => ({
      name: job.name,
      payload: job.payload,
      queue: job.queue,
      key: job.key,
      priority: job.priority,
      run_at_ms: job.runAtMs,
      delay_ms: job.delayMs,
      order_key: job.orderKey,
      max_attempts: job.maxAttempts,
      caused_by: job.causedBy,
    }));
    return db.query(sql`select id, is_new as "isNew" from mainstay.enqueue_many(${jsonb(rows)})`);
  },

  async turn(db: Db, turn: Turn): Promise<TurnResult> {
    const [row] = await db.query<{ result: TurnResult }>(sql`
      select mainstay.turn_jobs(${sql.value(turn.node.number)}, ${sql.value(turn.node.epoch)},
        ${sql.value(turn.doneIds as string[])}::uuid[], ${sql.value(turn.doneClaims as number[])}::int[],
        ${sql.value(turn.ended.length === 0 ? null : JSON.stringify(turn.ended))}::jsonb,
        ${sql.value(turn.names as string[])}::text[], ${sql.value(turn.wants as number[])}::int[], ${sql.value(turn.total)},
        ${interval(turn.leaseMs)}, ${sql.value(turn.isIdle)}::boolean, ${sql.value(turn.seen.ats as number[])}::int[],
        ${sql.value(turn.seen.queues as string[])}::text[], ${sql.value(turn.seen.priorities as number[])}::smallint[],
        ${sql.value(turn.seen.places as number[])}::bigint[]) as result`);
    return row!.result;
  },

  /** May run twice. */
  async look(db: Db, node: number, names: readonly string[]): Promise<Look> {
    const [row] = await db.query<Look>(sql`
      select is_known as "isKnown", has_jobs as "hasJobs", next_due_ms as "nextDueMs"
      from mainstay.look_for_jobs(${sql.value(node)}, ${sql.value(names as string[])}::text[])`);
    return row!;
  },

  async join(db: Db, nodeId: string): Promise<Membership> {
    const [row] = await db.query<Membership>(sql`
      insert into mainstay.job_nodes (node_id) values (${sql.value(nodeId)}::uuid) returning number, epoch`);
    return row!;
  },

  /** Refuses what is under way of this node, and gives back what it has and does not know of. @returns null when it is not known any more */
  async beginAnew(db: Db, node: Membership, known: readonly string[]): Promise<Membership | null> {
    const [row] = await db.query<Membership>(sql`
      update mainstay.job_nodes set epoch = greatest(epoch, ${sql.value(node.epoch)}) + 1
      where number = ${sql.value(node.number)} and not is_gone returning number, epoch`);
    if (row === undefined) return null;
    // Over all that is ready, which takes a moment: but this happens only after a connection broke in the middle of a claim.
    await db.query(sql`
      update mainstay.jobs set claimed_by = null
      where state = 0 and claimed_by = ${sql.value(node.number)} and id <> all (${sql.value(known as string[])}::uuid[])`);
    return row;
  },

  /** Says that the node lives. @returns whether it is known still. May run twice. */
  async renew(db: Db, node: Membership, leaseMs: number): Promise<boolean> {
    const rows = await db.query(sql`
      update mainstay.job_nodes set lease_until = clock_timestamp() + ${interval(leaseMs)}
      where number = ${sql.value(node.number)} and not is_gone and lease_until is not null returning number`);
    if (rows.length > 0) return true;
    const idle = await db.query(sql`
      select from mainstay.job_nodes where number = ${sql.value(node.number)} and not is_gone`);
    return idle.length > 0;
  },

  /** The node ends. What it may still have, or what may still be under way of it, is anybody's. */
  async leave(db: Db, number: number): Promise<void> {
    await db.query(sql`
      with gone as (
        update mainstay.job_nodes set is_gone = true where number = ${sql.value(number)} and lease_until is not null returning number
      )
      delete from mainstay.job_nodes where number = ${sql.value(number)} and lease_until is null`);
  },

  /** Takes away nodes of processes that are not there any more. Those with claims keep their lease, which says when. */
  async forget(db: Db, nodeIds: readonly string[]): Promise<void> {
    await db.query(sql`
      delete from mainstay.job_nodes where node_id = any (${sql.value(nodeIds as string[])}::uuid[]) and lease_until is null and not is_gone`);
  },

  /** Which of these claims are the node's no more. */
  async lost(
    db: Db,
    number: number,
    claims: readonly { readonly id: string; readonly claim: number }[],
  ): Promise<readonly string[]> {
    const rows = await db.query<{ id: string }>(sql`
      select c.id from unnest(${sql.value(claims.map(({ id }) => id))}::uuid[], ${sql.value(claims.map(({ claim }) => claim))}::int[])
        as c (id, claim)
      where not exists (
        select from mainstay.jobs j where j.id = c.id and j.claim = c.claim and j.claimed_by = ${sql.value(number)})`);
    return rows.map(({ id }) => id);
  },

  async progress(db: Db, number: number, id: string, claim: number, part: number): Promise<boolean> {
    const rows = await db.query(sql`
      update mainstay.jobs set progress = ${sql.value(part)}
      where id = ${sql.value(id)} and claim = ${sql.value(claim)} and claimed_by = ${sql.value(number)} returning id`);
    return rows.length > 0;
  },

  async hold(tx: Db, number: number, id: string, claim: number): Promise<boolean> {
    const rows = await tx.query(sql`
      select from mainstay.jobs
      where id = ${sql.value(id)} and claim = ${sql.value(claim)} and claimed_by = ${sql.value(number)} for no key update`);
    return rows.length > 0;
  },

  async settle(
    tx: Db,
    number: number,
    { id, claim }: { readonly id: string; readonly claim: number },
    result: Json | undefined,
    keeps: boolean,
  ): Promise<boolean> {
    const [row] = await tx.query<{ settled: boolean }>(sql`
      select mainstay.settle_job(${sql.value(id)}::uuid, ${sql.value(claim)}, ${sql.value(number)},
        ${sql.value(result === undefined ? null : JSON.stringify(result))}::jsonb, ${sql.value(keeps)}::boolean) as settled`);
    return row!.settled;
  },

  async get(db: Db, id: string): Promise<JobRow | null> {
    const [row] = await db.query<JobRow>(
      sql`select ${infoColumns} from mainstay.jobs j where j.id = ${sql.value(id)}::uuid`,
    );
    return row ?? null;
  },

  async list(db: Db, { name, queue, state, causedBy, limit, before }: JobFilter): Promise<readonly JobRow[]> {
    const conditions = [
      ...(name === undefined ? [] : [sql`j.name = ${sql.value(name)}`]),
      ...(queue === undefined ? [] : [sql`j.queue = ${sql.value(queue)}`]),
      ...(state === undefined ? [] : [conditionOf[state]]),
      ...(causedBy === undefined ? [] : [sql`j.caused_by = ${sql.value(causedBy)}`]),
      ...(before === undefined ? [] : [sql`j.id < ${sql.value(before)}::uuid`]),
    ];
    const where = conditions.length === 0 ? sql`true` : sql.join(conditions, " and ");
    return db.query<JobRow>(sql`
      select ${infoColumns} from mainstay.jobs j where ${where} order by j.id desc limit ${sql.value(limit ?? 50)}`);
  },

  async cancel(db: Db, id: string): Promise<boolean> {
    const [row] = await db.query<{ did: boolean }>(sql`select mainstay.cancel_job(${sql.value(id)}::uuid) as did`);
    return row!.did;
  },

  async retry(db: Db, id: string): Promise<boolean> {
    const [row] = await db.query<{ did: boolean }>(sql`select mainstay.retry_job(${sql.value(id)}::uuid) as did`);
    return row!.did;
  },

  async sendEvent(db: Db, name: string, payload: Json, key: string | null): Promise<void> {
    await db.query(sql`select mainstay.send_event(${sql.value(name)}, ${jsonb(payload)}, ${sql.value(key)})`);
  },

  async setQueue(
    db: Db,
    queue: { readonly name: string; readonly concurrency: number | null; readonly isPaused: boolean },
  ): Promise<void> {
    await db.query(sql`
      insert into mainstay.job_queues as q (name, concurrency, is_paused)
      values (${sql.value(queue.name)}, ${sql.value(queue.concurrency)}, ${sql.value(queue.isPaused)})
      on conflict (name) do update set concurrency = excluded.concurrency, is_paused = excluded.is_paused
      where (q.concurrency, q.is_paused) is distinct from (excluded.concurrency, excluded.is_paused)`);
  },

  /** Removes some of what has ended in this state so long ago. @returns how many */
  async sweepEnded(db: Db, ended: "done" | "dead" | "cancelled", keepMs: number, limit: number): Promise<number> {
    const rows = await db.query(sql`
      delete from mainstay.jobs where id = any (array(
        select id from mainstay.jobs
        where state = ${sql.value(stateNumbers[ended])}::smallint and finished_at < clock_timestamp() - ${interval(keepMs)}
        order by finished_at limit ${sql.value(limit)} for update skip locked))
      returning id`);
    return rows.length;
  },

  /** Sums up counts, of which every turn adds some, and forgets old ones. */
  async sumCounts(db: Db, keepMs: number): Promise<void> {
    await db.query(sql`
      with gone as (delete from mainstay.job_counts returning name, hour, done, failed, dead)
      insert into mainstay.job_counts (name, hour, done, failed, dead)
      select name, hour, sum(done), sum(failed), sum(dead) from gone
      where hour > clock_timestamp() - ${interval(keepMs)} group by name, hour`);
  },

  /** Gives free what nodes have had that are gone, and forgets them; has order keys looked at that nobody is in the running of. */
  async sweepNodes(db: Db): Promise<void> {
    await db.query(sql`
      with gone as (
        delete from mainstay.job_nodes where is_gone and lease_until < clock_timestamp() - interval '10 minutes' returning number
      )
      update mainstay.jobs set claimed_by = null, losses = losses + 1
      where state = 0 and claimed_by in (select number from gone)`);
    // Of nodes whose row somebody has deleted. Those that have just joined are not seen here, but neither have they had anything for so long.
    await db.query(sql`
      update mainstay.jobs j set claimed_by = null, losses = losses + 1
      where j.state = 0 and j.claimed_by is not null and j.started_at < clock_timestamp() - interval '1 minute'
        and not exists (select from mainstay.job_nodes n where n.number = j.claimed_by)`);
    await db.query(sql`
      with recursive keys (name, order_key) as (
        (select name, order_key from mainstay.jobs where state = 2 order by name, order_key limit 1)
        union all
        select n.name, n.order_key from keys k cross join lateral (
          select j.name, j.order_key from mainstay.jobs j
          where j.state = 2 and (j.name, j.order_key) > (k.name, k.order_key) order by j.name, j.order_key limit 1
        ) n
      )
      insert into mainstay.job_order_news (name, order_key)
      select k.name, k.order_key from keys k where not exists (
        select from mainstay.jobs a
        where a.name = k.name and a.order_key = k.order_key and a.order_key is not null and a.state in (0, 1, 3))`);
  },
};

export type JobsDatabase = Pick<Database, "query" | "background" | "warm" | "listen">;
