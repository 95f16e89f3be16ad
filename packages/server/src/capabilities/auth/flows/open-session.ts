import { randomUUID } from "node:crypto";
import type { Queryable } from "../../../platform/postgres/database.ts";
import type { AuthContext, Caller } from "../context.ts";
import { levelStore } from "../mfa/level-store.ts";
import { problems } from "../problems.ts";
import { noticeDevice } from "../protection/new-device.ts";
import { sessionStore } from "../session-store.ts";
import { sessionListStore } from "../sessions/store.ts";
import { type AccessToken, firstCounter, type SessionFacts, signAccessToken } from "../tokens.ts";
import type { Session, User } from "../user.ts";
import { userStore } from "../user-store.ts";

/** How the session was earned: `amr` of its tokens (Supabase docs, JWT Claims Reference). */
export type Method =
  | "password"
  | "anonymous"
  | "otp"
  | "magiclink"
  | "recovery"
  | "invite"
  | "email/signup"
  | "email_change"
  | "oauth"
  | "passkey";

export interface Opening {
  readonly caller: Caller;
  readonly method: Method;
  /** A passkey that verified the user is both factors at once; everything else begins at `aal1`. */
  readonly aal?: "aal1" | "aal2";
}

/** A session that is there; whose it is gets its access token by `signSession`. */
export interface OpenedSession extends Omit<Session, "access"> {
  /** `null` where a server of the app's must be asked first. */
  readonly access: AccessToken | null;
  readonly facts: SessionFacts;
  readonly method: Method;
}

/**
 * Opens a session for an account that has just proved itself, in `tx`. Once that is committed, `signSession` makes it whole.
 * @throws Problem `invalid_credentials` when its password was changed meanwhile
 */
export async function openSession(
  context: AuthContext,
  tx: Queryable,
  account: { readonly user: Pick<User, "id">; readonly passwordHash: string | null },
  { method, caller, aal = "aal1" }: Opening,
): Promise<OpenedSession> {
  const { refreshTokens, settings, hooks } = context;
  const id = randomUUID();
  const isOpen = await sessionStore.open(tx, {
    id,
    userId: account.user.id,
    passwordHash: account.passwordHash,
    method,
    aal,
    origin: caller,
  });
  if (!isOpen) throw problems.invalidCredentials();
  if (settings.singleSessionPerUser) {
    await sessionListStore.endRivals(tx, account.user.id, id, settings.sessionTags);
  }
  const [fresh, session] = [await userStore.findById(tx, account.user.id), await sessionStore.find(tx, id)];
  if (fresh === null || session === null) throw problems.invalidCredentials();
  const hasSecondFactor = fresh.user.factors.some((factor) => factor.status === "verified");
  if (aal === "aal1" && hasSecondFactor && settings.sessionAal1Seconds > 0) {
    await levelStore.limitLife(tx, id, settings.sessionAal1Seconds);
  }
  await noticeDevice(context, tx, fresh.user, caller);
  const access = hooks.asksOutsideForClaims ? null : await signAccessToken(context, fresh.user, session, method, tx);
  const refreshToken = refreshTokens.seal({ sessionId: id, counter: firstCounter });
  return { id, access, refreshToken, user: fresh.user, facts: session, method };
}

/**
 * Signs what was opened, after the transaction: a hook over HTTP may take seconds, and held a connection of the pool for as long,
 * until a few sign-ins at once had them all. One in the database is asked in the transaction, which its failure undoes.
 * @throws Problem the hook's; the session is over then. What opened it, a code or a new account, stays as it is.
 */
export async function signSession(context: AuthContext, opened: OpenedSession): Promise<Session> {
  const { access, facts, method, ...session } = opened;
  if (access !== null) return { ...session, access };
  try {
    return { ...session, access: await signAccessToken(context, session.user, facts, method) };
  } catch (error) {
    // Nobody has its tokens, so that one which cannot be ended now is no way in.
    await sessionStore.end(context.db, session.id).catch(() => {});
    throw error;
  }
}
