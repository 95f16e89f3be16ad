import { createHash, generateKeyPairSync, randomBytes, sign } from "node:crypto";

type Bytes = string | ArrayBuffer | Uint8Array;

/** Of what a page is asked to do, what an authenticator reads; bytes are base64url in JSON, and buffers for a browser. */
interface CreationOptions {
  readonly challenge: Bytes;
  readonly rp: { readonly id?: string };
  readonly user: { readonly id: Bytes };
}
interface RequestOptions {
  readonly challenge: Bytes;
  readonly rpId?: string;
}

/** A credential as it is sent (WebAuthn Level 3 §5.1). */
export interface SentCredential {
  readonly id: string;
  readonly rawId: string;
  readonly type: "public-key";
  readonly response: Readonly<Record<string, unknown>>;
  readonly clientExtensionResults: object;
}

/** A phone with one passkey and a browser in a few lines, with real keys: it signs what it is asked to, for the page at `origin`. */
export interface Authenticator {
  create(options: CreationOptions): SentCredential;
  get(options: RequestOptions): SentCredential;
}

export function openAuthenticator(origin: string): Authenticator {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const id = randomBytes(16);
  let count = 0;
  let userHandle = "";

  const clientData = (type: string, challenge: Bytes) =>
    Buffer.from(JSON.stringify({ type, challenge: base64url(challenge), origin, crossOrigin: false }));

  /** §6.1: the person is there and is known. */
  const authenticatorData = (rpId: string, attested?: Buffer) => {
    const counter = Buffer.alloc(4);
    counter.writeUInt32BE(++count);
    const flags = Buffer.from([attested === undefined ? 0x05 : 0x45]);
    return Buffer.concat([sha256(rpId), flags, counter, attested ?? Buffer.alloc(0)]);
  };
  const credential = (response: SentCredential["response"]): SentCredential => ({
    id: base64url(id),
    rawId: base64url(id),
    type: "public-key",
    response,
    clientExtensionResults: {},
  });

  return {
    create({ challenge, rp, user }) {
      userHandle = base64url(user.id);
      const { x = "", y = "" } = publicKey.export({ format: "jwk" });
      const point = [x, y].map((coordinate) => Buffer.from(coordinate, "base64url"));
      const key = cbor(
        new Map<number, Cbor>([
          [1, 2],
          [3, -7],
          [-1, 1],
          [-2, point[0]!],
          [-3, point[1]!],
        ]),
      );
      const attested = Buffer.concat([Buffer.alloc(16), Buffer.from([0, id.length]), id, key]);
      const attestation = new Map<string, Cbor>([
        ["fmt", "none"],
        ["attStmt", new Map()],
        ["authData", authenticatorData(rp.id ?? "", attested)],
      ]);
      return credential({
        clientDataJSON: base64url(clientData("webauthn.create", challenge)),
        attestationObject: base64url(cbor(attestation)),
        transports: ["internal"],
      });
    },
    get({ challenge, rpId = "" }) {
      const [data, seen] = [authenticatorData(rpId), clientData("webauthn.get", challenge)];
      return credential({
        clientDataJSON: base64url(seen),
        authenticatorData: base64url(data),
        signature: base64url(sign("sha256", Buffer.concat([data, sha256(seen)]), privateKey)),
        userHandle,
      });
    },
  };
}

const sha256 = (data: string | Buffer): Buffer => createHash("sha256").update(data).digest();

function base64url(bytes: Bytes): string {
  if (typeof bytes === "string") return bytes;
  return Buffer.from(bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes)).toString("base64url");
}

type Cbor = number | string | Buffer | ReadonlyMap<number | string, Cbor>;

/** RFC 8949: as much of it as is written above. */
function cbor(value: Cbor): Buffer {
  if (typeof value === "number") return value < 0 ? head(1, -1 - value) : head(0, value);
  if (typeof value === "string") return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)]);
  if (Buffer.isBuffer(value)) return Buffer.concat([head(2, value.length), value]);
  return Buffer.concat([head(5, value.size), ...[...value].flatMap(([key, item]) => [cbor(key), cbor(item)])]);
}

const head = (major: number, length: number): Buffer =>
  length < 24 ? Buffer.from([(major << 5) | length]) : Buffer.from([(major << 5) | 24, length]);
