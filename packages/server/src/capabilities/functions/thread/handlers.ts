import type { Context } from "@mainstay/functions";
import { type Definition, definitions } from "@mainstay/functions/definition";
import { runToEnd } from "./context/job-context.ts";

type HttpHandler = Extract<Definition, { kind: "http" }>["handler"];

/**
 * What a module defines: all that registered itself while it loaded, `Deno.serve` too, and its default export. Handlers of jobs come to their
 * end with their steps.
 * @throws Error when it answers requests in more than one way
 */
export function handlersOf(module: unknown): readonly Definition[] {
  const own = definitionOf((module as { readonly default?: unknown }).default);
  const all = own === null ? definitions() : [...definitions(), own];
  const endpoints = all.filter(({ kind }) => kind === "http" || kind === "webhook");
  if (endpoints.length > 1) {
    throw new Error(
      `This file answers requests in ${endpoints.length} ways, and has one address: leave one of serve, webhook, Deno.serve and export default.`,
    );
  }
  return all.map(endingWithSteps);
}

/** A default export that is a handler, or has one as `fetch`. `null` for all else: what `serve` gives is registered already. */
function definitionOf(exported: unknown): Definition | null {
  if (typeof exported === "function") return { kind: "http", options: {}, handler: exported as HttpHandler };
  if (typeof exported !== "object" || exported === null || definitions().includes(exported as Definition)) return null;
  const { fetch } = exported as { readonly fetch?: unknown };
  if (typeof fetch !== "function") return null;
  return {
    kind: "http",
    options: {},
    handler: (request: Request, context: Context) => Reflect.apply(fetch as HttpHandler, exported, [request, context]),
  };
}

function endingWithSteps(definition: Definition): Definition {
  if (definition.kind === "http") return definition;
  const { handler } = definition;
  return {
    ...definition,
    handler: (input: unknown, context: unknown) => runToEnd(context, () => handler(input, context)),
  };
}
