import type { Queryable } from "../../../platform/postgres/database.ts";
import type { AuthContext, Caller } from "../context.ts";
import { problems } from "../problems.ts";
import { type RefreshTokenRow, type SessionRow, sessionStore } from "../session-store.ts";
import { signAccessToken } from "../tokens.ts";
import type { Session } from "../user.ts";
import { userStore } from "../user-store.ts";

/** Longest wait for another refresh of the same session. */
const lockTimeoutMs = 5_000;
/** How far a used token is followed to the current one: one step for each refresh within the reuse interval. */
const maxSteps = 64;

/**
 * Exchanges a refresh token for a session (Supabase docs, User sessions). One refresh at a time per session, by its row
 * lock, so a family never forks (threat A07): whoever comes with the same token gets the same successor, until that is
 * used itself (threat A08). Anything older means that two parties hold the family, and ends the session.
 */
export async function refresh(context: AuthContext, token: string, caller: Caller): Promise<Session> {
  const { limits, db } = context;
  await limits.take("refresh", caller.network);
  if (token === "") throw problems.validationFailed("refresh_token required");
  const forms = storedForms(context, token);
  const found = forms.length === 0 ? null : await sessionStore.findToken(db, forms);
  if (found === null) throw problems.refreshTokenNotFound();

  const outcome = await db
    .transaction((tx) => refreshHeld(context, tx, found.sessionId, token, forms, caller))
    .catch((error: unknown) => {
      if (sqlstateOf(error) === "55P03") throw problems.refreshConflict();
      throw error;
    });
  // Thrown only now: the transaction that ended the session must commit.
  if (outcome === "reused") {
    await context.audit.record(db, { action: "token_reused", userId: found.userId, caller });
    throw problems.refreshTokenAlreadyUsed();
  }
  if (outcome === "expired") throw problems.sessionExpired(400);
  return outcome;
}

async function refreshHeld(
  context: AuthContext,
  tx: Queryable,
  sessionId: string,
  token: string,
  forms: readonly string[],
  caller: Caller,
): Promise<Session | "reused" | "expired"> {
  const session = await sessionStore.lock(tx, sessionId, lockTimeoutMs);
  const presented = session === null ? null : await sessionStore.findToken(tx, forms);
  if (session === null || presented === null) throw problems.refreshTokenNotFound();
  const account = await userStore.findById(tx, session.userId);
  if (account === null) throw problems.refreshTokenNotFound();
  if (account.user.isBanned) throw problems.userBanned(400);
  if (isExpired(context, session)) {
    await sessionStore.end(tx, session.id);
    return "expired";
  }

  const refreshToken = await currentToken(context, tx, session, presented, token, caller);
  if (refreshToken === null) {
    await sessionStore.end(tx, session.id);
    return "reused";
  }
  const access = await signAccessToken(context, account.user, session, "token_refresh");
  return { id: session.id, access, refreshToken, user: account.user };
}

/** The one live token of the session for someone who presents `token`; `null` when they must not have it. */
async function currentToken(
  context: AuthContext,
  tx: Queryable,
  session: SessionRow,
  presented: RefreshTokenRow,
  token: string,
  caller: Caller,
): Promise<string | null> {
  const { settings, refreshTokens } = context;
  if (!presented.isRevoked) {
    if (!settings.refreshTokenRotation) {
      await sessionStore.touch(tx, session.id, caller);
      return token;
    }
    return useUp(presented, refreshTokens.successorOf(token, session.id));
  }
  const active = await sessionStore.activeToken(tx, session.id);
  if (active === null) return null;
  const isParent = active.parent === presented.stored;
  const isRecent = presented.revokedForSeconds < settings.refreshTokenReuseSeconds;
  if (!isParent && !isRecent && settings.refreshTokenRotation) return null;
  const known = follow();
  if (known !== null) return known;
  // The chain was made with another server key, or elsewhere: the successor's text is nobody's to tell. It is replaced, so
  // that there is still one live token.
  return useUp(active, refreshTokens.create());

  async function useUp(row: RefreshTokenRow, successor: string): Promise<string> {
    const next = { stored: refreshTokens.stored(successor), parent: isParentOf(row) };
    await sessionStore.rotate(tx, row, session.userId, next, caller);
    return successor;
  }

  /** A replaced token keeps its place: whoever holds its parent may still come for the replacement. */
  function isParentOf(row: RefreshTokenRow): string {
    return row.id === presented.id ? row.stored : presented.stored;
  }

  function follow(): string | null {
    if (active === null) return null;
    if (!active.stored.startsWith("sha256:")) return active.stored;
    let text = token;
    for (let step = 0; step < maxSteps; step++) {
      text = refreshTokens.successorOf(text, session.id);
      if (refreshTokens.stored(text) === active.stored) return text;
    }
    return null;
  }
}

/** As we store it, and as GoTrue did. What looks like a hash of ours is no token: the database's content opens nothing. */
function storedForms({ refreshTokens }: AuthContext, token: string): string[] {
  return /^[A-Za-z0-9._-]{8,255}$/.test(token) ? [refreshTokens.stored(token), token] : [];
}

function isExpired({ settings }: AuthContext, session: SessionRow): boolean {
  const { sessionTimeboxSeconds: timebox, sessionInactivitySeconds: inactivity } = settings;
  return (
    session.isOver ||
    (timebox > 0 && session.ageSeconds > timebox) ||
    (inactivity > 0 && session.idleSeconds > inactivity)
  );
}

const sqlstateOf = (error: unknown): unknown =>
  typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
