import type { JobOptions, WebhookOptions } from "@mainstay/functions";
import type { NewSchedule, Schedules } from "../../../platform/jobs/schedules/index.ts";
import type { BatchJobHandler, JobHandler, Jobs } from "../../../platform/jobs/types.ts";
import type { FunctionChanges } from "../changes/index.ts";
import type { DefinitionSummary, Diagnostic, FunctionSet } from "../types.ts";
import { type Plan, type PlannedSchedule, planOf, type Runnable } from "./plan.ts";
import { type RunNeeds, runBatch, runJob } from "./run.ts";

export { cronJobs, planOf } from "./plan.ts";
export type { OpenTransactions } from "./services.ts";
export { withDefaults } from "./with-defaults.ts";

export interface FunctionRunsNeeds extends RunNeeds {
  readonly jobs: Pick<Jobs, "get" | "handle">;
  readonly schedules: Pick<Schedules, "define">;
  readonly changes: Pick<FunctionChanges, "apply">;
}

/** What functions do besides answering requests: jobs, schedules, reactions to changes, providers' events. All of it runs as jobs. */
export interface FunctionRuns {
  /**
   * From now on these run, and nothing else: what is under way of others ends in its own time. To be called after `FunctionHost.load`, with what that
   * has given. @returns what authors should know
   */
  apply(
    set: Pick<FunctionSet, "functions" | "diagnostics">,
    defined: ReadonlyMap<string, readonly DefinitionSummary[] | Diagnostic>,
  ): Promise<readonly Diagnostic[]>;
  /** What jobs of this name are put in with, as their definition says; `null` when no function here defines them. */
  defaultsOf(jobName: string): JobOptions | null;
  /** How the webhook of this function is verified; `null` when it is none. */
  webhookOf(functionName: string): WebhookOptions | null;
  /** Lets what runs finish. */
  stop(): Promise<void>;
}

interface Registered {
  /** The definition as it is now: another one with the same limits only takes its place. */
  current: Runnable;
  readonly print: string;
  readonly stop: () => Promise<void>;
}

/** Whose schedules these are. */
const owner = "functions";

export function createFunctionRuns(needs: FunctionRunsNeeds): FunctionRuns {
  const registered = new Map<string, Registered>();
  const stopping = new Set<Promise<void>>();
  let webhooks = new Map<string, WebhookOptions>();
  /** What functions on change there were when their files could be loaded. */
  let changesBefore: Plan["changes"] = [];
  let hasSchedules = false;

  const end = ({ stop }: Registered): void => {
    const stopped = stop().catch(() => {});
    stopping.add(stopped);
    void stopped.then(() => stopping.delete(stopped));
  };

  const register = (runnable: Runnable): void => {
    const known = registered.get(runnable.name);
    const print = printOf(runnable);
    if (known?.print === print) {
      known.current = runnable;
      return;
    }
    if (known !== undefined) end(known);
    const entry: { current: Runnable; readonly print: string } = { current: runnable, print };
    const stop = needs.jobs.handle(handlerOf(needs, entry));
    registered.set(runnable.name, Object.assign(entry, { stop }));
  };

  return {
    async apply({ functions, diagnostics: ofBuild }, defined) {
      const plan = planOf(functions, defined);
      const diagnostics = [...plan.diagnostics];
      const about = (functionName: string, severity: Diagnostic["severity"], message: string, hint: string | null) => {
        const file = functions.find(({ name }) => name === functionName)?.file ?? null;
        diagnostics.push({ severity, file, line: null, column: null, message, hint, source: null });
      };
      webhooks = new Map(plan.webhooks.map(({ functionName, options }) => [functionName, options]));
      // Whatever can be claimed already has someone to run it, before more of it is made.
      const runnableNames = new Set(plan.runnables.map(({ name }) => name));
      for (const [name, entry] of registered) {
        if (runnableNames.has(name)) continue;
        registered.delete(name);
        end(entry);
      }
      for (const runnable of plan.runnables) register(runnable);
      if (plan.schedules.length > 0 || hasSchedules || functions.length > 0) {
        await needs.schedules.define(plan.schedules.map(newSchedule), owner);
        hasSchedules = plan.schedules.length > 0;
      }
      // A file with a mistake in it is not gone: what is committed meanwhile is for its handlers when it is right again.
      const broken = new Set<string | undefined>([
        ...ofBuild.flatMap(({ severity, functionName }) => (severity === "error" ? [functionName] : [])),
        ...[...defined].flatMap(([name, given]) => ("severity" in given ? [name] : [])),
      ]);
      const names = new Set(plan.changes.map(({ name }) => name));
      const kept = changesBefore.filter(({ name, functionName }) => broken.has(functionName) && !names.has(name));
      changesBefore = [...plan.changes, ...kept];
      for (const { handler, severity, message, hint } of await needs.changes.apply(changesBefore)) {
        const change = changesBefore.find(({ name }) => name === handler);
        about(change?.functionName ?? "", severity, message, hint);
      }
      return diagnostics;
    },
    defaultsOf: (jobName) => registered.get(jobName)?.current.options ?? null,
    webhookOf: (functionName) => webhooks.get(functionName) ?? null,
    async stop() {
      for (const entry of registered.values()) end(entry);
      registered.clear();
      await Promise.all(stopping);
    },
  };
}

/** What jobs must know of before they hand one over: with another one of these it is another handler. */
const printOf = ({ size, options }: Runnable): string => {
  const { concurrency, timeoutMs, maxAttempts, retryFirstMs, retryMaxMs, keepsDone } = options;
  return JSON.stringify([size, concurrency, timeoutMs, maxAttempts, retryFirstMs, retryMaxMs, keepsDone]);
};

/** Who has enqueued a job has its id, and asks what became of it; nobody has that of a schedule's, which may run each second. */
const keepsDoneOf = ({ kind, options }: Runnable): boolean | undefined =>
  options.keepsDone ?? (kind === "job" ? true : kind === "cron" ? false : undefined);

function handlerOf(needs: RunNeeds, entry: { readonly current: Runnable }): JobHandler | BatchJobHandler {
  const { name, size, options } = entry.current;
  const { concurrency, timeoutMs, maxAttempts, retryFirstMs, retryMaxMs } = options;
  const keepsDone = keepsDoneOf(entry.current);
  const limits = {
    name,
    ...(concurrency === undefined ? {} : { concurrency }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(maxAttempts === undefined ? {} : { maxAttempts }),
    ...(retryFirstMs === undefined ? {} : { retryFirstMs }),
    ...(retryMaxMs === undefined ? {} : { retryMaxMs }),
    ...(keepsDone === undefined ? {} : { keepsDone }),
  };
  return size === null
    ? { ...limits, run: (job, run) => runJob(needs, entry.current, job, run) }
    : { ...limits, size, runBatch: (jobs, signal) => runBatch(needs, entry.current, jobs, signal) };
}

function newSchedule({ name, expression, jobName, options }: PlannedSchedule): NewSchedule {
  const { timeZone, missed, queue, priority, maxAttempts } = options;
  return {
    name,
    expression,
    jobName,
    ...(timeZone === undefined ? {} : { timeZone }),
    ...(missed === undefined ? {} : { missed }),
    ...(queue === undefined ? {} : { queue }),
    ...(priority === undefined ? {} : { priority }),
    ...(maxAttempts === undefined ? {} : { maxAttempts }),
  };
}
