import { randomUUID } from "node:crypto";
import type { Queryable } from "../../../platform/postgres/database.ts";
import { canonicalEmail } from "../address.ts";
import type { AuthContext, Caller } from "../context.ts";
import { admitUser } from "../flows/admit-user.ts";
import { insertUser } from "../flows/insert-user.ts";
import { problems } from "../problems.ts";
import type { Fields } from "../request.ts";
import type { User } from "../user.ts";
import { type NewUser, userStore } from "../user-store.ts";
import { addressOf, mailCode } from "./issue.ts";
import { countMail } from "./send-limits.ts";

/** GoTrue's `POST /invite`, for admins. Whoever takes it up has a session and no password yet. @throws Problem 422 `email_exists` */
export async function invite(
  context: AuthContext,
  request: { readonly email: string; readonly data: Fields; readonly redirectTo: string },
  caller: Caller,
): Promise<User> {
  const { db } = context;
  const email = canonicalEmail(request.email);
  if (email === null) throw problems.validationFailed("Unable to validate email address: invalid format");
  await countMail(context, true);
  const newUser = await admitInvitee(context, inviteeOf(email, request.data), caller);
  return db.transaction(async (tx) => {
    const user = await invitee(context, tx, newUser, caller);
    const issue = {
      user,
      purpose: "invite",
      address: addressOf(user),
      redirectTo: request.redirectTo,
      flowStateId: null,
      keepsPassword: false,
    } as const;
    await mailCode(context, tx, issue, { kind: "invite", mark: "invite", to: user.email });
    await context.audit.record(tx, { action: "user_invited", userId: user.id, actor: "service_role", caller });
    return (await userStore.findById(tx, user.id))?.user ?? user;
  });
}

/** Somebody who is known by the address alone. */
export type Invitee = NewUser & { readonly email: string };

export const inviteeOf = (email: string, data: Fields, passwordHash: string | null = null): Invitee => ({
  id: randomUUID(),
  email,
  phone: null,
  passwordHash,
  role: "authenticated",
  isEmailConfirmed: false,
  isPhoneConfirmed: false,
  appMetadata: { provider: "email", providers: ["email"] },
  userMetadata: data,
  isAnonymous: false,
  bannedSeconds: null,
});

/**
 * Asks the app's hook about somebody whose address nobody has: before a transaction is open, which would hold a connection for as
 * long as the hook takes. @throws Problem the hook's refusal
 */
export async function admitInvitee(context: AuthContext, somebody: Invitee, caller: Caller): Promise<Invitee> {
  if ((await userStore.findByEmail(context.db, somebody.email)) !== null) return somebody;
  return { ...(await admitUser(context, caller, somebody)), email: somebody.email };
}

/** The account of an address nobody has confirmed, made when there is none. @throws Problem 422 `email_exists` */
export async function invitee(context: AuthContext, tx: Queryable, newUser: Invitee, caller: Caller): Promise<User> {
  const known = await userStore.findByEmail(tx, newUser.email);
  if (known !== null) {
    if (known.user.emailConfirmedAt !== null) throw problems.emailExists();
    return known.user;
  }
  const isNew = await insertUser(context, tx, caller, newUser);
  const made = isNew ? await userStore.findById(tx, newUser.id) : null;
  if (made === null) throw problems.emailExists();
  return made.user;
}
