import type { Queryable } from "../../../platform/postgres/database.ts";
import { canonicalEmail, canonicalPhone } from "../address.ts";
import type { AuthContext, Caller } from "../context.ts";
import type { AuthSms } from "../messages.ts";
import { type Destination, textCode } from "../one-time/issue.ts";
import { tellChange } from "../one-time/notice.ts";
import { takeNonce } from "../one-time/reauthenticate.ts";
import { mailEmailChange, needsCurrent } from "../one-time/send-change.ts";
import { countMail, countMailTo, countSms, countSmsTo } from "../one-time/send-limits.ts";
import { oneTimeStore } from "../one-time/store.ts";
import { problems } from "../problems.ts";
import type { Fields } from "../request.ts";
import { sessionStore } from "../session-store.ts";
import type { User } from "../user.ts";
import { type UserPatch, userStore } from "../user-store.ts";
import type { CurrentUser } from "./current-user.ts";
import { isPasswordOf } from "./is-password-of.ts";
import { storePatch } from "./store-patch.ts";

export interface UserUpdate {
  readonly email: string;
  readonly phone: string;
  readonly password: string;
  readonly currentPassword: string;
  readonly nonce: string;
  readonly data: Fields | null;
  readonly channel: AuthSms["channel"];
  /** Where the link to confirm a new address leads. */
  readonly destination: Destination;
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
  const { db, settings } = context;
  const { user, session } = current;
  const email = await newEmail(context, user, update.email);
  const phone = await newPhone(context, user, update.phone);
  const isSensitive = update.password !== "" || email !== null || phone !== null;
  const hasSecondFactor = user.factors.some((factor) => factor.status === "verified");
  if (isSensitive && hasSecondFactor && session?.aal !== "aal2") throw problems.insufficientAal();
  const passwordHash =
    update.password === "" ? null : await newPasswordHash(context, current, update, email ?? phone, caller);
  // Last of all that can be wrong: a nonce is for one try.
  if (passwordHash !== null && needsNonce(context, current, update))
    await takeNonce(context, user, update.nonce, caller);

  const patch: UserPatch = {
    ...(update.data === null ? {} : { userMetadata: update.data }),
    ...(passwordHash === null ? {} : { passwordHash }),
    ...addressPatch(context, email, phone),
  };
  const waiting = {
    email: settings.mailerAutoconfirm ? null : email,
    phone: settings.phoneAutoconfirm ? null : phone,
  };
  await countMessages(context, user, waiting);
  await db.transaction(async (tx) => {
    // Before the user's row is touched: whoever confirms takes the two in this order too.
    await askToConfirm(context, tx, user, waiting, update);
    await storePatch(tx, settings, user, patch);
    if (email !== null && waiting.email === null) {
      await tellChange(context, tx, user, { kind: "email_changed", newEmail: email });
    }
    if (phone !== null && waiting.phone === null) {
      await tellChange(context, tx, user, { kind: "phone_changed", newPhone: phone });
    }
    const changed = Object.keys(patch).filter((name) => name !== "passwordHash");
    if (changed.length > 0) {
      const traits = { changed: changed.join(",") };
      await context.audit.record(tx, { action: "user_modified", userId: user.id, caller, traits });
    }
    if (passwordHash === null) return;
    await tellChange(context, tx, user, { kind: "password_changed" });
    await sessionStore.endAll(tx, user.id, session?.id ?? null);
    await context.audit.record(tx, { action: "user_updated_password", userId: user.id, caller });
  });
  const fresh = await userStore.findById(db, user.id);
  if (fresh === null) throw problems.userOfTokenNotFound();
  return fresh.user;
}

interface Waiting {
  readonly email: string | null;
  readonly phone: string | null;
}

async function countMessages(context: AuthContext, user: User, { email, phone }: Waiting): Promise<void> {
  if (email !== null) {
    await countMailTo(context, "change", email);
    await countMail(context, true);
    if (needsCurrent(context, user)) await countMail(context, true);
  }
  if (phone !== null) {
    await countSmsTo(context, "change", phone);
    await countSms(context, true, phone);
  }
}

/** Sends what confirms a new address or number. */
async function askToConfirm(
  context: AuthContext,
  tx: Queryable,
  user: User,
  { email, phone }: Waiting,
  { destination, channel }: UserUpdate,
): Promise<void> {
  if (email !== null) {
    await oneTimeStore.beginEmailChange(tx, user.id);
    await mailEmailChange(context, tx, user, email, destination);
  }
  if (phone !== null) await textCode(context, tx, { user, purpose: "phone_change", to: phone, channel });
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

/** Neither the current password nor a recent sign-in shows who it is. */
function needsNonce({ settings }: AuthContext, current: CurrentUser, update: UserUpdate): boolean {
  const { session, passwordHash } = current;
  const isRecent = session !== null && session.ageSeconds <= recentSeconds;
  return settings.passwordReauthentication && passwordHash !== null && update.currentPassword === "" && !isRecent;
}

async function newPasswordHash(
  context: AuthContext,
  current: CurrentUser,
  update: UserUpdate,
  newAddress: string | null,
  caller: Caller,
): Promise<string> {
  const { settings, passwords } = context;
  const { user, passwordHash } = current;
  if (user.isAnonymous && user.email === "" && user.phone === "" && newAddress === null) {
    throw problems.validationFailed("Updating password of an anonymous user without an email or phone is not allowed");
  }
  if (passwordHash !== null) {
    if (update.currentPassword !== "") {
      const isRight = await isPasswordOf(context, current, update.currentPassword, caller);
      if (!isRight) throw problems.currentPasswordInvalid();
    } else if (settings.passwordCurrentRequired) {
      throw problems.currentPasswordRequired();
    } else if (needsNonce(context, current, update) && update.nonce === "") {
      throw problems.reauthenticationNeeded();
    }
  }
  await passwords.assertStrong(update.password);
  if (passwordHash !== null && (await passwords.isMatch(update.password, passwordHash))) throw problems.samePassword();
  return passwords.hash(update.password);
}
