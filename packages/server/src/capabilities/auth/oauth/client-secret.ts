import { createPrivateKey, type KeyObject, sign } from "node:crypto";
import type { Clock } from "../../../kernel/clock.ts";
import { SettingError } from "../../../kernel/settings.ts";
import type { ProviderOptions } from "./types.ts";

/** Life of a signed secret: it is made for one request. Apple allows six months. */
const lifeSeconds = 300;
const appleAudience = "https://appleid.apple.com";

/**
 * The client secret as it is now: the operator's, or one signed with Apple's key (Apple docs, Creating a client secret).
 * @throws SettingError when the key is none for ES256
 */
export function clientSecretOf({ secret, signing, clientIds }: ProviderOptions, clock: Clock): () => string {
  if (signing === null) return () => secret;
  const key = keyOf(signing.privateKey);
  return () => {
    const iat = Math.floor(clock.nowMs() / 1000);
    const claims = { iss: signing.teamId, sub: clientIds[0], aud: appleAudience, iat, exp: iat + lifeSeconds };
    const signed = `${encode({ alg: "ES256", kid: signing.keyId, typ: "JWT" })}.${encode(claims)}`;
    return `${signed}.${sign("sha256", Buffer.from(signed), { key, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
  };
}

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

function keyOf(pem: string): KeyObject {
  let key: KeyObject | null = null;
  try {
    // In a variable line breaks are often written out.
    key = createPrivateKey(pem.replaceAll("\\n", "\n"));
  } catch {
    // Said below: what is wrong with a secret is no reason to print it.
  }
  if (key?.asymmetricKeyDetails?.namedCurve !== "prime256v1") {
    throw new SettingError("applePrivateKey must be the text of Apple's .p8 file: a private key on the curve P-256.");
  }
  return key;
}
