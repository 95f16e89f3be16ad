import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import type {
  PublicKeyCredentialCreationOptionsJSON,
  PublicKeyCredentialRequestOptionsJSON,
} from "@simplewebauthn/server";

/** What an authenticator, or the browser before it, does otherwise than it should. */
export interface Misbehaviour {
  readonly origin?: string;
  readonly rpId?: string;
  readonly type?: string;
  readonly challenge?: string;
  readonly crossOrigin?: boolean;
  readonly topOrigin?: string;
  readonly isUserPresent?: boolean;
  readonly isUserVerified?: boolean;
  readonly isBackupEligible?: boolean;
  readonly isBackedUp?: boolean;
  readonly counter?: number;
  readonly userHandle?: string | null;
  /** Instead of none. */
  readonly attestation?: { readonly fmt: string; readonly attStmt: ReadonlyMap<string, Cbor> };
}

export interface Answer {
  readonly id: string;
  readonly rawId: string;
  readonly type: string;
  readonly response: Readonly<Record<string, unknown>>;
  readonly clientExtensionResults: Readonly<Record<string, unknown>>;
}

/** A passkey provider in a few lines, with real keys and signatures: what a phone and its browser do together. */
export interface SoftAuthenticator {
  readonly credentialId: string;
  /** Makes the credential, for the user the options name. */
  create(options: PublicKeyCredentialCreationOptionsJSON, otherwise?: Misbehaviour): Answer;
  /** Signs, counting up. */
  get(options: PublicKeyCredentialRequestOptionsJSON, otherwise?: Misbehaviour): Answer;
}

export type Algorithm = "ES256" | "EdDSA" | "RS256";

export function softAuthenticator(
  given: {
    readonly origin?: string;
    readonly algorithm?: Algorithm;
    readonly aaguid?: string;
    /** False for one that always says 0, as synced passkeys do. */
    readonly isCounting?: boolean;
    readonly isBackupEligible?: boolean;
    readonly isUserVerified?: boolean;
    /** Another's credential, taken over. */
    readonly credentialId?: string;
  } = {},
): SoftAuthenticator {
  const { origin = "http://localhost:3000", algorithm = "ES256", isCounting = true } = given;
  const { publicKey, privateKey } = keysOf(algorithm);
  const rawId = given.credentialId === undefined ? randomBytes(16) : Buffer.from(given.credentialId, "base64url");
  const credentialId = rawId.toString("base64url");
  const aaguid = Buffer.from((given.aaguid ?? "00000000-0000-0000-0000-000000000000").replaceAll("-", ""), "hex");
  let counter = 0;
  let userHandle = "";

  const clientDataOf = (type: string, challenge: string, otherwise: Misbehaviour) =>
    Buffer.from(
      JSON.stringify({
        type: otherwise.type ?? type,
        challenge: otherwise.challenge ?? challenge,
        origin: otherwise.origin ?? origin,
        crossOrigin: otherwise.crossOrigin ?? false,
        topOrigin: otherwise.topOrigin,
      }),
    );
  /** WebAuthn Level 3 §6.1. */
  const authDataOf = (rpId: string, otherwise: Misbehaviour, attested: Buffer | null) => {
    const isEligible = otherwise.isBackupEligible ?? given.isBackupEligible ?? false;
    const flags =
      (otherwise.isUserPresent === false ? 0 : 0x01) |
      ((otherwise.isUserVerified ?? given.isUserVerified ?? true) ? 0x04 : 0) |
      (isEligible ? 0x08 : 0) |
      ((otherwise.isBackedUp ?? isEligible) ? 0x10 : 0) |
      (attested === null ? 0 : 0x40);
    if (isCounting) counter += 1;
    const count = Buffer.alloc(4);
    count.writeUInt32BE(otherwise.counter ?? counter);
    const hash = createHash("sha256")
      .update(otherwise.rpId ?? rpId)
      .digest();
    return Buffer.concat([hash, Buffer.from([flags]), count, ...(attested === null ? [] : [attested])]);
  };
  const answer = (response: Answer["response"]): Answer => ({
    id: credentialId,
    rawId: credentialId,
    type: "public-key",
    response,
    clientExtensionResults: {},
  });

  return {
    credentialId,
    create(options, otherwise = {}) {
      userHandle = options.user.id;
      const length = Buffer.alloc(2);
      length.writeUInt16BE(rawId.length);
      const attested = Buffer.concat([aaguid, length, rawId, encode(coseOf(publicKey, algorithm))]);
      const authData = authDataOf(options.rp.id ?? "", otherwise, attested);
      const { fmt, attStmt } = otherwise.attestation ?? { fmt: "none", attStmt: new Map() };
      const object = new Map<string, Cbor>([
        ["fmt", fmt],
        ["attStmt", attStmt],
        ["authData", authData],
      ]);
      return answer({
        clientDataJSON: clientDataOf("webauthn.create", options.challenge, otherwise).toString("base64url"),
        attestationObject: encode(object).toString("base64url"),
        transports: ["internal", "hybrid"],
      });
    },
    get(options, otherwise = {}) {
      const clientData = clientDataOf("webauthn.get", options.challenge, otherwise);
      const authData = authDataOf(options.rpId ?? "", otherwise, null);
      const signed = Buffer.concat([authData, createHash("sha256").update(clientData).digest()]);
      const handle = otherwise.userHandle === undefined ? userHandle : otherwise.userHandle;
      return answer({
        clientDataJSON: clientData.toString("base64url"),
        authenticatorData: authData.toString("base64url"),
        signature: sign(algorithm === "EdDSA" ? null : "sha256", signed, privateKey).toString("base64url"),
        ...(handle === null ? {} : { userHandle: handle }),
      });
    },
  };
}

