import { DatabaseError } from "../../../platform/postgres/session/types.ts";
import type { AuthContext, Caller } from "../context.ts";
import { problems } from "../problems.ts";
import { type Refreshed, refreshStore } from "../refresh-store.ts";
import { signAccessToken } from "../tokens.ts";
import type { Session } from "../user.ts";

/** What a token can look like: ours and GoTrue's. A stored hash has another character, so the database's content opens nothing. */
const tokenForm = /^[A-Za-z0-9._-]{8,255}$/;
/** How far a used token is followed to the current one: one step for each refresh within the reuse interval. */
const maxSteps = 64;
/** How often a refresh is begun anew because the live token was used while its text was looked for. */
const maxAttempts = 3;

/**
 * Exchanges a refresh token for a session (Supabase docs, User sessions). One refresh at a time per session, by its row
 * lock, so a family never forks (threat A07): whoever comes with the same token gets the same successor, until that is
 * used itself (threat A08). Anything older means that two parties hold the family, and ends the session.
 */
export async function refresh(context: AuthContext, token: string, caller: Caller): Promise<Session> {
  await context.limits.take("refresh", caller.network);
  if (token === "") throw problems.validationFailed("refresh_token required");
  for (let attempt = 0; attempt < maxAttempts; attempt++) {
    const refreshed = await exchange(context, token, caller);
    const refreshToken = await textOf(context, token, refreshed);
    if (refreshToken === null) continue;
    const { user, sessionId, aal, amr } = refreshed;
    const access = await signAccessToken(context, user!, { id: sessionId, aal, amr }, "token_refresh");
    return { id: sessionId, access, refreshToken, user: user! };
  }
  throw problems.refreshConflict();
}

/** Rotates in the database. @throws Problem for every outcome that gives no session */
async function exchange(context: AuthContext, token: string, caller: Caller): Promise<Refreshed> {
  const { db, settings, refreshTokens } = context;
  if (!tokenForm.test(token)) throw problems.refreshTokenNotFound();
  const refreshed = await refreshStore
    .refresh(db, {
      form: refreshTokens.stored(token),
      raw: token,
      successor: refreshTokens.stored(refreshTokens.successorOf(token)),
      userAgent: caller.userAgent,
      ip: caller.ip,
      rotates: settings.refreshTokenRotation,
      reuseSeconds: settings.refreshTokenReuseSeconds,
      timeboxSeconds: settings.sessionTimeboxSeconds,
      inactivitySeconds: settings.sessionInactivitySeconds,
    })
    .catch((error: unknown) => {
      if (sqlstateOf(error) === "55P03") throw problems.refreshConflict();
      throw error;
    });
  const { outcome, user } = refreshed;
  switch (outcome) {
    case "unknown":
      throw problems.refreshTokenNotFound();
    case "banned":
      throw problems.userBanned(400);
    case "expired":
      throw problems.sessionExpired(400);
    case "reused":
      await context.audit.record(db, { action: "token_reused", userId: user?.id ?? null, caller });
      throw problems.refreshTokenAlreadyUsed();
    default:
      if (user === null) throw problems.refreshTokenNotFound(); // deleted while this waited
      return refreshed;
  }
}

/** The text of the live token, `null` when it was used meanwhile. */
async function textOf(
  { db, refreshTokens }: AuthContext,
  token: string,
  { outcome, sessionId, stored, used }: Refreshed,
): Promise<string | null> {
  if (outcome === "rotated") return refreshTokens.successorOf(token);
  if (outcome === "kept" || !stored.startsWith("sha256:")) return outcome === "kept" ? token : stored;
  let text = token;
  for (let step = 0; step < maxSteps; step++) {
    text = refreshTokens.successorOf(text);
    if (refreshTokens.stored(text) === stored) return text;
  }
  // The chain was made with another server key, or elsewhere: the successor's text is nobody's to tell. It is replaced, so
  // that there is still one live token.
  const successor = refreshTokens.create();
  const replacement = { stored, parent: used, successor: refreshTokens.stored(successor) };
  return (await refreshStore.replace(db, sessionId, replacement)) ? successor : null;
}

/** From the pool's client or from our own session. */
const sqlstateOf = (error: unknown): unknown => {
  if (error instanceof DatabaseError) return error.sqlstate;
  return typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
};
