import { Lru } from "../../../../kernel/lru.ts";
import { Breaker } from "../../../../platform/outbound/index.ts";
import { httpClientProblems } from "./problems.ts";

export interface BreakerLimits {
  readonly failures: number;
  readonly firstMs: number;
  readonly maxMs: number;
}

/** Origins that are remembered: those asked longest ago are forgiven. */
const originsKept = 1_000;

/** One breaker for each origin, for all functions of this node (threat X12). */
export class Breakers {
  readonly #limits: BreakerLimits;
  readonly #origins = new Lru<string, { readonly breaker: Breaker; underWay: number }>(originsKept);

  constructor(limits: BreakerLimits) {
    this.#limits = limits;
  }

  /**
   * Asks an origin, unless it is left alone. `judge` says of what came whether the service works.
   * @throws Problem `open`; whatever `work` throws, which counts as a failure when `isFailure` says so
   */
  async ask<T>(
    origin: string,
    work: () => Promise<T>,
    judge: {
      readonly answered: (answer: T) => "works" | { readonly retryAfterMs: number | null };
      readonly isFailure: (error: unknown) => boolean;
    },
  ): Promise<T> {
    const held = this.#of(origin);
    const { breaker } = held;
    if (held.underWay >= breaker.room) throw httpClientProblems.open(origin, Math.max(breaker.restMs, 1));
    held.underWay++;
    try {
      const answer = await work();
      const verdict = judge.answered(answer);
      if (verdict === "works") breaker.succeeded();
      else breaker.failed(verdict.retryAfterMs === null ? null : Math.min(verdict.retryAfterMs, this.#limits.maxMs));
      return answer;
    } catch (error) {
      if (judge.isFailure(error)) breaker.failed(null);
      throw error;
    } finally {
      held.underWay--;
    }
  }

  #of(origin: string) {
    const known = this.#origins.get(origin);
    if (known !== undefined) return known;
    const made = { breaker: new Breaker(this.#limits, () => performance.now()), underWay: 0 };
    this.#origins.set(origin, made);
    return made;
  }
}
