import { reasonOf } from "../../kernel/reason.ts";
import type { Values } from "../../kernel/settings.ts";
import type { Observe } from "../observe/observation.ts";
import { redact } from "../observe/redact.ts";
import { resultOf } from "./check.ts";
import { retryDelayMs } from "./retry-delay.ts";
import type { jobsSettings } from "./settings.ts";
import { type EndedClaim, stateNumbers } from "./store.ts";
import {
  type BatchJobHandler,
  type ClaimedJob,
  FinalJobError,
  type JobHandler,
  type JobOutcome,
  type Json,
  NotNowError,
} from "./types.ts";

/** Characters of an error that the database keeps. */
const errorMaxLength = 2_000;

/** How a claim ends. */
export type Ending =
  /** It leaves nothing. */
  | { readonly kind: "plain" }
  /** It leaves something, or goes on later. */
  | { readonly kind: "kept"; readonly claim: EndedClaim }
  /** It was settled in a transaction of the handler's. What is said here holds if that has not happened after all. */
  | { readonly kind: "settled"; readonly claim: EndedClaim };

export interface EndingsNeeds {
  readonly settings: Values<typeof jobsSettings>;
  readonly observe: Observe;
}

export type AnyHandler = JobHandler | BatchJobHandler;

/** Decides what becomes of a job after a run. */
export function createEndings({ settings, observe }: EndingsNeeds) {
  const failed = (handler: AnyHandler, job: ClaimedJob, error: unknown): Ending => {
    // They come back at different times, or all find the same crowd.
    if (error instanceof NotNowError)
      return kept(job, { state: stateNumbers.ready, delay_ms: error.waitMs * (0.5 + Math.random()) });
    const text = errorText(error);
    const { id, name, attempt } = job;
    if (error instanceof FinalJobError) {
      observe({ kind: "job.dead", name, id, attempts: attempt, error });
      return kept(job, { state: stateNumbers.dead, failures: 1, error: text });
    }
    const waitMs = retryDelayMs(attempt, error, {
      firstMs: handler.retryFirstMs ?? settings.jobsRetryFirstMs,
      maxMs: handler.retryMaxMs ?? settings.jobsRetryMaxMs,
    });
    if (attempt >= job.maxAttempts) {
      observe({ kind: "job.dead", name, id, attempts: attempt, error });
      const { maxAttempts: max_attempts } = job;
      return kept(job, { state: stateNumbers.dead, failures: 1, error: text, max_attempts, delay_ms: waitMs });
    }
    observe({ kind: "job.failed", name, id, attempt, waitMs, error });
    return kept(job, { state: stateNumbers.ready, failures: 1, error: text, delay_ms: waitMs });
  };

  const ended = (handler: AnyHandler, job: ClaimedJob, outcome: JobOutcome, hasTold: boolean): Ending => {
    switch (outcome.kind) {
      case "done": {
        let result: EndedClaim["result"];
        try {
          result = resultOf(outcome.result, settings);
        } catch (error) {
          // It would not be another one the next time.
          return failed(handler, job, new FinalJobError(reasonOf(error), { cause: error }));
        }
        if (leavesNothing(handler, job, result, hasTold)) return { kind: "plain" };
        return kept(job, { state: stateNumbers.done, ...(result === undefined ? {} : { result }) });
      }
      case "settled": {
        const error = "The handler said that it had settled the job, and it had not.";
        const retry = { state: stateNumbers.ready, failures: 1, error, delay_ms: settings.jobsRetryFirstMs };
        return { kind: "settled", claim: { id: job.id, claim: job.claim, ...retry } };
      }
      case "sleeping":
        return kept(job, { state: stateNumbers.ready, delay_ms: Math.max(0, outcome.wakeAtMs - Date.now()) });
      case "waiting": {
        const { step, event, key, untilMs } = outcome;
        const until = untilMs === null ? {} : { delay_ms: Math.max(0, untilMs - Date.now()) };
        return kept(job, { state: stateNumbers.waiting, step, event, event_key: key, ...until });
      }
    }
  };

  return {
    failed,
    ended,
    /** As if it had never been claimed. */
    givenBack: (job: ClaimedJob): Ending => kept(job, { state: stateNumbers.ready }),
    /** It was lost with too many nodes. */
    lostTooOften(job: ClaimedJob, losses: number): Ending {
      const error = new Error(`The server that had it ended ${losses} times.`);
      observe({ kind: "job.dead", name: job.name, id: job.id, attempts: job.attempt, error });
      return kept(job, { state: stateNumbers.dead, error: error.message });
    },
  };
}

export type Endings = ReturnType<typeof createEndings>;

/** Whether nobody would look for it when it is done. */
export function leavesNothing(
  { keepsDone }: Pick<AnyHandler, "keepsDone">,
  { key, attempt }: Pick<ClaimedJob, "key" | "attempt">,
  result: Json | undefined,
  hasTold: boolean,
): boolean {
  if (attempt > 1 || keepsDone === true) return false;
  return keepsDone === false || (key === null && result === undefined && !hasTold);
}

const kept = ({ id, claim }: ClaimedJob, rest: Omit<EndedClaim, "id" | "claim">): Ending => ({
  kind: "kept",
  claim: { id, claim, ...rest },
});

/** What the database can keep of an error: without secrets, and without what is no text to PostgreSQL. */
function errorText(error: unknown): string {
  return redact(reasonOf(error)).replaceAll("\0", "").toWellFormed().slice(0, errorMaxLength).toWellFormed();
}
