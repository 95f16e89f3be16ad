import type { Values } from "../../kernel/settings.ts";
import type { jobsSettings } from "./settings.ts";
import { type JobsDatabase, jobsStore } from "./store.ts";

/** Rows that one statement removes: short enough to wait for nobody. */
const sweepMax = 5_000;

/** Removes what has ended long ago. @returns how to stop */
export function startSweeping(
  db: Pick<JobsDatabase, "query">,
  settings: Values<typeof jobsSettings>,
  /** Others who keep something about jobs. */
  also: readonly ((db: Pick<JobsDatabase, "query">) => Promise<unknown>)[] = [],
): () => Promise<void> {
  let isStopped = false;
  let running: Promise<void> = Promise.resolve();
  const sweep = async (): Promise<void> => {
    for (const state of ["done", "cancelled", "dead"] as const) {
      const keepMs = state === "dead" ? settings.jobsKeepDeadMs : settings.jobsKeepDoneMs;
      while (!isStopped && (await jobsStore.sweepEnded(db, state, keepMs, sweepMax)) === sweepMax);
    }
    if (isStopped) return;
    await jobsStore.sumCounts(db, settings.jobsKeepCountsMs);
    await jobsStore.sweepNodes(db);
    for (const other of also) if (!isStopped) await other(db);
  };
  const timer = setInterval(() => {
    // PostgreSQL is away, which others tell: what is left is removed the next time.
    running = running.then(sweep).catch(() => {});
  }, settings.jobsSweepMs);
  timer.unref();
  return async () => {
    isStopped = true;
    clearInterval(timer);
    await running;
  };
}
