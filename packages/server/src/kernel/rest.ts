/** How a loop waits: for a time, or until somebody has something for it. One rest at a time. */
export class Rest {
  #wake: (() => void) | null = null;

  /** Resolves after `ms`, or when it is woken; `Infinity` waits for that alone. Keeps no process alive. */
  take(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = Number.isFinite(ms) ? setTimeout(() => this.wake(), ms) : undefined;
      timer?.unref();
      this.#wake = () => {
        clearTimeout(timer);
        this.#wake = null;
        resolve();
      };
    });
  }

  /** Ends the rest that is taken now; who does not rest is not disturbed, and looks itself before it does. */
  wake(): void {
    this.#wake?.();
  }
}
