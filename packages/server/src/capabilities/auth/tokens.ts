import { createHmac, createSecretKey, timingSafeEqual } from "node:crypto";
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

/** Which refresh token of which session. */
export interface RefreshClaim {
  readonly sessionId: string;
  /** The session's counter when it was given out: see `generationSize`. */
  readonly counter: number;
}

/**
 * Refresh tokens are not stored: a token is the session's id, a number and a seal over both with a key of the server's, and the
 * session's row holds the number of the live one. A refresh is then one update of one row, nothing piles up, and the database's
 * content opens nothing. Whoever presents a used token within the rules (Supabase docs, User sessions: it raced with
 * itself, or the answer was lost) is given the very successor that was made before, since that is computed.
 */
export interface RefreshTokens {
  seal(claim: RefreshClaim): string;
  /** `null` for what was never given out. Costs no look at the database. */
  open(token: string): RefreshClaim | null;
}

/** A session's first token. */
export const firstCounter = 1;

/**
 * A counter is a generation and, below it, 32 bits of the number within. Tokens of another generation lead nowhere: a session
 * that was raised to a second factor must not be had with a token of before (threat A23).
 */
export const generationSize = 2 ** 32;

const [idBytes, counterBytes, sealBytes] = [16, 6, 26];
const tokenBytes = idBytes + counterBytes + sealBytes;
const tokenLength = (tokenBytes * 4) / 3;

export function createRefreshTokens(signer: Pick<TokenSigner, "deriveKey">): RefreshTokens {
  // Made once: HMAC by bytes would make one each time.
  const key = createSecretKey(signer.deriveKey("auth/refresh-token"));
  const sealOf = (claim: Buffer) => createHmac("sha256", key).update(claim).digest();
  return {
    seal({ sessionId, counter }) {
      const token = Buffer.alloc(tokenBytes);
      token.write(sessionId.replaceAll("-", ""), "hex");
      token.writeUIntBE(counter, idBytes, counterBytes);
      sealOf(token.subarray(0, idBytes + counterBytes)).copy(token, idBytes + counterBytes, 0, sealBytes);
      return token.toString("base64url");
    },
    open(text) {
      if (text.length !== tokenLength) return null;
      const token = Buffer.from(text, "base64url");
      if (token.length !== tokenBytes) return null;
      const claim = token.subarray(0, idBytes + counterBytes);
      const seal = sealOf(claim).subarray(0, sealBytes);
      if (!timingSafeEqual(seal, token.subarray(idBytes + counterBytes))) return null;
      const hex = token.toString("hex", 0, idBytes);
      const sessionId = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
      return { sessionId, counter: token.readUIntBE(idBytes, counterBytes) };
    },
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
