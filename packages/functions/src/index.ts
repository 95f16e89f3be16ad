import type { ChangeEvent, ChangeOperation, ChangeOperations, OnOptions, RowOf, TableName } from "./change.ts";
import type { Context } from "./context.ts";
import { type Definition, define } from "./definition.ts";
import type { JobContext } from "./job-context.ts";
import type { Json } from "./json.ts";
import type { CronOptions, JobOptions, ServeOptions, WebhookOptions } from "./options.ts";
import type { WebhookEvent } from "./webhook.ts";

export type * from "./change.ts";
export type * from "./context.ts";
export type * from "./http-client.ts";
export type * from "./job-context.ts";
export type * from "./jobs.ts";
export type * from "./json.ts";
export type * from "./mail.ts";
export type * from "./options.ts";
export type * from "./register.ts";
export type * from "./transaction.ts";
export type * from "./webhook.ts";

type Answer = Response | Promise<Response>;

/** An endpoint at `/functions/v1/<file>`. The same as `export default`, with options. */
export function serve(handler: (request: Request, context: Context) => Answer): Definition;
export function serve(options: ServeOptions, handler: (request: Request, context: Context) => Answer): Definition;
export function serve(
  first: ServeOptions | ((request: Request, context: Context) => Answer),
  second?: (request: Request, context: Context) => Answer,
): Definition {
  return typeof first === "function"
    ? define({ kind: "http", options: {}, handler: first })
    : define({ kind: "http", options: first, handler: second! });
}

/** A job, by the name it is enqueued with. What the handler gives is the job's result; what it throws is tried again. */
export function job<Payload extends Json = Json>(
  name: string,
  handler: (payload: Payload, context: JobContext) => unknown,
): Definition;
export function job<Payload extends Json = Json>(
  name: string,
  options: JobOptions,
  handler: (payload: Payload, context: JobContext) => unknown,
): Definition;
export function job(name: string, first: unknown, second?: unknown): Definition {
  const [options, handler] = typeof first === "function" ? [{}, first] : [first as JobOptions, second];
  return define({ kind: "job", name, options, handler: handler as never });
}

/**
 * Jobs that are worth doing together: up to `size` payloads of what is due at once. What it throws makes all of them come again;
 * `{ failed: { [index]: reason } }` only those.
 */
export function batchJob<Payload extends Json = Json>(
  name: string,
  options: JobOptions & { readonly size: number },
  handler: (payloads: readonly Payload[], context: Context) => unknown,
): Definition {
  return define({ kind: "batch", name, options, handler });
}

/** On time. `expression`: five fields, or six with seconds first. Runs are jobs: never twice for one time, whatever node is there. */
export function cron(expression: string, handler: (run: CronRun, context: JobContext) => unknown): Definition;
export function cron(
  expression: string,
  options: CronOptions,
  handler: (run: CronRun, context: JobContext) => unknown,
): Definition;
export function cron(expression: string, first: unknown, second?: unknown): Definition {
  const [options, handler] = typeof first === "function" ? [{}, first] : [first as CronOptions, second];
  return define({ kind: "cron", expression, options, handler: handler as never });
}

export interface CronRun {
  /** When it was due. */
  readonly scheduledAt: Date;
}

/** After a committed change of a table, whoever made it. At least once, in order for each row. */
export function on<T extends TableName, const O extends ChangeOperations>(
  table: T,
  operations: O,
  handler: (change: ChangeEvent<RowOf<T>, O>, context: JobContext) => unknown,
): Definition;
export function on<T extends TableName, const O extends ChangeOperations>(
  table: T,
  operations: O,
  options: OnOptions,
  handler: (change: ChangeEvent<RowOf<T>, O>, context: JobContext) => unknown,
): Definition;
export function on(table: string, operations: ChangeOperations, first: unknown, second?: unknown): Definition {
  const [options, handler] = typeof first === "function" ? [{}, first] : [first as OnOptions, second];
  const all: readonly ChangeOperation[] = ["insert", "update", "delete"];
  return define({
    kind: "change",
    table,
    operations: operations === "*" ? all : typeof operations === "string" ? [operations] : operations,
    options,
    handler: handler as never,
  });
}

/** A provider's webhook at `/functions/v1/<file>`: its signature is verified, the event kept once by its id, and handled as a job. */
export function webhook(
  options: WebhookOptions,
  handler: (event: WebhookEvent, context: JobContext) => unknown,
): Definition {
  return define({ kind: "webhook", options, handler });
}
