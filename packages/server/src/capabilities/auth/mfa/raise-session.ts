import type { Queryable } from "../../../platform/postgres/database.ts";
import { sqlStateOf } from "../../../platform/postgres/sql-state.ts";
import type { AuthContext, Caller } from "../context.ts";
import { problems } from "../problems.ts";
import { type SessionRow, sessionStore } from "../session-store.ts";
import { signAccessToken } from "../tokens.ts";
import type { Session } from "../user.ts";
import { userStore } from "../user-store.ts";
import type { SecondMethod } from "./factor.ts";
import { levelStore } from "./level-store.ts";

/** Longest wait for a refresh of the same session. */
const lockTimeoutMs = 5_000;

export interface Raise {
  readonly session: { readonly id: string };
  readonly user: { readonly id: string };
  readonly method: SecondMethod;
  /** With which it was raised: when that goes, so does the level. `null` for none. */
  readonly factorId: string | null;
  readonly caller: Caller;
}

/**
 * Raises a session to `aal2` in `tx`, after a second factor was shown. The tokens of before stay at their level: the refresh
 * tokens are dead, and the session's new one is in the answer (Supabase docs, Multi-Factor Authentication).
 * The app's token hook is asked within, also over HTTP: its failure must leave the session as it was, with the refresh token that
 * the client has, and that is what the rollback does.
 * @throws Problem `session_not_found` when the session has ended meanwhile, `conflict` when a refresh holds it for too long
 */
export async function raiseSession(
  context: AuthContext,
  tx: Queryable,
  { session, user, method, factorId, caller }: Raise,
): Promise<Session> {
  const { refreshTokens, settings } = context;
  await holdSession(tx, session.id, user.id);
  const counter = await levelStore.raise(tx, {
    sessionId: session.id,
    factorId,
    method,
    liftsEnd: settings.sessionAal1Seconds > 0,
    origin: caller,
  });
  const [account, raised] = [await userStore.findById(tx, user.id), await sessionStore.find(tx, session.id)];
  if (account === null || raised === null || counter === null) throw problems.sessionNotFound();
  const access = await signAccessToken(context, account.user, raised, method, tx);
  const refreshToken = refreshTokens.seal({ sessionId: raised.id, counter });
  return { id: raised.id, access, refreshToken, user: account.user };
}

/** The session as it is now, kept so until the transaction ends. @throws Problem as `raiseSession` */
export async function holdSession(tx: Queryable, sessionId: string, userId: string): Promise<SessionRow> {
  const isHeld = await levelStore.hold(tx, sessionId, userId, lockTimeoutMs).catch((error: unknown) => {
    throw isLockTimeout(error) ? problems.refreshConflict() : error;
  });
  // Read by a statement that began after the lock was had: the one that took it may have an older snapshot.
  const session = isHeld ? await sessionStore.find(tx, sessionId) : null;
  if (session === null) throw problems.sessionNotFound();
  return session;
}

/** SQLSTATE 55P03, lock_not_available. */
const isLockTimeout = (error: unknown): boolean => sqlStateOf(error) === "55P03";
