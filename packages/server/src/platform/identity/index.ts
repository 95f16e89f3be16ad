import { isDeepStrictEqual } from "node:util";
import type { Clock } from "../../kernel/clock.ts";
import type { Values } from "../../kernel/settings.ts";
import type { NodeRegistry } from "../nodes/types.ts";
import type { Observe } from "../observe/observation.ts";
import type { Database } from "../postgres/database.ts";
import { generateApiKey } from "./api-keys.ts";
import { Authenticator } from "./authenticator.ts";
import { openIssuers } from "./issuers.ts";
import {
  fingerprint,
  generateSigningKey,
  generateStoredKeys,
  keysStamp,
  loadKeys,
  type StoredKeys,
  saveKeys,
} from "./key-file.ts";
import { createKeyring, type Keyring, signsWithImportedSecret, withLegacyKeys } from "./keyring.ts";
import { problems } from "./problems.ts";
import { compareKeys, type KeysFingerprint } from "./same-keys.ts";
import type { identitySettings } from "./settings.ts";
import { createSharedKeys, type SharedKeys } from "./shared-keys.ts";
import type { ApiKeys, Ended, Identity, TokenSigner } from "./types.ts";

export { identitySettings } from "./settings.ts";
export type { ApiKeys, Identity, TokenSigner } from "./types.ts";
export { weakSecretProblem } from "./weak-secrets.ts";

/** What to change when keys are rotated. */
export interface Rotation {
  /** Old signing keys stop verifying at once: for a key that leaked. Everybody refreshes their session; nobody signs in again. */
  readonly revoke?: boolean;
  /** API keys and the generated HS256 secret behind the legacy ones are replaced; apps with the old keys are refused. */
  readonly apiKeys?: boolean;
}

/** How nodes hear of each other's rotations. */
export interface KeyNews {
  /** @returns how to stop listening */
  onKeysChanged(listener: () => void): () => void;
  /** Ends whatever is held open by tokens of a key that was revoked. */
  endAll(): void;
}

export interface OpenIdentity {
  readonly identity: Identity;
  readonly signer: TokenSigner;
  /** The keys in force; read it anew after a rotation. */
  readonly keys: ApiKeys;
  /**
   * A new signing key from now on. What the old one signed stays good until it expires.
   * @throws Error when tokens are signed with a secret given by settings: change it there.
   */
  rotate(rotation?: Rotation): Promise<void>;
  /** Refuses from now on what is known to have ended before its tokens. */
  refuseEnded(ended: Ended): void;
  /**
   * Shares the keys with the other nodes of `database` where there is a master key, and else makes sure that theirs are the same.
   * @throws Problem `identity/keys-differ`, `identity/master-key-short`, `identity/master-key-wrong`
   */
  share(needs: {
    readonly database: Pick<Database, "query">;
    /** Left out by those who leave soon: nobody tells them of changes, and they are no node. */
    readonly among?: { readonly news: KeyNews; readonly nodes: Pick<NodeRegistry, "keysOfOthers" | "announceKeys"> };
  }): Promise<{ close(): Promise<void> }>;
  /** Takes over what another process changed in the keys file. */
  reload(): Promise<void>;
  close(): void;
}

/**
 * Opens the project's keys, making them on first start, and everything that verifies and signs with them.
 * `keysDir` becomes 0700 and its file 0600. The caller closes it.
 * @throws Error when the keys file or a setting cannot be read.
 */
