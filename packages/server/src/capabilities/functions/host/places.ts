import type { FunctionPool, PoolThread } from "./pool.ts";

/**
 * Who may have a thread: all functions together have so many places. A function that could have none is told when there may be one, and one without any
 * thread gets the place of one that rests, or the next of the function that has most.
 */
export class Places {
  readonly #limit: number;
  readonly #pools: () => Iterable<FunctionPool>;
  readonly #starved = new Set<FunctionPool>();
  #taken = 0;
  #turn: NodeJS.Timeout | null = null;

  /** @param pools those that are in use */
  constructor(limit: number, pools: () => Iterable<FunctionPool>) {
    this.#limit = limit;
    this.#pools = pools;
  }

  /** @param hasRoom whether memory is left for more than one thread of each function. @returns whether it may have another */
  take(pool: FunctionPool, hasRoom: boolean): boolean {
    const isFull = this.#taken >= this.#limit || (pool.threads.size > 0 && !hasRoom);
    if (isFull && !this.endIdle(pool)) {
      this.#starved.add(pool);
      if (pool.threads.size === 0) this.#askFor(pool);
      return false;
    }
    this.#taken++;
    return true;
  }

  /** A thread has ended. */
  giveBack(): void {
    this.#taken--;
  }

  /** Ends a thread of another function that has nothing to do, the one that had nothing for longest. @returns whether there was one */
  endIdle(pool: FunctionPool | null): boolean {
    let longest: PoolThread | null = null;
    for (const other of this.#pools()) {
      if (other === pool) continue;
      for (const thread of other.threads) {
        if (!thread.isReady || thread.isRetired || thread.tasks.size > 0) continue;
        if (longest === null || thread.idleSinceMs < longest.idleSinceMs) longest = thread;
      }
    }
    longest?.end();
    return longest !== null;
  }

  /** There may be a place: whoever could have none asks again. */
  freed(): void {
    if (this.#starved.size === 0) return;
    const starved = [...this.#starved];
    this.#starved.clear();
    for (const pool of starved) pool.placesFreed();
  }

  close(): void {
    if (this.#turn !== null) clearTimeout(this.#turn);
    this.freed();
  }

  /** All threads are busy, and a function has none: the one that has most of them gives one up. */
  #askFor(pool: FunctionPool): void {
    const others = [...this.#pools()].filter((other) => other !== pool);
    const leaving = others.flatMap(({ threads }) => [...threads]).filter(({ isRetired }) => isRetired).length;
    const wanting = [...this.#starved].filter(({ threads }) => threads.size === 0).length;
    if (leaving >= wanting) return;
    others.sort((a, b) => b.threads.size - a.threads.size);
    const nowMs = performance.now();
    let waitMs = Number.POSITIVE_INFINITY;
    for (const other of others) {
      waitMs = Math.min(waitMs, other.yieldOne(nowMs));
      if (waitMs === 0) return;
    }
    if (waitMs === Number.POSITIVE_INFINITY || this.#turn !== null) return;
    this.#turn = setTimeout(() => {
      this.#turn = null;
      this.freed();
    }, waitMs);
  }
}
