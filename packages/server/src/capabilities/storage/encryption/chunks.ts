import { createCipheriv, createDecipheriv, hkdfSync } from "node:crypto";
import type { ByteRange } from "../ports.ts";
import { keyBytes } from "./master-key.ts";

/** Bytes of a file that are encrypted together: also the least that is read for one byte. Part of the format: never changes. */
export const plainChunkBytes = 64 * 1024;
export const tagBytes = 16;
/** The same in the store. */
export const storedChunkBytes = plainChunkBytes + tagBytes;

/** Position of the last chunk. An empty file has one chunk, too: else nothing could be told from one that was cut off. */
export const lastChunkOf = (plainBytes: number): number => Math.max(0, Math.ceil(plainBytes / plainChunkBytes) - 1);

export const storedBytesOf = (plainBytes: number): number => plainBytes + (lastChunkOf(plainBytes) + 1) * tagBytes;

/** The chunks that have these bytes of the file, and where they are in the store. */
export function storedRangeOf({ from, to }: ByteRange, plainBytes: number): ByteRange {
  if (from < 0 || to < from || to > plainBytes) throw new RangeError(`${from} to ${to} of ${plainBytes} bytes`);
  // No bytes of a file that has some need none; the empty file is asked whether it is one.
  if (from === to && plainBytes > 0) return { from: 0, to: 0 };
  const first = Math.floor(from / plainChunkBytes);
  const last = Math.floor(Math.max(from, to - 1) / plainChunkBytes);
  return { from: first * storedChunkBytes, to: Math.min((last + 1) * storedChunkBytes, storedBytesOf(plainBytes)) };
}

/** Encrypts and decrypts single chunks of one blob. */
export interface ChunkCipher {
  /** The chunk's bytes and its tag behind them. */
  seal(plain: Uint8Array, chunk: number, isLast: boolean): readonly [Buffer, Buffer];
  /** @throws Error when these are not the bytes that `seal` gave for this chunk of this blob */
  open(stored: Buffer, chunk: number, isLast: boolean): Buffer;
}

/**
 * The STREAM construction over AES-256-GCM (Hoang, Reyhanitabar, Rogaway, Vizár: Online Authenticated-Encryption and its Nonce-Reuse
 * Misuse-Resistance, CRYPTO 2015): the nonce is the chunk's number and whether it is the last one. So a chunk that was changed, moved, left out or
 * added is found, and so is an end that is missing. Each blob has a key of its own (HKDF-SHA-256, RFC 5869, of the version's key and the blob's name), so
 * chunks of different blobs cannot change places, and a nonce is used once as long as a name is.
 */
export function createChunkCipher(versionKey: Buffer, blobId: string): ChunkCipher {
  const key = Buffer.from(hkdfSync("sha256", versionKey, "", `mainstay storage blob ${blobId}`, keyBytes));
  const nonceOf = (chunk: number, isLast: boolean): Buffer => {
    const nonce = Buffer.alloc(12);
    // 2^32 chunks are 256 TiB.
    nonce.writeUInt32BE(chunk, 7);
    nonce[11] = isLast ? 1 : 0;
    return nonce;
  };
  return {
    seal(plain, chunk, isLast) {
      const cipher = createCipheriv("aes-256-gcm", key, nonceOf(chunk, isLast));
      const sealed = cipher.update(plain);
      cipher.final();
      return [sealed, cipher.getAuthTag()];
    },
    open(stored, chunk, isLast) {
      const end = stored.length - tagBytes;
      const decipher = createDecipheriv("aes-256-gcm", key, nonceOf(chunk, isLast), { authTagLength: tagBytes });
      const plain = decipher.update(stored.subarray(0, end));
      decipher.setAuthTag(stored.subarray(end));
      // Before this nobody may see the bytes.
      decipher.final();
      return plain;
    },
  };
}
