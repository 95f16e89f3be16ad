import type { Values } from "../../../kernel/settings.ts";
import type { Database } from "../../postgres/database.ts";
import type { RoleLogins } from "../../postgres/role-login.ts";
import type { jobsSettings } from "../settings.ts";
import type { Steps } from "../steps/index.ts";
import { type ClaimedJob, FinalJobError, type JobOutcome, type JobRun, type Jobs } from "../types.ts";
import { type CommandResult, errorMessage, runCommand } from "./command.ts";
import { type CronJob, cronStore } from "./store.ts";
import { sqlCronJob } from "./types.ts";

export interface SqlCronNeeds {
  readonly db: Pick<Database, "query" | "transaction">;
  readonly jobs: Pick<Jobs, "handle">;
  readonly steps: Pick<Steps, "find" | "keep">;
  readonly logins: RoleLogins;
  readonly settings: Pick<Values<typeof jobsSettings>, "cronConcurrency" | "cronKeepRunsMs" | "cronKeepRuns">;
}

/** Runs what `cron.schedule` has scheduled, where pg_cron itself is not there to do it. */
export interface SqlCron {
  start(): Promise<void>;
  /** Begins no more commands. Those under way are ended with the queue. */
  stop(): Promise<void>;
}

/** The step that remembers which run of `cron.job_run_details` a job is. */
const runStep = "run";
const sweepMs = 3_600_000;
/** A command that was cancelled gets so long to end before its connection is cut, in ms. */
const cancelMs = 5_000;

/**
 * A run is a job, so that nodes share them, and one that dies leaves no time out that had not begun. A command that had begun is not run
 * again: pg_cron does not either, and what it has done nobody knows.
 */
export function createSqlCron({ db, jobs, steps, logins, settings }: SqlCronNeeds): SqlCron {
  let stopHandling: (() => Promise<void>) | null = null;
  let sweeps: NodeJS.Timeout | null = null;

  return {
    async start() {
      if (!(await cronStore.isOurs(db))) return;
      stopHandling = jobs.handle({
        name: sqlCronJob,
        concurrency: settings.cronConcurrency,
        // What became of it is in cron.job_run_details: kept here as well, one that runs each second would leave 86,400 rows a day.
        keepsDone: false,
        run: runJob,
      });
      const sweep = () => void cronStore.sweep(db, settings.cronKeepRunsMs, settings.cronKeepRuns).catch(() => {});
      sweep();
      sweeps = setInterval(sweep, sweepMs);
      sweeps.unref();
    },
    async stop() {
      if (sweeps !== null) clearInterval(sweeps);
      // Not waited for: commands under way are runs of jobs, which the queue waits for as long as it waits for any, and then ends.
      void stopHandling?.().catch(() => {});
      stopHandling = null;
    },
  };

  async function runJob(job: ClaimedJob, run: JobRun): Promise<JobOutcome> {
    const { isDone, value } = await steps.find(job.id, runStep);
    if (isDone && (await cronStore.statusOf(db, String(value))) !== "starting") {
      await cronStore.interrupted(db, String(value));
      return { kind: "done" };
    }
    const cronJob = await cronStore.find(db, jobidOf(job));
    if (cronJob === null) return { kind: "done" };
    const runid = isDone
      ? String(value)
      : await db.transaction(async (tx) => {
          const begun = await cronStore.begin(tx, cronJob);
          await steps.keep(tx, job, run, runStep, begun);
          return begun;
        });
    const result = await runAs(cronJob, runid, run.signal).catch(
      (error: unknown): CommandResult => ({ status: "failed", message: errorMessage(error) }),
    );
    await cronStore.end(db, runid, result);
    return { kind: "done" };
  }

  async function runAs({ username, command }: CronJob, runid: string, signal: AbortSignal): Promise<CommandResult> {
    const client = await logins.connect(username, "mainstay cron");
    let cut: NodeJS.Timeout | undefined;
    try {
      const { rows } = await client.query<{ pid: number }>("select pg_catalog.pg_backend_pid() as pid");
      const { pid } = rows[0]!;
      await cronStore.running(db, runid, pid);
      const cancel = () => {
        void cronStore.cancel(db, pid).catch(() => {});
        cut = setTimeout(() => client.connection.stream.destroy(), cancelMs);
      };
      if (signal.aborted) return cancelled;
      signal.addEventListener("abort", cancel, { once: true });
      const result = await runCommand(client, command);
      signal.removeEventListener("abort", cancel);
      return signal.aborted && result.status === "failed" ? cancelled : result;
    } finally {
      clearTimeout(cut);
      // Not waited for: a connection that hangs is not to hold up what comes next.
      void client.end().catch(() => {});
    }
  }
}

const cancelled: CommandResult = { status: "failed", message: "job canceled" };

/** Jobs of this name are put in by schedules only; who puts in another has made a mistake, and it is not tried again. */
function jobidOf({ payload }: ClaimedJob): number {
  const inner = payload as { readonly payload?: { readonly jobid?: unknown } } | null;
  const jobid = inner?.payload?.jobid;
  if (typeof jobid !== "number") throw new FinalJobError("This job names no row of cron.job.");
  return jobid;
}
