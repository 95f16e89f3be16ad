import { createHash, randomBytes } from "node:crypto";

export type ApiKeyKind = "publishable" | "secret";

/**
 * A new `sb_publishable_…` or `sb_secret_…` key: 22 base64url characters (16 random bytes), `_`,
 * and 8 of checksum, so that a key cut short or mistyped is told from one that was rotated, and scanners of leaked secrets
 * find few false ones.
 */
export function generateApiKey(kind: ApiKeyKind): string {
  const stem = `sb_${kind}_${randomBytes(16).toString("base64url")}`;
  return `${stem}_${checksum(stem)}`;
}

/** Whether `key` has the form and the checksum of a key this project could have made. */
export function isWellFormedApiKey(key: string): boolean {
  const found = /^(sb_(?:publishable|secret)_[A-Za-z0-9_-]{22})_([A-Za-z0-9_-]{8})$/.exec(key);
  return found !== null && checksum(found[1]!) === found[2];
}

const checksum = (stem: string): string => createHash("sha256").update(stem).digest("base64url").slice(0, 8);
