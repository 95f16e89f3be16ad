import type { IncomingHttpHeaders } from "node:http";
import type { Principal } from "../../kernel/principal.ts";

/**
 * Who a request is from. Synchronous: tokens are cached by their text, and keys of third parties are fetched in the background,
 * so that the hot path never waits.
 *
 * Problems it throws (a boundary maps them to its own codes and texts):
 * `identity/key-missing` 401, `identity/key-unknown` 401, `identity/token-invalid` 401, `identity/token-expired` 401,
 * `identity/token-claims` 401 (audience, not-before, non-numeric times, role), `identity/session-ended` 401,
 * `identity/user-banned` 401, `identity/user-deleted` 401, `identity/secret-key-in-browser` 401.
 */
export interface Identity {
  /**
   * The caller of a request by the rules of Supabase's gateway (Supabase docs, API keys). `query` is the raw query
   * string, read only for `apikey=`. Never throws for `access: "open"` routes' sake: they call it and fall back to
   * `anonymous` themselves.
   */
  identify(headers: IncomingHttpHeaders, query: string): Principal;
  /** Only the API key counts; a bearer token is not looked at. */
  identifyKey(headers: IncomingHttpHeaders, query: string): Principal;
  /**
   * Only the bearer counts, a token or a key, and no API key is needed beside it: for clients that send none (resumable uploads, S3).
   * Without a bearer it is anonymous.
   */
  identifyBearer(headers: IncomingHttpHeaders): Principal;
  /** Verifies one token of ours or of a configured issuer. */
  verify(token: string): Principal;
  /**
   * For whoever holds something open by a key or a token: told when other keys are in force, of ours or of an issuer, and whatever was
   * verified has to be asked about again. Listeners must not throw and must not wait. @returns how to stop listening
   */
  onKeysReplaced(listener: () => void): () => void;
  readonly anonymous: Principal;
}

/** Why a token that is good in itself must not be accepted: its session has ended, its user is banned or gone, its key was revoked. */
export type EndReason = "session" | "ban" | "deletion" | "keys";

/** What is known to have ended before its tokens did. */
export interface Ended {
  /** `null` when nothing is known against it. Called for every token that is not cached with its request: a look-up in memory. */
  reasonOf(principal: Principal): EndReason | null;
  /** @returns how to stop listening */
  onEnded(listener: () => void): () => void;
}

/** Mints tokens with the current signing key. */
export interface TokenSigner {
  /** Signs `claims` as they are (`exp`, `iat` included). */
  sign(claims: Readonly<Record<string, unknown>>): string;
  /** Public halves of every asymmetric key that is valid now, for `/.well-known/jwks.json`. */
  jwks(): { readonly keys: readonly Readonly<Record<string, unknown>>[] };
  /**
   * Names of the keys that tokens may be signed with now, the one in use first: whoever signs with a derived key writes down the first, and
   * takes it back when it is no longer among them, so that a rotation ends what it signed too.
   */
  keyNames(): readonly string[];
  /** 32 secret bytes for `purpose`: the same across rotations and on every node that shares the secret or the keys file. */
  deriveKey(purpose: string): Buffer;
}

/** What `mainstay keys show` prints. */
export interface ApiKeys {
  readonly anonKey: string;
  readonly serviceRoleKey: string;
  readonly publishableKey: string;
  readonly secretKey: string;
  readonly jwtSecret: string | null;
}
