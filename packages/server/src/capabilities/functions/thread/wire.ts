import type { Context, JobContext } from "@mainstay/functions";
import type { Definition } from "@mainstay/functions/definition";
import type { Json } from "../../../platform/jobs/types.ts";
import type { HttpInput, HttpOutput, LogLine } from "../types.ts";

/** A thread's way to the server, within one invocation. After its end everything rejects. */
export interface Wire {
  /** Asks for a service by name (`jobs.enqueue`). Rejects with a `ServiceError`. */
  call(service: string, args: readonly Json[]): Promise<Json | undefined>;
  /** A request to the server's own routes, as the caller or as the service role. `signal` gives up. Rejects when there is no answer. */
  fetch(input: HttpInput, as: "caller" | "admin" | "sent", signal?: AbortSignal): Promise<HttpOutput>;
  log(level: LogLine["level"], message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** Why the server did not do what was asked: the code of a Problem or of PostgreSQL (SQLSTATE). */
export class ServiceError extends Error {
  override readonly name = "ServiceError";
  readonly code: string;
  readonly detail: string | null;
  readonly hint: string | null;

  constructor(code: string, message: string, detail: string | null = null, hint: string | null = null) {
    super(message);
    this.code = code;
    this.detail = detail;
    this.hint = hint;
  }
}

/** What a thread is to run. It is one function's, from then on. */
export interface ThreadModule {
  readonly functionName: string;
  /** Absolute path of the module to import. */
  readonly bundle: string;
}

/** What a thread is told when it begins: of the project. */
export interface ThreadInit {
  /** All that the function may know of its surroundings: `Deno.env`, `process.env`, and of the app's own `ctx.secrets`. */
  readonly environment: Readonly<Record<string, string>>;
  /** Those of `environment` that are the app's. */
  readonly secretNames: readonly string[];
  /** Hosts that may be reached although they are private: `host` or `host:port`. */
  readonly allowedHosts: readonly string[];
  /** Where clients in the function believe the project to be. */
  readonly projectUrl: string;
  readonly anonKey: string;
  readonly serviceRoleKey: string;
  /** Largest answer of another server that `ctx.fetch` takes whole, request that it sends, …: what guards need to know. */
  readonly limits: { readonly responseBytes: number; readonly logLineBytes: number; readonly logLines: number };
}

/** Who has called, as far as a function may know. */
export interface Caller {
  readonly role: string;
  /** The `sub` claim; `null` of API keys. */
  readonly subject: string | null;
  readonly claims: Readonly<Record<string, unknown>>;
}

/** One run of a handler, as the thread sees it. */
export interface ThreadInvocation {
  /** The request id, or that of the job's run. */
  readonly id: string;
  readonly functionName: string;
  readonly caller: Caller;
  /** Whether there was a caller; without one `ctx.user` is `null` and `ctx.db` the service role. */
  readonly isCalled: boolean;
  /** What its context has besides, of a handler that is no endpoint: of a job `{ job: { id, name, attempt, maxAttempts, key, createdAt } }`. */
  readonly context: Json;
  /** Made when first asked for. Aborted when the caller leaves or the time is over. */
  readonly signal: AbortSignal;
  /** Keeps the invocation alive, and its thread, until the promise settles. */
  waitUntil(work: Promise<unknown>): void;
}

/** Thrown through a handler that goes on later, in another run: `outcome` is what the runner of jobs makes of it. */
export class Suspension extends Error {
  override readonly name = "Suspension";
  readonly outcome: Json;

  constructor(outcome: Json) {
    super("This run ends here and goes on later: let this pass, with `throw`.");
    this.outcome = outcome;
  }
}

/** What `thread/world.ts` exports: all that a function sees. The thread's main loop knows no more of it. */
export interface World {
  /** Before the function's module is imported: guards, environment, globals. */
  prepareWorld(init: ThreadInit): void;
  /** What a module defines: what has registered itself, its default export, `Deno.serve`. The order is that of `DefinitionSummary.index`. */
  handlersOf(module: unknown): readonly Definition[];
  /** `signal` is only asked for it when the handler looks. */
  createRequest(input: HttpInput, signal: () => AbortSignal): Request;
  /** The first argument of a handler that is no endpoint: as its kind says, with times as `Date`. */
  createInput(definition: Definition, input: Json): unknown;
  createContext(invocation: ThreadInvocation, wire: Wire): Context | JobContext;
  /** What a handler gave, ready to be sent. At once wherever that is possible. Throws a TypeError for what is no `Response`. */
  readResponse(response: unknown): HttpOutput | Promise<HttpOutput>;
}
