import type { Problem } from "../../../kernel/problem.ts";
import { encryptionProblems } from "../encryption/problems.ts";
import type { BlobCipher, Cipher } from "../encryption/types.ts";
import type { BlobStore, ByteRange } from "../ports.ts";
import { problems } from "../problems.ts";

import type { StoredSegment } from "./read-store.ts";

/** Reads the bytes of segments, decrypted where they are encrypted. */
export interface BlobReader {
  /** Resolves when the first bytes can be had. @throws Problem `storage/corrupt` when they are not there */
  read(segment: StoredSegment, range: ByteRange, signal?: AbortSignal): Promise<AsyncIterable<Buffer>>;
  /** All of a small one. */
  readWhole(segment: StoredSegment): Promise<Buffer>;
}

/** @param onMissing told of blobs that are not there, or whose key is not: whoever asks for the file can do nothing about it */
export function createBlobReader(
  blobs: BlobStore,
  cipher: Cipher | null,
  onMissing: (blobId: string, error: unknown) => void = () => {},
): BlobReader {
  const missing = (blobId: string): Problem => {
    const error = new Error(`Blob ${blobId} is missing, or a part of it.`);
    onMissing(blobId, error);
    return problems.storeCorrupt(error);
  };
  // Opened once per segment, for as long as somebody remembers the segment.
  const ciphers = new WeakMap<StoredSegment, BlobCipher>();
  const cipherOf = (segment: StoredSegment): BlobCipher | null => {
    if (segment.key === null) return null;
    const known = ciphers.get(segment);
    if (known !== undefined) return known;
    if (cipher === null) {
      const problem = encryptionProblems.keyMissing(segment.key.wrappingKeyId);
      onMissing(segment.blobId, problem);
      throw problem;
    }
    const opened = cipher.open(segment.key, segment.keyBlobId);
    ciphers.set(segment, opened);
    return opened;
  };

  return {
    async read(segment, range, signal) {
      const blobCipher = cipherOf(segment);
      const { blobId, sizeBytes } = segment;
      // The range is named for the whole as well: so the store can tell that it has less.
      const storedRange = blobCipher?.storedRange(range, sizeBytes) ?? range;
      const stored = await blobs.read(blobId, storedRange, signal === undefined ? {} : { signal });
      if (stored === null) throw missing(blobId);
      return blobCipher === null ? stored : blobCipher.decrypt(stored, range, sizeBytes);
    },

    async readWhole(segment) {
      const { blobId, sizeBytes } = segment;
      const blobCipher = cipherOf(segment);
      const range = { from: 0, to: sizeBytes };
      const storedRange = blobCipher?.storedRange(range, sizeBytes) ?? range;
      const stored = await blobs.readWhole(blobId, storedRange);
      if (stored === null) throw missing(blobId);
      const plain = blobCipher === null ? stored : await gather(blobCipher.decrypt(once(stored), range, sizeBytes));
      if (plain.length !== sizeBytes) throw missing(blobId);
      return plain;
    },
  };
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

async function gather(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return all.length === 1 ? all[0]! : Buffer.concat(all);
}
