import { RetryLaterError } from "./types.ts";

/**
 * How long to wait after a failed attempt, in ms: doubled with each, with jitter so that what failed together is not tried together,
 * and never less than the error asks for (threat X12).
 * @param random from 0 to 1
 */
export function retryDelayMs(
  attempt: number,
  error: unknown,
  { firstMs, maxMs }: { readonly firstMs: number; readonly maxMs: number },
  random: number = Math.random(),
): number {
  const wholeMs = Math.min(maxMs, firstMs * 2 ** Math.min(attempt - 1, 30));
  const ownMs = wholeMs * (0.5 + random / 2);
  const askedMs = error instanceof RetryLaterError && Number.isFinite(error.waitMs) ? Math.max(0, error.waitMs) : 0;
  // Those that were all asked to come back at once are spread, too.
  return Math.round(Math.max(ownMs, askedMs === 0 ? 0 : askedMs + Math.min(askedMs / 10, 1_000) * random));
}
