import { randomUUID } from "node:crypto";
import type { Queryable } from "../../../platform/postgres/database.ts";
import { canonicalEmail, canonicalPhone } from "../address.ts";
import type { AuthContext, Caller } from "../context.ts";
import type { AuthSms } from "../messages.ts";
import { atLeast } from "../one-time/at-least.ts";
import { beginFlow, type Destination, mailCode, textCode } from "../one-time/issue.ts";
import { countMail, countMailTo, countSms, countSmsTo } from "../one-time/send-limits.ts";
import { oneTimeStore } from "../one-time/store.ts";
import { problems } from "../problems.ts";
import type { Fields } from "../request.ts";
import type { Session, User } from "../user.ts";
import { type Account, type NewUser, userStore } from "../user-store.ts";
import { addressFacts } from "./address-facts.ts";
import { admitUser } from "./admit-user.ts";
import { insertUser } from "./insert-user.ts";
import { openSession, signSession } from "./open-session.ts";

export interface SignUp {
  /** As sent; exactly one of the two. */
  readonly email: string;
  readonly phone: string;
  readonly password: string;
  readonly data: Fields;
  readonly channel: AuthSms["channel"];
  readonly destination: Destination;
}

/** A session, or the account alone when its address must be confirmed first. */
export type SignedUp = { readonly session: Session } | { readonly user: User };

/** GoTrue's `POST /signup`. The same work is done whether or not the address is known (threat A16). */
export async function signUp(context: AuthContext, request: SignUp, caller: Caller): Promise<SignedUp> {
  const { settings, passwords, limits } = context;
  await limits.take("signIn", caller.network);
  if (settings.disableSignup) throw problems.signupDisabled();
  const address = addressOf(context, request);
  if (address.provider === "phone" && request.destination.challenge !== null) {
    throw problems.validationFailed("PKCE not supported for phone signups");
  }
  if (request.password === "") throw problems.validationFailed("Signup requires a valid password");
  await passwords.assertStrong(request.password);
  const passwordHash = await passwords.hash(request.password);

  const isConfirmed = address.provider === "email" ? settings.mailerAutoconfirm : settings.phoneAutoconfirm;
  const newUser = await admitUser(context, caller, {
    id: randomUUID(),
    email: address.email,
    phone: address.phone,
    passwordHash,
    role: "authenticated",
    isEmailConfirmed: isConfirmed && address.provider === "email",
    isPhoneConfirmed: isConfirmed && address.provider === "phone",
    appMetadata: { provider: address.provider, providers: [address.provider] },
    userMetadata: request.data,
    isAnonymous: false,
    bannedSeconds: null,
  });
  if (isConfirmed) return signUpAtOnce(context, address, newUser, caller);
  const count = address.provider === "email" ? countMailTo : countSmsTo;
  await count(context, "sign-in", address.email ?? address.phone);
  return atLeast(settings.codeAnswerMs, () => askToConfirm(context, request, address, newUser, caller));
}

/** Where addresses confirm themselves there is nothing to hide: sign-up itself would tell. */
async function signUpAtOnce(
  context: AuthContext,
  address: Address,
  newUser: NewUser,
  caller: Caller,
): Promise<SignedUp> {
  const { db } = context;
  if ((await find(db, address)) !== null) throw problems.userAlreadyExists();
  const opened = await db.transaction(async (tx) => {
    const account = await addUser(context, tx, newUser, caller);
    if (account === null) throw problems.userAlreadyExists();
    return openSession(context, tx, account, { method: "password", caller });
  });
  return { session: await signSession(context, opened) };
}

/**
 * Sends what confirms the address, and says the same whether it was known or not. A sign-up nobody has confirmed makes room for
 * the next: whoever came first keeps no password in what the second confirms (threat A05).
 */
async function askToConfirm(
  context: AuthContext,
  request: SignUp,
  address: Address,
  newUser: NewUser,
  caller: Caller,
): Promise<SignedUp> {
  const { db } = context;
  const known = await find(db, address);
  const isSent = known === null || isUnconfirmed(known.user);
  if (address.provider === "email") await countMail(context, isSent);
  else await countSms(context, isSent, address.phone);
  return db.transaction(async (tx) => {
    const made = known === null ? await addUser(context, tx, newUser, caller) : null;
    const { user } = made ?? known ?? (await findOrRefuse(tx, address));
    const isOurs = made !== null || (isUnconfirmed(user) && (await renew(tx, user, newUser)));
    if (!isOurs) {
      await context.audit.record(tx, { action: "user_repeated_signup", userId: user.id, caller });
      return { user: lookAlike(user, newUser) };
    }
    const fresh = made?.user ?? (await userStore.findById(tx, user.id))?.user ?? user;
    await sendConfirmation(context, tx, request, address, fresh);
    return { user: (await userStore.findById(tx, user.id))?.user ?? fresh };
  });
}

