const minuteMs = 60_000;

/** So many a minute: as many at once when nothing was spent for a minute, and then one by one. */
export class Allowance {
  readonly #perMinute: number;
  readonly #nowMs: () => number;
  #left: number;
  #countedAtMs: number;

  /** @param nowMs monotonic */
  constructor(perMinute: number, nowMs: () => number) {
    this.#perMinute = perMinute;
    this.#nowMs = nowMs;
    this.#left = perMinute;
    this.#countedAtMs = nowMs();
  }

  /** @returns false, and spends nothing, when there is none left */
  spend(): boolean {
    const nowMs = this.#nowMs();
    const gained = ((nowMs - this.#countedAtMs) / minuteMs) * this.#perMinute;
    this.#left = Math.min(this.#perMinute, this.#left + gained);
    this.#countedAtMs = nowMs;
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }
}
