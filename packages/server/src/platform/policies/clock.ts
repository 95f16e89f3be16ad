import type { Circumstances } from "./evaluate/index.ts";

/** Clocks differ, and are set: so far, in µs, our estimate of PostgreSQL's may be wrong beside what we know. */
const marginUs = 1_000_000;
/** Of what passes: 500 ppm, the most that NTP slews a clock by. */
const drift = 0.0005;

/** PostgreSQL's clock, as far as it is known from when it was last asked. */
export class RemoteClock {
  readonly #maxAgeMs: number;
  #asked: { readonly beforeMs: number; readonly afterMs: number; readonly us: bigint } | null = null;

  /** @param maxAgeMs how long an answer counts */
  constructor(maxAgeMs: number) {
    this.#maxAgeMs = maxAgeMs;
  }

  /** @param us what it said, asked at `beforeMs` and heard at `afterMs` (`performance.now`) */
  tell(us: bigint, beforeMs: number, afterMs: number): void {
    this.#asked = { us, beforeMs, afterMs };
  }

  now(atMs = performance.now()): Circumstances["now"] {
    if (this.#asked === null || atMs - this.#asked.afterMs > this.#maxAgeMs) return null;
    const { us, beforeMs, afterMs } = this.#asked;
    const leastUs = (atMs - afterMs) * 1_000 * (1 - drift) - marginUs;
    const mostUs = (atMs - beforeMs) * 1_000 * (1 + drift) + marginUs;
    return { earliestUs: us + BigInt(Math.floor(leastUs)), latestUs: us + BigInt(Math.ceil(mostUs)) };
  }
}