export async function openIdentity(needs: {
  readonly keysDir: string;
  readonly settings: Values<typeof identitySettings>;
  readonly observe: Observe;
  readonly clock: Clock;
}): Promise<OpenIdentity> {
  const { keysDir, settings, observe, clock } = needs;
  const warn = (message: string) => observe({ kind: "warning", area: "identity", message });

  let keyring: Keyring;
  let stored: StoredKeys;
  let shared: SharedKeys | null = null;
  let announce: (() => Promise<void>) | null = null;
  let news: KeyNews | null = null;
  let stamp = "";
  // One change at a time: a rotation must not write over what a reload is about to read.
  let tail: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const turn = tail.then(work, work);
    tail = turn.catch(() => {});
    return turn;
  };

  stored = await read();
  keyring = createKeyring(stored, settings, clock.nowMs());
  const issuers = openIssuers({ settings, clock, observe, onChange: () => identity.forget() });
  const identity = new Authenticator({ settings, clock, keyring, issuers });

  const poll =
    settings.keyPollMs === 0
      ? null
      : setInterval(() => {
          void inTurn(async () => {
            if ((await keysStamp(keysDir)) !== stamp) await takeOver(await read());
          }).catch((error: unknown) => warn(`The keys could not be read again: ${String(error)}`));
        }, settings.keyPollMs).unref();

  return {
    identity,
    signer: {
      sign: (claims) => keyring.sign(claims),
      jwks: () => keyring.jwks,
      keyNames: () => keyring.keyNames(clock.nowMs()),
      deriveKey: (purpose) => keyring.derive(purpose),
    },
    get keys() {
      return keyring.apiKeys;
    },
    rotate: (rotation = {}) =>
      inTurn(async () => {
        if (signsWithImportedSecret(settings) && !rotation.apiKeys) throw problems.secretOfSettings();
        const current = shared === null ? await read() : await shared.pull();
        const rotated = withLegacyKeys(rotate(current, rotation), settings, clock.nowMs());
        if (shared !== null && !(await shared.push(rotated))) throw problems.rotatedMeanwhile();
        await save(rotated);
        await putInForce(rotated);
      }),
    share: (given) => share(given),
    refuseEnded: (ended) => identity.refuseEnded(ended),
    reload: () => inTurn(async () => putInForce(await read())),
    close() {
      if (poll !== null) clearInterval(poll);
      issuers.close();
    },
  };

  /** The keys as the file has them, completed where the settings ask for other legacy keys. */
  async function read(): Promise<StoredKeys> {
    const generate = () => withLegacyKeys(generateStoredKeys(clock.nowMs()), settings, clock.nowMs());
    stamp = await keysStamp(keysDir);
    const stored = await loadKeys(keysDir, generate, warn);
    const completed = withLegacyKeys(stored, settings, clock.nowMs());
    if (completed !== stored) await saveKeys(keysDir, completed);
    if (completed !== stored || stamp === "") stamp = await keysStamp(keysDir);
    return completed;
  }

  async function save(keys: StoredKeys): Promise<void> {
    await saveKeys(keysDir, keys);
    stamp = await keysStamp(keysDir);
  }

  async function putInForce(keys: StoredKeys): Promise<void> {
    const nowMs = clock.nowMs();
    const kept = new Set(keys.signing.map(({ kid }) => kid));
    const isRevoked = stored.signing.some(
      ({ kid, retiresAtMs }) => !kept.has(kid) && (retiresAtMs === null || retiresAtMs > nowMs),
    );
    stored = keys;
    keyring = createKeyring(keys, settings, nowMs);
    identity.replaceKeyring(keyring);
    if (isRevoked) news?.endAll();
    // Others compare at their start only: if this fails, the next beat says it.
    await announce?.().catch(() => {});
  }

  /** Another process has changed the keys file: a rotation, which all nodes are to have. */
  async function takeOver(keys: StoredKeys): Promise<void> {
    if (shared !== null && !isDeepStrictEqual(keys, stored) && !(await shared.push(keys))) {
      await follow();
      // Equal when whoever wrote the file has shared it already.
      if (!isDeepStrictEqual(keys, stored)) warn(rotationLost);
      return;
    }
    await putInForce(keys);
  }

  /** Takes over what is in the database. */
  async function follow(): Promise<void> {
    if (shared === null) return;
    const keys = withLegacyKeys(await shared.pull(), settings, clock.nowMs());
    if (isDeepStrictEqual(keys, stored)) return;
    await save(keys);
    await putInForce(keys);
  }

  async function share(given: Parameters<OpenIdentity["share"]>[0]): Promise<{ close(): Promise<void> }> {
    const { database, among } = given;
    if (settings.masterKey !== null) {
      const opening = createSharedKeys(database, settings.masterKey);
      await inTurn(async () => {
        const found = await opening.join(stored);
        const joined = withLegacyKeys(found, settings, clock.nowMs());
        // Another node may do the same; the next news brings theirs.
        if (joined !== found) await opening.push(joined);
        shared = opening;
        if (isDeepStrictEqual(joined, stored)) return;
        await save(joined);
        await putInForce(joined);
      });
    }
    if (among === undefined) return { close: async () => {} };
    news = among.news;
    const unsubscribe = news.onKeysChanged(() => {
      inTurn(follow).catch((error: unknown) => warn(`The keys in the database could not be read: ${String(error)}`));
    });
    announce = await compareKeys({
      nodes: among.nodes,
      warn,
      fingerprint: () => fingerprintOf(keyring, stored, settings),
    });
    return {
      async close() {
        unsubscribe();
        announce = null;
      },
    };
  }

  function rotate(stored: StoredKeys, { revoke = false, apiKeys = false }: Rotation): StoredKeys {
    const nowMs = clock.nowMs();
    const algorithm = settings.jwtAlgorithm === "HS256" ? "HS256" : "ES256";
    const fresh = generateStoredKeys(nowMs);
    const retired = stored.signing
      .filter((key) => key.retiresAtMs === null || key.retiresAtMs > nowMs)
      // The current key of the other algorithm stays: the setting may change back.
      .map((key) =>
        key.retiresAtMs === null && key.algorithm === algorithm
          ? { ...key, retiresAtMs: nowMs + settings.keyOverlapSeconds * 1000 }
          : key,
      );
    const kept = revoke ? fresh.signing.filter((key) => key.algorithm !== algorithm) : retired;
    return {
      ...stored,
      signing: [generateSigningKey(algorithm, nowMs), ...kept],
      // Without this, tokens signed with the bare secret would outlive the revocation.
      ...(apiKeys || (revoke && algorithm === "HS256") ? { secret: fresh.secret, legacyKeysFor: "" } : {}),
      ...(apiKeys ? { publishableKey: generateApiKey("publishable"), secretKey: generateApiKey("secret") } : {}),
    };
  }
}

const rotationLost =
  "The keys were changed here and by another node at the same moment; theirs are in force. Rotate again if that is still wanted.";

/** Stands for what two nodes must have in common. Legacy API keys need not be: their signature is what makes them good. */
function fingerprintOf(
  keyring: Keyring,
  { signing }: StoredKeys,
  settings: Values<typeof identitySettings>,
): KeysFingerprint {
  const kids = signsWithImportedSecret(settings) ? [] : signing.map(({ kid }) => kid).sort();
  const { publishableKey, secretKey } = keyring.apiKeys;
  return {
    tokens: fingerprint(keyring.derive("keyring fingerprint"), ...kids),
    apiKeys: fingerprint(publishableKey, secretKey),
  };
}
