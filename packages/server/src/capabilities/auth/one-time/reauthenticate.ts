import type { AuthContext, Caller } from "../context.ts";
import type { CurrentUser } from "../flows/current-user.ts";
import { accountKey } from "../limits/index.ts";
import { problems } from "../problems.ts";
import { noteLocked } from "../protection/note-locked.ts";
import type { User } from "../user.ts";
import { addressOf, mailNonce, textCode } from "./issue.ts";
import { oneTimeProblems } from "./problems.ts";
import { oneTimeHashes } from "./secrets.ts";
import { countMail, countMailTo, countSms, countSmsTo } from "./send-limits.ts";
import { oneTimeStore } from "./store.ts";

/** Sends the nonce that a change of password asks for. @returns the message's id, `""` when there is none to show */
export async function reauthenticate(context: AuthContext, { user }: CurrentUser, caller: Caller): Promise<string> {
  const { db, limits, audit } = context;
  await limits.take("otp", caller.network);
  const address = addressOfNonce(user);
  if (address === null) throw oneTimeProblems.nothingToSendTo();
  const isMail = user.email !== "";
  await (isMail ? countMailTo(context, "reauthentication", address) : countSmsTo(context, "reauthentication", address));
  await (isMail ? countMail(context, true) : countSms(context, true, address));
  return db.transaction(async (tx) => {
    await audit.record(tx, { action: "user_reauthenticate_requested", userId: user.id, caller });
    if (!isMail) return textCode(context, tx, { user, purpose: "reauthentication", to: address, channel: "sms" });
    await mailNonce(context, tx, user);
    return "";
  });
}

/** Uses the nonce up, right or wrong. @throws Problem 422 `reauthentication_not_valid` */
export async function takeNonce(context: AuthContext, user: User, nonce: string, caller: Caller): Promise<void> {
  const { db, lockout, settings } = context;
  const address = addressOfNonce(user);
  if (address === null) throw problems.reauthenticationNotValid();
  const attempt = await lockout.enter("code", accountKey(address), caller.network);
  const token = await oneTimeStore.tryCode(db, {
    userId: user.id,
    address,
    purposes: ["reauthentication"],
    codeHash: oneTimeHashes(context).ofCode(address, nonce.trim()),
    maxAttempts: settings.codeMaxAttempts,
  });
  if (token !== null) return attempt.succeeded();
  await noteLocked(context, attempt, user.id, caller);
  throw problems.reauthenticationNotValid();
}

/** Confirmed ones only: a nonce to an address anybody could have put there proves nothing. */
function addressOfNonce(user: User): string | null {
  if (user.email !== "") return user.emailConfirmedAt === null ? null : addressOf(user);
  return user.phone === "" || user.phoneConfirmedAt === null ? null : user.phone;
}
