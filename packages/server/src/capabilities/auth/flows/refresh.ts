import { sqlStateOf } from "../../../platform/postgres/sql-state.ts";
import type { AuthContext, AuthSettings, Caller } from "../context.ts";
import { problems } from "../problems.ts";
import { type RefreshRules, refreshStore } from "../refresh-store.ts";
import { type RefreshClaim, signAccessToken } from "../tokens.ts";
import type { Session } from "../user.ts";

/** What a token of GoTrue's looks like, in sessions that were taken over. */
const foreignToken = /^[A-Za-z0-9_-]{8,32}$/;
/** How often a refresh is begun anew because what was in its way has gone. */
const maxAttempts = 3;

/**
 * Exchanges a refresh token for a session (Supabase docs, User sessions). One refresh at a time per session, so a family
 * never forks (threat A07): whoever comes with the same token gets the same successor, until that is used itself
 * (threat A08). Anything older means that two parties hold the family, and ends the session.
 */
export async function refresh(context: AuthContext, token: string, caller: Caller): Promise<Session> {
  const { db, settings, refreshTokens } = context;
  await context.limits.take("refresh", caller.network);
  if (token === "") throw problems.validationFailed("refresh_token required");
  const claim = refreshTokens.open(token) ?? (foreignToken.test(token) ? await refreshStore.adopt(db, token) : null);
  if (claim === null) throw problems.refreshTokenNotFound();
  const rules = rulesOf(settings);
  for (let attempt = 0; attempt < maxAttempts; attempt++) {
    const refreshed = await refreshStore.refresh(db, claim, rules, caller).catch(orConflict);
    if (refreshed === null) {
      await refuse(context, claim, rules, caller);
      continue;
    }
    const { user, aal, amr, counter } = refreshed;
    const { sessionId } = claim;
    const access = await signAccessToken(context, user, { id: sessionId, aal, amr }, "token_refresh");
    if (settings.auditRefreshes) await context.audit.record(db, { action: "token_refreshed", userId: user.id, caller });
    return { id: sessionId, access, refreshToken: refreshTokens.seal({ sessionId, counter }), user };
  }
  throw problems.refreshConflict();
}

/** @throws Problem that says why there is no session, or returns when it may be tried again */
async function refuse(context: AuthContext, claim: RefreshClaim, rules: RefreshRules, caller: Caller): Promise<void> {
  const { refusal, userId } = await refreshStore.refuse(context.db, claim, rules).catch(orConflict);
  switch (refusal) {
    case "unknown":
      throw problems.refreshTokenNotFound();
    case "banned":
      throw problems.userBanned(400);
    case "expired":
      throw problems.sessionExpired(400);
    case "reused":
      await context.audit.record(context.db, { action: "token_reused", userId, caller });
      throw problems.refreshTokenAlreadyUsed();
    case "again":
      return;
  }
}

const rulesOf = (settings: AuthSettings): RefreshRules => ({
  rotates: settings.refreshTokenRotation,
  reuseSeconds: settings.refreshTokenReuseSeconds,
  timeboxSeconds: settings.sessionTimeboxSeconds,
  inactivitySeconds: settings.sessionInactivitySeconds,
});

/** SQLSTATE 55P03 is lock_not_available. */
function orConflict(error: unknown): never {
  throw sqlStateOf(error) === "55P03" ? problems.refreshConflict() : error;
}
