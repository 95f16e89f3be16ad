import type { AuthContext } from "../context.ts";
import { accountKey } from "../limits/index.ts";
import { assertCountryServed, testOtpOf } from "../sms/index.ts";

/** What messages to one address are counted by: those that stand in for each other count together. */
export type SendKind = "sign-in" | "recovery" | "change" | "reauthentication";

/**
 * One mail of a kind to an address in a while. Counted before anybody looks whether there is an account, so a refusal says
 * nothing about that (threat A16). @throws Problem 429
 */
export const countMailTo = ({ limits }: AuthContext, kind: SendKind, address: string): Promise<void> =>
  limits.take("mailTo", accountKey(`${kind}\0${address}`));

/** As `countMailTo`; numbers with a fixed code are not counted, nothing is sent to them. */
export async function countSmsTo(
  { limits, settings, clock }: AuthContext,
  kind: SendKind,
  phone: string,
): Promise<void> {
  if (testOtpOf(settings, phone, clock.nowMs()) !== null) return;
  assertCountryServed(settings, phone);
  await limits.take("smsTo", accountKey(`${kind}\0${phone}`));
}

/** The project's own bound. Where nothing will be sent it is only asked, so that both are refused alike. */
export const countMail = ({ limits }: AuthContext, isSent: boolean): Promise<void> =>
  isSent ? limits.take("mail", "") : limits.check("mail", "");

export async function countSms(
  { limits, settings, clock }: AuthContext,
  isSent: boolean,
  phone: string,
): Promise<void> {
  if (testOtpOf(settings, phone, clock.nowMs()) !== null) return;
  await (isSent ? limits.take("sms", "") : limits.check("sms", ""));
}
