import type { Json } from "./json.ts";

export interface EnqueueOptions {
  /**
   * Idempotency key: while a job of this name and key is kept, another is not made, and the one there is answered. Kept until the
   * job is swept: `jobsKeepDoneMs` after its end, unless its definition keeps none (`keepsDone: false`).
   */
  readonly key?: string;
  /** Jobs of one queue obey its limits. The job's own when left out, which is `default` unless its definition says otherwise. */
  readonly queue?: string;
  /** Lower runs first, -32768 to 32767; 0 when left out. */
  readonly priority?: number;
  /** Not before then. */
  readonly runAt?: Date;
  /** Not before so many ms have passed. */
  readonly delayMs?: number;
  /** Jobs with the same order key run one after another, in the order they were enqueued. */
  readonly orderKey?: string;
  /** Attempts in all before the job is dead; the definition's when left out. */
  readonly maxAttempts?: number;
}

/**
 * - `ready`: runs when its time has come; also between attempts.
 * - `running`: claimed by a node, for a lease that it renews.
 * - `waiting`: a workflow that waits for an event.
 * - `done`, `dead` (no attempts left), `cancelled`: over; kept for a while.
 */
export type JobState = "ready" | "running" | "waiting" | "done" | "dead" | "cancelled";

/** A job as it is kept. */
export interface JobInfo {
  readonly id: string;
  readonly name: string;
  readonly queue: string;
  readonly state: JobState;
  readonly key: string | null;
  readonly payload: Json;
  /** Including the one that runs. */
  readonly attempts: number;
  readonly maxAttempts: number;
  /** 0 to 1, as the handler has told; `null` when it has not. */
  readonly progress: number | null;
  readonly result: Json;
  readonly lastError: string | null;
  /** ISO 8601. */
  readonly createdAt: string;
  readonly runAt: string;
  readonly finishedAt: string | null;
}

/** The project's jobs, as the server: in a request that a stranger sent, what is enqueued is yours to decide. */
export interface Jobs {
  /** @returns the job's id, and whether it is a new one */
  enqueue(
    name: string,
    payload: Json,
    options?: EnqueueOptions,
  ): Promise<{ readonly id: string; readonly isNew: boolean }>;
  /** @returns `null` when there is none of this id, or no more: once it is done, for how long a job is kept is its definition's (`keepsDone`). */
  get(id: string): Promise<JobInfo | null>;
  /** @returns whether it was still there to cancel. One that runs has its signal aborted. */
  cancel(id: string): Promise<boolean>;
  /** Runs a dead or cancelled job again, with all its attempts. */
  retry(id: string): Promise<boolean>;
  /** Tells jobs that wait for it, and those that will within the time events are kept. `key`: only those that wait with the same. */
  sendEvent(name: string, payload: Json, options?: { readonly key?: string }): Promise<void>;
}
