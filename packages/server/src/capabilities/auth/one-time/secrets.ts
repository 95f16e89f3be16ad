import { createHmac, randomBytes, randomInt } from "node:crypto";
import type { AuthContext } from "../context.ts";

/** A link's token begins so when its redirect carries a code for the one client that has the verifier (RFC 7636). */
export const pkcePrefix = "pkce_";

export const isPkceToken = (token: string): boolean => token.startsWith(pkcePrefix);

/** Decimal digits, leading zeros among them. */
export const newCode = (length: number): string => Array.from({ length }, () => String(randomInt(10))).join("");

/** Has nothing to do with the code: whoever guesses one has not the other. As long as GoTrue's, which some apps check. */
export const newLinkToken = (isPkce: boolean): string =>
  `${isPkce ? pkcePrefix : ""}${randomBytes(28).toString("hex")}`;

/**
 * What the database has of them: HMACs under a key of the server. A plain hash of six digits is undone by trying a million
 * (GoTrue's is `sha224(address + code)`).
 */
export interface OneTimeHashes {
  ofCode(address: string, code: string): string;
  ofLink(token: string): string;
  ofAuthCode(code: string): string;
}

export function oneTimeHashes({ signer }: Pick<AuthContext, "signer">): OneTimeHashes {
  const key = signer.deriveKey("auth/one-time-tokens");
  const hash = (kind: string, ...parts: readonly string[]) =>
    createHmac("sha256", key)
      .update([kind, ...parts].join("\0"))
      .digest("base64url");
  return {
    ofCode: (address, code) => hash("code", address, code),
    ofLink: (token) => hash("link", token),
    ofAuthCode: (code) => hash("auth-code", code),
  };
}
