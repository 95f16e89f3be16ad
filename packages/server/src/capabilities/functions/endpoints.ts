import type { ServeOptions, WebhookOptions } from "@mainstay/functions";
import type { BuiltFunction, DefinitionSummary, Diagnostic } from "./types.ts";

/** What answers at `/functions/v1/<name>`. */
export type Endpoint =
  | {
      readonly kind: "http";
      readonly index: number;
      readonly verifyJwt: boolean;
      /** It answers preflights itself. */
      readonly ownsPreflight: boolean;
      readonly timeoutMs: number;
    }
  | { readonly kind: "webhook"; readonly options: WebhookOptions }
  /** There is a file of this name that cannot be run. */
  | { readonly kind: "broken"; readonly why: Diagnostic };

/** The endpoint of a file, if it is one: its first definition that takes requests. What `config.toml` says stands under what the file says. */
export function endpointOf(
  { declared }: Pick<BuiltFunction, "declared">,
  definitions: readonly DefinitionSummary[] | Diagnostic,
  timeoutMs: number,
): Endpoint | null {
  if (!Array.isArray(definitions)) return { kind: "broken", why: definitions as Diagnostic };
  for (const definition of definitions as readonly DefinitionSummary[]) {
    if (definition.kind === "webhook") return { kind: "webhook", options: definition.options };
    if (definition.kind === "http") {
      const options: ServeOptions = definition.options;
      return {
        kind: "http",
        index: definition.index,
        verifyJwt: options.verifyJwt ?? declared.verifyJwt ?? true,
        ownsPreflight: options.ownsPreflight ?? false,
        timeoutMs: options.timeoutMs ?? timeoutMs,
      };
    }
  }
  return null;
}
