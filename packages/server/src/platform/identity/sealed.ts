import { hkdfSync } from "node:crypto";
import { createSeal } from "../../kernel/seal.ts";

/** The key for `purpose` from a secret that people keep. */
export const sealingKey = (secret: string, purpose: string): Buffer =>
  Buffer.from(hkdfSync("sha256", Buffer.from(secret), "mainstay", purpose, 32));

/** Bound to nothing: there is one keyring. */
const context = "";

export const seal = (text: string, key: Buffer): Buffer => createSeal(key).close(text, context);

/** @returns `null` when it was sealed with another key, or changed since */
export function unseal(sealed: Buffer, key: Buffer): string | null {
  try {
    return createSeal(key).open(sealed, context);
  } catch {
    return null;
  }
}
