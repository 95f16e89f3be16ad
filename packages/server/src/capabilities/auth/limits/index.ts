import type { Clock } from "../../../kernel/clock.ts";
import type { Values } from "../../../kernel/settings.ts";
import { createLimit, type Limit } from "./memory.ts";
import { type LimitName, limitRules } from "./rules.ts";
import type { limitSettings } from "./settings.ts";

export { accountKey, networkOf } from "./network.ts";
export type { LimitName } from "./rules.ts";

export interface Limits {
  /** Counts one event. @throws Problem 429 with `Retry-After` when there is no room */
  take(name: LimitName, key: string): Promise<void>;
  /** @throws Problem 429 as `take` would, counting nothing. */
  check(name: LimitName, key: string): Promise<void>;
}

export function createLimits(needs: {
  readonly settings: Values<typeof limitSettings>;
  readonly clock: Clock;
}): Limits {
  const { settings, clock } = needs;
  const limits = new Map<string, Limit>(
    Object.entries(limitRules(settings)).map(([name, rule]) => [
      name,
      createLimit(rule, clock, settings.rateLimits && rule.periodSeconds > 0),
    ]),
  );
  return {
    take: async (name, key) => limits.get(name)!.take(key),
    check: async (name, key) => limits.get(name)!.check(key),
  };
}
