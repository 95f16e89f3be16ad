import type { Queryable } from "../../../platform/postgres/database.ts";
import type { AuditAction } from "../audit/index.ts";
import type { AuthContext, Caller } from "../context.ts";
import { flowStateStore } from "../flow-state-store.ts";
import { storePatch } from "../flows/store-patch.ts";
import { ownershipStore } from "../ownership-store.ts";
import { problems } from "../problems.ts";
import { type Account, userStore } from "../user-store.ts";
import { addressOf } from "./issue.ts";
import { tellChange } from "./notice.ts";
import type { Purpose } from "./purposes.ts";
import { type OneTimeToken, oneTimeStore } from "./store.ts";

/**
 * What came of a code or link that was right: the account it opens, `half` when a change still waits for its other
 * confirmation, `stale` when the account is no longer what it was sent for.
 */
export type Confirmed = Account | "half" | "stale";

/** Does what a used-up token was for, in the transaction that used it up. @throws Problem 403 `user_banned`, 422 when an address was taken */
export async function confirm(
  context: AuthContext,
  tx: Queryable,
  token: OneTimeToken,
  caller: Caller,
): Promise<Confirmed> {
  if (!(await userStore.lock(tx, token.userId))) return "stale";
  const account = await accountOf(tx, token.userId);
  if (account.user.isBanned) throw problems.userBanned(403);
  switch (token.purpose) {
    case "signup":
    case "magiclink":
    case "recovery":
    case "invite":
    case "sms":
      return proveAddress(context, tx, account, token, caller);
    case "email_change_current":
    case "email_change_new":
      return changeEmail(context, tx, account, token, caller);
    case "phone_change":
      return changePhone(context, tx, account, token, caller);
    case "reauthentication":
      // A nonce proves something to `PUT /user` alone.
      return "stale";
  }
}

/** Ends what else led through this token's redirect: it was used in another way. */
export async function endFlow(tx: Queryable, token: OneTimeToken): Promise<void> {
  if (token.flowStateId !== null) await flowStateStore.remove(tx, token.flowStateId);
}

async function proveAddress(
  context: AuthContext,
  tx: Queryable,
  account: Account,
  token: OneTimeToken,
  caller: Caller,
): Promise<Confirmed> {
  const { user } = account;
  const isPhone = token.purpose === "sms";
  // Sent to an address the account has given up since: whoever reads mail there is somebody else now.
  if (token.address !== (isPhone ? user.phone : addressOf(user))) return "stale";
  const isNew = user.confirmedAt === null;
  if (isNew && !token.keepsPassword) {
    await ownershipStore.disown(tx, user.id, { address: isPhone ? "phone" : "email", token });
  }
  const isProven = (isPhone ? user.phoneConfirmedAt : user.emailConfirmedAt) !== null;
  if (!isProven) {
    const fresh = isNew ? await accountOf(tx, user.id) : account;
    const patch = isPhone
      ? ({ phone: user.phone, isPhoneConfirmed: true, isAnonymous: false } as const)
      : ({ email: user.email, isEmailConfirmed: true, isAnonymous: false } as const);
    await storePatch(tx, context.settings, fresh.user, patch);
    // Those sent earlier, which could still confirm it for somebody who asked then.
    if (!isPhone) await oneTimeStore.remove(tx, user.id, others(token.purpose));
  }
  const action: AuditAction = token.purpose === "invite" ? "invite_accepted" : isNew ? "user_signedup" : "login";
  await context.audit.record(tx, { action, userId: user.id, caller, traits: { purpose: token.purpose } });
  return accountOf(tx, user.id);
}

/** With two confirmations, each in the other's way until both are there: the user's row is held, so the second sees the first. */
async function changeEmail(
  context: AuthContext,
  tx: Queryable,
  account: Account,
  token: OneTimeToken,
  caller: Caller,
): Promise<Confirmed> {
  const { user } = account;
  const isNewSide = token.purpose === "email_change_new";
  if (user.emailChange === "") return "stale";
  if (token.address !== (isNewSide ? user.emailChange : addressOf(user))) return "stale";
  const other = await oneTimeStore.find(tx, user.id, isNewSide ? "email_change_current" : "email_change_new");
  const needsBoth = !isNewSide || (context.settings.mailerSecureEmailChange && user.email !== "");
  if (other === null ? needsBoth : !other.isUsed) {
    await oneTimeStore.markHalfConfirmed(tx, user.id);
    return "half";
  }
  await storePatch(tx, context.settings, user, {
    email: user.emailChange,
    emailChange: "",
    isEmailConfirmed: true,
    isAnonymous: false,
  });
  await oneTimeStore.finishEmailChange(tx, user.id);
  await tellChange(context, tx, user, { kind: "email_changed", newEmail: user.emailChange });
  await context.audit.record(tx, { action: "user_modified", userId: user.id, caller, traits: { changed: "email" } });
  return accountOf(tx, user.id);
}

async function changePhone(
  context: AuthContext,
  tx: Queryable,
  { user }: Account,
  token: OneTimeToken,
  caller: Caller,
): Promise<Confirmed> {
  if (user.phoneChange === "" || token.address !== user.phoneChange) return "stale";
  await storePatch(tx, context.settings, user, {
    phone: user.phoneChange,
    phoneChange: "",
    isPhoneConfirmed: true,
    isAnonymous: false,
  });
  await tellChange(context, tx, user, { kind: "phone_changed", newPhone: user.phoneChange });
  // A code for the old number is nobody's way in any more.
  await oneTimeStore.remove(tx, user.id, ["sms"]);
  await context.audit.record(tx, { action: "user_modified", userId: user.id, caller, traits: { changed: "phone" } });
  return accountOf(tx, user.id);
}

/** The used one stays, so that a PKCE link can be opened again until its code is exchanged. */
const others = (purpose: Purpose): readonly Purpose[] =>
  (["signup", "magiclink", "invite"] as const).filter((other) => other !== purpose);

async function accountOf(tx: Queryable, userId: string): Promise<Account> {
  const account = await userStore.findById(tx, userId);
  if (account === null) throw problems.userOfTokenNotFound();
  return account;
}
