import type { Queryable } from "../../../platform/postgres/database.ts";
import type { Bucket } from "./bucket.ts";
import { type Count, limitsStore } from "./store.ts";

/** Buckets told of in one statement. */
const maxBatch = 1_000;
/** How long the database is left alone after it did not answer, in ms. */
const pauseMs = 1_000;
/** Buckets waiting to be told of, at most. */
const maxNoted = 65_536;

/** Tells the other nodes, through the database, what was counted here, and learns what they counted. */
export interface Exchange {
  /** `bucket` has something to tell: soon, with all others. */
  note(key: string, bucket: Bucket): void;
  /** Resolves once everything noted so far was told, or the database did not answer. */
  settled(): Promise<void>;
  /** False while the database does not answer. */
  isOpen(): boolean;
  /** Tells what is left. */
  close(): Promise<void>;
}

export function createExchange(needs: {
  readonly db: Pick<Queryable, "query">;
  /** What a key of ours is called in the database. */
  readonly hash: (key: string) => string;
  readonly intervalMs: number;
  readonly nowMs: () => number;
  readonly shiftMs: () => number;
}): Exchange {
  const { db, hash, intervalMs, nowMs, shiftMs } = needs;
  let noted = new Map<string, Bucket>();
  let running: Promise<void> | null = null;
  let timer: NodeJS.Timeout | null = null;
  let closedUntilMs = Number.NEGATIVE_INFINITY;
  let isClosed = false;

  const isOpen = () => nowMs() >= closedUntilMs;

  return {
    note(key, bucket) {
      // While the database is away this must not grow with every address somebody thinks of.
      if (noted.size >= maxNoted && !noted.has(key)) return;
      noted.set(key, bucket);
      schedule(intervalMs);
    },
    async settled() {
      // What is running may have left without the latest; what begins after it has not.
      await running;
      await (running ?? (noted.size > 0 ? run() : null));
    },
    isOpen,
    async close() {
      isClosed = true;
      if (timer !== null) clearTimeout(timer);
      await running;
      if (noted.size > 0) await run();
    },
  };

  function schedule(inMs: number): void {
    if (timer !== null || isClosed) return;
    timer = setTimeout(() => {
      timer = null;
      void run();
    }, inMs);
    timer.unref();
  }

  /** One at a time; whoever comes while one runs waits for that and is told by the next. */
  function run(): Promise<void> {
    running ??= tell().finally(() => {
      running = null;
    });
    return running;
  }

  async function tell(): Promise<void> {
    const leaving = noted;
    noted = new Map();
    const entries = [...leaving];
    for (let from = 0; from < entries.length; from += maxBatch) await tellSome(entries.slice(from, from + maxBatch));
  }

  async function tellSome(entries: readonly (readonly [string, Bucket])[]): Promise<void> {
    const told = entries.map(([key, bucket]) => {
      const taken = bucket.untold;
      bucket.untold = 0;
      return { key, bucket, count: { key: hash(key), pace: bucket.pace, taken } satisfies Count };
    });
    try {
      const counts = told.map(({ count }) => count);
      const levels = await limitsStore.exchange(db, counts, shiftMs());
      const atMs = nowMs();
      for (const { bucket, count } of told) {
        const level = levels.get(count.key);
        if (level === undefined) continue;
        // What was taken meanwhile is known here only.
        bucket.level = level - bucket.untold;
        bucket.atMs = atMs;
      }
    } catch {
      // Buckets of this node go on; what was not told is told later.
      closedUntilMs = nowMs() + pauseMs;
      for (const { key, bucket, count } of told) {
        bucket.untold += count.taken;
        if (!isClosed) noted.set(key, bucket);
      }
      schedule(pauseMs);
    }
  }
}
