import { randomUUID } from "node:crypto";
import type { Queryable } from "../../../platform/postgres/database.ts";
import type { AuthContext, Caller } from "../context.ts";
import { problems } from "../problems.ts";
import { sessionStore } from "../session-store.ts";
import { signAccessToken } from "../tokens.ts";
import type { Session } from "../user.ts";
import { type Account, userStore } from "../user-store.ts";

/** How the session was earned: `amr` of its tokens. */
export type Method = "password" | "anonymous";

/**
 * Opens a session for an account that has just proved itself, in `tx`.
 * @throws Problem `invalid_credentials` when its password was changed meanwhile
 */
export async function openSession(
  context: AuthContext,
  tx: Queryable,
  account: Account,
  method: Method,
  caller: Caller,
): Promise<Session> {
  const { refreshTokens, settings } = context;
  const id = randomUUID();
  const refreshToken = refreshTokens.create();
  const isOpen = await sessionStore.open(tx, {
    id,
    userId: account.user.id,
    passwordHash: account.passwordHash,
    method,
    storedToken: refreshTokens.stored(refreshToken),
    origin: caller,
  });
  if (!isOpen) throw problems.invalidCredentials();
  if (settings.singleSessionPerUser) await sessionStore.endAll(tx, account.user.id, id);
  const [fresh, session] = [await userStore.findById(tx, account.user.id), await sessionStore.find(tx, id)];
  if (fresh === null || session === null) throw problems.invalidCredentials();
  const access = signAccessToken({ ...context, nowMs: context.clock.nowMs() }, fresh.user, session);
  return { id, access, refreshToken, user: fresh.user };
}
