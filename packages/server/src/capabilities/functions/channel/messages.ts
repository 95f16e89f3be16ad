import type { Json } from "../../../platform/jobs/types.ts";
import type { ThreadInit, ThreadModule } from "../thread/wire.ts";
import type { DefinitionSummary } from "../types.ts";

/** What somebody threw, in words. */
export interface Thrown {
  readonly name: string;
  readonly message: string;
  readonly stack: string | null;
}

/** Payload of `loaded`. */
export type Loaded = { readonly definitions: readonly DefinitionSummary[] } | { readonly thrown: Thrown };

/** Payload of `result`, after the microseconds of CPU. */
export type Result =
  | { readonly kind: "done"; readonly result: Json }
  | { readonly kind: "suspended"; readonly outcome: Json }
  | { readonly kind: "threw"; readonly thrown: Thrown };

/** Payload of `reply`, and of `fetched` when there is no answer. */
export type Reply =
  | { readonly value?: Json }
  | {
      readonly error: {
        readonly code: string;
        readonly message: string;
        readonly detail: string | null;
        readonly hint: string | null;
      };
    };

/** What a thread is started with, as `workerData`. */
export interface ThreadStart {
  readonly init: ThreadInit;
  /** `null`: it is told later, with `use`. */
  readonly module: ThreadModule | null;
  /** The server's socket. */
  readonly socketPath: string;
  /** Says to the server which thread this is. Worth nothing afterwards. */
  readonly token: string;
  /** Whether anybody wants to know what an invocation takes. */
  readonly measuresCpu: boolean;
}

/** What the thread and the process's main thread have in common: see `sharedSlot`. */
export const sharedSlot = {
  /** The number of the invocation that was begun last. */
  begun: 0,
  /** The last look of the main thread that was answered. */
  seen: 1,
  /** Bytes of whole frames that were written and not yet handed over. */
  unsent: 2,
  /** 1 when its module is loaded, or could not be. */
  loaded: 3,
} as const;

/** From the server to the process's main thread. */
export type Order =
  | {
      readonly kind: "start";
      readonly thread: number;
      readonly start: ThreadStart;
      readonly memoryMb: number;
      readonly stackMb: number;
    }
  | { readonly kind: "use"; readonly thread: number; readonly module: ThreadModule }
  | { readonly kind: "end"; readonly thread: number }
  /** Whether anything runs: only then threads are looked after. */
  | { readonly kind: "watch"; readonly isOn: boolean }
  | { readonly kind: "ping"; readonly number: number };

export type EndReason = "ended" | "memory" | "blocked" | "crashed";

/** From the process's main thread to the server. */
export type Report =
  | { readonly kind: "ready" }
  /** `begun`: the last invocation it has begun. */
  | {
      readonly kind: "ended";
      readonly thread: number;
      readonly reason: EndReason;
      readonly begun: number;
      readonly message: string | null;
      /** Frames that it had written and could not send any more: answers that were given before, base64. */
      readonly unsent: string;
    }
  | { readonly kind: "memory"; readonly thread: number; readonly bytes: number }
  /** Of the whole process, with every look. */
  | { readonly kind: "resident"; readonly bytes: number }
  | { readonly kind: "pong"; readonly number: number };

/** What the process is started with, as JSON in its last argument. */
export interface ProcessLimits {
  /** Of the whole process: beyond it the largest thread is ended. */
  readonly memoryBytes: number;
  /** Most threads: room is made for what each has, used or not. */
  readonly threads: number;
  /** Longest that a thread may compute without coming to the end of what it does, in CPU time. */
  readonly blockedMs: number;
  /** Longest that a thread may compute until its module is loaded. */
  readonly bootMs: number;
  /** How often threads are looked at. */
  readonly lookMs: number;
  /** The module of a thread; `null`: the file it is made of. */
  readonly threadFile: string | null;
}
