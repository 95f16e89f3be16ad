import type { ByteRange } from "../ports.ts";

/** The key of one version's bytes, as it is kept: encrypted by the server's key of that name. */
export interface WrappedKey {
  readonly wrapped: Buffer;
  readonly wrappingKeyId: string;
}

/** Encrypts and decrypts the bytes of one blob. */
export interface BlobCipher {
  /** Bytes in the store for so many of the file's. */
  storedBytes(plainBytes: number): number;
  encrypt(source: AsyncIterable<Uint8Array>): AsyncIterable<Buffer>;
  /** Which bytes of the store are needed for these of the file. */
  storedRange(range: ByteRange, plainBytes: number): ByteRange;
  /** The bytes of the range, from what `storedRange` named. Throws when one of them was changed, is missing, or belongs to another blob. */
  decrypt(stored: AsyncIterable<Uint8Array>, range: ByteRange, plainBytes: number): AsyncIterable<Buffer>;
}

/** Encryption at rest: a key for each version, wrapped by a key of the server. */
export interface Cipher {
  /** Name of the key that new versions are wrapped with. */
  readonly currentKeyId: string;
  newKey(): WrappedKey;
  /** @throws Problem `storage/key-missing` when the server's key of that name is not at hand */
  open(key: WrappedKey, blobId: string): BlobCipher;
  /** The same key under the server's current one: for rotation. */
  rewrap(key: WrappedKey): WrappedKey;
}
