import { createSecretKey, type KeyObject } from "node:crypto";
import { type VerificationKey, verificationKeyFromJwk } from "./jws.ts";

/** What the `jwtSecret` setting holds: a shared secret, or a set of keys to verify with, or both. */
export interface ImportedSecret {
  /** Signs and verifies HS256. `null` when the set holds public keys only. */
  readonly secret: { readonly kid: string | null; readonly bytes: Buffer } | null;
  readonly verification: readonly VerificationKey[];
}

export const secretKey = (bytes: Buffer): KeyObject => createSecretKey(bytes);

/** HS256 verification with `bytes`, for tokens that name `kid` (or none). */
export const hmacKey = (bytes: Buffer, kid: string | null = null): VerificationKey => ({
  kid,
  algorithm: "HS256",
  key: secretKey(bytes),
  retiresAtMs: Number.POSITIVE_INFINITY,
});

/**
 * Reads the setting: plain text (its UTF-8 bytes are the key), base64 text, a JWK, or a JWK set (RFC 7517 §5).
 * @throws Error saying what is wrong, without showing the secret.
 */
export function importSecret(text: string, isBase64: boolean): ImportedSecret {
  const trimmed = text.trim();
  if (trimmed.startsWith("{")) return importJwks(trimmed);
  // PostgREST accepts both alphabets of base64 here.
  const bytes = isBase64 ? Buffer.from(trimmed, "base64") : Buffer.from(text);
  if (bytes.length === 0) throw new Error("The JWT secret is empty.");
  return { secret: { kid: null, bytes }, verification: [hmacKey(bytes)] };
}

function importJwks(text: string): ImportedSecret {
  let value: Record<string, unknown>;
  try {
    value = JSON.parse(text) as Record<string, unknown>;
  } catch {
    throw new Error("The JWT secret begins like a JWK but is not JSON.");
  }
  const jwks = Array.isArray(value.keys) ? (value.keys as Record<string, unknown>[]) : [value];
  let secret: ImportedSecret["secret"] = null;
  const verification: VerificationKey[] = [];
  for (const jwk of jwks) {
    const key = verificationKeyFromJwk(jwk, { symmetric: true, secretKey });
    if (key === null) continue;
    verification.push(key);
    if (key.algorithm === "HS256") secret ??= { kid: key.kid, bytes: Buffer.from(jwk.k as string, "base64url") };
  }
  if (verification.length === 0) throw new Error("The JWT secret's key set holds no HS256, ES256 or RS256 key.");
  return { secret, verification };
}
