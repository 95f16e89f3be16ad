import { createHmac } from "node:crypto";
import type { Clock } from "../../../kernel/clock.ts";
import type { Values } from "../../../kernel/settings.ts";
import type { Queryable } from "../../../platform/postgres/database.ts";
import { problems } from "../problems.ts";
import { type Bucket, Buckets, type Pace, slack, takeFrom, waitOf } from "./bucket.ts";
import { createExchange } from "./exchange.ts";
import { countedLocally, type LimitName, limitRules, type Rule } from "./rules.ts";
import type { limitSettings } from "./settings.ts";
import { limitsStore } from "./store.ts";

export { accountKey } from "./account-key.ts";
export type { LimitName } from "./rules.ts";

/**
 * How often things may happen, counted for all nodes of one database together.
 *
 * - By account, address and number, and for the whole project: exactly. Each is one statement.
 * - By network (`countedLocally`), which is asked at every sign-in and refresh: from a bucket in this process. What was taken is told
 *   to the other nodes every `rateLimitExchangeMs`, and at once when a tenth of a bucket is untold. So `n` nodes together let at most
 *   `(n - 1) * ceil(capacity / 10)` more through than the limit says, and once only: it is a debt that must fill up first.
 *
 * While the database does not answer, each node counts on its own.
 */
export interface Limits {
  /** Counts one event. @throws Problem 429 with `Retry-After` when there is no room; it is not counted then */
  take(name: LimitName, key: string): Promise<void>;
  /** @throws Problem 429 as `take` would, counting nothing. */
  check(name: LimitName, key: string): Promise<void>;
  /** Forgets what has no effect any more. @returns how many counters */
  sweep(): Promise<number>;
  /** Tells the other nodes what they do not know yet. */
  close(): Promise<void>;
}

interface Limit {
  readonly name: LimitName;
  readonly rule: Rule;
  readonly pace: Pace;
  readonly isLocal: boolean;
  /** How much may be taken here before others are told, in events. */
  readonly untoldMax: number;
}

export interface LimitsNeeds {
  readonly settings: Values<typeof limitSettings>;
  readonly clock: Clock;
  /** Apart from the pool: whoever asks may hold one of its connections. */
  readonly db: Pick<Queryable, "query">;
  /** Keys are hashed with it: the database must not hold addresses of callers. */
  readonly secret: Buffer;
}

export function createLimits({ settings, clock, db, secret }: LimitsNeeds): Limits {
  // Time is monotonic, so that setting the machine's clock gives nothing and takes nothing (threat X18). A clock that is not the
  // machine's is a test's: how far it was moved counts.
  const shiftMs = () => clock.nowMs() - Date.now();
  const nowMs = () => performance.now() + shiftMs();
  const buckets = new Buckets(nowMs);
  const hash = (key: string) => createHmac("sha256", secret).update(key).digest("hex");
  const exchange = createExchange({ db, hash, intervalMs: settings.rateLimitExchangeMs, nowMs, shiftMs });
  const limits = limitsOf(settings);

  return {
    async take(name, key) {
      const limit = limits.get(name);
      if (limit === undefined) return;
      refuse(limit, limit.isLocal ? await takeLocally(limit, key) : await takeExactly(limit, key));
    },
    async check(name, key) {
      const limit = limits.get(name);
      if (limit === undefined) return;
      const id = idOf(limit, key);
      const bucket = buckets.get(id, limit.pace);
      const isAsked = !limit.isLocal && exchange.isOpen();
      refuse(
        limit,
        isAsked
          ? await limitsStore.look(db, hash(id), limit.pace, shiftMs()).catch(() => waitOf(bucket))
          : waitOf(bucket),
      );
    },
    sweep: () => limitsStore.sweep(db, shiftMs()),
    close: () => exchange.close(),
  };

  async function takeLocally(limit: Limit, key: string): Promise<number> {
    const id = idOf(limit, key);
    const bucket = buckets.get(id, limit.pace);
    const waitSeconds = takeFrom(bucket);
    if (waitSeconds > 0) return waitSeconds;
    bucket.untold += 1;
    exchange.note(id, bucket);
    if (bucket.untold < limit.untoldMax || !exchange.isOpen()) return 0;
    await exchange.settled();
    return bucket.level < -2 * slack ? giveBack(id, bucket) : 0;
  }

  /** Others had taken it. */
  function giveBack(id: string, bucket: Bucket): number {
    bucket.level += 1;
    bucket.untold -= 1;
    exchange.note(id, bucket);
    return waitOf(bucket);
  }

  async function takeExactly(limit: Limit, key: string): Promise<number> {
    const id = idOf(limit, key);
    const bucket = buckets.get(id, limit.pace);
    if (!exchange.isOpen()) return takeFrom(bucket);
    try {
      const waitSeconds = await limitsStore.take(db, hash(id), limit.pace, shiftMs());
      // What this node lets through while the database is away goes on from here.
      if (waitSeconds === 0) takeFrom(bucket);
      return waitSeconds;
    } catch {
      return takeFrom(bucket);
    }
  }
}

/** A limit that was set otherwise is another one: its counters begin anew. */
const idOf = ({ name, pace }: Limit, key: string): string => `${name}\0${pace.capacity}/${pace.perSecond}\0${key}`;

function limitsOf(settings: Values<typeof limitSettings>): ReadonlyMap<LimitName, Limit> {
  const limits = new Map<LimitName, Limit>();
  if (!settings.rateLimits) return limits;
  for (const [name, rule] of Object.entries(limitRules(settings)) as [LimitName, Rule][]) {
    if (rule.periodSeconds === 0) continue;
    const capacity = Math.min(rule.burst ?? rule.count, rule.count);
    limits.set(name, {
      name,
      rule,
      pace: { capacity, perSecond: rule.count / rule.periodSeconds },
      isLocal: countedLocally.has(name),
      untoldMax: Math.max(1, Math.ceil(capacity / 10)),
    });
  }
  return limits;
}

/** Says when to come again, and by which rule (draft-ietf-httpapi-ratelimit-headers). @throws Problem when `waitSeconds` is above 0 */
function refuse({ name, rule }: Limit, waitSeconds: number): void {
  if (waitSeconds <= 0) return;
  throw problems[rule.refusal](waitSeconds, {
    "RateLimit-Policy": `"${name}";q=${rule.count};w=${rule.periodSeconds}`,
    RateLimit: `"${name}";r=0;t=${Math.max(1, Math.ceil(waitSeconds))}`,
  });
}
