import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";

const version = 1;
const ivBytes = 12;
const tagBytes = 16;

/** Encrypts what the database keeps and only the server reads. */
export interface Seal {
  /** `context` is bound to the bytes: they cannot be moved to another row. */
  close(text: string, context: string): Buffer;
  /** @throws Error when the bytes, the key or the context are not those of `close`. */
  open(bytes: Buffer, context: string): string;
}

/** AES-256-GCM (NIST SP 800-38D) with a random 96-bit IV; 2^32 messages per key are safe, more than an outbox will see. */
export function createSeal(key: Buffer): Seal {
  return {
    close(text, context) {
      const iv = randomBytes(ivBytes);
      const cipher = createCipheriv("aes-256-gcm", key, iv);
      cipher.setAAD(Buffer.from(context));
      const body = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
      return Buffer.concat([Buffer.of(version), iv, cipher.getAuthTag(), body]);
    },
    open(bytes, context) {
      if (bytes[0] !== version || bytes.length < 1 + ivBytes + tagBytes)
        throw new Error("These bytes were not sealed.");
      const iv = bytes.subarray(1, 1 + ivBytes);
      const decipher = createDecipheriv("aes-256-gcm", key, iv, { authTagLength: tagBytes });
      decipher.setAAD(Buffer.from(context));
      decipher.setAuthTag(bytes.subarray(1 + ivBytes, 1 + ivBytes + tagBytes));
      return Buffer.concat([decipher.update(bytes.subarray(1 + ivBytes + tagBytes)), decipher.final()]).toString(
        "utf8",
      );
    },
  };
}
