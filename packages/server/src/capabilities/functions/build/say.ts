import type { Observe } from "../../../platform/observe/observation.ts";
import type { Diagnostic } from "../types.ts";

/** Says what is new, and not again what has been said: an author who saves another file need not read it all once more. */
export interface Saying {
  built(functions: readonly string[], changed: readonly string[], durationMs: number): void;
  diagnostics(found: readonly Diagnostic[]): void;
}

export function createSaying(observe: Observe): Saying {
  let said: ReadonlySet<string> = new Set();
  return {
    built(functions, changed, durationMs) {
      if (changed.length > 0) observe({ kind: "functions.built", functions, changed, durationMs });
    },
    diagnostics(found) {
      const now = new Map(found.map((diagnostic) => [JSON.stringify(diagnostic), diagnostic]));
      for (const [key, { functionName = null, ...rest }] of now)
        if (!said.has(key)) observe({ kind: "functions.diagnostic", functionName, ...rest });
      said = new Set(now.keys());
    },
  };
}
