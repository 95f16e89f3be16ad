import type { Problem } from "../../kernel/problem.ts";
import type { Appetite, BodyMemory, BodySink, Request } from "./body.ts";
import { problems } from "./problems.ts";

export interface BodyStreamNeeds {
  readonly request: Request;
  readonly limitBytes: number;
  /** Most bytes that wait for whoever reads; then the socket is stopped until half of them are taken. */
  readonly aheadBytes: number;
  /** What waits counts against everybody's memory. When that is used up the socket is stopped, and nobody refused. */
  readonly memory: BodyMemory;
  /** The sender is waited for: from here its pace counts. Called again after each `onStopped`. */
  onReceiving(): void;
  /** The sender is not waited for: all is in, or it is us who are slow. */
  onStopped(): void;
  /** So many bytes have come. */
  onBytes(count: number): void;
}

/**
 * Chunks below this are joined with those that come in the same turn of the event loop, up to `joinedBytes`: a turn of the reader's
 * loop costs more than copying them, and a write of its own far more.
 */
const smallBytes = 16_384;
const joinedBytes = 65_536;

type Step = IteratorResult<Buffer, undefined>;
const ended: Step = { done: true, value: undefined };

/**
 * A body as it comes, straight from the parser: one list of chunks between it and the loop, and a promise only where the loop waits.
 * Nothing is read, and nobody told to send (`100 Continue`), before the first `next`. However a body ends too early, what came until
 * then is given first and the Problem after it, so that a resumable upload can keep it.
 */
export class BodyStream implements AsyncIterableIterator<Buffer, undefined>, BodySink {
  readonly #needs: BodyStreamNeeds;
  readonly #chunks: Buffer[] = [];
  #waitingBytes = 0;
  /** Part of what waits that counts against everybody's memory. */
  #countedBytes = 0;
  #receivedBytes = 0;
  #state: "new" | "flowing" | "stopped" | "over" = "new";
  /** Why it ended too early; `null` when it did not. */
  #problem: Problem | null = null;
  #isWaking = false;
  #reader: { resolve(step: Step): void; reject(problem: Problem): void } | null = null;

  constructor(needs: BodyStreamNeeds) {
    this.#needs = needs;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Rejects with 413 beyond the limit, 400 when the caller left, or with what `fail` was given. One at a time. */
  next(): Promise<Step> {
    if (this.#reader !== null) return Promise.reject(new Error("A body has one reader, who waits for each chunk."));
    if (this.#state === "new") this.#begin();
    if (this.#chunks.length > 0) return Promise.resolve({ done: false, value: this.#take() });
    if (this.#state === "over") {
      const problem = this.#problem;
      this.#problem = null; // told once, as iterators do
      return problem === null ? Promise.resolve(ended) : Promise.reject(problem);
    }
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
    });
  }

  /** The loop was left: the rest stays unread. */
  return(): Promise<Step> {
    this.#forget();
    this.#end(null);
    this.#problem = null;
    return Promise.resolve(ended);
  }

  /** Ends it from outside, after what waits. */
  fail(problem: Problem): void {
    this.#end(problem);
  }

  /** The request is answered, and who still reads is told that there is no more. */
  abandon(): void {
    if (this.#state === "over" && this.#problem !== null) {
      // It ended too early, which is what the answer says: what came until then is still the reader's, and no longer everybody's memory.
      this.#giveBack(this.#countedBytes);
      return;
    }
    const isTaken = this.#state === "over" && this.#chunks.length === 0;
    this.#forget();
    if (isTaken) return;
    this.#end(problems.bodyIncomplete());
    this.#problem ??= problems.bodyIncomplete(); // all had come, and not all was taken
  }

  onChunk(chunk: Buffer): Appetite {
    const { limitBytes, aheadBytes, memory } = this.#needs;
    this.#receivedBytes += chunk.length;
    this.#needs.onBytes(chunk.length);
    if (this.#receivedBytes > limitBytes) {
      this.#end(problems.bodyTooLarge(limitBytes));
      return "enough";
    }
    this.#chunks.push(chunk);
    this.#waitingBytes += chunk.length;
    const isCounted = memory.take(chunk.length);
    if (isCounted) this.#countedBytes += chunk.length;
    if (this.#reader !== null) {
      if (chunk.length >= smallBytes) this.#wake();
      else this.#wakeLater();
    }
    if (this.#chunks.length === 0 || (isCounted && this.#waitingBytes < aheadBytes)) return "more";
    this.#stop("stopped");
    return "later";
  }

  onEnd(): void {
    this.#end(null);
  }

  onGone(): void {
    this.#end(problems.bodyIncomplete());
  }

  /** The event loop comes to it after all that the socket had to give. */
  #wakeLater(): void {
    if (this.#isWaking) return;
    this.#isWaking = true;
    setImmediate(() => {
      this.#isWaking = false;
      this.#wake();
    });
  }

  #wake(): void {
    const reader = this.#reader;
    if (reader === null || this.#chunks.length === 0) return;
    this.#reader = null;
    reader.resolve({ done: false, value: this.#take() });
  }

  #begin(): void {
    this.#state = "flowing";
    this.#needs.onReceiving();
    this.#needs.request.deliverTo(this);
  }

  #take(): Buffer {
    const first = this.#chunks[0]!;
    let count = 1;
    let sizeBytes = first.length;
    while (count < this.#chunks.length) {
      const { length } = this.#chunks[count]!;
      if (Math.min(first.length, length) >= smallBytes || sizeBytes + length > joinedBytes) break;
      sizeBytes += length;
      count++;
    }
    const taken = this.#chunks.splice(0, count);
    this.#waitingBytes -= sizeBytes;
    this.#giveBack(sizeBytes);
    if (this.#state === "stopped" && this.#waitingBytes <= this.#needs.aheadBytes / 2) this.#start();
    return count === 1 ? first : Buffer.concat(taken, sizeBytes);
  }

  #start(): void {
    this.#state = "flowing";
    this.#needs.onReceiving();
    this.#needs.request.deliverMore();
  }

  #stop(state: "stopped" | "over"): void {
    if (this.#state === "flowing") this.#needs.onStopped();
    this.#state = state;
  }

  #end(problem: Problem | null): void {
    if (this.#state === "over") return;
    this.#stop("over");
    this.#needs.request.deliverNoMore();
    this.#wake();
    const reader = this.#reader;
    this.#reader = null;
    if (reader === null) this.#problem = problem;
    else if (problem === null) reader.resolve(ended);
    else reader.reject(problem);
  }

  #forget(): void {
    this.#chunks.length = 0;
    this.#waitingBytes = 0;
    this.#giveBack(this.#countedBytes);
  }

  #giveBack(bytes: number): void {
    const counted = Math.min(bytes, this.#countedBytes);
    this.#countedBytes -= counted;
    this.#needs.memory.giveBack(counted);
  }
}
