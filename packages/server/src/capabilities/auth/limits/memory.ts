import type { Clock } from "../../../kernel/clock.ts";
import { Lru } from "../../../kernel/lru.ts";
import { problems } from "../problems.ts";
import type { Rule } from "./rules.ts";

/** Addresses and accounts remembered per limit: some 10 MB when full. The longest idle one is forgotten first. */
const maxKeys = 65_536;

/** So many events per key and period; they come back one by one, evenly. Counted in this process. */
export interface Limit {
  /** Counts one event. @throws Problem 429 with `Retry-After` when there is no room */
  take(key: string): void;
  /** @throws Problem 429 as `take` would, counting nothing. */
  check(key: string): void;
}

/**
 * A token bucket per key: `count` at once, then one each `periodSeconds / count`. Time is the process's monotonic clock's
 * business no more than the wall's: a clock that jumps back gives nothing (threat X18).
 */
export function createLimit({ count, periodSeconds, code }: Rule, clock: Clock, isOn = true): Limit {
  const buckets = new Lru<string, { level: number; atMs: number }>(maxKeys);
  const perMs = count / (periodSeconds * 1000);
  const bucketOf = (key: string) => {
    const nowMs = clock.nowMs();
    const bucket = buckets.get(key) ?? { level: count, atMs: nowMs };
    bucket.level = Math.min(count, bucket.level + Math.max(0, nowMs - bucket.atMs) * perMs);
    bucket.atMs = nowMs;
    if (bucket.level < 1) throw problems.overRateLimit(code, (1 - bucket.level) / perMs / 1000);
    return bucket;
  };
  return {
    take(key) {
      if (!isOn) return;
      const bucket = bucketOf(key);
      bucket.level -= 1;
      buckets.set(key, bucket);
    },
    check(key) {
      if (isOn) bucketOf(key);
    },
  };
}
