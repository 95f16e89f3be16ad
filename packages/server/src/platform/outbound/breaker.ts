/**
 * Leaves another server alone after it has failed some times in a row, longer each time, then asks it with a single message
 * (threat X12). Time is monotonic (threat X18).
 */
export class Breaker {
  readonly #failuresLimit: number;
  readonly #firstMs: number;
  readonly #maxMs: number;
  readonly #nowMs: () => number;
  #failures = 0;
  #closedUntilMs = 0;

  constructor(
    limits: { readonly failures: number; readonly firstMs: number; readonly maxMs: number },
    nowMs: () => number,
  ) {
    this.#failuresLimit = limits.failures;
    this.#firstMs = limits.firstMs;
    this.#maxMs = limits.maxMs;
    this.#nowMs = nowMs;
  }

  /** How many messages may be under way: none while it rests, one to try, else any number. */
  get room(): number {
    if (this.restMs > 0) return 0;
    return this.isDown ? 1 : Number.POSITIVE_INFINITY;
  }

  get isDown(): boolean {
    return this.#failures >= this.#failuresLimit;
  }

  /** Until it may be asked again; 0 when it may. */
  get restMs(): number {
    return Math.max(0, this.#closedUntilMs - this.#nowMs());
  }

  succeeded(): void {
    this.#failures = 0;
    this.#closedUntilMs = 0;
  }

  /** @param retryAfterMs what the provider asked for: that is respected from the first time on */
  failed(retryAfterMs: number | null): void {
    this.#failures += 1;
    const doublings = Math.min(this.#failures - this.#failuresLimit, 20);
    const ownMs = this.isDown ? Math.min(this.#maxMs, this.#firstMs * 2 ** doublings) : 0;
    const waitMs = Math.max(ownMs * (0.5 + Math.random() / 2), retryAfterMs ?? 0);
    this.#closedUntilMs = Math.max(this.#closedUntilMs, this.#nowMs() + waitMs);
  }
}
