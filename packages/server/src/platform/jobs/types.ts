import type { JobState, Json, JobInfo as PublicJobInfo } from "@mainstay/functions";
import type { Queryable } from "../postgres/database.ts";

// One set of words: authors are told of jobs in the same.
export type { JobState, Json };

/** Work for later. Times are the database's. */
export interface NewJob {
  /** Names that begin with `mainstay.` are the server's own. */
  readonly name: string;
  readonly payload: Json;
  /** `default` when left out. */
  readonly queue?: string;
  /** While a job of this name and key is kept, no other is made. */
  readonly key?: string | null;
  /** Lower first, -32768 to 32767; 0 when left out. */
  readonly priority?: number;
  /** Unix ms; wins over `delayMs`. */
  readonly runAtMs?: number;
  readonly delayMs?: number;
  /** Jobs with the same order key (of one name) run one after another, in the order they were put in. */
  readonly orderKey?: string | null;
  /** Attempts in all before it is dead; the handler's when left out. */
  readonly maxAttempts?: number;
  /** Id of the request, or of the job, that has led to it: joins what is logged. At most 200 characters. */
  readonly causedBy?: string | null;
}

export interface EnqueuedJob {
  readonly id: string;
  /** False when one of the same name and key was there already. */
  readonly isNew: boolean;
}

/** One run of a job that this node has claimed. */
export interface ClaimedJob {
  readonly id: string;
  readonly name: string;
  readonly queue: string;
  readonly payload: Json;
  readonly key: string | null;
  /** From 1: failures before it, and this one. */
  readonly attempt: number;
  /** With the id it is the claim: whoever has another has none. Counts up with everything that begins it anew. */
  readonly claim: number;
  readonly maxAttempts: number;
  readonly createdAtMs: number;
  /** `NewJob.causedBy`. */
  readonly causedBy: string | null;
}

/** What came of a run. Throwing means: try again. */
export type JobOutcome =
  | { readonly kind: "done"; readonly result?: Json }
  /** It has been settled already, in a transaction of the handler's own (`JobRun.settle`). */
  | { readonly kind: "settled" }
  /** A workflow that goes on later: neither an attempt nor a failure. */
  | { readonly kind: "sleeping"; readonly wakeAtMs: number }
  | {
      readonly kind: "waiting";
      readonly step: string;
      readonly event: string;
      readonly key: string | null;
      readonly untilMs: number | null;
    };

/** What a handler can do about its run. */
export interface JobRun {
  /** Aborted when the job is cancelled, its lease was lost, its time is over or the server stops. `reason` says which. */
  readonly signal: AbortSignal;
  /** 0 to 1. */
  progress(part: number): Promise<void>;
  /**
   * Ends the job as done in the caller's transaction, so that its effects and its end are one.
   * Throws when the claim is no longer ours: then the transaction must be rolled back.
   */
  settle(tx: Queryable, result?: Json): Promise<void>;
  /** Throws unless the claim is still ours, and holds it until the transaction ends: for steps kept in `tx`. */
  hold(tx: Queryable): Promise<void>;
}

export interface JobHandler {
  readonly name: string;
  /** Of this node. */
  readonly concurrency?: number;
  /** Longest run; without one it may take as long as it lives. */
  readonly timeoutMs?: number;
  readonly maxAttempts?: number;
  readonly retryFirstMs?: number;
  readonly retryMaxMs?: number;
  /**
   * Keeps every job of it for a while when it is done (true), or none, whatever its key and result, unless an attempt failed (false). Left
   * out, one that has neither a key nor a result, and never failed, is only counted: that is faster.
   */
  readonly keepsDone?: boolean;
  /** @throws whatever failed: it is tried again, unless a FinalJobError says that it is of no use */
  run(job: ClaimedJob, run: JobRun): Promise<JobOutcome>;
}

/** Takes several that are due at once. */
export interface BatchJobHandler extends Omit<JobHandler, "run"> {
  readonly size: number;
  /** @returns why some failed, by their place. What it throws has failed all of them. */
  runBatch(jobs: readonly ClaimedJob[], signal: AbortSignal): Promise<ReadonlyMap<number, unknown>>;
}

/** Thrown by a handler: trying again is of no use. The job is dead. */
export class FinalJobError extends Error {
  override readonly name = "FinalJobError";
}

/** Thrown by a handler that has no room or is stopping: the job comes again after some `waitMs`, with as many attempts as before. */
export class NotNowError extends Error {
  override readonly name = "NotNowError";
  readonly waitMs: number;

  constructor(message: string, waitMs: number, options?: ErrorOptions) {
    super(message, options);
    this.waitMs = waitMs;
  }
}

/** Thrown by a handler: try again, but not before so long (`Retry-After`). */
export class RetryLaterError extends Error {
  override readonly name = "RetryLaterError";
  readonly waitMs: number;

  constructor(message: string, waitMs: number, options?: ErrorOptions) {
    super(message, options);
    this.waitMs = waitMs;
  }
}

/** What authors are told of a job, and what only we need. */
export interface JobInfo extends PublicJobInfo {
  /** The request or run that has led to it. */
  readonly causedBy: string | null;
  /** ISO 8601. */
  readonly startedAt: string | null;
}

export interface JobFilter {
  readonly name?: string;
  readonly queue?: string;
  readonly state?: JobState;
  readonly causedBy?: string;
  /** At most so many, the newest first; 50 when left out. */
  readonly limit?: number;
  /** Only those before this id, for the next page. */
  readonly before?: string;
}

/** Jobs of one database, as this node sees them. */
export interface Jobs {
  /** Puts jobs in, in the given transaction or at once. In the order given; answers in that order. */
  enqueue(db: Queryable, jobs: readonly NewJob[]): Promise<readonly EnqueuedJob[]>;
  /** Runs jobs of this name on this node from now on. @returns how to stop: what runs is let finish. */
  handle(handler: JobHandler | BatchJobHandler): () => Promise<void>;
  get(id: string): Promise<JobInfo | null>;
  list(filter: JobFilter): Promise<readonly JobInfo[]>;
  /** @returns whether there was something to cancel. A run under way hears it by its signal, on whatever node, within seconds. */
  cancel(id: string): Promise<boolean>;
  /** Runs one that is dead or cancelled again, with all its attempts. */
  retry(id: string): Promise<boolean>;
  /** Wakes workflows that wait for it; kept for `jobsKeepEventsMs` for those that will. */
  sendEvent(db: Queryable, name: string, payload: Json, key?: string | null): Promise<void>;
  start(): Promise<void>;
  /** Claims nothing new, lets what runs finish within the signal's patience, and gives back the rest at once. */
  stop(signal?: AbortSignal): Promise<void>;
}
