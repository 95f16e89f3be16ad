import { Problem } from "../../../kernel/problem.ts";
import type { Pause, Steps, Until } from "../../../platform/jobs/steps/index.ts";
import type { ClaimedJob, JobOutcome, JobRun, Json } from "../../../platform/jobs/types.ts";
import type { Queryable } from "../../../platform/postgres/database.ts";
import type { Invocation, Services } from "../types.ts";

/** Transactions that handlers have opened. */
export interface OpenTransactions {
  /** In an invocation's open transaction, as the server itself. Throws when it has none of this handle. */
  join(handle: Json, invocation: Invocation): Queryable;
}

export interface JobServicesNeeds {
  readonly job: ClaimedJob;
  readonly run: JobRun;
  readonly steps: Steps;
  readonly transactions: OpenTransactions;
  /** The run is to end with this. */
  readonly onPause: (outcome: JobOutcome) => void;
  /** The job has been settled in a transaction that is to be committed. */
  readonly onSettled: () => void;
}

/** What a job's handler may ask of its own job. Each holds the claim: a run that has lost it changes nothing. */
export function jobServices({ job, run, steps, transactions, onPause, onSettled }: JobServicesNeeds): Services {
  const paused = (pause: Pause<JobOutcome>): Json => {
    if (pause.isDone) return { isDone: true, value: pause.value };
    onPause(pause.outcome);
    return { isDone: false, suspended: pause.outcome as unknown as Json };
  };
  return {
    "job.progress": async ([part]) => {
      if (typeof part !== "number" || !(part >= 0 && part <= 1)) throw badArgument("progress", "a part from 0 to 1");
      await run.progress(part);
      return undefined;
    },
    "job.step": async ([name]) => {
      const { isDone, value } = await steps.find(job.id, text(name));
      return { isDone, value };
    },
    "job.stepDone": async ([name, value]) => {
      await steps.keepAlone(job, run, text(name), value ?? null);
      return undefined;
    },
    "job.stepCommit": async ([handle, name, value], invocation) => {
      await steps.keep(transactions.join(handle ?? null, invocation), job, run, text(name), value ?? null);
      return undefined;
    },
    "job.complete": async ([handle, result], invocation) => {
      await run.settle(transactions.join(handle ?? null, invocation), result ?? null);
      onSettled();
      return undefined;
    },
    "job.sleep": async ([name, until]) => paused(await steps.sleep(job, run, text(name), untilOf(until))),
    "job.wait": async ([name, event, key, until]) =>
      paused(
        await steps.awaitEvent(job, run, text(name), {
          event: text(event),
          key: key == null ? null : text(key),
          until: until == null ? null : untilOf(until),
        }),
      ),
  };
}

function text(value: Json | undefined): string {
  if (typeof value !== "string") throw badArgument("step", "a text");
  return value;
}

/** So long is counted by PostgreSQL's clock: what a thread or a node takes the time for decides nothing (threat X18). */
function untilOf(value: Json | undefined): Until {
  const { untilMs, forMs } = (value ?? {}) as { readonly untilMs?: Json; readonly forMs?: Json };
  if (isTime(untilMs)) return { untilMs };
  if (isTime(forMs)) return { forMs };
  throw badArgument("time", "untilMs, Unix milliseconds, or forMs");
}

const isTime = (value: Json | undefined): value is number => typeof value === "number" && Number.isFinite(value);

/** Only a thread that speaks for itself, past `ctx`, comes by it. */
const badArgument = (what: string, expected: string): Problem =>
  new Problem("functions/bad-argument", 400, `The ${what} must be ${expected}.`);
