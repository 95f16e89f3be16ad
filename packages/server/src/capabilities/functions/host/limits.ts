import type { Values } from "../../../kernel/settings.ts";
import type { functionsSettings } from "../settings.ts";
import type { DefinitionSummary } from "../types.ts";

/** What threads of a file may take: those of its definitions that want most, for they share its threads. */
export function limitsOf(
  definitions: readonly DefinitionSummary[],
  settings: Pick<Values<typeof functionsSettings>, "functionsConcurrency" | "functionsMemoryMb">,
): { readonly maxThreads: number; readonly memoryMb: number; readonly sharedBy: number } {
  let memoryMb = 0;
  let runs = 0;
  let sharedBy = 1;
  for (const { kind, options } of definitions) {
    memoryMb = Math.max(memoryMb, ("memoryMb" in options && options.memoryMb) || settings.functionsMemoryMb);
    runs = Math.max(runs, ("concurrency" in options && options.concurrency) || settings.functionsConcurrency);
    if (kind === "http") sharedBy = Math.max(sharedBy, options.sharedBy ?? 1);
  }
  return {
    memoryMb: memoryMb || settings.functionsMemoryMb,
    maxThreads: Math.max(1, Math.ceil((runs || settings.functionsConcurrency) / sharedBy)),
    sharedBy,
  };
}
