import { setImmediate as turn } from "node:timers/promises";

/** What is here already is still taken after the end was asked for, up to so many bytes: a fast sender must not go on for ever. */
const graceBytes = 1_048_576;

type Step = IteratorResult<Buffer, undefined>;

/**
 * The bytes of one request, handed out in runs. A body that breaks off ends here like any other, so that what came until then becomes a segment;
 * `failure` says afterwards why it ended.
 */
export class Incoming {
  /** Why there is no more, where it is not the end: the sender left, dawdled, or had to make room for another. `null` as long as all is well. */
  failure: unknown = null;
  readonly #source: AsyncIterator<Buffer, undefined>;
  #stop: AbortSignal | null = null;
  /** Ends the wait for what comes next. */
  #stopWaiting: (() => void) | null = null;
  #pulling: Promise<Step> | null = null;
  #next: Buffer | null = null;
  #graceBytes = graceBytes;
  #isOver = false;

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]() as AsyncIterator<Buffer, undefined>;
  }

  /** Begins to receive, though nobody reads yet: of a connection that breaks off before the first look, what came would be lost. */
  begin(): void {
    this.#pulling ??= this.#pull();
  }

  /** Ends the body when the signal says so, with its reason as the failure. What is here by then is still handed out. */
  endWith(stop: AbortSignal): void {
    this.#stop = stop;
    stop.addEventListener("abort", () => this.#stopWaiting?.(), { once: true });
  }

  /** Whether there are more bytes: waits until it is known. Never rejects. */
  async hasMore(): Promise<boolean> {
    while (this.#next === null && !this.#isOver) {
      this.#pulling ??= this.#pull();
      const step = await this.#stepOrStop(this.#pulling);
      if (step === "stopped") {
        this.#isOver = true;
        this.failure ??= this.#stop?.reason;
        break;
      }
      this.#pulling = null;
      if (step.done === true) this.#isOver = true;
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

  async #stepOrStop(pulling: Promise<Step>): Promise<Step | "stopped"> {
    if (this.#stop?.aborted !== true) {
      const step = await this.#unlessStopped(pulling);
      if (step !== "stopped") return step;
    }
    if (this.#graceBytes <= 0) return "stopped";
    // What is here comes within this turn of the loop.
    const step = await Promise.race([pulling, turn("stopped" as const)]);
    if (step !== "stopped" && step.done !== true) this.#graceBytes -= step.value.length;
    return step;
  }

  /** One promise for each chunk: a race against one that lasts would keep every chunk for as long. */
  #unlessStopped(pulling: Promise<Step>): Promise<Step | "stopped"> {
    return new Promise((resolve) => {
      this.#stopWaiting = () => resolve("stopped");
      void pulling.then(resolve);
    });
  }

  async #pull(): Promise<Step> {
    try {
      return await this.#source.next();
    } catch (error) {
      this.failure ??= error;
      return { done: true, value: undefined };
    }
  }
}
