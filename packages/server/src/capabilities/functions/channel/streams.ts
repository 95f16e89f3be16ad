import { AsyncLocalStorage } from "node:async_hooks";
import type { FrameWriter } from "./frame-writer.ts";
import { frameKind, streamWindowBytes } from "./kinds.ts";

/** Larger pieces are sent in parts, so that others come in between. */
const pieceBytes = 65_536;

/** The other side will not send the rest, or has gone. */
export class StreamBroken extends Error {
  override readonly name = "StreamBroken";
}

/**
 * Bodies that stream over one socket, in both directions. A sender has so much credit and gets more as the reader takes: whoever reads slowly is
 * sent slowly, and holds up nobody else.
 */
export class Streams {
  readonly #writer: FrameWriter;
  readonly #flush: () => void;
  readonly #incoming = new Map<number, Incoming>();
  readonly #outgoing = new Map<number, Outgoing>();

  /** @param flush sends what was written, soon */
  constructor(writer: FrameWriter, flush: () => void) {
    this.#writer = writer;
    this.#flush = flush;
  }

  /** A body that will come under this number. */
  receive(number: number): Incoming {
    // Of two under one number the first would never end.
    this.#settle(number)?.fail(new StreamBroken("Another one has begun in its place."));
    const incoming = new Incoming(
      (bytes) => {
        this.#writer.begin(frameKind.credit, number).u32(bytes).end();
        this.#flush();
      },
      () => {
        if (!this.#incoming.delete(number)) return;
        this.#writer.begin(frameKind.stopped, number).end();
        this.#flush();
      },
    );
    this.#incoming.set(number, incoming);
    return incoming;
  }

  /**
   * Sends a body under this number. Resolves when all of it has been handed over, or nobody wants more; rejects with what the source threw, when
   * the other side has been told.
   */
  async send(number: number, source: AsyncIterable<Uint8Array>): Promise<void> {
    const outgoing = new Outgoing(source);
    this.#outgoing.set(number, outgoing);
    try {
      for (;;) {
        const step = await outgoing.next();
        if (outgoing.isStopped) return;
        if (step.done === true) break;
        await this.#sendChunk(number, outgoing, step.value);
        if (outgoing.isStopped) return;
      }
      this.#writer.begin(frameKind.end, number).end();
    } catch (error) {
      if (outgoing.isStopped) return;
      this.#writer
        .begin(frameKind.broken, number)
        .text(JSON.stringify(messageOf(error)))
        .end();
      throw error;
    } finally {
      this.#outgoing.delete(number);
      this.#flush();
    }
  }

  /**
   * Whether frames of this kind are a stream's.
   * @throws Error when the other side sends more than it was asked for, or asks for more than it has taken
   */
  take(kind: number, number: number, bytes: Buffer, start: number, end: number): boolean {
    switch (kind) {
      case frameKind.data:
        this.#incoming.get(number)?.push(bytes.subarray(start, end));
        return true;
      case frameKind.end:
        this.#settle(number)?.finish();
        return true;
      case frameKind.broken:
        this.#settle(number)?.fail(new StreamBroken(JSON.parse(bytes.toString("utf8", start, end)) as string));
        return true;
      case frameKind.credit:
        if (end - start !== 4) throw new Error(`A credit of ${end - start} bytes came.`);
        this.#outgoing.get(number)?.add(bytes.readUInt32LE(start));
        return true;
      case frameKind.stopped:
        this.#outgoing.get(number)?.stop();
        return true;
      default:
        return false;
    }
  }

  /** Whoever reads what comes under this number is told why it breaks off, and whoever sends it that nobody wants more. */
  cut(number: number, why: Error): void {
    this.#incoming.get(number)?.cut(why);
  }

  /** Nothing more goes either way under this number: the other side knows. */
  drop(number: number, why: Error): void {
    this.#settle(number)?.fail(why);
    this.#outgoing.get(number)?.stop();
  }

  /** The socket is gone. */
  dropAll(why: Error): void {
    for (const number of [...this.#incoming.keys(), ...this.#outgoing.keys()]) this.drop(number, why);
  }

  #settle(number: number): Incoming | undefined {
    const incoming = this.#incoming.get(number);
    this.#incoming.delete(number);
    return incoming;
  }

  async #sendChunk(number: number, outgoing: Outgoing, chunk: Uint8Array): Promise<void> {
    const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    for (let at = 0; at < bytes.length; ) {
      if (outgoing.creditBytes <= 0) await outgoing.refilled();
      if (outgoing.isStopped) return;
      const piece = bytes.subarray(at, Math.min(at + pieceBytes, at + outgoing.creditBytes));
      outgoing.creditBytes -= piece.length;
      at += piece.length;
      this.#writer.begin(frameKind.data, number).bytes(piece).end();
      this.#flush();
    }
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

class Outgoing {
  creditBytes = streamWindowBytes;
  isStopped = false;
  readonly #iterator: AsyncIterator<Uint8Array>;
  /** Sources are told in the context of who sends them. */
  readonly #within = AsyncLocalStorage.snapshot();
  #onChange: (() => void) | null = null;
  #tellStopped: (() => void) | null = null;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#iterator = source[Symbol.asyncIterator]();
  }

  /** What comes next, or an end when nobody wants more: a source may never give anything again. */
  next(): Promise<IteratorResult<Uint8Array>> {
    return new Promise((resolve, reject) => {
      // Not `Promise.race`: with a promise that outlives the others it keeps something of each.
      this.#tellStopped = () => resolve({ done: true, value: undefined });
      this.#iterator.next().then(resolve, reject);
    });
  }

  refilled(): Promise<void> {
    return new Promise((resolve) => {
      this.#onChange = resolve;
    });
  }

  add(bytes: number): void {
    // Else a stream would pile up on the way to somebody who says that he reads, and does not.
    if (this.creditBytes + bytes > streamWindowBytes) throw new Error("More of a stream was asked for than was taken.");
    this.creditBytes += bytes;
    this.#changed();
  }

  stop(): void {
    if (this.isStopped) return;
    this.isStopped = true;
    this.#tellStopped?.();
    this.#within(() => this.#iterator.return?.().catch(() => {}));
    this.#changed();
  }

  #changed(): void {
    this.#onChange?.();
    this.#onChange = null;
  }
}

/** A body as it comes. It can be read once; who stops reading tells the sender. */
export class Incoming implements AsyncIterableIterator<Buffer> {
  readonly #giveCredit: (bytes: number) => void;
  readonly #onLeft: () => void;
  readonly #waiting: Buffer[] = [];
  #takenBytes = 0;
  /** What may still come. */
  #roomBytes = streamWindowBytes;
  #end: { readonly error: Error | null } | null = null;
  #next: { resolve(step: IteratorResult<Buffer>): void; reject(error: Error): void } | null = null;

