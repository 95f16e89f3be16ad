import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";
import { SettingError } from "../../../kernel/settings.ts";
import { problems } from "../problems.ts";

/** A key of the server: it encrypts the keys of versions, and never bytes of files. */
export interface MasterKey {
  /** Tells keys apart and says nothing of them: 8 hex digits. */
  readonly id: string;
  wrap(key: Buffer): Buffer;
  /** @throws Problem `storage/corrupt` when this is not what `wrap` of this key gave */
  unwrap(wrapped: Buffer): Buffer;
}

/** Of a version, and of the server. In bytes. */
export const keyBytes = 32;
const format = 1;
const ivBytes = 12;
const tagBytes = 16;
const wrappedBytes = 1 + ivBytes + keyBytes + tagBytes;
/** 32 random bytes have some 30 different ones; fewer than 12 is a chance of less than 1 in 10^20. */
const fewestDifferentBytes = 12;

/**
 * Reads a key as people write it: 64 hex digits, or base64 with or without padding, of either alphabet (RFC 4648 §4, §5).
 * @throws SettingError, which does not repeat it
 */
export function readKey(written: string, setting: string): Buffer {
  const text = written.trim();
  const isHex = /^[0-9a-f]{64}$/i.test(text);
  const isBase64 = /^[A-Za-z0-9+/_-]{43}=?$/.test(text);
  const key = isHex ? Buffer.from(text, "hex") : Buffer.from(text, "base64");
  if (!(isHex || isBase64) || key.length !== keyBytes) {
    throw new SettingError(`${setting} must be 32 bytes in base64 or hex: \`openssl rand -base64 32\` makes one.`);
  }
  if (new Set(key).size < fewestDifferentBytes) {
    throw new SettingError(`${setting} is not random: \`openssl rand -base64 32\` makes a key.`);
  }
  return key;
}

/** AES-256-GCM (NIST SP 800-38D) with a random IV; 2^32 versions for each key are safe. */
export function createMasterKey(key: Buffer): MasterKey {
  // The key itself is used for nothing else, so that its name and what it encrypts have nothing in common (RFC 5869).
  const derive = (purpose: string, length: number): Buffer =>
    Buffer.from(hkdfSync("sha256", key, "", `mainstay storage ${purpose}`, length));
  const wrapping = derive("wrapping", keyBytes);
  const id = derive("key id", 4).toString("hex");
  const context = Buffer.from(`mainstay storage ${id}`);
  return {
    id,
    wrap(plain) {
      const iv = randomBytes(ivBytes);
      const cipher = createCipheriv("aes-256-gcm", wrapping, iv);
      cipher.setAAD(context);
      return Buffer.concat([Buffer.of(format), iv, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
    },
    unwrap(wrapped) {
      if (wrapped.length !== wrappedBytes || wrapped[0] !== format) {
        throw problems.storeCorrupt(new Error("A wrapped key of another form."));
      }
      const decipher = createDecipheriv("aes-256-gcm", wrapping, wrapped.subarray(1, 1 + ivBytes), {
        authTagLength: tagBytes,
      });
      decipher.setAAD(context);
      decipher.setAuthTag(wrapped.subarray(-tagBytes));
      try {
        return Buffer.concat([decipher.update(wrapped.subarray(1 + ivBytes, -tagBytes)), decipher.final()]);
      } catch (error) {
        throw problems.storeCorrupt(error);
      }
    },
  };
}
