import type { WriteStore } from "./write-store.ts";

/** Who writes on this node just now: they are spoken for together, one statement for all. */
export class Writers {
  readonly #store: Pick<WriteStore, "prolong">;
  readonly #everyMs: number;
  readonly #writers = new Map<string, () => void>();
  #timer: NodeJS.Timeout | null = null;

  constructor(store: Pick<WriteStore, "prolong">, leaseMs: number) {
    this.#store = store;
    // Two may fail before a lease runs out.
    this.#everyMs = Math.ceil(leaseMs / 3.5);
  }

  /** Keeps the lease of a segment until `remove`. `onLost`: it was given up, or its version has ended. */
  add(blobId: string, onLost: () => void): void {
    this.#writers.set(blobId, onLost);
    this.#timer ??= setInterval(() => void this.#speak(), this.#everyMs).unref();
  }

  remove(blobId: string): void {
    this.#writers.delete(blobId);
    if (this.#writers.size > 0 || this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
  }

  async #speak(): Promise<void> {
    const asked = [...this.#writers.keys()];
    try {
      const prolonged = await this.#store.prolong(asked);
      for (const blobId of asked) if (!prolonged.has(blobId)) this.#writers.get(blobId)?.();
    } catch {
      // The next time comes before the lease runs out; and if it does not, the end of the segment is refused.
    }
  }
}
