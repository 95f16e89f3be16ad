/** How long one share of the pace lasts, in ms. */
const tickMs = 100;

export interface PacedQueueNeeds<T> {
  /** Never rejects. */
  readonly work: (item: T) => Promise<void>;
  /** Worked on at the same time. */
  readonly atOnce: number;
  readonly perSecond: number;
}

/**
 * Works on each item that is put in, once for as long as it waits: first in, first out, so that nobody waits for ever behind what is put
 * in again and again. At a pace, unless something urgent is in it.
 */
export class PacedQueue<T> {
  readonly #needs: PacedQueueNeeds<T>;
  readonly #waiting = new Set<T>();
  readonly #share: number;
  #working = 0;
  #left: number;
  #isUrgent = false;
  #timer: NodeJS.Timeout | null = null;

  constructor(needs: PacedQueueNeeds<T>) {
    this.#needs = needs;
    this.#share = Math.max(1, Math.ceil((needs.perSecond * tickMs) / 1_000));
    this.#left = this.#share;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** @param isUrgent everything that waits now is worked on as fast as it goes */
  add(items: Iterable<T>, isUrgent = false): void {
    for (const item of items) this.#waiting.add(item);
    if (isUrgent && this.#waiting.size > 0) this.#isUrgent = true;
    this.#goOn();
  }

  delete(item: T): void {
    this.#waiting.delete(item);
  }

  stop(): void {
    this.#waiting.clear();
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  #goOn(): void {
    while (this.#waiting.size > 0 && this.#working < this.#needs.atOnce && (this.#isUrgent || this.#left > 0)) {
      const [item] = this.#waiting as Iterable<T> as [T];
      this.#waiting.delete(item);
      this.#working++;
      this.#left--;
      void this.#needs.work(item).finally(() => {
        this.#working--;
        this.#goOn();
      });
    }
    if (this.#waiting.size === 0) this.#isUrgent = false;
    if (this.#left < this.#share) this.#timer ??= setInterval(() => this.#tick(), tickMs).unref();
  }

  #tick(): void {
    if (this.#waiting.size === 0 && this.#timer !== null) {
      clearInterval(this.#timer);
      this.#timer = null;
    }
    this.#left = this.#share;
    this.#goOn();
  }
}
