import type { Context } from "./context.ts";
import type { Json } from "./json.ts";
import type { Transaction } from "./transaction.ts";

/** What runs a job has besides. */
export interface JobContext extends Context {
  readonly job: {
    /** The same at every attempt: give it to whoever takes an idempotency key. */
    readonly id: string;
    readonly name: string;
    /** 1 for the first. */
    readonly attempt: number;
    readonly maxAttempts: number;
    readonly key: string | null;
    readonly createdAt: Date;
  };
  /** Tells how far it is, 0 to 1, and that it lives. */
  progress(part: number): Promise<void>;
  /**
   * Does its last piece of work in the transaction that ends the job: both happen, or neither. Rejects, and undoes the work, when
   * the job is another's by now. Nothing may follow it.
   */
  complete<T>(work: (tx: Transaction) => Promise<T>): Promise<T>;
  /**
   * Does `work` once and keeps what it gives, as JSON: when the job runs again, after a crash or a sleep, it is not done again. At least once
   * when the process dies while it is under way. Names are unique within a job.
   */
  step<T>(name: string, work: () => Promise<T> | T): Promise<T>;
  /** A step whose work and memory are one transaction: exactly once. */
  stepInTransaction<T>(name: string, work: (tx: Transaction) => Promise<T>): Promise<T>;
  /** Goes on after so long, on whatever node; nothing is held until then. `duration`: ms, or a text: `3 days`, `2h30m`. */
  sleep(name: string, duration: number | string): Promise<void>;
  sleepUntil(name: string, time: Date): Promise<void>;
  /**
   * Goes on with the payload of the next such event, or with `null` when none has come in time. `step`: the name of this wait, for a job that waits
   * for one event more than once; `<name>/<key>` when left out.
   */
  waitForEvent<T extends Json = Json>(
    name: string,
    options?: { readonly key?: string; readonly timeout?: number | string; readonly step?: string },
  ): Promise<T | null>;
}
