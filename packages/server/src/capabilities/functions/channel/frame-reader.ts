const headBytes = 9;

/**
 * Told of one frame: its payload is `bytes` from `start` to `end`. The bytes stay as they are, but they are part of a larger piece of memory:
 * what is kept for long is to be copied.
 */
export type OnFrame = (kind: number, number: number, bytes: Buffer, start: number, end: number) => void;

/** Puts frames together from what comes over a socket. What comes whole is read where it lies. */
export class FrameReader {
  readonly #limitBytes: number;
  readonly #onFrame: OnFrame;
  /** Pieces of a frame that is not whole yet. */
  #pieces: Buffer[] = [];
  #heldBytes = 0;
  /** With how many it is worth looking again. */
  #neededBytes = 4;

  constructor(limitBytes: number, onFrame: OnFrame) {
    this.#limitBytes = limitBytes;
    this.#onFrame = onFrame;
  }

  /** @throws Error when a frame is announced that is larger than may be, or smaller than there is */
  push(chunk: Buffer): void {
    let bytes = chunk;
    if (this.#heldBytes > 0) {
      this.#pieces.push(chunk);
      this.#heldBytes += chunk.length;
      if (this.#heldBytes < this.#neededBytes) return;
      bytes = Buffer.concat(this.#pieces, this.#heldBytes);
      this.#pieces = [];
    }
    const at = this.#read(bytes);
    this.#heldBytes = bytes.length - at;
    if (this.#heldBytes > 0) this.#pieces.push(at === 0 ? bytes : bytes.subarray(at));
  }

  /** @returns where the first frame begins that is not whole */
  #read(bytes: Buffer): number {
    let at = 0;
    while (bytes.length - at >= 4) {
      const sizeBytes = bytes.readUInt32LE(at);
      if (sizeBytes > this.#limitBytes || sizeBytes < headBytes - 4)
        throw new Error(`A frame of ${sizeBytes} bytes came.`);
      const end = at + 4 + sizeBytes;
      if (end > bytes.length) {
        this.#neededBytes = sizeBytes + 4;
        return at;
      }
      this.#onFrame(bytes[at + 4]!, bytes.readUInt32LE(at + 5), bytes, at + headBytes, end);
      at = end;
    }
    this.#neededBytes = 4;
    return at;
  }
}
