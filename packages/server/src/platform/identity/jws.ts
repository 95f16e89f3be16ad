import { createHmac, createPublicKey, type KeyObject, timingSafeEqual, verify } from "node:crypto";

/** What a key may be used with; decided by whoever configured the key, never by a token (threat A03). */
export type Algorithm = "HS256" | "ES256" | "RS256";

/** A key that verifies. `kid: null` is for tokens without `kid`, and only for them. */
export interface VerificationKey {
  readonly kid: string | null;
  readonly algorithm: Algorithm;
  /** Secret key for HS256, public key otherwise. */
  readonly key: KeyObject;
  /** Unix milliseconds after which it verifies nothing; `Infinity` while it is current. */
  readonly retiresAtMs: number;
}

/** A compact JWS taken apart, nothing of it verified. */
export interface ParsedJws {
  readonly algorithm: string;
  readonly kid: string | null;
  /** `header.payload` as sent: what the signature covers. */
  readonly signed: string;
  readonly payloadText: string;
  readonly payload: Readonly<Record<string, unknown>>;
  readonly signature: Buffer;
}

/** Why a token is not one: the text is safe to show. */
export class JwsError extends Error {
  override readonly name = "JwsError";
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const compact = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)$/;
const headerMember = /\s*"((?:[^"\\]|\\.)*)"\s*:\s*"((?:[^"\\]|\\.)*)"\s*(,|\}\s*$)/y;
// What would let a token bring its own key or change how it is read. RFC 7515 §4.1, RFC 7797.
const refusedMembers = new Set(["jwk", "jku", "x5u", "x5c", "crit", "b64", "zip", "enc", "epk"]);

/**
 * Takes a compact JWS (RFC 7515 §7.1) apart, strictly: one spelling per value, no header that steers verification.
 * @throws JwsError
 */
export function parseJws(token: string): ParsedJws {
  const parts = compact.exec(token);
  if (parts === null) throw new JwsError("Expected 3 parts in JWT");
  const [, head, body, tail] = parts as unknown as [string, string, string, string];
  const header = parseHeader(decodeText(head));
  const algorithm = header.get("alg");
  if (algorithm === undefined) throw new JwsError("JWT has no algorithm");
  const type = header.get("typ");
  if (type !== undefined && !/^(?:application\/)?(?:at\+)?jwt$/i.test(type))
    throw new JwsError("JWT is of another type");
  const payloadText = decodeText(body);
  return {
    algorithm,
    kid: header.get("kid") ?? null,
    signed: `${head}.${body}`,
    payloadText,
    payload: parseObject(payloadText),
    signature: decode(tail),
  };
}

/** Whether `jws` was signed by `key`, with the algorithm of the key. */
export function isSignedBy(jws: ParsedJws, key: VerificationKey): boolean {
  if (jws.algorithm !== key.algorithm) return false;
  switch (key.algorithm) {
    case "HS256": {
      const mac = createHmac("sha256", key.key).update(jws.signed).digest();
      return mac.length === jws.signature.length && timingSafeEqual(mac, jws.signature);
    }
    case "ES256":
      // RFC 7518 §3.4: R and S as 64 bytes, not DER.
      return (
        jws.signature.length === 64 &&
        verify("sha256", Buffer.from(jws.signed), { key: key.key, dsaEncoding: "ieee-p1363" }, jws.signature)
      );
    case "RS256":
      return verify("sha256", Buffer.from(jws.signed), key.key, jws.signature);
  }
}

/**
 * A public JWK, or a symmetric one, as a key; `null` when it is of a kind we do not verify with (skipped, as RFC 7517 §5 asks).
 * `symmetric: false` for keys fetched from elsewhere: a published secret is no secret.
 */
export function verificationKeyFromJwk(
  jwk: Readonly<Record<string, unknown>>,
  options: { readonly symmetric: boolean; readonly secretKey: (bytes: Buffer) => KeyObject },
): VerificationKey | null {
  if (jwk.use !== undefined && jwk.use !== "sig") return null;
  const operations = jwk.key_ops;
  if (Array.isArray(operations) && !operations.includes("verify") && !operations.includes("sign")) return null;
  const kid = typeof jwk.kid === "string" ? jwk.kid : null;
  const retiresAtMs = Number.POSITIVE_INFINITY;
  const declared = jwk.alg;
  const is = (algorithm: Algorithm) => declared === undefined || declared === algorithm;
  try {
    switch (jwk.kty) {
      case "oct":
        if (!options.symmetric || !is("HS256") || typeof jwk.k !== "string") return null;
        return { kid, algorithm: "HS256", key: options.secretKey(Buffer.from(jwk.k, "base64url")), retiresAtMs };
      case "EC": {
        if (jwk.crv !== "P-256" || !is("ES256")) return null;
        const { kty, crv, x, y } = jwk;
        return { kid, algorithm: "ES256", key: publicKey({ kty, crv, x, y }), retiresAtMs };
      }
      case "RSA": {
        if (!is("RS256")) return null;
        const { kty, n, e } = jwk;
        const key = publicKey({ kty, n, e });
        // RFC 7518 §3.3: 2048 bits or more.
        return (key.asymmetricKeyDetails?.modulusLength ?? 0) < 2048
          ? null
          : { kid, algorithm: "RS256", key, retiresAtMs };
      }
      default:
        return null;
    }
  } catch {
    return null;
  }
}

const publicKey = (jwk: Record<string, unknown>): KeyObject => createPublicKey({ key: jwk, format: "jwk" });

/** base64url with exactly one spelling: no padding, no stray bits in the last character. */
function decode(part: string): Buffer {
  const bytes = Buffer.from(part, "base64url");
  if (bytes.toString("base64url") !== part) throw new JwsError("JWT is not in canonical base64url");
  return bytes;
}

function decodeText(part: string): string {
  try {
    return utf8.decode(decode(part));
  } catch (error) {
    if (error instanceof JwsError) throw error;
    throw new JwsError("JWT is not UTF-8");
  }
}

/**
 * The protected header. Every header in use is a flat object of strings, so that is all we read: nothing can nest, and a
 * member named twice, which parsers settle differently, is refused.
 */
function parseHeader(text: string): Map<string, string> {
  const header = new Map<string, string>();
  const start = /^\s*\{/.exec(text);
  if (start === null) throw new JwsError("JWT header is not an object");
  headerMember.lastIndex = start[0].length;
  for (;;) {
    const member = headerMember.exec(text);
    if (member === null) throw new JwsError("JWT header holds more than plain names and texts");
    const name = parseJson(`"${member[1]}"`) as string;
    const value = parseJson(`"${member[2]}"`) as string;
    if (refusedMembers.has(name)) throw new JwsError("JWT header names a key or an extension of its own");
    if (header.has(name)) throw new JwsError("JWT header says something twice");
    header.set(name, value);
    if (member[3] !== ",") return header;
  }
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  const value = parseJson(text);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new JwsError("JWT payload is not an object");
  }
  return value as Record<string, unknown>;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new JwsError("JWT is not JSON");
  }
}
