import { randomBytes } from "node:crypto";
import { SettingError, type Values } from "../../../kernel/settings.ts";
import type { Observe } from "../../../platform/observe/observation.ts";
import { createBlobCipher } from "./blob-cipher.ts";
import { createChunkCipher } from "./chunks.ts";
import { createMasterKey, keyBytes, readKey } from "./master-key.ts";
import { encryptionProblems } from "./problems.ts";
import type { encryptionSettings } from "./settings.ts";
import type { Cipher } from "./types.ts";

/**
 * Encryption at rest (see README.md); `null` where bytes lie as they came. Damage that is found, or a key that is missing, is reported besides being
 * thrown: whoever asks for the file can do nothing about it.
 * @throws SettingError for a key that is none, or former ones without a present one
 */
export function openCipher(settings: Values<typeof encryptionSettings>, observe?: Observe): Cipher | null {
  const { storageEncryptionKey, storageEncryptionFormerKeys } = settings;
  if (storageEncryptionKey === null) {
    if (storageEncryptionFormerKeys.length === 0) return null;
    throw new SettingError(
      "MAINSTAY_STORAGE_ENCRYPTION_FORMER_KEYS is set, and MAINSTAY_STORAGE_ENCRYPTION_KEY is not: new files need a key.",
    );
  }
  const current = createMasterKey(readKey(storageEncryptionKey, "MAINSTAY_STORAGE_ENCRYPTION_KEY"));
  const former = storageEncryptionFormerKeys.map((written) =>
    createMasterKey(readKey(written, "Each of MAINSTAY_STORAGE_ENCRYPTION_FORMER_KEYS")),
  );
  const keys = new Map([...former, current].map((key) => [key.id, key]));
  const unwrap: (key: Parameters<Cipher["rewrap"]>[0]) => Buffer = ({ wrapped, wrappingKeyId }) => {
    const key = keys.get(wrappingKeyId);
    if (key === undefined) throw encryptionProblems.keyMissing(wrappingKeyId);
    return key.unwrap(wrapped);
  };
  const missing = new Set<string>();
  const report = (blobId: string, wrappingKeyId: string, error: unknown): void => {
    if (keys.has(wrappingKeyId)) observe?.({ kind: "storage.damaged", blob: blobId, error });
    else if (!missing.has(wrappingKeyId)) observe?.({ kind: "storage.key-missing", keyId: wrappingKeyId });
    missing.add(wrappingKeyId);
  };
  const underCurrent = (key: Buffer) => ({ wrapped: current.wrap(key), wrappingKeyId: current.id });
  return {
    currentKeyId: current.id,
    newKey: () => underCurrent(randomBytes(keyBytes)),
    open(key, blobId) {
      const onDamage = (error: unknown) => report(blobId, key.wrappingKeyId, error);
      try {
        return createBlobCipher(createChunkCipher(unwrap(key), blobId), onDamage);
      } catch (error) {
        onDamage(error);
        throw error;
      }
    },
    rewrap: (key) => (key.wrappingKeyId === current.id ? key : underCurrent(unwrap(key))),
  };
}
