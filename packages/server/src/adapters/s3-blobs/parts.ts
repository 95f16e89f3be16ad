/** A run of bytes that is sent with one request. */
export interface Part {
  readonly bytes: Buffer;
  readonly isLast: boolean;
  /** Gives its memory back, to be filled again. */
  release(): void;
}

/** The first memory of a part, in bytes: most files are small. */
const firstBytes = 64 * 1024;

/**
 * The source in parts of so many bytes, and the last with what is left; an empty source is one empty part. A part is given when it is known whether it is
 * the last. Memory that is released is used again: as many parts as are held at once are all there ever are.
 */
export async function* inParts(source: AsyncIterable<Uint8Array>, partBytes: number): AsyncGenerator<Part> {
  const free: Buffer[] = [];
  let buffer: Buffer = Buffer.allocUnsafe(Math.min(firstBytes, partBytes));
  let filled = 0;
  const part = (isLast: boolean): Part => {
    const whole = buffer;
    let isHeld = true;
    return {
      bytes: whole.subarray(0, filled),
      isLast,
      release() {
        if (isHeld && whole.length === partBytes) free.push(whole);
        isHeld = false;
      },
    };
  };
  for await (const chunk of source) {
    for (let at = 0; at < chunk.length; ) {
      if (filled === partBytes) {
        yield part(false);
        buffer = free.pop() ?? Buffer.allocUnsafeSlow(partBytes);
        filled = 0;
      } else if (filled === buffer.length) {
        const larger = Buffer.allocUnsafeSlow(Math.min(partBytes, buffer.length * 4));
        buffer.copy(larger, 0, 0, filled);
        buffer = larger;
      }
      const count = Math.min(chunk.length - at, buffer.length - filled);
      buffer.set(chunk.subarray(at, at + count), filled);
      filled += count;
      at += count;
    }
  }
  yield part(true);
}
