import type { Lsn } from "../../kernel/change.ts";
import type { Values } from "../../kernel/settings.ts";
import type { Observe } from "../observe/observation.ts";
import type { Database } from "../postgres/database.ts";
import { cursorStore } from "./durable/store.ts";
import { durableSlotName, ensureDurableSlot } from "./durable-slot.ts";
import type { changesSettings } from "./settings.ts";
import { type SlotState, slotStore } from "./store.ts";

export interface SlotKeeperNeeds {
  readonly db: Database;
  readonly settings: Values<typeof changesSettings>;
  readonly observe: Observe;
  readonly nowMs: () => number;
  /** Whether this node follows the log: only then is what is kept worth keeping. */
  readonly isFollowing: () => boolean;
  /** After each look. */
  readonly onState: (state: SlotState) => Promise<void>;
}

/** How often a node that follows says so, and one that does not looks whether anybody does, as parts of the time until the slot goes. */
const looksPerIdle = 24;

/**
 * Lets the durable slot follow at a distance: behind by the retention, but not by more log than is allowed (threat R14). Without it
 * PostgreSQL would keep all log for ever. Every node does it, and nobody has to be chosen: to give up what was given up is nothing.
 */
export class SlotKeeper {
  readonly #needs: SlotKeeperNeeds;
  readonly #timer: NodeJS.Timeout;
  /** When the log was where, oldest first. */
  readonly #samples: { readonly atMs: number; readonly lsn: Lsn }[] = [];
  #name: string | null = null;
  #markedAtMs = Number.NEGATIVE_INFINITY;
  #checking: Promise<void> | null = null;
  #isFailing = false;

  constructor(needs: SlotKeeperNeeds) {
    this.#needs = needs;
    this.#timer = setInterval(() => void this.check(), needs.settings.logSlotCheckMs).unref();
  }

  /** Looks, and gives up what is too old or too much. Never rejects; one at a time. */
  check(): Promise<void> {
    this.#checking ??= this.#check()
      .then(
        () => {
          this.#isFailing = false;
        },
        (error: unknown) => {
          if (!this.#isFailing) this.#report(error);
          this.#isFailing = true;
        },
      )
      .finally(() => {
        this.#checking = null;
      });
    return this.#checking;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#checking;
  }

  async #check(): Promise<void> {
    const { db, settings, isFollowing, nowMs } = this.#needs;
    const isMarkDue = nowMs() - this.#markedAtMs >= settings.logIdleDropMs / looksPerIdle;
    if (!isFollowing()) {
      this.#samples.length = 0;
      if (isMarkDue) await this.#dropUnfollowed();
      return;
    }
    const name = await this.#slotName();
    const state = await slotStore.state(db.background, name);
    await this.#needs.onState(state);
    if (!state.exists || state.isLost) return this.#makeAnew(name, state.lostBecause);
    if (isMarkDue) {
      await slotStore.markFollowed(db, name);
      this.#markedAtMs = nowMs();
    }
    const to = this.#giveUpBefore(state, await cursorStore.floor(db.background, settings.logReaderForgetMs));
    // PostgreSQL reads all log up to there: with a limit on statements it might never come to an end.
    if (to !== null) await this.#advance(name, to);
  }

  /** @param floor readers with a memory have not taken in what stands behind it */
  #giveUpBefore({ current, confirmed, restart }: SlotState, floor: Lsn | null): Lsn | null {
    const { settings, nowMs } = this.#needs;
    this.#samples.push({ atMs: nowMs(), lsn: current });
    let to: Lsn | null = null;
    while (this.#samples.length > 1 && this.#samples[0]!.atMs <= nowMs() - settings.logRetentionMs) {
      to = this.#samples.shift()!.lsn;
    }
    if (to !== null && floor !== null && to > floor) to = floor;
    const most = BigInt(settings.logRetainedBytes);
    if (restart !== null && current - restart > most) {
      // What PostgreSQL keeps begins before what it could give up, at its last note of what was running: so to half of what is allowed.
      const bound = current - most / 2n;
      if (to === null || to < bound) to = bound;
      // Again to where it is: each time PostgreSQL gives up as far as its next note.
      if (confirmed !== null && to < confirmed) to = confirmed;
      return to;
    }
    return to !== null && (confirmed === null || to > confirmed) ? to : null;
  }

  async #advance(name: string, to: Lsn): Promise<void> {
    await this.#needs.db.transaction(async (tx) => {
      await slotStore.unlimited(tx);
      await slotStore.advance(tx, name, to);
    });
  }

  /** This node follows all the same, by a slot of its own; but whoever comes back next would find nothing. */
  async #makeAnew(name: string, reason: string | null): Promise<void> {
    const { db, observe } = this.#needs;
    observe({ kind: "log.slot-lost", slot: name, reason });
    const client = await db.connect();
    // Unheard, its loss would end the process (threat X09).
    client.on("error", () => {});
    try {
      await ensureDurableSlot({ query: async (text) => (await client.query(text)).rows }, name);
    } finally {
      await client.end();
    }
  }

  async #dropUnfollowed(): Promise<void> {
    const { db, settings, nowMs } = this.#needs;
    await slotStore.dropUnfollowed(db, await this.#slotName(), settings.logIdleDropMs);
    this.#markedAtMs = nowMs();
  }

  async #slotName(): Promise<string> {
    this.#name ??= durableSlotName(await slotStore.databaseOid(this.#needs.db));
    return this.#name;
  }

  #report(error: unknown): void {
    const words = error instanceof Error ? error.message : String(error);
    this.#needs.observe({
      kind: "warning",
      area: "log",
      message: `The log's slot could not be looked after: ${words}`,
    });
  }
}
