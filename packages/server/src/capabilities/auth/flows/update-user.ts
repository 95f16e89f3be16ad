import { canonicalEmail, canonicalPhone } from "../address.ts";
import type { AuthContext, Caller } from "../context.ts";
import { problems } from "../problems.ts";
import type { Fields } from "../request.ts";
import { sessionStore } from "../session-store.ts";
import type { User } from "../user.ts";
import { type UserPatch, userStore } from "../user-store.ts";
import type { CurrentUser } from "./current-user.ts";
import { storePatch } from "./store-patch.ts";

export interface UserUpdate {
  readonly email: string;
  readonly phone: string;
  readonly password: string;
  readonly currentPassword: string;
  readonly nonce: string;
  readonly data: Fields | null;
}

/** A session younger than this may change the password without proving itself again. */
const recentSeconds = 24 * 3_600;

/** GoTrue's `PUT /user`: what users may change of themselves. A new password ends every other session (threat A22). */
export async function updateUser(
  context: AuthContext,
  current: CurrentUser,
  update: UserUpdate,
  caller: Caller,
): Promise<User> {
  const { db } = context;
  const { user, session } = current;
  const email = await newEmail(context, user, update.email);
  const phone = await newPhone(context, user, update.phone);
  const isSensitive = update.password !== "" || email !== null || phone !== null;
  const hasSecondFactor = user.factors.some((factor) => factor.status === "verified");
  if (isSensitive && hasSecondFactor && session?.aal !== "aal2") throw problems.insufficientAal();
  const passwordHash = update.password === "" ? null : await newPasswordHash(context, current, update, email ?? phone);

  const patch: UserPatch = {
    ...(update.data === null ? {} : { userMetadata: update.data }),
    ...(passwordHash === null ? {} : { passwordHash }),
    ...addressPatch(context, email, phone),
  };
  await db.transaction(async (tx) => {
    await storePatch(tx, context.settings, user, patch);
    if (passwordHash === null) return;
    await sessionStore.endAll(tx, user.id, session?.id ?? null);
    await context.audit.record(tx, { action: "user_updated_password", userId: user.id, caller });
  });
  const fresh = await userStore.findById(db, user.id);
  if (fresh === null) throw problems.userOfTokenNotFound();
  return fresh.user;
}

/** The canonical new address; `null` when it stays. */
async function newEmail({ db }: AuthContext, user: User, given: string): Promise<string | null> {
  if (given === "") return null;
  const email = canonicalEmail(given);
  if (email === null) throw problems.validationFailed("Unable to validate email address: invalid format");
  if (email === user.email.toLowerCase()) return null;
  if ((await userStore.findByEmail(db, email)) !== null) throw problems.emailExists();
  return email;
}

async function newPhone({ db }: AuthContext, user: User, given: string): Promise<string | null> {
  if (given === "") return null;
  const phone = canonicalPhone(given);
  if (phone === null) throw problems.validationFailed("Invalid phone number format (E.164 required)");
  if (phone === user.phone) return null;
  if ((await userStore.findByPhone(db, phone)) !== null) throw problems.phoneExists();
  return phone;
}

/** Where addresses confirm themselves the new one counts at once; else it waits, shown as `new_email`, until it is verified. */
function addressPatch({ settings }: AuthContext, email: string | null, phone: string | null): UserPatch {
  return {
    ...(email === null
      ? {}
      : settings.mailerAutoconfirm
        ? { email, emailChange: "", isEmailConfirmed: true, isAnonymous: false }
        : { emailChange: email }),
    ...(phone === null
      ? {}
      : settings.phoneAutoconfirm
        ? { phone, phoneChange: "", isPhoneConfirmed: true, isAnonymous: false }
        : { phoneChange: phone }),
  };
}

async function newPasswordHash(
  { settings, passwords }: AuthContext,
  current: CurrentUser,
  update: UserUpdate,
  newAddress: string | null,
): Promise<string> {
  const { user, session, passwordHash } = current;
  if (user.isAnonymous && user.email === "" && user.phone === "" && newAddress === null) {
    throw problems.validationFailed("Updating password of an anonymous user without an email or phone is not allowed");
  }
  if (passwordHash !== null) {
    if (update.currentPassword !== "") {
      const isRight = await passwords.isMatch(update.currentPassword, passwordHash);
      if (!isRight) throw problems.currentPasswordInvalid();
    } else if (settings.passwordCurrentRequired) {
      throw problems.currentPasswordRequired();
    } else if (settings.passwordReauthentication && (session === null || session.ageSeconds > recentSeconds)) {
      if (update.nonce === "") throw problems.reauthenticationNeeded();
      throw problems.reauthenticationNotValid();
    }
  }
  await passwords.assertStrong(update.password);
  if (passwordHash !== null && (await passwords.isMatch(update.password, passwordHash))) throw problems.samePassword();
  return passwords.hash(update.password);
}
