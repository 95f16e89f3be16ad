import { randomUUID } from "node:crypto";
import type { Queryable } from "../../../platform/postgres/database.ts";
import type { AuthContext, Caller } from "../context.ts";
import { levelStore } from "../mfa/level-store.ts";
import { problems } from "../problems.ts";
import { noticeDevice } from "../protection/new-device.ts";
import { sessionStore } from "../session-store.ts";
import { sessionListStore } from "../sessions/store.ts";
import { firstCounter, signAccessToken } from "../tokens.ts";
import type { Session } from "../user.ts";
import { type Account, userStore } from "../user-store.ts";

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

/**
 * Opens a session for an account that has just proved itself, in `tx`.
 * @throws Problem `invalid_credentials` when its password was changed meanwhile
 */
export async function openSession(
  context: AuthContext,
  tx: Queryable,
  account: Account,
  { method, caller, aal = "aal1" }: Opening,
): Promise<Session> {
  const { refreshTokens, settings } = context;
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
  const access = await signAccessToken(context, fresh.user, session, method, tx);
  return { id, access, refreshToken: refreshTokens.seal({ sessionId: id, counter: firstCounter }), user: fresh.user };
}
