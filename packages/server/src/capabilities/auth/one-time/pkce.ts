import { createHash, timingSafeEqual } from "node:crypto";
import { problems } from "../problems.ts";
import { type Fields, textField } from "../request.ts";

/** The client's half of PKCE (RFC 7636 §4.2). */
export interface Challenge {
  readonly challenge: string;
  readonly method: "s256" | "plain";
}

/** `null` when the client does not use PKCE. @throws Problem 400 for half of it, or one that is none */
export function challengeOf(codeChallenge: string, codeChallengeMethod: string): Challenge | null {
  if (codeChallenge === "" && codeChallengeMethod === "") return null;
  if (codeChallenge === "" || codeChallengeMethod === "") {
    throw problems.validationFailed("PKCE flow requires code_challenge_method and code_challenge");
  }
  // Clients write the method in either case; RFC 7636 has S256, GoTrue s256.
  const method = codeChallengeMethod.toLowerCase();
  if (method !== "s256" && method !== "plain") {
    throw problems.validationFailed("code_challenge_method must be s256 or plain");
  }
  if (codeChallenge.length < 43 || codeChallenge.length > 128) {
    throw problems.validationFailed("code challenge has to be between 43 and 128 characters");
  }
  if (!/^[A-Za-z0-9._~-]+$/.test(codeChallenge)) {
    throw problems.validationFailed(
      "code challenge can only contain alphanumeric characters, hyphens, periods, underscores and tildes",
    );
  }
  return { challenge: codeChallenge, method };
}

export const readChallenge = (fields: Fields): Challenge | null =>
  challengeOf(textField(fields, "code_challenge"), textField(fields, "code_challenge_method"));

/** Whether `verifier` is what `challenge` was made of (RFC 7636 §4.6), in constant time. False where there is no challenge. */
export function isVerifierRight(verifier: string, challenge: string, method: string): boolean {
  if (challenge === "" || method === "") return false;
  const given = method === "s256" ? createHash("sha256").update(verifier).digest("base64url") : verifier;
  const [a, b] = [given, challenge].map((text) => createHash("sha256").update(text).digest());
  return timingSafeEqual(a!, b!);
}
