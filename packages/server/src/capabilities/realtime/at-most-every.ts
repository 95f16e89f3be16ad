/**
 * Work that many may ask for at once, and that covers them all: done when it is asked for, and whatever is asked for within `everyMs` of
 * that is done together, at their end.
 */
export class AtMostEvery {
  readonly #everyMs: number;
  readonly #work: () => void;
  #timer: NodeJS.Timeout | null = null;
  #isWanted = false;

  constructor(everyMs: number, work: () => void) {
    this.#everyMs = everyMs;
    this.#work = work;
  }

  ask(): void {
    if (this.#timer !== null) {
      this.#isWanted = true;
      return;
    }
    this.#timer = setTimeout(() => {
      this.#timer = null;
      if (!this.#isWanted) return;
      this.#isWanted = false;
      this.ask();
    }, this.#everyMs).unref();
    this.#work();
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#isWanted = false;
  }
}
