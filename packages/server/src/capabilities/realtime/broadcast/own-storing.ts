import { Lru } from "../../../kernel/lru.ts";
import type { Channel } from "../types.ts";

/** A broadcast that this node stores, until the log has brought it. */
export interface OwnStored {
  /** `null`: nobody on a socket. */
  readonly from: Channel | null;
  /** Who got it when it was stored; `null`: nobody yet. */
  readonly reached: WeakSet<Channel> | null;
}

/**
 * So many may be on their way to the log and back, some milliseconds each: beyond it the oldest is forgotten, and comes a second time with
 * the same id. Only a log that is far behind has so many, or none that is followed, which brings none.
 */
const mostAtOnce = 16_384;

/** What this node is storing: PostgreSQL's answer and the log both tell of it, in any order, and members get it once. */
export class OwnStoring {
  readonly #stored = new Lru<string, OwnStored>(mostAtOnce);

  begin(id: string, from: Channel | null): void {
    this.#stored.set(id, { from, reached: null });
  }

  /** PostgreSQL has stored it, and these are about to get it. `null`: the log has brought it already, and they have. */
  delivered(id: string, members: Iterable<Channel>): OwnStored | null {
    const own = this.#stored.get(id);
    if (own === undefined) return null;
    // Who joins from here on is not among them, and gets it from the log.
    this.#stored.set(id, { from: own.from, reached: new WeakSet(members) });
    return own;
  }

  /** The log has brought it. `null`: somebody else's. */
  logged(id: string): OwnStored | null {
    const own = this.#stored.get(id) ?? null;
    if (own !== null) this.#stored.delete(id);
    return own;
  }

  forget(id: string): void {
    this.#stored.delete(id);
  }
}
