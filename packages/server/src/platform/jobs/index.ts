import type { Values } from "../../kernel/settings.ts";
import type { Nodes } from "../nodes/types.ts";
import type { Observe } from "../observe/observation.ts";
import type { Database } from "../postgres/database.ts";
import type { StopListening } from "../postgres/listener.ts";
import { checkJobs } from "./check.ts";
import { readQueues } from "./queues.ts";
import { Runner } from "./runner.ts";
import type { jobsSettings } from "./settings.ts";
import { type JobRow, jobsCancelled, jobsNews, jobsStore } from "./store.ts";
import { startSweeping } from "./sweeper.ts";
import type { JobInfo, Jobs } from "./types.ts";

export { jobsProblems } from "./problems.ts";
export { type AbortReason, RunAborted } from "./run-aborted.ts";
export { jobsSettings } from "./settings.ts";
export * from "./types.ts";

export interface JobsNeeds {
  readonly db: Pick<Database, "query" | "background" | "warm" | "listen">;
  readonly nodes: Pick<Nodes, "id" | "onChange">;
  readonly settings: Values<typeof jobsSettings>;
  readonly observe: Observe;
}

const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** The jobs of a database (table `mainstay.jobs`). Starts nothing until `start`; a part that only puts jobs in need not start it. */
export function openJobs({ db, nodes, settings, observe }: JobsNeeds): Jobs {
  const runner = new Runner({ db, nodeId: nodes.id, settings, observe });
  const handlers = new Map<string, number>();
  let stopListening: StopListening | null = null;
  let stopSweeping: (() => Promise<void>) | null = null;
  let forgetNodes: (() => void) | null = null;

  const infoOf = (row: JobRow): JobInfo => ({
    ...row,
    maxAttempts: row.maxAttempts ?? handlers.get(row.name) ?? settings.jobsMaxAttempts,
  });

  return {
    async enqueue(tx, jobs) {
      if (jobs.length === 0) return [];
      checkJobs(jobs, settings);
      const made = await jobsStore.enqueue(tx, jobs);
      // This node need not be told by PostgreSQL, which takes a word from process to process.
      const wake = () => runner.wasPutIn(jobs);
      if (tx.onCommit === undefined) wake();
      else tx.onCommit(wake);
      return made;
    },
    handle(handler) {
      const remove = runner.add(handler);
      if (handler.maxAttempts !== undefined) handlers.set(handler.name, handler.maxAttempts);
      return () => {
        handlers.delete(handler.name);
        return remove();
      };
    },
    async get(id) {
      const row = uuid.test(id) ? await jobsStore.get(db, id) : null;
      return row === null ? null : infoOf(row);
    },
    async list(filter) {
      if (filter.before !== undefined && !uuid.test(filter.before)) return [];
      return (await jobsStore.list(db, filter)).map(infoOf);
    },
    cancel: async (id) => uuid.test(id) && jobsStore.cancel(db, id),
    retry: async (id) => uuid.test(id) && jobsStore.retry(db, id),
    sendEvent: (tx, name, payload, key) => jobsStore.sendEvent(tx, name, payload, key ?? null),
    async start() {
      for (const queue of readQueues(settings.jobsQueues)) await jobsStore.setQueue(db, queue);
      stopListening = await db.listen([jobsNews, jobsCancelled], (payload) => {
        if (payload === null) runner.missedNews();
        else if (payload === "") runner.news();
        else runner.cancelled(payload);
      });
      forgetNodes = nodes.onChange(({ gone }) => {
        if (gone.length === 0) return;
        const ids = gone.map(({ id }) => id);
        // Those that slept need not be woken any more; of those that had jobs the lease says when it is over.
        void jobsStore.forget(db, ids).catch(() => {});
      });
      runner.start();
      stopSweeping = startSweeping(db, settings);
    },
    async stop(signal) {
      const patience = AbortSignal.timeout(settings.jobsStopMs);
      await runner.stop(signal === undefined ? patience : AbortSignal.any([signal, patience]));
      forgetNodes?.();
      await stopSweeping?.();
      await stopListening?.();
      stopListening = null;
    },
  };
}
