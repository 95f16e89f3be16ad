import { createHmac, createPrivateKey, createPublicKey, hkdfSync, type KeyObject, sign } from "node:crypto";
import type { Values } from "../../kernel/settings.ts";
import { serviceRole } from "./claims.ts";
import type { VerificationKey } from "./jws.ts";
import type { StoredKeys } from "./key-file.ts";
import { fingerprint } from "./key-file.ts";
import { hmacKey, type ImportedSecret, importSecret, secretKey } from "./secret.ts";
import type { identitySettings } from "./settings.ts";
import { rawSignature } from "./signature.ts";
import type { ApiKeys } from "./types.ts";

/** All keys in force at one moment. Immutable: a rotation makes another. */
export interface Keyring {
  /** Keys that may verify a token of this algorithm and `kid`. */
  candidates(algorithm: string, kid: string | null): readonly VerificationKey[];
  /** @returns a compact JWS over `claims` as they are. */
  sign(claims: Readonly<Record<string, unknown>>): string;
  readonly jwks: { readonly keys: readonly Readonly<Record<string, unknown>>[] };
  readonly apiKeys: ApiKeys;
  /** Names of the keys that may have signed a token that is good now, the one in use first. */
  keyNames(nowMs: number): readonly string[];
  /** 32 bytes, the same on every node that shares the secret or the keys file, and across rotations. */
  derive(purpose: string): Buffer;
}

interface Signer {
  readonly name: string;
  readonly head: string;
  readonly algorithm: "ES256" | "HS256";
  readonly key: KeyObject;
}

const tenYearsSeconds = 10 * 365 * 24 * 3600;

/**
 * Makes the two legacy API keys when they are missing, or were made for another secret or other roles; else returns `stored`.
 * Dates are whole: `iat` is now, `exp` ten years on.
 */
export function withLegacyKeys(
  stored: StoredKeys,
  settings: Values<typeof identitySettings>,
  nowMs: number,
): StoredKeys {
  const { bytes, kid } = secretInForce(stored, imported(settings));
  const { anonymousRole } = settings;
  const madeFor = fingerprint(bytes, kid ?? "", anonymousRole, serviceRole);
  if (stored.legacyKeysFor === madeFor) return stored;
  const signer: Omit<Signer, "name"> = { head: headOf("HS256", kid), algorithm: "HS256", key: secretKey(bytes) };
  const iat = Math.floor(nowMs / 1000);
  const ref = fingerprint(stored.root, "ref")
    .replace(/[^a-z]/g, "")
    .padEnd(12, "a")
    .slice(0, 12);
  const key = (role: string) => signWith(signer, { iss: "mainstay", ref, role, iat, exp: iat + tenYearsSeconds });
  return { ...stored, anonKey: key(anonymousRole), serviceRoleKey: key(serviceRole), legacyKeysFor: madeFor };
}

