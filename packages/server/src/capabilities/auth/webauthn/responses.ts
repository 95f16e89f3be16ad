import type { AuthenticationResponseJSON, RegistrationResponseJSON } from "@simplewebauthn/server";
import { isObject } from "../request.ts";

/** Longest base64url text in an answer, in characters: some 24 KiB, where attestation with its certificates has 10. */
const maxTextLength = 32_768;

/** Longest credential id: 1023 bytes (WebAuthn Level 3 §4) in base64url. */
const maxIdLength = 1_364;

const maxTransports = 16;

/** What an authenticator answered to a creation, of the shape the library relies on. @throws Error for anything else */
export function parseAttestation(value: unknown): RegistrationResponseJSON {
  const { id, response } = parseCredential(value);
  return {
    id,
    rawId: id,
    type: "public-key",
    clientExtensionResults: {},
    response: {
      clientDataJSON: clientData(response),
      attestationObject: base64url(response, "attestationObject"),
      transports: transports(response.transports),
    },
  };
}

/** What an authenticator answered to a request. @throws Error for anything of another shape */
export function parseAssertion(value: unknown): AuthenticationResponseJSON {
  const { id, response } = parseCredential(value);
  const userHandle = response.userHandle ?? undefined;
  return {
    id,
    rawId: id,
    type: "public-key",
    clientExtensionResults: {},
    response: {
      clientDataJSON: clientData(response),
      authenticatorData: base64url(response, "authenticatorData"),
      signature: base64url(response, "signature"),
      ...(userHandle === undefined ? {} : { userHandle: base64url(response, "userHandle") }),
    },
  };
}

/** The id an answer claims to be of, to find its credential by. @throws Error when it has none */
export const credentialIdOf = (value: unknown): string => parseCredential(value).id;

/** Whose credential the authenticator says it is, as text; `null` when it does not say. @throws Error when malformed */
export function userHandleIn(value: unknown): string | null {
  const { userHandle } = parseAssertion(value).response;
  return userHandle === undefined ? null : Buffer.from(userHandle, "base64url").toString("utf8");
}

/**
 * The same answer with its attestation statement taken out. We ask for none, and trust no maker over another; and to verify one
 * means to read certificates that a stranger wrote, and to fetch the revocation lists they point to (threat X01).
 */
export async function withoutAttestation(response: RegistrationResponseJSON): Promise<RegistrationResponseJSON> {
  const { decodeAttestationObject, isoCBOR } = await import("@simplewebauthn/server/helpers"); // as in ceremonies.ts
  const object = decodeAttestationObject(
    Uint8Array.from(Buffer.from(response.response.attestationObject, "base64url")),
  );
  const authData = object.get("authData");
  const bare = isoCBOR.encode(
    new Map<string, string | Uint8Array | Map<string, string>>([
      ["fmt", "none"],
      ["attStmt", new Map<string, string>()],
      ["authData", authData],
    ]),
  );
  const attestationObject = Buffer.from(bare).toString("base64url");
  return { ...response, response: { ...response.response, attestationObject } };
}

function parseCredential(value: unknown): { id: string; response: Readonly<Record<string, unknown>> } {
  if (!isObject(value) || !isObject(value.response)) throw new Error("The credential is no object");
  const id = base64url(value, "id");
  if (id.length > maxIdLength || value.rawId !== id || value.type !== "public-key") {
    throw new Error("The credential's id or type is malformed");
  }
  return { id, response: value.response };
}

/** Pages inside frames of other sites cannot ask: the person would not see whom they sign in to (Level 3 §13.4.2). */
function clientData(response: Readonly<Record<string, unknown>>): string {
  const text = base64url(response, "clientDataJSON");
  const data: unknown = JSON.parse(Buffer.from(text, "base64url").toString("utf8"));
  if (!isObject(data)) throw new Error("Client data is no object");
  if (data.crossOrigin === true || data.topOrigin !== undefined)
    throw new Error("Asked from inside a frame of another origin");
  return text;
}

function base64url(from: Readonly<Record<string, unknown>>, name: string): string {
  const value = Object.hasOwn(from, name) ? from[name] : undefined;
  if (typeof value !== "string" || !/^[\w-]+$/.test(value) || value.length > maxTextLength) {
    throw new Error(`${name} is no base64url text`);
  }
  return value;
}

/** Hints for the next time, no more: what is no short word is left out. */
function transports(value: unknown): string[] {
  if (!Array.isArray(value)) return [];
  return value
    .filter((item): item is string => typeof item === "string" && /^[a-z-]{1,32}$/.test(item))
    .slice(0, maxTransports);
}
