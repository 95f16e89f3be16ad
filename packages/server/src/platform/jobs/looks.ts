import type { ClaimedRow } from "./store.ts";

/** Where to look on for jobs of one name, queue and priority: behind this place. `names` of a turn are counted from 1, as PostgreSQL does. */
export interface Seen {
  readonly ats: readonly number[];
  readonly queues: readonly string[];
  readonly priorities: readonly number[];
  readonly places: readonly number[];
}

/** Of whatever name: a look at everything. */
export const nothingSeen: Seen = { ats: [], queues: [], priorities: [], places: [] };

/** What is claimed, and since when. Places are taken before a commit, and seen after it: only what was claimed a while ago has nothing before it. */
interface Floor {
  readonly name: string;
  readonly queue: string;
  readonly priority: number;
  place: number;
  next: number;
  newest: number;
}

/** A look at everything that takes longer, in ms, walks over what others do not let PostgreSQL clean up. */
const slowMs = 10;
/** After a slow look, the next at everything comes after so many times as long: no more than a tenth of the time goes into them. */
const restTimes = 10;
/** Transactions longer than that, in ms, have their jobs found by looks at everything, while those are slow. */
const lagMs = 250;
/** Names, queues and priorities beyond that are not remembered. */
const floorsMax = 200;

/**
 * Decides where a node looks for jobs. While some transaction is open for long, what was deleted since then stays in the index, and a look from
 * its beginning walks over it: 1 µs for each job that is done. Then most looks begin where the last claims were, and one at everything, for jobs of
 * older places (tried again, given back, committed late) and of new queues and priorities, is made now and then: none waits for longer
 * than the time between these.
 */
export class Looks {
  readonly #mostMs: number;
  readonly #floors = new Map<string, Floor>();
  /** Slow looks in a row: one may be the machine's. */
  #slow = 0;
  #allAtMs = Number.NEGATIVE_INFINITY;
  #movedAtMs = 0;

  /** @param mostMs longest time between looks at everything */
  constructor(mostMs: number) {
    this.#mostMs = mostMs;
  }

  /** When everything is to be looked at again; in the past while each look does. */
  get allAtMs(): number {
    return this.#allAtMs;
  }

  /** Where to look for jobs of these names. */
  from(names: readonly string[], nowMs: number): Seen {
    if (nowMs >= this.#allAtMs) return nothingSeen;
    this.#move(nowMs);
    const floors = [...this.#floors.values()].filter(({ name }) => names.includes(name));
    return {
      ats: floors.map(({ name }) => names.indexOf(name) + 1),
      queues: floors.map(({ queue }) => queue),
      priorities: floors.map(({ priority }) => priority),
      places: floors.map(({ place }) => place),
    };
  }

  /** A look has given these, and took so long. */
  looked(seen: Seen, jobs: readonly ClaimedRow[], tookMs: number, nowMs: number): void {
    if (seen.ats.length === 0) {
      this.#slow = tookMs > slowMs ? this.#slow + 1 : 0;
      if (this.#slow === 0) this.#floors.clear();
      const restMs = this.#slow > 1 ? Math.min(this.#mostMs, tookMs * restTimes) : Number.NEGATIVE_INFINITY;
      this.#allAtMs = nowMs + restMs;
    }
    if (this.#slow === 0) return;
    this.#move(nowMs);
    for (const [, name, queue, , , , , , , priority, place] of jobs) {
      const key = JSON.stringify([name, queue, priority]);
      const floor = this.#floors.get(key);
      if (floor !== undefined) floor.newest = Math.max(floor.newest, place);
      // Behind nothing, until what is claimed now was claimed long enough ago.
      else if (this.#floors.size < floorsMax)
        this.#floors.set(key, { name, queue, priority, place: 0, next: 0, newest: place });
    }
  }

  #move(nowMs: number): void {
    if (nowMs - this.#movedAtMs < lagMs) return;
    this.#movedAtMs = nowMs;
    for (const floor of this.#floors.values()) {
      floor.place = floor.next;
      floor.next = floor.newest;
    }
  }
}