function keysOf(algorithm: Algorithm): { publicKey: KeyObject; privateKey: KeyObject } {
  switch (algorithm) {
    case "ES256":
      return generateKeyPairSync("ec", { namedCurve: "P-256" });
    case "EdDSA":
      return generateKeyPairSync("ed25519");
    case "RS256":
      return generateKeyPairSync("rsa", { modulusLength: 2_048 });
  }
}

/** RFC 9053 §7, RFC 8230 §4. */
function coseOf(key: KeyObject, algorithm: Algorithm): ReadonlyMap<number, Cbor> {
  const jwk = key.export({ format: "jwk" });
  const bytes = (name: "x" | "y" | "n" | "e") => Buffer.from(jwk[name] ?? "", "base64url");
  switch (algorithm) {
    case "ES256":
      return new Map<number, Cbor>([
        [1, 2],
        [3, -7],
        [-1, 1],
        [-2, bytes("x")],
        [-3, bytes("y")],
      ]);
    case "EdDSA":
      return new Map<number, Cbor>([
        [1, 1],
        [3, -8],
        [-1, 6],
        [-2, bytes("x")],
      ]);
    case "RS256":
      return new Map<number, Cbor>([
        [1, 3],
        [3, -257],
        [-1, bytes("n")],
        [-2, bytes("e")],
      ]);
  }
}

export type Cbor = number | string | Buffer | readonly Cbor[] | ReadonlyMap<number | string, Cbor>;

/** RFC 8949: as much of it as authenticators write. */
export function encode(value: Cbor): Buffer {
  if (typeof value === "number") return value < 0 ? head(1, -1 - value) : head(0, value);
  if (typeof value === "string") return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)]);
  if (Buffer.isBuffer(value)) return Buffer.concat([head(2, value.length), value]);
  if (value instanceof Map) {
    const entries = [...(value as ReadonlyMap<number | string, Cbor>)];
    return Buffer.concat([head(5, entries.length), ...entries.flatMap(([key, item]) => [encode(key), encode(item)])]);
  }
  const items = value as readonly Cbor[];
  return Buffer.concat([head(4, items.length), ...items.map(encode)]);
}

function head(major: number, length: number): Buffer {
  if (length < 24) return Buffer.from([(major << 5) | length]);
  if (length < 0x100) return Buffer.from([(major << 5) | 24, length]);
  if (length < 0x1_0000) return Buffer.from([(major << 5) | 25, length >> 8, length & 0xff]);
  const long = Buffer.alloc(5);
  long[0] = (major << 5) | 26;
  long.writeUInt32BE(length, 1);
  return long;
}