/** @throws Error when the settings name keys that cannot be read. */
export function createKeyring(stored: StoredKeys, settings: Values<typeof identitySettings>, nowMs: number): Keyring {
  const given = imported(settings);
  const secret = secretInForce(stored, given);
  const live = stored.signing.filter((key) => key.retiresAtMs === null || key.retiresAtMs > nowMs);

  const verification = new Map<string, VerificationKey[]>();
  const jwks: Record<string, unknown>[] = [];
  const add = (key: VerificationKey) => {
    const slot = slotOf(key.algorithm, key.kid);
    verification.set(slot, [...(verification.get(slot) ?? []), key]);
    if (key.algorithm === "HS256") return;
    const publicJwk = { ...key.key.export({ format: "jwk" }), alg: key.algorithm, use: "sig", key_ops: ["verify"] };
    jwks.push({ ...(key.kid === null ? {} : { kid: key.kid }), ...publicJwk });
  };
  for (const key of live) {
    const retiresAtMs = key.retiresAtMs ?? Number.POSITIVE_INFINITY;
    const keyObject =
      key.algorithm === "HS256"
        ? secretKey(Buffer.from(key.jwk.k ?? "", "base64url"))
        : createPublicKey(createPrivateKey({ key: key.jwk, format: "jwk" }));
    add({ kid: key.kid, algorithm: key.algorithm, key: keyObject, retiresAtMs });
  }
  add(hmacKey(secret.bytes, secret.kid));
  for (const key of given?.verification ?? []) {
    if (key.algorithm !== "HS256" || key.kid !== secret.kid) add(key);
  }

  const derived = new Map<string, Buffer>();
  const signer = chooseSigner();
  return {
    candidates: (algorithm, kid) => verification.get(slotOf(algorithm, kid)) ?? [],
    sign: (claims) => signWith(signer, claims),
    jwks: { keys: jwks },
    apiKeys: {
      anonKey: settings.anonKey ?? stored.anonKey,
      serviceRoleKey: settings.serviceRoleKey ?? stored.serviceRoleKey,
      publishableKey: settings.publishableKey ?? stored.publishableKey,
      secretKey: settings.secretKey ?? stored.secretKey,
      // Told only where it is the whole truth: as text whose UTF-8 bytes are the key.
      jwtSecret:
        given === null ? stored.secret : settings.jwtSecret?.trim().startsWith("{") ? null : settings.jwtSecret,
    },
    keyNames(nowMs) {
      const others = live.filter(({ retiresAtMs }) => (retiresAtMs ?? Number.POSITIVE_INFINITY) > nowMs);
      return [...new Set([signer.name, ...others.map(({ kid }) => kid)])];
    },
    derive(purpose) {
      let key = derived.get(purpose);
      if (key === undefined) {
        // A secret given by settings is what nodes share; the file's root is this machine's own.
        const root = given?.secret?.bytes ?? Buffer.from(stored.root, "base64url");
        key = Buffer.from(hkdfSync("sha256", root, "mainstay", purpose, 32));
        derived.set(purpose, key);
      }
      return key;
    },
  };

  function chooseSigner(): Signer {
    const wanted = settings.jwtAlgorithm === "auto" ? (given?.secret ? "HS256" : "ES256") : settings.jwtAlgorithm;
    const current = live.find((key) => key.algorithm === wanted && key.retiresAtMs === null);
    if (wanted === "HS256" && (given?.secret || current === undefined)) {
      return {
        name: nameOf(secret),
        head: headOf("HS256", secret.kid),
        algorithm: "HS256",
        key: secretKey(secret.bytes),
      };
    }
    if (current === undefined) throw new Error(`The keys file holds no current ${wanted} key; rotate the keys.`);
    const key =
      wanted === "HS256"
        ? secretKey(Buffer.from(current.jwk.k ?? "", "base64url"))
        : createPrivateKey({ key: current.jwk, format: "jwk" });
    return { name: current.kid, head: headOf(wanted, current.kid), algorithm: wanted, key };
  }
}

/** Whether tokens are signed with a secret that only the settings can change. */
export function signsWithImportedSecret(settings: Values<typeof identitySettings>): boolean {
  return settings.jwtAlgorithm !== "ES256" && imported(settings)?.secret != null;
}

function imported(settings: Values<typeof identitySettings>): ImportedSecret | null {
  return settings.jwtSecret === null ? null : importSecret(settings.jwtSecret, settings.jwtSecretIsBase64);
}

function secretInForce(stored: StoredKeys, given: ImportedSecret | null): { kid: string | null; bytes: Buffer } {
  return given?.secret ?? { kid: null, bytes: Buffer.from(stored.secret) };
}

/** A secret may have no name of its own: what stands for it changes when it does. */
const nameOf = ({ kid, bytes }: { kid: string | null; bytes: Buffer }): string =>
  fingerprint(bytes, kid ?? "", "name").slice(0, 16);

function signWith(signer: Omit<Signer, "name">, claims: Readonly<Record<string, unknown>>): string {
  const signed = `${signer.head}.${Buffer.from(JSON.stringify(claims)).toString("base64url")}`;
  const signature =
    signer.algorithm === "HS256"
      ? createHmac("sha256", signer.key).update(signed).digest()
      : rawSignature(sign("sha256", Buffer.from(signed), signer.key));
  return `${signed}.${signature.toString("base64url")}`;
}

const headOf = (alg: string, kid: string | null): string =>
  Buffer.from(JSON.stringify({ alg, ...(kid === null ? {} : { kid }), typ: "JWT" })).toString("base64url");

// A token without `kid` and one whose `kid` is empty are not the same thing.
const slotOf = (algorithm: string, kid: string | null): string => (kid === null ? algorithm : `${algorithm}\0${kid}`);