  constructor(giveCredit: (bytes: number) => void, onLeft: () => void) {
    this.#giveCredit = giveCredit;
    this.#onLeft = onLeft;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Buffer>> {
    const chunk = this.#waiting.shift();
    if (chunk !== undefined) {
      this.#take(chunk.length);
      return Promise.resolve({ done: false, value: chunk });
    }
    if (this.#end === null) {
      return new Promise((resolve, reject) => {
        this.#next = { resolve, reject };
      });
    }
    return this.#end.error === null
      ? Promise.resolve({ done: true, value: undefined })
      : Promise.reject(this.#end.error);
  }

  return(): Promise<IteratorResult<Buffer>> {
    if (this.#end === null) {
      this.#onLeft();
      this.finish();
    }
    this.#waiting.length = 0;
    return Promise.resolve({ done: true, value: undefined });
  }

  push(chunk: Buffer): void {
    if (this.#end !== null) return;
    this.#roomBytes -= chunk.length;
    if (chunk.length === 0 || this.#roomBytes < 0) throw new Error("More of a stream came than was asked for.");
    const next = this.#next;
    if (next === null) {
      this.#waiting.push(chunk);
    } else {
      this.#next = null;
      this.#take(chunk.length);
      next.resolve({ done: false, value: chunk });
    }
  }

  /** It breaks off here, and not because of the sender. */
  cut(error: Error): void {
    if (this.#end !== null) return;
    this.#onLeft();
    this.fail(error);
  }

  finish(): void {
    this.#settle(null);
  }

  fail(error: Error): void {
    this.#settle(error);
  }

  #settle(error: Error | null): void {
    if (this.#end !== null) return;
    this.#end = { error };
    const next = this.#next;
    this.#next = null;
    if (error === null) next?.resolve({ done: true, value: undefined });
    else next?.reject(error);
  }

  /** Credit goes back in large parts: a frame for each piece would be one for nothing. */
  #take(bytes: number): void {
    this.#takenBytes += bytes;
    if (this.#end !== null || this.#takenBytes < streamWindowBytes / 2) return;
    this.#roomBytes += this.#takenBytes;
    this.#giveCredit(this.#takenBytes);
    this.#takenBytes = 0;
  }
}
