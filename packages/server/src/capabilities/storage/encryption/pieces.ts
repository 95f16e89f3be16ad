/**
 * The same bytes in pieces of exactly so many, and the rest last, if there is one. A piece that lies whole in what comes is not copied. What is given is
 * valid until the next is asked for.
 */
export async function* inPieces(source: AsyncIterable<Uint8Array>, pieceBytes: number): AsyncGenerator<Buffer> {
  let held: Buffer | null = null;
  let heldBytes = 0;
  for await (const chunk of source) {
    for (let at = 0; at < chunk.length; ) {
      if (heldBytes === 0 && chunk.length - at >= pieceBytes) {
        yield Buffer.from(chunk.buffer, chunk.byteOffset + at, pieceBytes);
        at += pieceBytes;
        continue;
      }
      held ??= Buffer.allocUnsafe(pieceBytes);
      const count = Math.min(chunk.length - at, pieceBytes - heldBytes);
      held.set(chunk.subarray(at, at + count), heldBytes);
      heldBytes += count;
      at += count;
      if (heldBytes < pieceBytes) continue;
      yield held;
      heldBytes = 0;
    }
  }
  if (held !== null && heldBytes > 0) yield held.subarray(0, heldBytes);
}
