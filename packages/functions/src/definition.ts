import type { ChangeOperation, OnOptions } from "./change.ts";
import { checkDefinition } from "./check.ts";
import type { Context } from "./context.ts";
import type { CronOptions, JobOptions, ServeOptions, WebhookOptions } from "./options.ts";

// biome-ignore lint/suspicious/noExplicitAny: what a handler takes is settled by who defines it
type Handler = (input: any, context: any) => unknown;

/** What a function file says it does, as the server reads it. `options` are JSON; handlers stay in the thread. */
export type Definition =
  | {
      readonly kind: "http";
      readonly options: ServeOptions;
      readonly handler: (request: Request, context: Context) => unknown;
    }
  | { readonly kind: "job"; readonly name: string; readonly options: JobOptions; readonly handler: Handler }
  | {
      readonly kind: "batch";
      readonly name: string;
      readonly options: JobOptions & { readonly size: number };
      readonly handler: Handler;
    }
  | { readonly kind: "cron"; readonly expression: string; readonly options: CronOptions; readonly handler: Handler }
  | {
      readonly kind: "change";
      readonly table: string;
      readonly operations: readonly ChangeOperation[];
      readonly options: OnOptions;
      readonly handler: Handler;
    }
  | { readonly kind: "webhook"; readonly options: WebhookOptions; readonly handler: Handler };

const key = Symbol.for("mainstay.definitions");
const registry = globalThis as { [key]?: Definition[] };

/** All that the module being loaded has defined, in order: whoever runs functions reads it after the import. */
export function definitions(): Definition[] {
  registry[key] ??= [];
  return registry[key];
}

/** Adds one, and gives it back. @throws TypeError when it is wrong: then it is none */
export function define<D extends Definition>(definition: D): D {
  checkDefinition(definition);
  definitions().push(definition);
  return definition;
}
