import type { Observation, Observe } from "./observation.ts";

/** One `Observe` for several readers: logger, metrics, traces. One that fails hinders neither the others nor the observed. */
export function fanOut(...readers: readonly Observe[]): Observe {
  const observe = (observation: Observation) => {
    for (const reader of readers) {
      try {
        reader(observation);
      } catch {
        // There is nobody left to tell: telling is what failed.
      }
    }
  };
  return Object.assign(observe, {
    wants: (kind: Observation["kind"]) => readers.some((reader) => reader.wants?.(kind) ?? true),
  });
}
