import type { Queryable } from "../../../platform/postgres/database.ts";
import { canonicalEmail } from "../address.ts";
import type { AuthContext, Caller } from "../context.ts";
import { storePatch } from "../flows/store-patch.ts";
import { problems } from "../problems.ts";
import type { Fields } from "../request.ts";
import type { User } from "../user.ts";
import { userStore } from "../user-store.ts";
import { admitInvitee, type Invitee, invitee, inviteeOf } from "./invite.ts";
import { addressOf, issueLink } from "./issue.ts";
import { mailLink } from "./links.ts";
import { linkTypeOf, type Purpose } from "./purposes.ts";
import { oneTimeStore, type SentMark } from "./store.ts";

export interface LinkRequest {
  readonly type: string;
  readonly email: string;
  readonly newEmail: string;
  readonly password: string;
  readonly data: Fields | null;
  readonly redirectTo: string;
}

export interface GeneratedLink {
  readonly user: User;
  readonly actionLink: string;
  readonly otp: string;
  readonly token: string;
  readonly type: string;
  readonly redirectTo: string;
}

interface Target {
  readonly user: User;
  readonly purpose: Purpose;
  readonly address: string;
  readonly mark: SentMark;
  readonly keepsPassword: boolean;
}

/** What may be about somebody who has no account yet. */
const signUpTypes: readonly string[] = ["signup", "invite", "magiclink"];

/** GoTrue's `POST /admin/generate_link`: what would have been mailed, for apps that write their own mails. Nothing is sent. */
export async function generateLink(context: AuthContext, request: LinkRequest, caller: Caller): Promise<GeneratedLink> {
  const email = emailOf(request.email);
  const passwordHash = await hashOf(context, request, email);
  const somebody = inviteeOf(email, request.data ?? {}, passwordHash);
  const newUser = signUpTypes.includes(request.type) ? await admitInvitee(context, somebody, caller) : somebody;
  return context.db.transaction(async (tx) => {
    const target = await targetOf(context, tx, request, newUser, caller);
    const { otp, token } = await issueLink(context, tx, {
      ...target,
      redirectTo: request.redirectTo,
      flowStateId: null,
    });
    await oneTimeStore.markSent(tx, target.user.id, target.mark);
    await context.audit.record(tx, {
      action: target.purpose === "invite" ? "user_invited" : "user_recovery_requested",
      userId: target.user.id,
      actor: "service_role",
      caller,
      traits: { link: target.purpose },
    });
    const { redirectTo } = request;
    return {
      user: (await userStore.findById(tx, target.user.id))?.user ?? target.user,
      actionLink: mailLink(context.settings, { token, type: linkTypeOf(target.purpose), redirectTo }),
      otp,
      token,
      type: target.purpose,
      redirectTo,
    };
  });
}

async function targetOf(
  context: AuthContext,
  tx: Queryable,
  request: LinkRequest,
  newUser: Invitee,
  caller: Caller,
): Promise<Target> {
  const known = (await userStore.findByEmail(tx, newUser.email))?.user ?? null;
  switch (request.type) {
    case "magiclink":
    case "recovery": {
      if (known === null && request.type === "recovery") throw problems.userNotFound();
      // A link for somebody new signs them up, as GoTrue has it.
      if (known === null) return signUp(context, tx, request, newUser, caller);
      return { user: known, purpose: request.type, address: addressOf(known), mark: "recovery", keepsPassword: false };
    }
    case "signup":
      return signUp(context, tx, request, newUser, caller);
    case "invite": {
      const user = await invitee(context, tx, newUser, caller);
      return { user, purpose: "invite", address: addressOf(user), mark: "invite", keepsPassword: false };
    }
    case "email_change_current":
    case "email_change_new":
      if (known === null) throw problems.userNotFound();
      return changeEmail(context, tx, request.type, known, emailOf(request.newEmail));
    default:
      throw problems.validationFailed(`Invalid email action link type requested: ${request.type.slice(0, 32)}`);
  }
}

async function signUp(
  context: AuthContext,
  tx: Queryable,
  request: LinkRequest,
  newUser: Invitee,
  caller: Caller,
): Promise<Target> {
  const user = await invitee(context, tx, newUser, caller);
  const { passwordHash } = newUser;
  // An account that was there keeps what a stranger gave it only until somebody proves the address, unless it is given anew here.
  const keepsPassword = passwordHash !== null;
  if (keepsPassword || request.data !== null) {
    const patch = {
      ...(passwordHash === null ? {} : { passwordHash }),
      ...(request.data === null ? {} : { userMetadata: request.data }),
    };
    await storePatch(tx, context.settings, user, patch);
  }
  return { user, purpose: "signup", address: addressOf(user), mark: "confirmation", keepsPassword };
}

async function changeEmail(
  context: AuthContext,
  tx: Queryable,
  purpose: "email_change_current" | "email_change_new",
  user: User,
  newEmail: string,
): Promise<Target> {
  if (purpose === "email_change_current" && !context.settings.mailerSecureEmailChange) {
    throw problems.validationFailed("Enable secure email change to generate link for current email");
  }
  if ((await userStore.findByEmail(tx, newEmail)) !== null) throw problems.emailExists();
  // The two are asked for one by one: the second goes on with the first's change.
  if (user.emailChange !== newEmail) {
    await oneTimeStore.beginEmailChange(tx, user.id);
    await userStore.update(tx, user.id, { emailChange: newEmail });
  }
  const address = purpose === "email_change_current" ? addressOf(user) : newEmail;
  return { user, purpose, address, mark: "email_change", keepsPassword: true };
}

/** Hashed before the transaction, which must not wait for it. A sign-up of somebody new needs a password. */
async function hashOf(
  { passwords, db }: AuthContext,
  { type, password }: LinkRequest,
  email: string,
): Promise<string | null> {
  if (type !== "signup") return null;
  if (password === "") {
    if ((await userStore.findByEmail(db, email)) !== null) return null;
    throw problems.validationFailed("Signup requires a valid password");
  }
  await passwords.assertStrong(password);
  return passwords.hash(password);
}

function emailOf(given: string): string {
  const email = canonicalEmail(given);
  if (email === null) throw problems.validationFailed("Unable to validate email address: invalid format");
  return email;
}
