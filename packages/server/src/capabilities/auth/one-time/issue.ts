import { randomUUID } from "node:crypto";
import type { Queryable } from "../../../platform/postgres/database.ts";
import { canonicalEmail } from "../address.ts";
import type { AuthContext } from "../context.ts";
import { flowStateStore } from "../flow-state-store.ts";
import type { AuthSms, MailRequest } from "../messages.ts";
import { testOtpOf } from "../sms/test-numbers.ts";
import type { User } from "../user.ts";
import type { Challenge } from "./pkce.ts";
import { linkTypeOf, type Purpose } from "./purposes.ts";
import { newCode, newLinkToken, oneTimeHashes } from "./secrets.ts";
import { oneTimeStore, type SentMark } from "./store.ts";

/** Where an answer goes in the end, and the client's PKCE challenge when it has one. */
export interface Destination {
  /** Allowed already. */
  readonly redirectTo: string;
  readonly challenge: Challenge | null;
}

export interface Issue {
  readonly user: User;
  readonly purpose: Purpose;
  /** Canonical. */
  readonly address: string;
  readonly redirectTo: string;
  readonly flowStateId: string | null;
  readonly keepsPassword: boolean;
}

/** The address of an account as codes are bound to it. Seeds may have stored it in another spelling. */
export const addressOf = (user: Pick<User, "email">): string => canonicalEmail(user.email) ?? user.email.toLowerCase();

/** Opens the flow that a PKCE link leads through; `null` for a client without PKCE. */
export async function beginFlow(
  tx: Queryable,
  user: Pick<User, "id">,
  { challenge, redirectTo }: Destination,
  authenticationMethod: "magiclink" | "recovery" | "email/signup" | "email_change",
): Promise<string | null> {
  if (challenge === null) return null;
  const id = randomUUID();
  await flowStateStore.create(tx, {
    id,
    userId: user.id,
    codeChallenge: challenge.challenge,
    codeChallengeMethod: challenge.method,
    providerType: "email",
    authenticationMethod,
    redirectTo,
  });
  return id;
}

/** Makes a code and a link and stores their hashes; earlier ones for the same purpose are void. */
export async function issueLink(
  context: AuthContext,
  tx: Queryable,
  issue: Issue,
): Promise<{ otp: string; token: string }> {
  const { settings } = context;
  const hashes = oneTimeHashes(context);
  const otp = newCode(settings.mailCodeLength);
  const token = newLinkToken(issue.flowStateId !== null);
  await oneTimeStore.put(tx, {
    userId: issue.user.id,
    purpose: issue.purpose,
    address: issue.address,
    codeHash: hashes.ofCode(issue.address, otp),
    linkHash: hashes.ofLink(token),
    flowStateId: issue.flowStateId,
    redirectTo: issue.redirectTo,
    keepsPassword: issue.keepsPassword,
    lifetimeSeconds: settings.mailCodeSeconds,
  });
  return { otp, token };
}

/** Issues a code and a link and mails them. @param to The address as stored, which the canonical one may not be (threat A20) */
export async function mailCode(
  context: AuthContext,
  tx: Queryable,
  issue: Issue,
  mail: {
    readonly kind: MailRequest;
    readonly mark: SentMark;
    readonly to: string;
    readonly type?: string;
    readonly newEmail?: string;
  },
): Promise<void> {
  const { otp, token } = await issueLink(context, tx, issue);
  await oneTimeStore.markSent(tx, issue.user.id, mail.mark);
  await context.messages.mail(tx, {
    kind: mail.kind,
    to: mail.to,
    user: issue.user,
    otp,
    tokenHash: token,
    verifyType: mail.type ?? linkTypeOf(issue.purpose),
    redirectTo: issue.redirectTo,
    newEmail: mail.newEmail ?? "",
    facts: {},
  });
}

/** Issues a code and mails it, without a link: it is to be typed where it was asked for. */
export async function mailNonce(context: AuthContext, tx: Queryable, user: User): Promise<void> {
  const { settings } = context;
  const address = addressOf(user);
  const otp = newCode(settings.mailCodeLength);
  await oneTimeStore.put(tx, {
    ...codeOnly(user, "reauthentication", address),
    codeHash: oneTimeHashes(context).ofCode(address, otp),
    lifetimeSeconds: settings.mailCodeSeconds,
  });
  await oneTimeStore.markSent(tx, user.id, "reauthentication");
  await context.messages.mail(tx, {
    kind: "reauthentication",
    to: user.email,
    user,
    otp,
    tokenHash: "",
    verifyType: "",
    redirectTo: settings.siteUrl,
    newEmail: "",
    facts: {},
  });
}

/** @returns the message's id; `""` for a number with a fixed code, to which nothing is sent */
export async function textCode(
  context: AuthContext,
  tx: Queryable,
  given: {
    readonly user: User;
    readonly purpose: "sms" | "phone_change" | "reauthentication";
    readonly to: string;
    readonly channel: AuthSms["channel"];
    readonly keepsPassword?: boolean;
  },
): Promise<string> {
  const { settings, clock } = context;
  const { user, purpose, to, channel } = given;
  const fixed = testOtpOf(settings, to, clock.nowMs());
  const otp = fixed ?? newCode(settings.smsCodeLength);
  await oneTimeStore.put(tx, {
    ...codeOnly(user, purpose, to),
    keepsPassword: given.keepsPassword ?? false,
    codeHash: oneTimeHashes(context).ofCode(to, otp),
    lifetimeSeconds: settings.smsCodeSeconds,
  });
  await oneTimeStore.markSent(tx, user.id, purpose === "sms" ? "confirmation" : purpose);
  return fixed === null ? context.messages.sms(tx, { purpose, to, otp, channel, user }) : "";
}

const codeOnly = (user: User, purpose: Purpose, address: string) => ({
  userId: user.id,
  purpose,
  address,
  linkHash: "",
  flowStateId: null,
  redirectTo: "",
  keepsPassword: false,
});
