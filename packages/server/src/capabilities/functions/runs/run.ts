import { Problem } from "../../../kernel/problem.ts";
import { servicePrincipal } from "../../../platform/identity/service.ts";
import type { Steps } from "../../../platform/jobs/steps/index.ts";
import {
  type ClaimedJob,
  type JobOutcome,
  type JobRun,
  type Jobs,
  type Json,
  NotNowError,
  RetryLaterError,
} from "../../../platform/jobs/types.ts";
import { FunctionError, type FunctionHost, type Invocation } from "../types.ts";
import type { Runnable } from "./plan.ts";
import { jobServices, type OpenTransactions } from "./services.ts";

export interface RunNeeds {
  readonly host: Pick<FunctionHost, "run">;
  readonly jobs: Pick<Jobs, "get">;
  readonly steps: Steps;
  readonly transactions: OpenTransactions;
}

/** What runs without a caller acts as the service role. */
const who = servicePrincipal();
/** Longest words of an error that are kept, in characters. */
const errorLength = 8_000;
/** What is no fault of the job: it is tried again after so long, in ms. */
const retryMs = 1_000;
const passing: ReadonlySet<string> = new Set(["BOOT_ERROR", "NOT_FOUND"]);
/** There was no room for it, or no time: that is no attempt. */
const notNow: ReadonlySet<string> = new Set(["FUNCTIONS_BUSY", "FUNCTIONS_STOPPING"]);

/** Runs a job by its function's handler. Rejects with what that has thrown, or why it could not be run: the job is tried again. */
export async function runJob(
  { host, jobs, steps, transactions }: RunNeeds,
  { functionName, index, kind, options }: Runnable,
  job: ClaimedJob,
  run: JobRun,
): Promise<JobOutcome> {
  let pause: JobOutcome | null = null;
  let isSettled = false;
  const services = jobServices({
    job,
    run,
    steps,
    transactions,
    onPause: (outcome) => {
      pause = outcome;
    },
    onSettled: () => {
      isSettled = true;
    },
  });
  const { id, name, attempt, maxAttempts, key, createdAtMs, causedBy } = job;
  const invocation: Invocation = {
    id: `${id}/${attempt}`,
    functionName,
    index,
    who,
    isCalled: false,
    signal: run.signal,
    timeoutMs: options.timeoutMs ?? null,
    causedBy: causedBy ?? id,
    services,
  };
  const context = { job: { id, name, attempt, maxAttempts, key, createdAt: new Date(createdAtMs).toISOString() } };
  const result = await called(() => host.run(invocation, inputOf(kind, job.payload), context));
  if (result.kind === "suspended") {
    // What the thread says of it is the app's word; what was written for it is ours.
    if (pause === null)
      throw new Error("The run ended as if it went on later, and nothing was asked for that it could wait for.");
    return pause;
  }
  // Its transaction may have failed, and the handler have made nothing of it.
  if (isSettled && (await isDone(jobs, id))) return { kind: "settled" };
  return { kind: "done", result: result.result };
}

/** Runs jobs of a batch by their function's handler. @returns why some have failed, by their place */
export async function runBatch(
  { host }: Pick<RunNeeds, "host">,
  { functionName, index, options }: Runnable,
  jobs: readonly ClaimedJob[],
  signal: AbortSignal,
): Promise<ReadonlyMap<number, unknown>> {
  const [first] = jobs;
  const invocation: Invocation = {
    id: `${first!.id}/${first!.attempt}`,
    functionName,
    index,
    who,
    isCalled: false,
    signal,
    timeoutMs: options.timeoutMs ?? null,
    causedBy: first!.causedBy ?? first!.id,
  };
  const result = await called(() =>
    host.run(
      invocation,
      jobs.map(({ payload }) => payload),
      null,
    ),
  );
  return result.kind === "done" ? failuresOf(result.result, jobs.length) : new Map();
}

/** `{ failed: { [index]: reason } }`: only these come again. */
function failuresOf(result: Json, count: number): ReadonlyMap<number, unknown> {
  const failed = isObject(result) ? result.failed : undefined;
  const failures = new Map<number, unknown>();
  if (!isObject(failed)) return failures;
  for (const [index, reason] of Object.entries(failed)) {
    const at = Number(index);
    if (!Number.isInteger(at) || at < 0 || at >= count) continue;
    failures.set(at, new Error(typeof reason === "string" ? reason : (JSON.stringify(reason) ?? "It failed.")));
  }
  return failures;
}

const isObject = (value: Json | undefined): value is { readonly [name: string]: Json | undefined } =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A schedule's run is told when it was due. */
function inputOf(kind: Runnable["kind"], payload: Json): Json {
  if (kind !== "cron" || !isObject(payload)) return payload;
  return { scheduledAt: payload.scheduledAt ?? null };
}

/** Jobs that are done and leave nothing are not kept. */
async function isDone(jobs: Pick<Jobs, "get">, id: string): Promise<boolean> {
  const job = await jobs.get(id);
  return job === null || job.state === "done";
}

function wordsOf({ name, message, stack }: FunctionError): string {
  const head = `${name}: ${message}`;
  return (stack?.startsWith(name) ? stack : `${head}\n${stack ?? ""}`.trimEnd()).slice(0, errorLength);
}

async function called<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Problem && notNow.has(error.code)) {
      throw new NotNowError(error.message, retryMs, { cause: error });
    }
    if (error instanceof Problem && passing.has(error.code)) {
      throw new RetryLaterError(error.message, retryMs, { cause: error });
    }
    // A job keeps the words of an error: the app's author needs the place as well.
    if (error instanceof FunctionError) throw new Error(wordsOf(error), { cause: error });
    throw error;
  }
}
