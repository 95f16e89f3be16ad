import type { Database } from "../../../platform/postgres/database.ts";
import type { Renditions } from "./renditions.ts";
import { imageStore } from "./store.ts";

/** Sees to it that no picture outlives the file it was made of by long, and that there are not too many. */
export class RenditionKeeper {
  readonly #db: Pick<Database, "query" | "background">;
  readonly #renditions: Renditions;
  readonly #sweepMs: number;
  #timer: NodeJS.Timeout | null = null;
  #running: Promise<unknown> = Promise.resolve();
  #isStopping = false;

  constructor(needs: {
    readonly db: Pick<Database, "query" | "background">;
    readonly renditions: Renditions;
    readonly sweepMs: number;
  }) {
    this.#db = needs.db;
    this.#renditions = needs.renditions;
    this.#sweepMs = needs.sweepMs;
  }

  start(): void {
    this.#plan();
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#running;
  }

  async forget(versions: readonly string[]): Promise<void> {
    await this.#renditions.forget(versions);
  }

  async forgetBucket(bucketId: string): Promise<void> {
    await this.#forgetWhere((versions) => imageStore.ofBucket(this.#db, bucketId, versions));
  }

  /** Removes pictures of files that are gone, and those beyond what may be kept. */
  async sweep(): Promise<void> {
    await this.#forgetWhere((versions) => imageStore.gone(this.#db.background, versions));
    await this.#renditions.trim();
  }

  async #forgetWhere(which: (versions: readonly string[]) => Promise<readonly string[]>): Promise<void> {
    for await (const versions of this.#renditions.versions()) {
      const unwanted = await which(versions);
      if (unwanted.length > 0) await this.#renditions.forget(unwanted);
      if (this.#isStopping) return;
    }
  }

  #plan(): void {
    if (this.#isStopping) return;
    this.#timer = setTimeout(() => {
      // What fails now, as when the database is away, is done the next time: nothing is lost by it.
      this.#running = this.sweep()
        .catch(() => {})
        .finally(() => this.#plan());
    }, this.#sweepMs).unref();
  }
}
