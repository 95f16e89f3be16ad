/**
 * Waiting longer after each failure, with jitter so that many nodes do not come back at once. `wait` resolves early, with
 * false, when it is cancelled.
 */
export class Backoff {
  readonly #firstMs: number;
  readonly #maxMs: number;
  #attempts = 0;
  #wake: ((elapsed: boolean) => void) | null = null;

  constructor(firstMs: number, maxMs: number) {
    this.#firstMs = firstMs;
    this.#maxMs = maxMs;
  }

  /** Failures since the last `reset`. */
  get attempts(): number {
    return this.#attempts;
  }

  reset(): void {
    this.#attempts = 0;
  }

  wait(): Promise<boolean> {
    const delayMs = Math.min(this.#maxMs, this.#firstMs * 2 ** Math.min(this.#attempts++, 20));
    return new Promise((resolve) => {
      const timer = setTimeout(() => finish(true), delayMs * (0.5 + Math.random() / 2));
      const finish = (elapsed: boolean) => {
        clearTimeout(timer);
        this.#wake = null;
        resolve(elapsed);
      };
      this.#wake = finish;
    });
  }

  cancel(): void {
    this.#wake?.(false);
  }
}
