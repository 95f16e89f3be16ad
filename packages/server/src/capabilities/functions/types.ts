import type {
  ChangeOperation,
  CronOptions,
  JobOptions,
  OnOptions,
  ServeOptions,
  WebhookOptions,
} from "@mainstay/functions";
import type { Principal } from "../../kernel/principal.ts";
import type { Json } from "../../platform/jobs/types.ts";

/** What one definition of a function file says, without its handler. `index` is its place among the file's definitions. */
export type DefinitionSummary = { readonly index: number } & (
  | { readonly kind: "http"; readonly options: ServeOptions }
  | { readonly kind: "job"; readonly name: string; readonly options: JobOptions }
  | { readonly kind: "batch"; readonly name: string; readonly options: JobOptions & { readonly size: number } }
  | { readonly kind: "cron"; readonly expression: string; readonly options: CronOptions }
  | {
      readonly kind: "change";
      readonly table: string;
      readonly operations: readonly ChangeOperation[];
      readonly options: OnOptions;
    }
  | { readonly kind: "webhook"; readonly options: WebhookOptions }
);

/** Something to tell the author about a file. */
export interface Diagnostic {
  readonly severity: "error" | "warning";
  /** Which function it is about, by its name. One with an error does not run: it answers 503 `BOOT_ERROR`. Left out when it is about none. */
  readonly functionName?: string;
  /** Relative to the project; `null` when it is about no file. */
  readonly file: string | null;
  /** From 1; `null` when it is about the whole file. */
  readonly line: number | null;
  readonly column: number | null;
  readonly message: string;
  /** What to do about it. */
  readonly hint: string | null;
  /** The line it is about, as it stands in the file. */
  readonly source: string | null;
}

/** A function file, ready to be loaded by a thread. */
export interface BuiltFunction {
  /** As it is called: `/functions/v1/<name>`. */
  readonly name: string;
  /** Relative to the project: `functions/hello.ts`. */
  readonly file: string;
  /** The module that threads import. Its name changes with its content. */
  readonly bundle: string;
  /** What `config.toml` says of it ([functions.NAME]): stands under what the file itself says. */
  readonly declared: { readonly verifyJwt?: boolean };
}

/** All functions of the project as they are now. */
export interface FunctionSet {
  readonly functions: readonly BuiltFunction[];
  /** Errors are of files that could not be built: they are not among `functions`. */
  readonly diagnostics: readonly Diagnostic[];
  /** Absolute: the folders `node_modules` that bundles load packages from. Threads may read them. */
  readonly packageFolders?: readonly string[];
  /** Our own code of the process they run in; `null` or left out: the files that it is made of. */
  readonly code?: ProcessCode | null;
}

/** Absolute: the module of the main thread of the process that runs functions, and that of its other threads. */
export interface ProcessCode {
  readonly supervisor: string;
  readonly thread: string;
}

/** One call of a definition's handler, whatever caused it. */
export interface Invocation {
  /** Request id, or of the run of a job: joins all its log lines. */
  readonly id: string;
  readonly functionName: string;
  /** Which of the file's definitions. */
  readonly index: number;
  /** Who `ctx.db` acts for: the caller, or the service role where there is none. */
  readonly who: Principal;
  /** Whether there was a caller. */
  readonly isCalled: boolean;
  /** Gives up: the thread is told, and after a while ended. */
  readonly signal: AbortSignal;
  /** Longest run in ms; `null`: as long as it lives. */
  readonly timeoutMs: number | null;
  /** How many functions have called each other until here (`depthOf(call)`); 0 when left out. */
  readonly depth?: number;
  /** Of a job: the id of the request, or of the first job, that has led to it. A request is its own. */
  readonly causedBy?: string;
  /** Serves what the thread asks for in this invocation, before the services that all invocations have: steps of a job. */
  readonly services?: Services;
}

/** An HTTP request for a function, as the thread builds a `Request` of it. */
export interface HttpInput {
  readonly method: string;
  /** Absolute, as the caller has written it. */
  readonly url: string;
  /** Flat: name, value, name, value … */
  readonly headers: readonly string[];
  /** The whole body, or as it comes; `null` when there is none. */
  readonly body: Buffer | AsyncIterable<Buffer> | null;
}

export interface HttpOutput {
  readonly status: number;
  readonly headers: readonly string[];
  readonly body: Buffer | AsyncIterable<Buffer> | null;
}

/**
 * What threads may ask of the server, by name: `jobs.enqueue`. Arguments and answers are JSON. What is thrown reaches the handler as an Error with
 * the Problem's `code` and `message`, or a database error's `code` (SQLSTATE), `detail`, `hint`; of anything else only that it failed.
 */
export type Service = (args: readonly Json[], invocation: Invocation) => Promise<Json | undefined>;
export type Services = Readonly<Record<string, Service>>;

/**
 * Serves `ctx.db`, `ctx.storage`, `ctx.admin`: a request to this server's own routes that does not leave the process. `sent`: as whoever its own headers
 * name, as over a socket, for what a function asks of the project's URL with keys of its own.
 */
export type InternalFetch = (
  request: HttpInput,
  invocation: Invocation,
  as: "caller" | "admin" | "sent",
) => Promise<HttpOutput>;

/** What came of a handler that is no endpoint. `suspended`: it goes on in another run, and `outcome` says when (`Suspension` in thread/wire.ts). */
export type RunResult =
  | { readonly kind: "done"; readonly result: Json }
  | { readonly kind: "suspended"; readonly outcome: Json };

/** What a handler threw. `name` and `stack` are the app's. */
export class FunctionError extends Error {
  constructor(thrown: { readonly name: string; readonly message: string; readonly stack: string | null }) {
    super(thrown.message);
    this.name = thrown.name;
    if (thrown.stack !== null) this.stack = thrown.stack;
  }
}

/** Runs the project's code, in threads of a process of its own. */
export interface FunctionHost {
  /**
   * From now on these are run; threads of what is no more finish what they do. `isAnew`: also those that are the same, since what surrounds them is
   * another (secrets). @returns what each file defines, or why it could not be loaded
   */
  load(
    set: FunctionSet,
    options?: { readonly isAnew?: boolean },
  ): Promise<ReadonlyMap<string, readonly DefinitionSummary[] | Diagnostic>>;
  /** Calls the handler of an `http` or `webhook` definition with a request. */
  fetch(invocation: Invocation, input: HttpInput): Promise<HttpOutput>;
  /**
   * Calls any other handler. `input` is its first argument's JSON, `context` what its context has besides (of a job: `{ job: … }`).
   * Rejects with a FunctionError when the handler threw, and with a Problem when it could not be run or was ended.
   */
  run(invocation: Invocation, input: Json, context: Json): Promise<RunResult>;
  stop(signal?: AbortSignal): Promise<void>;
}

/** How an invocation has come to its end. */
export interface InvocationEnd {
  /** Of the answer; `null` of what is no endpoint. */
  readonly status: number | null;
  readonly durationMs: number;
  /** What its handler threw, or why it was ended; `null` when it came to its end. */
  readonly error: unknown;
  /** How many lines it has logged. */
  readonly logLines: number;
}

/** A line that a function wrote, or that is about its run. */
export interface LogLine {
  readonly invocationId: string;
  /** `Invocation.causedBy`; left out where it is the invocation's own id, or nobody knows any more. */
  readonly causedBy?: string;
  readonly functionName: string;
  readonly level: "debug" | "info" | "warn" | "error";
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly atMs: number;
}
