import { Problem } from "../../../kernel/problem.ts";
import { reasonOf } from "../../../kernel/reason.ts";
import { canonicalEmail, canonicalPhone } from "../address.ts";
import type { AuthContext, Caller } from "../context.ts";
import { accountKey } from "../limits/index.ts";
import { problems } from "../problems.ts";
import { noteLocked } from "../protection/note-locked.ts";
import { sessionStore } from "../session-store.ts";
import type { Session } from "../user.ts";
import { type Account, userStore } from "../user-store.ts";
import { openSession, signSession } from "./open-session.ts";

export interface PasswordGrant {
  readonly email: string;
  readonly phone: string;
  readonly password: string;
}

/**
 * GoTrue's `POST /token?grant_type=password`. Whoever does not know the password learns one thing only, that the pair
 * is wrong: ban and confirmation are told to those who know it (threat A16).
 */
export async function signInWithPassword(context: AuthContext, grant: PasswordGrant, caller: Caller): Promise<Session> {
  const { settings, passwords, db, limits, lockout } = context;
  await limits.take("signIn", caller.network);
  const { name, account } = await lookUp(context, grant);
  const attempt = await lockout.enter("password", accountKey(name), caller.network);

  // A password longer than any we store is wrong, and not worth the hashing.
  const isTooLong = Buffer.byteLength(grant.password) > settings.passwordMaxBytes;
  const isMatch = isTooLong
    ? Promise.resolve(false)
    : passwords.isMatch(grant.password, account?.passwordHash ?? null).catch(async (error: unknown) => {
        await attempt.takenBack();
        throw error;
      });
  if (!(await isMatch) || account === null) {
    const userId = account?.user.id ?? null;
    await context.audit.record(db, { action: "login_failed", userId, caller });
    await noteLocked(context, attempt, userId, caller);
    await tellOfFailure(context, account?.user.id ?? null);
    throw problems.invalidCredentials();
  }
  await attempt.succeeded();
  const { user } = account;
  if (user.isBanned) throw problems.userBanned(400);
  if (grant.email !== "" && user.emailConfirmedAt === null) throw problems.emailNotConfirmed();
  if (grant.email === "" && user.phoneConfirmedAt === null) throw problems.phoneNotConfirmed();

  await askAboutAttempt(context, user.id, true);
  const verified = await rehashed(context, account, grant.password);
  const opened = await db.transaction(async (tx) => {
    await context.audit.record(tx, { action: "login", userId: user.id, caller });
    return openSession(context, tx, verified, { method: "password", caller });
  });
  const session = await signSession(context, opened);

  const weakness = await passwords.weaknessOf(grant.password);
  return weakness === null ? session : { ...session, weakPassword: weakness };
}

/** @throws Problem `invalid_credentials` in the words of the app's hook, when it rejects the attempt */
async function askAboutAttempt({ hooks, db }: AuthContext, userId: string | null, isValid: boolean): Promise<void> {
  const { rejectedBecause, endsSessions } = await hooks.onPasswordAttempt(userId, isValid);
  if (endsSessions && userId !== null) await sessionStore.endAll(db, userId);
  if (rejectedBecause !== null) throw problems.rejectedByHook(rejectedBecause);
}

/** The password was wrong, so a hook that is away changes nothing: its failure would tell which accounts there are (threat A16). */
async function tellOfFailure(context: AuthContext, userId: string | null): Promise<void> {
  try {
    await askAboutAttempt(context, userId, false);
  } catch (error) {
    if (error instanceof Problem && error.status < 500) throw error;
    const reason = reasonOf(error);
    context.observe({ kind: "warning", area: "auth", message: `The hook password-verification failed: ${reason}` });
  }
}

async function lookUp(
  { settings, db }: AuthContext,
  grant: PasswordGrant,
): Promise<{ name: string; account: Account | null }> {
  if (grant.email !== "" && grant.phone !== "") {
    throw problems.validationFailed("Only an email address or phone number should be provided on login.");
  }
  if (grant.email !== "") {
    if (!settings.emailEnabled) throw problems.emailDisabled(422);
    const email = canonicalEmail(grant.email);
    return { name: email ?? grant.email, account: email === null ? null : await userStore.findByEmail(db, email) };
  }
  if (grant.phone !== "") {
    if (!settings.phoneEnabled) throw problems.phoneDisabled(422);
    const phone = canonicalPhone(grant.phone);
    return { name: phone ?? grant.phone, account: phone === null ? null : await userStore.findByPhone(db, phone) };
  }
  throw problems.validationFailed("missing email or phone");
}

/** Makes an imported or older hash anew while the password is here. */
async function rehashed({ passwords, db }: AuthContext, account: Account, password: string): Promise<Account> {
  const from = account.passwordHash;
  if (from === null || !passwords.isOutdated(from)) return account;
  const to = await passwords.hash(password);
  if (await userStore.rehash(db, account.user.id, from, to)) return { ...account, passwordHash: to };
  // Somebody was faster: another sign-in that made it anew, or a change of the password.
  const fresh = await userStore.findById(db, account.user.id);
  if (fresh === null || !(await passwords.isMatch(password, fresh.passwordHash))) throw problems.invalidCredentials();
  return fresh;
}