/** @returns `null` when the address was taken meanwhile */
async function addUser(context: AuthContext, tx: Queryable, newUser: NewUser, caller: Caller): Promise<Account | null> {
  if (!(await insertUser(context, tx, caller, newUser))) return null;
  await context.audit.record(tx, { action: "user_signedup", userId: newUser.id, caller });
  return userStore.findById(tx, newUser.id);
}

const isUnconfirmed = (user: User): boolean => user.confirmedAt === null && user.lastSignInAt === null;

/** Puts this sign-up in the place of an earlier one. @returns false when that was confirmed meanwhile */
function renew(tx: Queryable, user: User, newUser: NewUser): Promise<boolean> {
  const userMetadata = { ...newUser.userMetadata, ...addressFacts({ ...newUser, id: user.id }) };
  return oneTimeStore.resetUnconfirmed(tx, user.id, { passwordHash: newUser.passwordHash ?? "", userMetadata });
}

async function sendConfirmation(
  context: AuthContext,
  tx: Queryable,
  request: SignUp,
  address: Address,
  user: User,
): Promise<void> {
  const { channel, destination } = request;
  if (address.provider === "phone") {
    await textCode(context, tx, { user, purpose: "sms", to: address.phone, channel, keepsPassword: true });
    return;
  }
  const issue = {
    user,
    purpose: "signup",
    address: address.email,
    redirectTo: destination.redirectTo,
    flowStateId: await beginFlow(tx, user, destination, "email/signup"),
    keepsPassword: true,
  } as const;
  await mailCode(context, tx, issue, { kind: "confirmation", mark: "confirmation", to: user.email });
}

type Address =
  | { readonly provider: "email"; readonly email: string; readonly phone: null }
  | { readonly provider: "phone"; readonly email: null; readonly phone: string };

function addressOf({ settings }: AuthContext, request: SignUp): Address {
  if (request.email !== "" && request.phone !== "") {
    throw problems.validationFailed("Only an email address or phone number should be provided on signup.");
  }
  if (request.email !== "") {
    if (!settings.emailEnabled) throw problems.emailDisabled(400);
    const email = canonicalEmail(request.email);
    if (email === null) throw problems.validationFailed("Unable to validate email address: invalid format");
    return { provider: "email", email, phone: null };
  }
  if (!settings.phoneEnabled) throw problems.phoneDisabled(400);
  const phone = canonicalPhone(request.phone);
  if (phone === null) throw problems.validationFailed("Invalid phone number format (E.164 required)");
  return { provider: "phone", email: null, phone };
}

const find = (db: Queryable, address: Address): Promise<Account | null> =>
  address.provider === "email" ? userStore.findByEmail(db, address.email) : userStore.findByPhone(db, address.phone);

async function findOrRefuse(tx: Queryable, address: Address): Promise<Account> {
  const account = await find(tx, address);
  // A row that is in the way but not to be found is one of another kind: SSO, or deleted.
  if (account === null) throw problems.userAlreadyExists();
  return account;
}

/** What a stranger gets for an address that is somebody's: an account that looks new and is nothing (threat A16). */
function lookAlike(known: User, newUser: NewUser): User {
  const now = new Date().toISOString().replace("Z", "000Z");
  return {
    ...known,
    id: newUser.id,
    role: "",
    email: newUser.email ?? "",
    phone: newUser.phone ?? "",
    emailConfirmedAt: null,
    phoneConfirmedAt: null,
    confirmedAt: null,
    lastSignInAt: null,
    invitedAt: null,
    confirmationSentAt: now,
    recoverySentAt: null,
    emailChange: "",
    emailChangeSentAt: null,
    phoneChange: "",
    phoneChangeSentAt: null,
    reauthenticationSentAt: null,
    bannedUntil: null,
    appMetadata: newUser.appMetadata,
    userMetadata: { ...newUser.userMetadata, ...addressFacts(newUser) },
    identities: [],
    factors: [],
    createdAt: now,
    updatedAt: now,
  };
}
