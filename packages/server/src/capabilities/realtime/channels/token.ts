import type { Principal } from "../../../kernel/principal.ts";
import { Problem } from "../../../kernel/problem.ts";
import type { Identity } from "../../../platform/identity/types.ts";
import { JoinRefusal } from "../join-refusal.ts";
import { field } from "./config.ts";

/**
 * The token of a `phx_join` or `access_token`, by either of its names. `null` when there is none that counts: API keys of the newer form
 * are no tokens, and SDKs send theirs here when nobody is signed in.
 * @throws JoinRefusal for what is no text: it must not pass for somebody without a token
 */
export function tokenOf(payload: unknown): string | null {
  const token = field(payload, "access_token") ?? field(payload, "user_token") ?? null;
  if (token === null) return null;
  if (typeof token !== "string") throw new JoinRefusal("MalformedJWT", "The token provided is not a valid JWT");
  return token === "" || token.startsWith("sb_") ? null : token;
}

/** Who a token is of. A token that fails never counts as none (threat R01). @throws JoinRefusal */
export function whoseToken(identity: Pick<Identity, "verify">, token: string): Principal {
  try {
    return identity.verify(token);
  } catch (error) {
    if (!(error instanceof Problem) || !error.code.startsWith("identity/")) throw error;
    throw refusalOf(error, token);
  }
}

/** In the codes that clients show (protocols: failure reply). */
function refusalOf({ code, message }: Problem, token: string): JoinRefusal {
  if (code !== "identity/token-invalid") {
    return new JoinRefusal("InvalidJWTToken", code === "identity/token-expired" ? tokenExpired : message);
  }
  return token.split(".").length === 3
    ? new JoinRefusal("JwtSignatureError", "Failed to validate JWT signature")
    : new JoinRefusal("MalformedJWT", "The token provided is not a valid JWT");
}

export const tokenExpired = "Token has expired";

/** What ends a channel before its token expires. */
export const tokenEnded = (why: string): string => `The token is not valid any more: ${why}`;

export const tokenRevoked = tokenEnded("its key was revoked");
