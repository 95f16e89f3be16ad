import { canonicalEmail, canonicalPhone } from "../address.ts";
import type { AuthContext, Caller } from "../context.ts";
import { problems } from "../problems.ts";
import type { User } from "../user.ts";
import { userStore } from "../user-store.ts";
import { atLeast } from "./at-least.ts";
import { addressOf, beginFlow, type Destination, mailCode, textCode } from "./issue.ts";
import { mailEmailChange, needsCurrent } from "./send-change.ts";
import { countMail, countMailTo, countSms, countSmsTo } from "./send-limits.ts";
import { oneTimeStore } from "./store.ts";

export interface Resend {
  readonly type: string;
  readonly email: string;
  readonly phone: string;
  readonly destination: Destination;
}

/**
 * GoTrue's `POST /resend`: what was sent last, anew. Nobody is told whether there was anything to send (threat A16).
 * @returns the message's id, `""` when there is none to show
 */
export async function resend(context: AuthContext, request: Resend, caller: Caller): Promise<string> {
  const { settings, limits } = context;
  await limits.take("otp", caller.network);
  const address = addressIn(context, request);
  const isMail = request.type === "signup" || request.type === "email_change";
  const isChange = request.type === "email_change" || request.type === "phone_change";
  const kind = isChange ? "change" : "sign-in";
  await (isMail ? countMailTo(context, kind, address) : countSmsTo(context, kind, address));
  return atLeast(settings.codeAnswerMs, async () => {
    const user = await waiting(context, request.type, address);
    if (isMail) await countMail(context, user !== null);
    else await countSms(context, user !== null, user?.phoneChange || address);
    return user === null ? "" : sendAgain(context, request, user, caller);
  });
}

/** @throws Problem 400 for a type that goes with another kind of address, or none */
function addressIn({ settings }: AuthContext, { type, email, phone }: Resend): string {
  if (!["signup", "email_change", "sms", "phone_change"].includes(type)) {
    throw problems.validationFailed("Missing one of these types: signup, email_change, sms, phone_change");
  }
  const isMail = type === "signup" || type === "email_change";
  if (email !== "" && phone !== "") {
    throw problems.validationFailed("Only an email address or phone number should be provided.");
  }
  if (isMail) {
    if (email === "") throw problems.validationFailed("Type provided requires an email address");
    if (!settings.emailEnabled) throw problems.emailDisabled(422);
    const address = canonicalEmail(email);
    if (address === null) throw problems.validationFailed("Unable to validate email address: invalid format");
    return address;
  }
  if (phone === "") throw problems.validationFailed("Type provided requires a phone number");
  if (!settings.phoneEnabled) throw problems.phoneDisabled(422);
  const address = canonicalPhone(phone);
  if (address === null) throw problems.validationFailed("Invalid phone number format (E.164 required)");
  return address;
}

/** The user who has something of this type outstanding. A change may be named by the old address or by the new one. */
async function waiting({ db }: AuthContext, type: string, address: string): Promise<User | null> {
  switch (type) {
    case "signup": {
      const user = (await userStore.findByEmail(db, address))?.user ?? null;
      return user === null || user.emailConfirmedAt !== null ? null : user;
    }
    case "sms": {
      const user = (await userStore.findByPhone(db, address))?.user ?? null;
      return user === null || user.phoneConfirmedAt !== null ? null : user;
    }
    case "email_change": {
      const owner = await oneTimeStore.findChange(db, address, ["email_change_current", "email_change_new"]);
      const user = owner === null ? null : ((await userStore.findById(db, owner))?.user ?? null);
      return user === null || user.emailChange === "" ? null : user;
    }
    default: {
      const known = await userStore.findByPhone(db, address);
      const owner = known?.user.id ?? (await oneTimeStore.findChange(db, address, ["phone_change"]));
      const user = owner === null ? null : ((await userStore.findById(db, owner))?.user ?? null);
      return user === null || user.phoneChange === "" ? null : user;
    }
  }
}

function sendAgain(context: AuthContext, request: Resend, user: User, caller: Caller): Promise<string> {
  const { db, audit } = context;
  const { destination } = request;
  return db.transaction(async (tx) => {
    await audit.record(tx, { action: "user_confirmation_requested", userId: user.id, caller });
    switch (request.type) {
      case "signup": {
        // Without a sign-up, whoever asked for a code first has set no password: what is there is another's (threat A05).
        const signup = await oneTimeStore.find(tx, user.id, "signup");
        const isSignUp = signup !== null || (await oneTimeStore.find(tx, user.id, "magiclink")) === null;
        const issue = {
          user,
          purpose: isSignUp ? "signup" : "magiclink",
          address: addressOf(user),
          redirectTo: destination.redirectTo,
          flowStateId: await beginFlow(tx, user, destination, isSignUp ? "email/signup" : "magiclink"),
          keepsPassword: isSignUp,
        } as const;
        await mailCode(context, tx, issue, {
          kind: "confirmation",
          mark: "confirmation",
          to: user.email,
          type: "signup",
        });
        return "";
      }
      case "sms": {
        const keepsPassword = (await oneTimeStore.find(tx, user.id, "sms"))?.keepsPassword ?? false;
        return textCode(context, tx, { user, purpose: "sms", to: user.phone, channel: "sms", keepsPassword });
      }
      case "email_change":
        if (needsCurrent(context, user)) await countMail(context, true);
        await mailEmailChange(context, tx, user, user.emailChange, destination);
        return "";
      default:
        return textCode(context, tx, { user, purpose: "phone_change", to: user.phoneChange, channel: "sms" });
    }
  });
}
