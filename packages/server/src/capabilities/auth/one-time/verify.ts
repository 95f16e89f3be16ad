import { randomUUID } from "node:crypto";
import type { Queryable } from "../../../platform/postgres/database.ts";
import { canonicalEmail, canonicalPhone } from "../address.ts";
import type { AuthContext, Caller } from "../context.ts";
import { type OpenedSession, openSession, signSession } from "../flows/open-session.ts";
import { accountKey } from "../limits/index.ts";
import { problems } from "../problems.ts";
import { noteLocked } from "../protection/note-locked.ts";
import { countVerifiedSms } from "../sms/index.ts";
import type { Session } from "../user.ts";
import { type Account, userStore } from "../user-store.ts";
import { atLeast } from "./at-least.ts";
import { codeStore } from "./code-store.ts";
import { confirm, endFlow } from "./confirm.ts";
import { oneTimeProblems } from "./problems.ts";
import { type Purpose, purposesOf } from "./purposes.ts";
import { oneTimeHashes } from "./secrets.ts";
import { type OneTimeToken, oneTimeStore } from "./store.ts";

/** GoTrue's words; apps show them. */
export const halfConfirmed = "Confirmation link accepted. Please proceed to confirm link sent to the other email";

export type Verified =
  | { readonly kind: "session"; readonly session: Session }
  | { readonly kind: "half" }
  /** For a PKCE redirect. */
  | { readonly kind: "code"; readonly code: string };

/** A code that was typed in: 403 `otp_expired` for all that is not right, an address nobody has included (threat A16). */
export async function verifyCode(
  context: AuthContext,
  given: { readonly type: string; readonly code: string; readonly email: string; readonly phone: string },
  caller: Caller,
): Promise<Verified> {
  const { db, limits, lockout, settings } = context;
  await limits.take("verify", caller.network);
  const { address, purposes } = whereTo(given);
  if (address === null) throw oneTimeProblems.codeInvalid();
  const attempt = await lockout.enter("code", accountKey(address), caller.network);
  const codeHash = oneTimeHashes(context).ofCode(address, given.code.trim());
  const { codeMaxAttempts: maxAttempts } = settings;
  // A wrong try must count, so it is thrown only when the transaction is through. Where a code is outstanding that is a write, where
  // none is it is not: asked for a recovery before, the time would tell who has an account (threat A16).
  const verified = await atLeast(settings.codeAnswerMs, () =>
    db.transaction(async (tx) => {
      const token = await oneTimeStore.tryCode(tx, { address, purposes, codeHash, maxAttempts });
      return token === null ? null : finish(context, tx, token, caller);
    }),
  );
  if (verified === null) {
    // Whose address it is, if anybody's, is not looked up: that would take time (threat A16).
    await noteLocked(context, attempt, null, caller);
    throw oneTimeProblems.codeInvalid();
  }
  await attempt.succeeded();
  if (given.phone !== "") await countVerifiedSms(context, address);
  return signed(context, verified);
}

/** A link's token, sent as `token_hash`, or through the link where that gives the session itself. */
export async function verifyToken(
  context: AuthContext,
  given: { readonly type: string; readonly token: string },
  caller: Caller,
): Promise<Verified> {
  await context.limits.take("verify", caller.network);
  const { linkHash, purposes } = linkOf(context, given);
  const verified = await context.db.transaction(async (tx) => {
    const token = await oneTimeStore.takeLink(tx, linkHash, purposes);
    return token === null ? null : finish(context, tx, token, caller);
  });
  if (verified === null) throw oneTimeProblems.linkInvalid();
  return signed(context, verified);
}

/**
 * A `pkce_` link the person has confirmed: what it is about is done, and the redirect's code says so to the client that began it.
 */
export async function verifyPkceLink(
  context: AuthContext,
  given: { readonly type: string; readonly token: string },
  caller: Caller,
): Promise<Verified> {
  await context.limits.take("verify", caller.network);
  const { linkHash, purposes } = linkOf(context, given);
  const verified = await context.db.transaction(async (tx): Promise<Verified | null> => {
    const token = await oneTimeStore.takeLink(tx, linkHash, purposes);
    // Once confirmed it still leads on, until its code has been exchanged.
    if (token === null) return openAgain(context, tx, linkHash, purposes);
    const confirmed = await confirm(context, tx, token, caller);
    if (confirmed === "half") return { kind: "half" };
    return confirmed === "stale" ? null : leadOn(context, tx, token);
  });
  if (verified === null) throw oneTimeProblems.linkInvalid();
  return verified;
}

