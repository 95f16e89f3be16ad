import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from "node:crypto";
import type { Clock } from "../../../kernel/clock.ts";
import type { TokenSigner } from "../../../platform/identity/types.ts";
import { signedProblems } from "./problems.ts";

/** What the holder of a URL may do. A token is good for one of them. */
export type Scope = "download" | "render" | "upload";

/** What a URL's token says besides its times. */
export interface UrlClaims {
  /** `<bucket>/<key>`: exactly this file. */
  readonly url: string;
  readonly scope: Scope;
  /** How the image is to be: for `render` alone, which serves nothing else. */
  readonly transformations?: Readonly<Record<string, unknown>>;
  /** Uploads: what is made of an object that is there. */
  readonly upsert?: boolean;
  /** Uploads: in whose name, sealed. */
  readonly signer?: string;
}

export interface VerifiedUrl extends UrlClaims {
  readonly expiresAtMs: number;
}

/**
 * Tokens of signed URLs: JWTs in their form, so that clients that look into them find what they know. Signed with a key of their own, so that none
 * is good as a session, nor a session as one, and named after the server's signing key: when that goes, they go.
 */
export interface UrlTokens {
  sign(claims: UrlClaims, lifeSeconds: number): string;
  /** @throws Problem `InvalidJWT`, or `InvalidSignature` when it is for another file or another purpose (threat S02) */
  verify(token: string, wanted: { readonly url: string; readonly scope: Scope }): VerifiedUrl;
}

/** Longer ones are none of ours. In characters. */
const maxTokenChars = 16_384;
const namePrefix = "storage-url:";

interface Times {
  readonly iat: number;
  readonly exp: number;
}

export function createUrlTokens({
  signer,
  clock,
  maxSeconds,
}: {
  readonly signer: Pick<TokenSigner, "deriveKey" | "keyNames">;
  readonly clock: Clock;
  /** No token is older than this, whatever it says of itself. */
  readonly maxSeconds: number;
}): UrlTokens {
  return {
    sign(claims, lifeSeconds) {
      const iat = Math.floor(clock.nowMs() / 1000);
      const [name = ""] = signer.keyNames();
      const head = encode({ alg: "HS256", kid: namePrefix + name, typ: "JWT" });
      const signed = `${head}.${encode({ ...claims, iat, exp: iat + lifeSeconds } satisfies UrlClaims & Times)}`;
      return `${signed}.${signatureOf(signed, keyOf(signer, name)).toString("base64url")}`;
    },

    verify(token, wanted) {
      if (token.length > maxTokenChars) throw signedProblems.invalidToken();
      const parts = token.split(".");
      const [head = "", payload = "", signature = ""] = parts;
      if (parts.length !== 3) throw signedProblems.invalidToken();
      const name = nameIn(head);
      if (name === null || !signer.keyNames().includes(name))
        throw signedProblems.invalidToken("signature verification failed");
      const given = Buffer.from(signature, "base64url");
      const right = signatureOf(`${head}.${payload}`, keyOf(signer, name));
      // One spelling only: the last character of base64 has bits that mean nothing.
      const isGood =
        given.length === right.length && timingSafeEqual(given, right) && right.toString("base64url") === signature;
      if (!isGood) throw signedProblems.invalidToken("signature verification failed");
      // Ours, so it is what we wrote.
      const claims = JSON.parse(Buffer.from(payload, "base64url").toString("utf8")) as UrlClaims & Times;
      const endsAt = Math.min(claims.exp, claims.iat + maxSeconds);
      if (clock.nowMs() >= endsAt * 1000) throw signedProblems.invalidToken('"exp" claim timestamp check failed');
      if (claims.url !== wanted.url || claims.scope !== wanted.scope) throw signedProblems.otherPurpose();
      return { ...claims, expiresAtMs: endsAt * 1000 };
    },
  };
}

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
const signatureOf = (text: string, key: KeyObject): Buffer => createHmac("sha256", key).update(text).digest();
/** The name is in the derivation: a token cannot be moved under another key's name. */
const keyOf = (signer: Pick<TokenSigner, "deriveKey">, name: string): KeyObject =>
  createSecretKey(signer.deriveKey(`storage urls ${name}`));

/** The name of the signing key a token was made under; `null` for what is no token of ours. Nothing is verified yet. */
function nameIn(head: string): string | null {
  try {
    const { kid } = JSON.parse(Buffer.from(head, "base64url").toString("utf8")) as { readonly kid?: unknown };
    return typeof kid === "string" && kid.startsWith(namePrefix) ? kid.slice(namePrefix.length) : null;
  } catch {
    return null;
  }
}
