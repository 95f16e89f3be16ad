/** What comes from a source that may fail, be told to stop, or be left: chunk by chunk, with a look ahead. */
export class Feed {
  readonly #iterator: AsyncIterator<Uint8Array>;
  readonly #endsQuietly: boolean;
  readonly #ahead: Uint8Array[] = [];
  #isOver = false;
  /** Ends the wait for the next chunk. */
  #stopWaiting: ((reason: unknown) => void) | null = null;
  #stopped: { readonly reason: unknown } | null = null;
  #failure: { readonly reason: unknown } | null = null;

  /** `endsQuietly`: a failure is an end. */
  constructor(source: AsyncIterable<Uint8Array>, endsQuietly: boolean) {
    this.#iterator = source[Symbol.asyncIterator]();
    this.#endsQuietly = endsQuietly;
  }

  /** Why it ended too early; `null` while it has not. */
  get failure(): { readonly reason: unknown } | null {
    return this.#failure;
  }

  /** At most so many bytes of what comes next, which then comes all the same; fewer only at the end. */
  async peek(mostBytes: number): Promise<Buffer> {
    let sizeBytes = this.#ahead.reduce((sum, chunk) => sum + chunk.length, 0);
    while (sizeBytes < mostBytes) {
      const chunk = await this.#pull();
      if (chunk === null) break;
      this.#ahead.push(chunk);
      sizeBytes += chunk.length;
    }
    return Buffer.concat(this.#ahead).subarray(0, mostBytes);
  }

  /** `null` at the end. */
  async next(): Promise<Uint8Array | null> {
    return this.#ahead.shift() ?? this.#pull();
  }

  /** From now on it has failed, also for whoever waits for it just now. */
  stop(reason: unknown): void {
    this.#stopped ??= { reason };
    this.#stopWaiting?.(reason);
  }

  /** The rest is not wanted. */
  leave(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    // A source that is just being waited for may not hear of it before it gives something: nobody waits for that.
    this.#iterator.return?.().catch(() => {});
  }

  async #pull(): Promise<Uint8Array | null> {
    while (!this.#isOver) {
      try {
        const step = await this.#step();
        if (step.done === true) this.#isOver = true;
        else if (step.value.length > 0) return step.value;
      } catch (reason) {
        this.#failure = { reason };
        this.leave();
        if (!this.#endsQuietly) throw reason;
      }
    }
    return null;
  }

  #step(): Promise<IteratorResult<Uint8Array>> {
    return new Promise((resolve, reject) => {
      if (this.#stopped !== null) return reject(this.#stopped.reason);
      this.#stopWaiting = reject;
      this.#iterator.next().then(resolve, reject);
    });
  }
}
