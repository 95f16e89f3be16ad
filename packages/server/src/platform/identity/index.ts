import type { Clock } from "../../kernel/clock.ts";
import type { Values } from "../../kernel/settings.ts";
import type { Observe } from "../observe/observation.ts";
import { generateApiKey } from "./api-keys.ts";
import { Authenticator } from "./authenticator.ts";
import { openIssuers } from "./issuers.ts";
import { generateSigningKey, generateStoredKeys, keysStamp, loadKeys, type StoredKeys, saveKeys } from "./key-file.ts";
import { createKeyring, type Keyring, signsWithImportedSecret, withLegacyKeys } from "./keyring.ts";
import { problems } from "./problems.ts";
import type { identitySettings } from "./settings.ts";
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
  let stamp = "";
  // One change at a time: a rotation must not write over what a reload is about to read.
  let tail: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const turn = tail.then(work, work);
    tail = turn.catch(() => {});
    return turn;
  };

  const first = await read();
  keyring = createKeyring(first, settings, clock.nowMs());
  const issuers = openIssuers({ settings, clock, observe, onChange: () => identity.forget() });
  const identity = new Authenticator({ settings, clock, keyring, issuers });

  const poll =
    settings.keyPollMs === 0
      ? null
      : setInterval(() => {
          void inTurn(async () => {
            if ((await keysStamp(keysDir)) !== stamp) putInForce(await read());
          }).catch((error: unknown) => warn(`The keys could not be read again: ${String(error)}`));
        }, settings.keyPollMs).unref();

  return {
    identity,
    signer: {
      sign: (claims) => keyring.sign(claims),
      jwks: () => keyring.jwks,
      deriveKey: (purpose) => keyring.derive(purpose),
    },
    get keys() {
      return keyring.apiKeys;
    },
    rotate: (rotation = {}) =>
      inTurn(async () => {
        if (signsWithImportedSecret(settings) && !rotation.apiKeys) throw problems.secretOfSettings();
        const rotated = withLegacyKeys(rotate(await read(), rotation), settings, clock.nowMs());
        await saveKeys(keysDir, rotated);
        stamp = await keysStamp(keysDir);
        putInForce(rotated);
      }),
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

  function putInForce(stored: StoredKeys): void {
    keyring = createKeyring(stored, settings, clock.nowMs());
    identity.replaceKeyring(keyring);
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
