import { randomUUID } from "node:crypto";
import type { Queryable } from "../../../platform/postgres/database.ts";
import { canonicalEmail, canonicalPhone } from "../address.ts";
import type { AuthContext, Caller } from "../context.ts";
import { admitUser } from "../flows/admit-user.ts";
import { insertUser } from "../flows/insert-user.ts";
import type { AuthSms } from "../messages.ts";
import { problems } from "../problems.ts";
import type { Fields } from "../request.ts";
import { type Account, type NewUser, userStore } from "../user-store.ts";
import { atLeast } from "./at-least.ts";
import { addressOf, beginFlow, type Destination, mailCode, textCode } from "./issue.ts";
import { oneTimeProblems } from "./problems.ts";
import { countMail, countMailTo, countSms, countSmsTo } from "./send-limits.ts";

export interface OtpRequest {
  readonly createsUser: boolean;
  /** Metadata of a new account; one that is there keeps its own. */
  readonly data: Fields;
  readonly destination: Destination;
}

/**
 * GoTrue's `POST /otp` with an address, and `/magiclink`. That nobody has the address is told only to whoever asked for no account to be
 * made, as the protocol has it (auth.md §7.1): an app that minds leaves `create_user` on, and then every address is answered alike.
 */
export async function mailOtp(
  context: AuthContext,
  request: OtpRequest & { readonly email: string },
  caller: Caller,
): Promise<void> {
  const { settings, limits, db } = context;
  await limits.take("otp", caller.network);
  if (!settings.emailEnabled) throw problems.emailDisabled(422);
  const email = canonicalEmail(request.email);
  if (email === null) throw problems.validationFailed("Unable to validate email address: invalid format");
  await countMailTo(context, "sign-in", email);
  await atLeast(settings.codeAnswerMs, async () => {
    const known = await userStore.findByEmail(db, email);
    assertMayBegin(context, known, request);
    const accountOrNew = known ?? (await newUserOf(context, caller, { email, phone: null, data: request.data }));
    await countMail(context, true);
    await db.transaction(async (tx) => {
      const account = "user" in accountOrNew ? accountOrNew : await addUser(context, tx, caller, accountOrNew);
      if (account === null) return;
      const { user } = account;
      const isKnown = user.emailConfirmedAt !== null || settings.mailerAutoconfirm;
      const issue = {
        user,
        purpose: "magiclink",
        address: addressOf(user),
        redirectTo: request.destination.redirectTo,
        flowStateId: await beginFlow(tx, user, request.destination, "magiclink"),
        keepsPassword: false,
      } as const;
      // Somebody new is welcomed, by the mail that sign-up sends; what it proves is the same.
      await mailCode(context, tx, issue, {
        to: user.email,
        ...(isKnown
          ? ({ kind: "magic_link", mark: "recovery", type: "magiclink" } as const)
          : ({ kind: "confirmation", mark: "confirmation", type: "signup" } as const)),
      });
      await context.audit.record(tx, {
        action: isKnown ? "user_recovery_requested" : "user_confirmation_requested",
        userId: user.id,
        caller,
      });
    });
  });
}

/** GoTrue's `POST /otp` with a number. @returns the message's id, `""` when there is none to show */
export async function textOtp(
  context: AuthContext,
  request: Omit<OtpRequest, "destination"> & { readonly phone: string; readonly channel: AuthSms["channel"] },
  caller: Caller,
): Promise<string> {
  const { settings, limits, db } = context;
  await limits.take("otp", caller.network);
  if (!settings.phoneEnabled) throw problems.phoneDisabled(422);
  const phone = canonicalPhone(request.phone);
  if (phone === null) throw problems.validationFailed("Invalid phone number format (E.164 required)");
  await countSmsTo(context, "sign-in", phone);
  return atLeast(settings.codeAnswerMs, async () => {
    const known = await userStore.findByPhone(db, phone);
    assertMayBegin(context, known, request);
    const accountOrNew = known ?? (await newUserOf(context, caller, { email: null, phone, data: request.data }));
    await countSms(context, true, phone);
    return db.transaction(async (tx) => {
      const account = "user" in accountOrNew ? accountOrNew : await addUser(context, tx, caller, accountOrNew);
      if (account === null) return "";
      const { user } = account;
      await context.audit.record(tx, {
        action: user.phoneConfirmedAt === null ? "user_confirmation_requested" : "user_recovery_requested",
        userId: user.id,
        caller,
        traits: { channel: request.channel },
      });
      return textCode(context, tx, { user, purpose: "sms", to: phone, channel: request.channel });
    });
  });
}

function assertMayBegin({ settings }: AuthContext, known: Account | null, request: Pick<OtpRequest, "createsUser">) {
  if (known !== null) return;
  if (!request.createsUser) throw oneTimeProblems.otpDisabled();
  if (settings.disableSignup) throw problems.signupDisabled();
}

/** Asks the app's hook, before a transaction is open, whether there may be an account without a password. */
function newUserOf(
  context: AuthContext,
  caller: Caller,
  { email, phone, data }: { readonly email: string | null; readonly phone: string | null; readonly data: Fields },
): Promise<NewUser> {
  const provider = email === null ? "phone" : "email";
  return admitUser(context, caller, {
    id: randomUUID(),
    email,
    phone,
    passwordHash: null,
    role: "authenticated",
    isEmailConfirmed: false,
    isPhoneConfirmed: false,
    appMetadata: { provider, providers: [provider] },
    userMetadata: data,
    isAnonymous: false,
    bannedSeconds: null,
  });
}

/** `null` when the address is in the way and not to be found: a company's, or a deleted one. */
async function addUser(context: AuthContext, tx: Queryable, caller: Caller, newUser: NewUser): Promise<Account | null> {
  if (await insertUser(context, tx, caller, newUser)) {
    await context.audit.record(tx, { action: "user_signedup", userId: newUser.id, caller });
    return userStore.findById(tx, newUser.id);
  }
  // Somebody was faster.
  const { email, phone } = newUser;
  return email === null ? userStore.findByPhone(tx, phone ?? "") : userStore.findByEmail(tx, email);
}
