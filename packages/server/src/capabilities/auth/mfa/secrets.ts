import { createCipheriv, createDecipheriv, createHmac, randomBytes, randomInt, timingSafeEqual } from "node:crypto";
import type { TokenSigner } from "../../../platform/identity/types.ts";
import { base32 } from "./totp.ts";

/** What of second factors is stored so that a dump of the database opens nothing. */
export interface MfaSecrets {
  /** A secret that must be read again, encrypted for one factor. */
  seal(factorId: string, secret: string): string;
  /** `null` when it was sealed with another key, or for another factor. What was never sealed is returned as it is. */
  open(factorId: string, stored: string): string | null;
  /** A short code is worth guessing from its hash, so the hash takes a key of the server's. `scope` says what it opens. */
  hash(scope: string, code: string): string;
  isMatch(scope: string, code: string, hash: string): boolean;
}

const prefix = "v1.";
const nonceBytes = 12;
const tagBytes = 16;

export function createMfaSecrets(signer: Pick<TokenSigner, "deriveKey">): MfaSecrets {
  const sealKey = signer.deriveKey("auth/mfa-secret");
  const hashKey = signer.deriveKey("auth/mfa-code");
  const hash = (scope: string, code: string) =>
    createHmac("sha256", hashKey).update(`${scope}\0${code}`).digest("base64url");
  return {
    seal(factorId, secret) {
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv("aes-256-gcm", sealKey, nonce).setAAD(Buffer.from(factorId));
      const sealed = Buffer.concat([nonce, cipher.update(secret, "utf8"), cipher.final(), cipher.getAuthTag()]);
      return prefix + sealed.toString("base64url");
    },
    open(factorId, stored) {
      // GoTrue without encryption at rest has the base32 secret itself; with it, a JSON object whose key we do not have.
      if (!stored.startsWith(prefix)) return /^[A-Za-z2-7=]+$/.test(stored) ? stored : null;
      const sealed = Buffer.from(stored.slice(prefix.length), "base64url");
      if (sealed.length < nonceBytes + tagBytes) return null;
      const decipher = createDecipheriv("aes-256-gcm", sealKey, sealed.subarray(0, nonceBytes))
        .setAAD(Buffer.from(factorId))
        .setAuthTag(sealed.subarray(-tagBytes));
      try {
        const text = decipher.update(sealed.subarray(nonceBytes, -tagBytes), undefined, "utf8");
        return text + decipher.final("utf8");
      } catch {
        return null;
      }
    },
    hash,
    isMatch: (scope, code, stored) => {
      const [given, wanted] = [Buffer.from(hash(scope, code)), Buffer.from(stored)];
      return given.length === wanted.length && timingSafeEqual(given, wanted);
    },
  };
}

/** Digits, each as likely as the others. */
export const newDigits = (length: number): string => String(randomInt(10 ** length)).padStart(length, "0");

/** 80 random bits in sixteen letters and digits that are not taken for one another. */
export const newRecoveryCode = (): string => base32(randomBytes(10)).toLowerCase();

/** As people copy it: in any case, with spaces and hyphens. */
export const canonicalRecoveryCode = (typed: string): string => typed.toLowerCase().replace(/[\s-]/g, "");
