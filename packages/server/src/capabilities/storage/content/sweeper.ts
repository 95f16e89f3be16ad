import type { Values } from "../../../kernel/settings.ts";
import type { Observe } from "../../../platform/observe/observation.ts";
import type { Database } from "../../../platform/postgres/database.ts";
import type { BlobStore } from "../ports.ts";
import type { contentSettings } from "./settings.ts";
import { sweepStore } from "./sweep-store.ts";

export interface SweeperNeeds {
  readonly db: Pick<Database, "query" | "background">;
  readonly blobs: Pick<BlobStore, "remove" | "removeLeftovers">;
  readonly settings: Pick<
    Values<typeof contentSettings>,
    "storageSweepMs" | "storageReadGraceMs" | "storageWriterLeaseMs"
  >;
  readonly observe: Observe;
}

/** What one sweep came to. */
export interface Swept {
  /** Uploads that nobody went on with. */
  readonly uploads: number;
  readonly blobs: number;
  readonly versions: number;
}

/** Blobs that are removed together. */
const batch = 500;
/** How long one batch may take before another node tries it as well, in ms. Trying twice harms nobody. */
const claimMs = 300_000;
/** What writers that died left in the store without a name is looked for every so many sweeps, and when it is a day old, in ms. */
const leftoversEvery = 60;
const leftoversOldMs = 86_400_000;

/**
 * Removes bytes that nobody needs, on every node at once: each takes a batch that no other has. First from the store and then from the database, so
 * that whatever stops it is found again. While the store is away everything waits.
 */
export class Sweeper {
  readonly #needs: SweeperNeeds;
  #timer: NodeJS.Timeout | null = null;
  #running: Promise<unknown> = Promise.resolve();
  #isStopping = false;
  #sweeps = 0;
  #isFailing = false;

  constructor(needs: SweeperNeeds) {
    this.#needs = needs;
  }

  start(): void {
    this.#plan();
  }

  /** Resolves when the batch under way is done. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#running;
  }

  /** Removes all that is due now. Rejects as the store or the database does; what was not removed then stays known. */
  async sweep(): Promise<Swept> {
    const { db, blobs, settings } = this.#needs;
    const graceMs = settings.storageReadGraceMs;
    const swept = { uploads: 0, blobs: 0, versions: 0 };
    const repeat = async (work: () => Promise<number>): Promise<number> => {
      for (let total = 0; ; ) {
        const done = await work();
        total += done;
        if (done < batch || this.#isStopping) return total;
      }
    };
    swept.uploads = await repeat(() => sweepStore.giveUpReceiving(db, batch));
    swept.blobs = await repeat(async () => {
      const claimed = await sweepStore.claimSegments(db, { graceMs, claimMs, most: batch });
      if (claimed.length === 0) return 0;
      await blobs.remove(claimed);
      await sweepStore.forgetSegments(db, claimed);
      return claimed.length;
    });
    swept.versions = await repeat(() => sweepStore.forgetVersions(db, graceMs, batch));
    return swept;
  }

  #plan(): void {
    if (this.#isStopping) return;
    // Nodes that were started together need not look together.
    const delayMs = this.#needs.settings.storageSweepMs * (0.9 + Math.random() * 0.2);
    this.#timer = setTimeout(() => {
      this.#running = this.#look().finally(() => this.#plan());
    }, delayMs).unref();
  }

  async #look(): Promise<void> {
    const { db, blobs, settings, observe } = this.#needs;
    try {
      if (await sweepStore.isDue(db.background, settings.storageReadGraceMs)) {
        const swept = await this.sweep();
        if (swept.blobs + swept.uploads + swept.versions > 0) observe({ kind: "storage.swept", ...swept });
      }
      if (this.#sweeps++ % leftoversEvery === 0) await blobs.removeLeftovers(leftoversOldMs);
      this.#isFailing = false;
    } catch (error) {
      // Said once: it is tried again for as long as it takes.
      if (!this.#isFailing) observe({ kind: "storage.sweep-failed", error });
      this.#isFailing = true;
    }
  }
}
