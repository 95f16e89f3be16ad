/** Work that many may wait for, done once for all of them. It is given up when the last of them has left. */
export class SharedWork<T> {
  readonly #running = new Map<
    string,
    { readonly result: Promise<T>; readonly stop: AbortController; waiting: number }
  >();

  /** @throws what the work throws, or the signal's reason */
  async do(key: string, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    let running = this.#running.get(key);
    // One that has been given up is not joined: it ends with nothing.
    if (running === undefined || running.stop.signal.aborted) {
      const stop = new AbortController();
      const begun = { result: work(stop.signal), stop, waiting: 0 };
      const forget = () => {
        if (this.#running.get(key) === begun) this.#running.delete(key);
      };
      begun.result.then(forget, forget);
      this.#running.set(key, begun);
      running = begun;
    }
    const { result, stop } = running;
    running.waiting++;
    let leave = (): void => {};
    const left = new Promise<never>((_, reject) => {
      leave = () => reject(signal.reason);
      signal.addEventListener("abort", leave, { once: true });
    });
    try {
      return await Promise.race([result, left]);
    } finally {
      signal.removeEventListener("abort", leave);
      running.waiting--;
      if (running.waiting === 0) stop.abort(signal.reason);
    }
  }
}
