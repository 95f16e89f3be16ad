/** A message between the server and a process that transforms images: a few facts and many bytes. */
export interface Frame {
  readonly head: unknown;
  readonly body: Buffer;
}

const sizesBytes = 8;
const mostHeadBytes = 65_536;

/** What goes before the bytes of a message: two sizes in 32 bits, and the facts as JSON. */
export function frameStart(head: unknown, bodyBytes: number): Buffer {
  const json = Buffer.from(JSON.stringify(head));
  const start = Buffer.allocUnsafe(sizesBytes + json.length);
  start.writeUInt32BE(json.length, 0);
  start.writeUInt32BE(bodyBytes, 4);
  json.copy(start, sizesBytes);
  return start;
}

/** Puts messages together from what comes through a pipe. Bytes are copied once, to where they stay. */
export class FrameReader {
  readonly #mostBodyBytes: number;
  readonly #onFrame: (frame: Frame) => void;
  #sizes: Buffer = Buffer.alloc(sizesBytes);
  #head: Buffer | null = null;
  #body: Buffer | null = null;
  /** Bytes of the part that is being filled. */
  #filled = 0;

  constructor(mostBodyBytes: number, onFrame: (frame: Frame) => void) {
    this.#mostBodyBytes = mostBodyBytes;
    this.#onFrame = onFrame;
  }

  /** @throws Error when more is announced than may be */
  push(chunk: Buffer): void {
    for (let at = 0; at < chunk.length || this.#isFull(); ) {
      const part = this.#part();
      const count = Math.min(part.length - this.#filled, chunk.length - at);
      chunk.copy(part, this.#filled, at, at + count);
      this.#filled += count;
      at += count;
      if (this.#isFull()) this.#next();
    }
  }

  #part(): Buffer {
    return this.#body ?? this.#head ?? this.#sizes;
  }

  #isFull(): boolean {
    return this.#filled === this.#part().length;
  }

  #next(): void {
    this.#filled = 0;
    if (this.#head === null) {
      const headBytes = this.#sizes.readUInt32BE(0);
      if (headBytes > mostHeadBytes || this.#sizes.readUInt32BE(4) > this.#mostBodyBytes) {
        throw new Error("A message is larger than it may be.");
      }
      this.#head = Buffer.allocUnsafe(headBytes);
    } else if (this.#body === null) {
      this.#body = Buffer.allocUnsafeSlow(this.#sizes.readUInt32BE(4));
    } else {
      const frame = { head: JSON.parse(this.#head.toString("utf8")) as unknown, body: this.#body };
      this.#head = null;
      this.#body = null;
      this.#onFrame(frame);
    }
  }
}
