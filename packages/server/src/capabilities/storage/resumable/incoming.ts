/**
 * The bytes of one request, handed out in runs. A body that breaks off ends here like any other, so that what came until then becomes a segment;
 * `failure` says afterwards why it ended.
 */
export class Incoming {
  /** Why there is no more, where it is not the end: the sender left, dawdled, or had to make room for another. `null` as long as all is well. */
  failure: unknown = null;
  readonly #source: AsyncIterator<Buffer>;
  readonly #stopped: Promise<"stopped">;
  #next: Buffer | null = null;
  #isOver = false;

  /** @param stop ends the body, with its reason as the failure; the bytes that are here by then are still handed out */
  constructor(source: AsyncIterable<Buffer>, stop: AbortSignal) {
    this.#source = source[Symbol.asyncIterator]();
    this.#stopped = new Promise((resolve) => {
      const end = (): void => {
        this.failure ??= stop.reason;
        resolve("stopped");
      };
      if (stop.aborted) end();
      else stop.addEventListener("abort", end, { once: true });
    });
  }

  /** Whether there are more bytes: waits until it is known. Never rejects. */
  async hasMore(): Promise<boolean> {
    while (this.#next === null && !this.#isOver) {
      const step = await Promise.race([this.#pull(), this.#stopped]);
      if (step === "stopped" || step.done === true) this.#isOver = true;
      else if (step.value.length > 0) this.#next = step.value;
    }
    return this.#next !== null;
  }

  /** The next bytes, at most so many of them. */
  async *take(limitBytes: number): AsyncIterable<Buffer> {
    let leftBytes = limitBytes;
    while (leftBytes > 0 && (await this.hasMore())) {
      const chunk = this.#next!;
      const part = chunk.length > leftBytes ? chunk.subarray(0, leftBytes) : chunk;
      this.#next = part === chunk ? null : chunk.subarray(part.length);
      leftBytes -= part.length;
      yield part;
    }
  }

  /** All there is, for what is worth nothing in part: fails as the body does. */
  async *whole(): AsyncIterable<Buffer> {
    yield* this.take(Number.POSITIVE_INFINITY);
    if (this.failure !== null) throw this.failure;
  }

  /** Nobody wants the rest. Not waited for: a source may be waiting for a sender who is silent. */
  leave(): void {
    this.#isOver = true;
    void this.#source.return?.().catch(() => {});
  }

  async #pull(): Promise<IteratorResult<Buffer>> {
    try {
      return await this.#source.next();
    } catch (error) {
      this.failure ??= error;
      return { done: true, value: undefined };
    }
  }
}
