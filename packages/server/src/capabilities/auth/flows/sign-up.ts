import { randomUUID } from "node:crypto";
import type { Queryable } from "../../../platform/postgres/database.ts";
import { canonicalEmail, canonicalPhone } from "../address.ts";
import type { AuthContext, Caller } from "../context.ts";
import { problems } from "../problems.ts";
import type { Fields } from "../request.ts";
import type { Session, User } from "../user.ts";
import { type Account, userStore } from "../user-store.ts";
import { admitUser } from "./admit-user.ts";
import { insertUser } from "./insert-user.ts";
import { openSession } from "./open-session.ts";

export interface SignUp {
  /** As sent; exactly one of the two. */
  readonly email: string;
  readonly phone: string;
  readonly password: string;
  readonly data: Fields;
}

/** A session, or the account alone when its address must be confirmed first. */
export type SignedUp = { readonly session: Session } | { readonly user: User };

/** GoTrue's `POST /signup`. The same work is done whether or not the address is known (threat A16). */
export async function signUp(context: AuthContext, request: SignUp, caller: Caller): Promise<SignedUp> {
  const { settings, passwords, db, limits } = context;
  await limits.take("signIn", caller.network);
  if (settings.disableSignup) throw problems.signupDisabled();
  const address = addressOf(context, request);
  if (request.password === "") throw problems.validationFailed("Signup requires a valid password");
  await passwords.assertStrong(request.password);
  const passwordHash = await passwords.hash(request.password);

  const isConfirmed = address.provider === "email" ? settings.mailerAutoconfirm : settings.phoneAutoconfirm;
  const id = randomUUID();
  const user = await admitUser(context, caller, {
    id,
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
  const known = await find(db, address);
  if (known !== null) return answerForKnown(known, isConfirmed, request, address);

  return db.transaction(async (tx) => {
    const isNew = await insertUser(context, tx, caller, user);
    if (!isNew) return answerForKnown(await findOrRefuse(tx, address), isConfirmed, request, address);
    await context.audit.record(tx, { action: "user_signedup", userId: id, caller });
    const account = await userStore.findById(tx, id);
    if (account === null) throw problems.userNotFound();
    return isConfirmed
      ? { session: await openSession(context, tx, account, { method: "password", caller }) }
      : { user: account.user };
  });
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

/**
 * Where addresses confirm themselves there is nothing to hide: sign-up itself would tell. Where they are confirmed by mail,
 * a stranger gets an account that looks new and is nothing.
 */
function answerForKnown(known: Account, isConfirmed: boolean, request: SignUp, address: Address): SignedUp {
  if (isConfirmed) throw problems.userAlreadyExists();
  const now = new Date().toISOString();
  const isReal = known.user.confirmedAt === null && known.user.lastSignInAt === null;
  if (isReal) return { user: known.user };
  return {
    user: {
      ...known.user,
      id: randomUUID(),
      role: "",
      email: address.email ?? "",
      phone: address.phone ?? "",
      emailConfirmedAt: null,
      phoneConfirmedAt: null,
      confirmedAt: null,
      lastSignInAt: null,
      invitedAt: null,
      confirmationSentAt: null,
      recoverySentAt: null,
      emailChange: "",
      emailChangeSentAt: null,
      phoneChange: "",
      phoneChangeSentAt: null,
      reauthenticationSentAt: null,
      bannedUntil: null,
      appMetadata: { provider: address.provider, providers: [address.provider] },
      userMetadata: request.data,
      identities: [],
      factors: [],
      createdAt: now,
      updatedAt: now,
    },
  };
}