/**
 * A `pkce_` link as it is opened. Its code is worth nothing without the verifier that stayed on the client, so it is given to
 * whoever opens the link, a mail scanner too, and again each time: nothing is used up, and nothing confirmed, before client and
 * code come together (threat A21). `null` for links that would confirm the address of an account that has a password: there
 * a scanner would let in the stranger who signed up with somebody else's address, so a person is asked (threat A05).
 */
export async function openPkceLink(
  context: AuthContext,
  given: { readonly type: string; readonly token: string },
  caller: Caller,
): Promise<Verified | null> {
  const { db, limits } = context;
  await limits.take("verify", caller.network);
  const { linkHash, purposes } = linkOf(context, given);
  const found = await oneTimeStore.findLink(db, linkHash, purposes);
  if (found === null || found.isExpired) throw oneTimeProblems.linkInvalid();
  const account = await userStore.findById(db, found.userId);
  if (account === null) throw oneTimeProblems.linkInvalid();
  if (account.user.isBanned) throw problems.userBanned(403);
  if (!found.isUsed && !isHarmless(found, account)) return null;
  const verified = await leadOn(context, db, found);
  if (verified === null) throw oneTimeProblems.linkInvalid();
  return verified;
}

function isHarmless(token: OneTimeToken, { user, passwordHash }: Account): boolean {
  if (token.purpose === "magiclink" || token.purpose === "recovery") return true;
  return token.purpose === "signup" && (passwordHash === null || user.emailConfirmedAt !== null);
}

async function finish(
  context: AuthContext,
  tx: Queryable,
  token: OneTimeToken,
  caller: Caller,
): Promise<OpenedSession | "half" | null> {
  const confirmed = await confirm(context, tx, token, caller);
  if (confirmed === "half") return "half";
  if (confirmed === "stale") return null;
  await endFlow(tx, token);
  return openSession(context, tx, confirmed, { method: "otp", caller });
}

const signed = async (context: AuthContext, opened: OpenedSession | "half"): Promise<Verified> =>
  opened === "half" ? { kind: "half" } : { kind: "session", session: await signSession(context, opened) };

async function openAgain(
  context: AuthContext,
  tx: Queryable,
  linkHash: string,
  purposes: readonly Purpose[],
): Promise<Verified | null> {
  const found = await oneTimeStore.findLink(tx, linkHash, purposes);
  return found === null || found.isExpired || !found.isUsed ? null : leadOn(context, tx, found);
}

async function leadOn({ settings }: AuthContext, db: Queryable, token: OneTimeToken): Promise<Verified | null> {
  if (token.flowStateId === null) return null;
  const code = await codeStore.renew(db, token.flowStateId, {
    code: randomUUID(),
    userId: token.userId,
    reuseSeconds: settings.authCodeSeconds / 2,
  });
  return code === null ? null : { kind: "code", code };
}

function linkOf(context: AuthContext, given: { readonly type: string; readonly token: string }) {
  const purposes = purposesOf(given.type, "email");
  if (purposes === null) throw problems.validationFailed("Invalid email verification type");
  return { purposes, linkHash: oneTimeHashes(context).ofLink(given.token) };
}

/** @returns `address: null` for an address that can be nobody's */
function whereTo(given: { readonly type: string; readonly email: string; readonly phone: string }): {
  readonly address: string | null;
  readonly purposes: readonly Purpose[];
} {
  if ((given.email === "") === (given.phone === "")) {
    throw problems.validationFailed("Only an email address or phone number should be provided on verify");
  }
  const isEmail = given.email !== "";
  const purposes = purposesOf(given.type, isEmail ? "email" : "phone");
  if (purposes === null) {
    throw problems.validationFailed(isEmail ? "Invalid email verification type" : "Invalid sms verification type");
  }
  return { purposes, address: isEmail ? canonicalEmail(given.email) : canonicalPhone(given.phone) };
}
