import type { ByteRange } from "../ports.ts";
import { problems } from "../problems.ts";
import {
  type ChunkCipher,
  lastChunkOf,
  plainChunkBytes,
  storedBytesOf,
  storedChunkBytes,
  storedRangeOf,
} from "./chunks.ts";
import { inPieces } from "./pieces.ts";
import type { BlobCipher } from "./types.ts";

/** A blob's bytes, encrypted on their way in and decrypted on their way out, in memory of a few chunks. */
export function createBlobCipher(chunks: ChunkCipher, onDamage: (error: unknown) => void): BlobCipher {
  let isUsed = false;
  return {
    storedBytes: storedBytesOf,
    storedRange: storedRangeOf,
    encrypt(source) {
      // Twice would be other bytes under the same nonces, which gives both away.
      if (isUsed) throw new Error("A blob is encrypted once.");
      isUsed = true;
      return encrypted(source, chunks);
    },
    async *decrypt(stored, range, plainBytes) {
      try {
        yield* decrypted(stored, range, plainBytes, chunks);
      } catch (error) {
        if (!(error instanceof Damage)) throw error;
        onDamage(error);
        throw problems.storeCorrupt(error);
      }
    },
  };
}

/** Bytes that are not those that were encrypted. What the source fails with is something else. */
class Damage extends Error {
  override readonly name = "Damage";
}

async function* encrypted(source: AsyncIterable<Uint8Array>, chunks: ChunkCipher): AsyncGenerator<Buffer> {
  const plain = Buffer.allocUnsafe(plainChunkBytes);
  let filled = 0;
  let number = 0;
  for await (const bytes of source) {
    for (let at = 0; at < bytes.length; ) {
      // A full chunk waits until it is known that another one follows.
      if (filled === plainChunkBytes) {
        yield* chunks.seal(plain, number, false);
        number += 1;
        filled = 0;
      }
      const count = Math.min(bytes.length - at, plainChunkBytes - filled);
      plain.set(bytes.subarray(at, at + count), filled);
      filled += count;
      at += count;
    }
  }
  yield* chunks.seal(plain.subarray(0, filled), number, true);
}

async function* decrypted(
  stored: AsyncIterable<Uint8Array>,
  range: ByteRange,
  plainBytes: number,
  chunks: ChunkCipher,
): AsyncGenerator<Buffer> {
  const asked = storedRangeOf(range, plainBytes);
  const lastChunk = lastChunkOf(plainBytes);
  let number = asked.from / storedChunkBytes;
  let leftBytes = asked.to - asked.from;
  for await (const bytes of inPieces(stored, storedChunkBytes)) {
    if (bytes.length > leftBytes) throw new Damage("There are more bytes than were stored.");
    leftBytes -= bytes.length;
    // The rest after the last whole chunk.
    if (bytes.length === 0) break;
    if (bytes.length < storedChunkBytes && leftBytes > 0) break;
    const plain = opened(chunks, bytes, number, number === lastChunk);
    const start = number * plainChunkBytes;
    number += 1;
    const wanted = plain.subarray(Math.max(0, range.from - start), Math.max(0, range.to - start));
    if (wanted.length > 0) yield wanted;
  }
  if (leftBytes > 0) throw new Damage(`${leftBytes} bytes are missing.`);
}

function opened(chunks: ChunkCipher, bytes: Buffer, number: number, isLast: boolean): Buffer {
  try {
    return chunks.open(bytes, number, isLast);
  } catch (error) {
    throw new Damage(`Chunk ${number} is not what was stored.`, { cause: error });
  }
}
