import type { AuthContext, Caller } from "../context.ts";
import { accountKey } from "../limits/index.ts";
import { noteLocked } from "../protection/note-locked.ts";
import type { CurrentUser } from "./current-user.ts";

/**
 * Whether somebody who holds a session knows the account's password too. Another place to guess one at, so it counts as at sign-in
 * and together with it (threat A12). @throws Problem 429 `over_request_rate_limit` while there is a wait
 */
export async function isPasswordOf(
  context: AuthContext,
  { user, passwordHash }: CurrentUser,
  password: string,
  caller: Caller,
): Promise<boolean> {
  const { lockout, passwords, settings } = context;
  const attempt = await lockout.enter("password", accountKey(user.email || user.phone || user.id), caller.network);
  const isTooLong = Buffer.byteLength(password) > settings.passwordMaxBytes;
  const isMatch =
    !isTooLong &&
    (await passwords.isMatch(password, passwordHash).catch(async (error: unknown) => {
      await attempt.takenBack();
      throw error;
    }));
  if (isMatch) {
    await attempt.succeeded();
    return true;
  }
  await context.audit.record(context.db, { action: "login_failed", userId: user.id, caller });
  await noteLocked(context, attempt, user.id, caller);
  return false;
}
