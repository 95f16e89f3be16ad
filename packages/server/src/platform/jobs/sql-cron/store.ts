import { sql } from "pg-sql2";
import type { Queryable } from "../../postgres/database.ts";
import type { CommandResult } from "./command.ts";

type Db = Pick<Queryable, "query">;

export interface CronJob {
  readonly jobid: string;
  readonly command: string;
  readonly username: string;
}

/** All SQL on the schema `cron` of migration 0030. */
export const cronStore = {
  /** Whether the schema is ours: where the extension is, that runs its jobs itself. */
  async isOurs(db: Db): Promise<boolean> {
    const [row] = await db.query<{ isOurs: boolean }>(sql`
      select to_regclass('cron.job') is not null
        and not exists (select from pg_catalog.pg_extension where extname = 'pg_cron') as "isOurs"`);
    return row!.isOurs;
  },

  /** `null` when it was unscheduled or switched off since. */
  async find(db: Db, jobid: number): Promise<CronJob | null> {
    const [row] = await db.query<CronJob>(sql`
      select jobid::text, command, username from cron.job where jobid = ${sql.value(jobid)}::bigint and active`);
    return row ?? null;
  },

  /** @returns the run's id */
  async begin(tx: Db, { jobid, command, username }: CronJob): Promise<string> {
    const [row] = await tx.query<{ runid: string }>(sql`
      insert into cron.job_run_details (jobid, database, username, command, status)
      values (${sql.value(jobid)}::bigint, current_database(), ${sql.value(username)}, ${sql.value(command)}, 'starting')
      returning runid::text`);
    return row!.runid;
  },

  /** From here on the command may have been run. */
  async running(db: Db, runid: string, pid: number | null): Promise<void> {
    await db.query(sql`
      update cron.job_run_details set status = 'running', job_pid = ${sql.value(pid)}::int, start_time = clock_timestamp()
      where runid = ${sql.value(runid)}::bigint`);
  },

  async end(db: Db, runid: string, { status, message }: CommandResult): Promise<void> {
    await db.query(sql`
      update cron.job_run_details set status = ${sql.value(status)}, return_message = ${sql.value(message)},
        start_time = coalesce(start_time, clock_timestamp()), end_time = clock_timestamp()
      where runid = ${sql.value(runid)}::bigint`);
  },

  /** How far a run has come that another node began; `null` when its row was deleted. */
  async statusOf(db: Db, runid: string): Promise<string | null> {
    const [row] = await db.query<{ status: string }>(
      sql`select status from cron.job_run_details where runid = ${sql.value(runid)}::bigint`,
    );
    return row?.status ?? null;
  },

  /** Its node went away while it ran. One that has ended stays as it ended. */
  async interrupted(db: Db, runid: string): Promise<void> {
    await db.query(sql`
      update cron.job_run_details set status = 'failed', return_message = 'server restarted', end_time = clock_timestamp()
      where runid = ${sql.value(runid)}::bigint and status = 'running'`);
  },

  async cancel(db: Db, pid: number): Promise<void> {
    await db.query(sql`select pg_catalog.pg_cancel_backend(${sql.value(pid)}::int)`);
  },

  async sweep(db: Db, keepMs: number, keepRuns: number): Promise<void> {
    await db.query(sql`
      delete from cron.job_run_details
      where coalesce(end_time, start_time) < clock_timestamp() - make_interval(secs => ${sql.value(keepMs / 1_000)}::float8)
        or runid <= (select last_value from cron.runid_seq) - ${sql.value(keepRuns)}::bigint`);
  },
};
