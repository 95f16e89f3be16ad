import { createHash, generateKeyPairSync, type JsonWebKey, randomBytes, randomUUID } from "node:crypto";
import { chmod, link, mkdir, open, readFile, rename, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import { generateApiKey } from "./api-keys.ts";

/** A key that signs, or did: kept until nothing it signed can still be in use. */
export interface StoredSigningKey {
  readonly kid: string;
  readonly algorithm: "ES256" | "HS256";
  /** Private. */
  readonly jwk: JsonWebKey;
  readonly createdAtMs: number;
  /** Unix milliseconds; `null` while it is current. */
  readonly retiresAtMs: number | null;
}

/** Everything in `.mainstay/keys/keys.json`. */
export interface StoredKeys {
  readonly version: 1;
  /** base64url, 32 bytes: what other secrets are derived from. Never rotated, never leaves. */
  readonly root: string;
  /** HS256 secret for legacy API keys; its UTF-8 bytes are the key. */
  readonly secret: string;
  /** Newest first. */
  readonly signing: readonly StoredSigningKey[];
  readonly anonKey: string;
  readonly serviceRoleKey: string;
  /** Fingerprint of the secret and roles that the two legacy keys were made for; when it differs they are made anew. */
  readonly legacyKeysFor: string;
  readonly publishableKey: string;
  readonly secretKey: string;
}

const fileName = "keys.json";

/** A new key set; the legacy keys are left for `signLegacyKeys`, which knows the secret in force. */
export function generateStoredKeys(nowMs: number): StoredKeys {
  return {
    version: 1,
    root: randomBytes(32).toString("base64url"),
    secret: randomBytes(48).toString("base64url"),
    signing: [generateSigningKey("ES256", nowMs)],
    anonKey: "",
    serviceRoleKey: "",
    legacyKeysFor: "",
    publishableKey: generateApiKey("publishable"),
    secretKey: generateApiKey("secret"),
  };
}

export function generateSigningKey(algorithm: "ES256" | "HS256", nowMs: number): StoredSigningKey {
  const jwk: JsonWebKey =
    algorithm === "ES256"
      ? generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ format: "jwk" })
      : { kty: "oct", k: randomBytes(48).toString("base64url") };
  return { kid: randomUUID(), algorithm, jwk, createdAtMs: nowMs, retiresAtMs: null };
}

/** Stands for a secret where the secret itself must not be written. */
export const fingerprint = (...parts: readonly (string | Buffer)[]): string => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part).update("\0");
  return hash.digest("base64url");
};

/**
 * Reads the keys, or creates them. When two processes start at once on one folder, the first to link its file wins and the
 * other reads it. A file that others could read is closed again; `warn` says so.
 */
export async function loadKeys(
  dir: string,
  generate: () => StoredKeys,
  warn: (message: string) => void,
): Promise<StoredKeys> {
  const path = join(dir, fileName);
  await mkdir(dir, { recursive: true, mode: 0o700 });
  await closeToOthers(dir, 0o700, warn);
  for (let attempt = 0; attempt < 3; attempt++) {
    const text = await readFile(path, "utf8").catch(ignoring("ENOENT"));
    if (text !== undefined) {
      await closeToOthers(path, 0o600, warn);
      return parseKeys(text, path);
    }
    await write(dir, generate(), (temporary) => link(temporary, path)).catch(ignoring("EEXIST"));
  }
  throw new Error(`${path} can neither be read nor made.`);
}

/** Replaces the keys in one step: a reader, or a crash, sees the old file or the new one. */
export async function saveKeys(dir: string, keys: StoredKeys): Promise<void> {
  await write(dir, keys, (temporary) => rename(temporary, join(dir, fileName)));
}

/** Changes whenever the file does; `""` when there is none. */
export async function keysStamp(dir: string): Promise<string> {
  const found = await stat(join(dir, fileName), { bigint: true }).catch(ignoring("ENOENT"));
  return found === undefined ? "" : `${found.ino}.${found.mtimeNs}.${found.size}`;
}

async function write(dir: string, keys: StoredKeys, publish: (temporary: string) => Promise<void>): Promise<void> {
  const temporary = join(dir, `.${fileName}.${randomUUID()}`);
  try {
    const file = await open(temporary, "wx", 0o600);
    try {
      await file.writeFile(`${JSON.stringify(keys, null, 2)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await publish(temporary);
  } finally {
    await unlink(temporary).catch(ignoring("ENOENT"));
  }
}

async function closeToOthers(path: string, mode: number, warn: (message: string) => void): Promise<void> {
  if (process.platform === "win32") return;
  const found = await stat(path);
  if ((found.mode & 0o077) === 0) return;
  warn(`${path} could be read by other users of this machine. It is private now; rotate the keys if that matters.`);
  await chmod(path, mode);
}

/** @param path Where the text is from. @throws Error saying what is wrong with it */
export function parseKeys(text: string, path: string): StoredKeys {
  const unreadable = (why: string) =>
    new Error(`${path} ${why}. Restore it from a backup; deleting it makes new keys and invalidates every issued one.`);
  let value: Partial<StoredKeys> | null;
  try {
    value = JSON.parse(text) as Partial<StoredKeys> | null;
  } catch {
    throw unreadable("is not JSON");
  }
  const texts = [
    "root",
    "secret",
    "anonKey",
    "serviceRoleKey",
    "legacyKeysFor",
    "publishableKey",
    "secretKey",
  ] as const;
  if (value?.version !== 1) throw unreadable("is of a version this release does not know");
  const isWhole =
    texts.every((name) => typeof value[name] === "string") &&
    Array.isArray(value.signing) &&
    value.signing.every((key) => typeof key?.kid === "string" && typeof key.jwk === "object");
  if (!isWhole) throw unreadable("lacks some of its keys");
  return value as StoredKeys;
}

const ignoring =
  (code: string) =>
  (error: NodeJS.ErrnoException): undefined => {
    if (error.code !== code) throw error;
  };
