import { createHmac, createSecretKey, hash, randomBytes } from "node:crypto";
import type { TokenSigner } from "../../platform/identity/types.ts";
import type { Queryable } from "../../platform/postgres/database.ts";
import type { AuthContext, AuthSettings } from "./context.ts";
import type { Claims } from "./hooks/index.ts";
import type { AuthenticationMethod, User } from "./user.ts";

export interface AccessToken {
  readonly token: string;
  /** Unix seconds. */
  readonly expiresAt: number;
}

/** What a session says in its tokens. */
export interface SessionFacts {
  readonly id: string;
  readonly aal: string;
  /** Newest first. */
  readonly amr: readonly AuthenticationMethod[];
}

/**
 * Refresh tokens are 32 random bytes; the database has their SHA-256 only, so a stolen dump opens no session.
 *
 * A token's successor is not random but an HMAC of it with a key of the server's. That way whoever presents a used token
 * within the rules (Supabase docs, User sessions: it raced with itself, or the answer was lost) can be given the very
 * successor that was made before, although nobody stored it. Stored encrypted it would need the same key and a column
 * that GoTrue's table does not have; a fresh one for each asker would fork the family (threat A07).
 */
export interface RefreshTokens {
  create(): string;
  successorOf(token: string): string;
  /** What the `token` column holds for it. Has a character that no token has, so that a hash is never taken for a token. */
  stored(token: string): string;
}

export function createRefreshTokens(signer: Pick<TokenSigner, "deriveKey">): RefreshTokens {
  const key = createSecretKey(signer.deriveKey("auth/refresh-token")); // made once: HMAC by bytes makes one each time
  return {
    create: () => randomBytes(32).toString("base64url"),
    successorOf: (token) => createHmac("sha256", key).update(token).digest("base64url"),
    stored: (token) => `sha256:${hash("sha256", token, "base64url")}`,
  };
}

/**
 * Signs a user's access token: the claims of Supabase docs, JWT Claims Reference, and what the app's hook makes of them.
 * @param method How the session was earned, or `token_refresh`: told to the hook
 * @param tx the transaction the caller is in, where there is one: a hook in the database runs in it
 */
export async function signAccessToken(
  { signer, settings, clock, hooks }: AuthContext,
  user: User,
  session: SessionFacts,
  method: string,
  tx?: Queryable,
): Promise<AccessToken> {
  const iat = Math.floor(clock.nowMs() / 1000);
  const claims: Claims = {
    iss: issuerOf(settings),
    sub: user.id,
    aud: user.aud,
    exp: iat + settings.accessTokenSeconds,
    iat,
    email: user.email,
    phone: user.phone,
    app_metadata: user.appMetadata,
    user_metadata: user.userMetadata,
    role: user.role,
    aal: session.aal,
    amr: session.amr,
    session_id: session.id,
    is_anonymous: user.isAnonymous,
  };
  const final = await hooks.customizeAccessToken(claims, user.id, method, tx);
  return { token: signer.sign(final), expiresAt: Number(final.exp) };
}

/** `https://host/auth/v1`, from the settings only (threat A14). */
export function issuerOf(settings: Pick<AuthSettings, "issuer" | "publicUrl">): string {
  if (settings.issuer !== null) return settings.issuer;
  const base = settings.publicUrl.replace(/\/+$/, "");
  return base.endsWith("/auth/v1") ? base : `${base}/auth/v1`;
}
