import { Lru } from "../../../kernel/lru.ts";

/** How fast a bucket fills, and how much it holds. */
export interface Pace {
  /** How many events at once. */
  readonly capacity: number;
  readonly perSecond: number;
}

/** So many events at once, then one each `1 / perSecond`. */
export interface Bucket {
  readonly pace: Pace;
  /** Below 0 it is a debt: others had taken what was given here. */
  level: number;
  atMs: number;
  /** What was taken here and nobody else knows of yet. */
  untold: number;
}

/** Buckets remembered by one node: some 20 MB when full. The longest idle one is forgotten first. */
const maxBuckets = 65_536;

/** Token buckets in memory. `nowMs` must never jump (threat X18). */
export class Buckets {
  readonly #buckets = new Lru<string, Bucket>(maxBuckets);
  readonly #nowMs: () => number;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** The bucket as it is now; a new one is full. */
  get(key: string, pace: Pace): Bucket {
    const nowMs = this.#nowMs();
    let bucket = this.#buckets.get(key);
    if (bucket === undefined) {
      bucket = { pace, level: pace.capacity, atMs: nowMs, untold: 0 };
      this.#buckets.set(key, bucket);
      return bucket;
    }
    const elapsedSeconds = Math.max(0, nowMs - bucket.atMs) / 1000;
    bucket.level = Math.min(pace.capacity, bucket.level + elapsedSeconds * pace.perSecond);
    bucket.atMs = nowMs;
    return bucket;
  }
}

/** So much less than one event counts as one: two clocks are never read at the same moment, and levels are sums of fractions. */
export const slack = 0.001;

/** Seconds until one can be taken; 0 when it can now. */
export const waitOf = ({ level, pace }: Bucket): number => (level >= 1 - slack ? 0 : (1 - level) / pace.perSecond);

/** Takes one if there is one. @returns seconds to wait; 0: taken */
export function takeFrom(bucket: Bucket): number {
  const waitSeconds = waitOf(bucket);
  if (waitSeconds === 0) bucket.level -= 1;
  return waitSeconds;
}
