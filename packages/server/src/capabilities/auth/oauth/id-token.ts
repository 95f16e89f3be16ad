import { createHash, timingSafeEqual } from "node:crypto";
import { decodeProtectedHeader, errors, type JWTVerifyGetKey, jwtVerify } from "jose";
import { OutboundError } from "../../../platform/outbound/index.ts";
import type { Fields } from "../request.ts";
import { oauthProblems } from "./problems.ts";

/** What providers sign with, fixed here: not by the token, not by what its issuer says of itself (threat A03). */
const algorithms = ["RS256", "ES256"];
/** Header fields that bring a key along, or say where one is (RFC 7515 §4.1). */
const keyBearers = ["jwk", "jku", "x5u", "x5c"];
/** How far a phone's, a provider's and our clock may be apart (threat X18). */
const clockToleranceSeconds = 60;
/** Longest token looked at, in characters. */
const maxLength = 16_384;

export interface IdTokenRules {
  readonly keys: JWTVerifyGetKey;
  readonly clientIds: readonly string[];
  isIssuer(claims: Fields): boolean;
  /** Whether `azp` may be a client we do not know. */
  readonly isAskedByOthers: boolean;
  readonly nowMs: number;
}

/**
 * Checks an ID token (OpenID Connect Core §3.1.3.7). Keys, issuer, audience and algorithms are the server's; of the token only the
 * key's name counts. The nonce is compared by the caller, who knows what it was made from.
 * @throws Problem 400 in OAuth's error shape; 503 when the provider's keys cannot be had
 */
export async function verifyIdToken(token: string, accessToken: string, rules: IdTokenRules): Promise<Fields> {
  assertHeader(token);
  const claims = await signedClaims(token, rules);
  if (typeof claims.sub !== "string" || claims.sub === "") {
    throw oauthProblems.badIdToken("Missing sub claim in id_token");
  }
  if (!rules.isIssuer(claims)) throw oauthProblems.badIdToken(undefined, new Error("The issuer is another one."));
  assertAudience(claims, rules);
  const hash = claims.at_hash;
  if (accessToken !== "" && hash !== undefined && !isHashOf(accessToken, hash)) {
    throw oauthProblems.badIdToken(undefined, new Error("at_hash is not of this access token."));
  }
  return claims;
}

function assertHeader(token: string): void {
  if (token.length > maxLength) throw oauthProblems.badIdToken();
  let header: Fields;
  try {
    header = decodeProtectedHeader(token);
  } catch (cause) {
    throw oauthProblems.badIdToken(undefined, cause);
  }
  if (typeof header.alg !== "string" || !algorithms.includes(header.alg)) throw oauthProblems.badIdToken();
  if (typeof header.kid !== "string" || header.kid === "") throw oauthProblems.badIdToken();
  if (header.crit !== undefined || keyBearers.some((name) => header[name] !== undefined)) {
    throw oauthProblems.badIdToken();
  }
}

async function signedClaims(token: string, { keys, nowMs }: IdTokenRules): Promise<Fields> {
  try {
    const { payload } = await jwtVerify(token, keys, {
      algorithms,
      clockTolerance: clockToleranceSeconds,
      currentDate: new Date(nowMs),
      requiredClaims: ["iss", "sub", "aud", "exp", "iat"],
    });
    if (typeof payload.iat !== "number" || payload.iat > nowMs / 1000 + clockToleranceSeconds) {
      throw oauthProblems.badIdToken(undefined, new Error("The token is from the future."));
    }
    return payload;
  } catch (error) {
    // A set of keys that cannot be had, or is none, says nothing about the token.
    if (error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid) {
      throw oauthProblems.providerUnavailable(error);
    }
    // The library's own word for an answer that is no set of keys.
    if (error instanceof errors.JOSEError && error.code !== errors.JOSEError.code) {
      throw oauthProblems.badIdToken(undefined, error);
    }
    if (error instanceof OutboundError || error instanceof errors.JOSEError) {
      throw oauthProblems.providerUnavailable(error);
    }
    throw error;
  }
}

/** Threat A02. */
function assertAudience({ aud, azp }: Fields, { clientIds, isAskedByOthers }: IdTokenRules): void {
  const audiences = (Array.isArray(aud) ? aud : [aud]).filter((one) => typeof one === "string" && one !== "");
  if (!audiences.some((one) => clientIds.includes(one as string))) {
    throw oauthProblems.badIdToken(`Unacceptable audience in id_token: [${audiences.join(" ").slice(0, 200)}]`);
  }
  // Made out to several, it has to say who asked, and that has to be us.
  const isOurs = typeof azp === "string" && clientIds.includes(azp);
  if (azp === undefined ? audiences.length > 1 : !isOurs && !(isAskedByOthers && audiences.length === 1)) {
    throw oauthProblems.badIdToken(undefined, new Error("azp is another client."));
  }
}

/** Left half of the hash, for the algorithms above SHA-256 (OpenID Connect Core §3.1.3.6). */
function isHashOf(accessToken: string, hash: unknown): boolean {
  const half = createHash("sha256").update(accessToken).digest().subarray(0, 16).toString("base64url");
  return typeof hash === "string" && sameText(hash, half);
}

/**
 * The rule of native sign-in: the app keeps a nonce to itself and gives the provider its SHA-256, in hex, to be put into the token.
 * Whoever steals the token cannot show the nonce.
 * @throws Problem when one of the two is there without the other, or they do not match
 */
export function assertNonce(tokenNonce: string | null, nonce: string): void {
  const [isInToken, isSent] = [tokenNonce !== null && tokenNonce !== "", nonce !== ""];
  if (isInToken !== isSent) {
    throw oauthProblems.invalidIdTokenRequest("Passed nonce and nonce in id_token should either both exist or not.");
  }
  if (isInToken && !sameText(tokenNonce!, createHash("sha256").update(nonce).digest("hex"))) {
    throw oauthProblems.nonceMismatch();
  }
}

/** In constant time (threat X03). */
const sameText = (one: string, other: string): boolean => {
  const [a, b] = [one, other].map((text) => createHash("sha256").update(text).digest());
  return timingSafeEqual(a!, b!);
};
