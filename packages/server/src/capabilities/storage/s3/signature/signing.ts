import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { Lru } from "../../../../kernel/lru.ts";

export const algorithm = "AWS4-HMAC-SHA256";

/** Where and when a signature is good: `20261121/us-east-1/s3/aws4_request`. */
export interface Scope {
  /** `20261121` */
  readonly day: string;
  readonly region: string;
  readonly service: string;
}

export const scopeText = ({ day, region, service }: Scope): string => `${day}/${region}/${service}/aws4_request`;

export const sha256Hex = (bytes: Buffer | string): string => createHash("sha256").update(bytes).digest("hex");

const hmac = (key: Buffer | string, text: string): Buffer => createHmac("sha256", key).update(text).digest();

/** Four HMACs are saved for a client that comes again on the same day. The secret is part of the key: a changed one is another. */
const keys = new Lru<string, Buffer>(256);

/** The key of one day, region and service (Signature Version 4, deriving the signing key). */
export function signingKey(secret: string, scope: Scope): Buffer {
  const name = `${scopeText(scope)}\n${secret}`;
  const known = keys.get(name);
  if (known !== undefined) return known;
  const key = [scope.day, scope.region, scope.service, "aws4_request"].reduce(hmac, Buffer.from(`AWS4${secret}`));
  keys.set(name, key);
  return key;
}

export const sign = (key: Buffer, text: string): string => hmac(key, text).toString("hex");

/** The second half of signing: what the canonical request, already hashed, is signed with. `time` is `20261121T211100Z`. */
export const stringToSign = (time: string, scope: Scope, canonicalHash: string): string =>
  `${algorithm}\n${time}\n${scopeText(scope)}\n${canonicalHash}`;

/** Compares in constant time. */
export function isSame(given: string, wanted: string): boolean {
  const a = Buffer.from(given);
  const b = Buffer.from(wanted);
  return a.length === b.length && timingSafeEqual(a, b);
}
