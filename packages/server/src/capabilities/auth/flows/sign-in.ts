import { Problem } from "../../../kernel/problem.ts";
import { reasonOf } from "../../../kernel/reason.ts";
import { canonicalEmail, canonicalPhone } from "../address.ts";
import type { AuthContext, Caller } from "../context.ts";
import { accountKey } from "../limits/index.ts";
import { problems } from "../problems.ts";
import { type Attempt, unlimited } from "../protection/lockout.ts";
import { noteLocked } from "../protection/note-locked.ts";
import { sessionStore } from "../session-store.ts";
import { type AddressKind, type Candidate, signInStore } from "../sign-in-store.ts";
import type { Session } from "../user.ts";
import { userStore } from "../user-store.ts";
import { openAtOnce } from "./open-at-once.ts";
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
  const { settings, passwords, db, limits } = context;
  await limits.take("signIn", caller.network);
  const { candidate, attempt } = await enter(context, addressOf(context, grant), caller);

  // A password longer than any we store is wrong, and not worth the hashing.
  const isTooLong = Buffer.byteLength(grant.password) > settings.passwordMaxBytes;
  const isMatch = isTooLong
    ? Promise.resolve(false)
    : passwords.isMatch(grant.password, candidate?.passwordHash ?? null).catch(async (error: unknown) => {
        await attempt.takenBack();
        throw error;
      });
  if (!(await isMatch) || candidate === null) {
    const userId = candidate?.userId ?? null;
    await context.audit.record(db, { action: "login_failed", userId, caller });
    await noteLocked(context, attempt, userId, caller);
    await tellOfFailure(context, userId);
    throw problems.invalidCredentials();
  }
  const refusal = refusalOf(candidate, grant);
  const session =
    (refusal === null ? await openAtOnce(context, candidate, attempt, caller) : null) ??
    (await openInSteps(context, candidate, attempt, grant.password, caller, refusal));
  const weakness = await passwords.weaknessOf(grant.password);
  return weakness === null ? session : { ...session, weakPassword: weakness };
}

/** Why a right password is not enough; `null` when it is. */
function refusalOf(candidate: Candidate, grant: PasswordGrant): Problem | null {
  if (candidate.isBanned) return problems.userBanned(400);
  if (grant.email !== "" && !candidate.isEmailConfirmed) return problems.emailNotConfirmed();
  if (grant.email === "" && !candidate.isPhoneConfirmed) return problems.phoneNotConfirmed();
  return null;
}

/** The long way to a session. @throws `refusal`, once the attempt counts as no failure any more */
async function openInSteps(
  context: AuthContext,
  candidate: Candidate,
  attempt: Attempt,
  password: string,
  caller: Caller,
  refusal: Problem | null,
): Promise<Session> {
  await attempt.succeeded();
  if (refusal !== null) throw refusal;
  const { userId } = candidate;
  await askAboutAttempt(context, userId, true);
  const passwordHash = await rehashed(context, candidate, password);
  const opened = await context.db.transaction(async (tx) => {
    await context.audit.record(tx, { action: "login", userId, caller });
    return openSession(context, tx, { user: { id: userId }, passwordHash }, { method: "password", caller });
  });
  return signSession(context, opened);
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

interface Address {
  readonly kind: AddressKind;
  /** Canonical; `null` for what is no address, and so nobody's. */
  readonly address: string | null;
  /** What attempts are counted by. */
  readonly name: string;
}

/** @throws Problem when there is not just one address, or one of a kind that is off */
function addressOf({ settings }: AuthContext, { email, phone }: PasswordGrant): Address {
  if (email !== "" && phone !== "") {
    throw problems.validationFailed("Only an email address or phone number should be provided on login.");
  }
  if (email !== "") {
    if (!settings.emailEnabled) throw problems.emailDisabled(422);
    const address = canonicalEmail(email);
    return { kind: "email", address, name: address ?? email };
  }
  if (phone !== "") {
    if (!settings.phoneEnabled) throw problems.phoneDisabled(422);
    const address = canonicalPhone(phone);
    return { kind: "phone", address, name: address ?? phone };
  }
  throw problems.validationFailed("missing email or phone");
}

/** Looks the account up and counts the attempt, in one statement. @throws Problem 429 while there is a wait */
async function enter(
  { db, lockout }: AuthContext,
  { kind, address, name }: Address,
  caller: Caller,
): Promise<{ readonly candidate: Candidate | null; readonly attempt: Attempt }> {
  const entering = lockout.entering("password", accountKey(name), caller.network);
  if (entering === null) return { candidate: await signInStore.find(db, kind, address), attempt: unlimited };
  const { candidate, entered } = await signInStore.enter(db, kind, address, entering);
  return { candidate, attempt: lockout.admit(entering, entered) };
}

/** Makes an imported or older hash anew while the password is here. @returns the hash in force */
async function rehashed(
  { passwords, db }: AuthContext,
  { userId, passwordHash: from }: Candidate,
  password: string,
): Promise<string | null> {
  if (from === null || !passwords.isOutdated(from)) return from;
  const to = await passwords.hash(password);
  if (await userStore.rehash(db, userId, from, to)) return to;
  // Somebody was faster: another sign-in that made it anew, or a change of the password.
  const fresh = await userStore.findById(db, userId);
  if (fresh === null || !(await passwords.isMatch(password, fresh.passwordHash))) throw problems.invalidCredentials();
  return fresh.passwordHash;
}
