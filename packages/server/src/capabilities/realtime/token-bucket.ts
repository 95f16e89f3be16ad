/** So many at once, then `perSecond`. Times are of a clock that never jumps (threat X18). */
export class TokenBucket {
  readonly #perSecond: number;
  readonly #burst: number;
  #level: number;
  #atMs: number;

  constructor({ perSecond, burst }: { readonly perSecond: number; readonly burst: number }, nowMs: number) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#level = burst;
    this.#atMs = nowMs;
  }

  /** @returns false when there was none left */
  take(nowMs: number): boolean {
    const level = Math.min(this.#burst, this.#level + ((nowMs - this.#atMs) * this.#perSecond) / 1000);
    this.#atMs = nowMs;
    this.#level = level < 1 ? level : level - 1;
    return level >= 1;
  }
}
