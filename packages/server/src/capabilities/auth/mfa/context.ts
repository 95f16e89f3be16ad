import { canonicalPhone } from "../address.ts";
import type { AuthContext } from "../context.ts";
import type { CurrentUser } from "../flows/current-user.ts";
import { problems } from "../problems.ts";
import type { SessionRow } from "../session-store.ts";
import type { User } from "../user.ts";
import type { FactorType } from "./factor.ts";
import { mfaProblems } from "./problems.ts";
import type { MfaSecrets } from "./secrets.ts";

/** What the flows of second factors work with. */
export interface MfaContext extends AuthContext {
  readonly secrets: MfaSecrets;
}

/** Somebody with a session of their own, who can have second factors. */
export interface Person {
  readonly user: User;
  readonly session: SessionRow;
}

/** @throws Problem 403 for anonymous users, and for tokens that name no session: there is nothing to raise */
export function personOf({ user, session }: CurrentUser): Person {
  if (user.isAnonymous) throw mfaProblems.anonymousRefused();
  if (session === null) throw problems.sessionNotFound();
  return { user, session };
}

/** @throws Problem 422 for a kind that cannot be added here */
export function assertEnrollable({ settings }: MfaContext, type: FactorType): void {
  if (type === "totp" && !settings.mfaTotpEnroll) throw mfaProblems.totpEnrollDisabled();
  if (type === "phone" && !settings.mfaPhoneEnroll) throw mfaProblems.phoneEnrollDisabled();
  if (type === "webauthn" && !settings.mfaWebauthnEnroll) throw mfaProblems.webauthnEnrollDisabled();
  if (type === "recovery_code" && !settings.mfaRecoveryCodesEnroll) throw mfaProblems.recoveryCodesEnrollDisabled();
}

/** @throws Problem 422 for a kind that is not accepted here */
export function assertVerifiable({ settings }: MfaContext, type: FactorType): void {
  if (type === "totp" && !settings.mfaTotpVerify) throw mfaProblems.totpVerifyDisabled();
  if (type === "phone" && !settings.mfaPhoneVerify) throw mfaProblems.phoneVerifyDisabled();
  if (type === "webauthn" && !settings.mfaWebauthnVerify) throw mfaProblems.webauthnVerifyDisabled();
  if (type === "recovery_code" && !settings.mfaRecoveryCodesVerify) throw mfaProblems.recoveryCodesVerifyDisabled();
}

/** Longest name a factor or an issuer can have, in characters. */
const nameMaxLength = 120;

/** A name people gave, as it is shown and stored. @throws Problem 400 when it is too long, or has what cannot be stored or seen */
export function nameOf(text: string, field: string): string {
  const name = text.trim();
  if (name.length > nameMaxLength) {
    throw problems.validationFailed(`${field} is longer than ${nameMaxLength} characters`);
  }
  if (/\p{Cc}/u.test(name) || !name.isWellFormed()) {
    throw problems.validationFailed(`${field} holds characters that cannot be stored`);
  }
  return name;
}

/** @throws Problem 400 for what is no number */
export function phoneOf(text: string): string {
  const phone = canonicalPhone(text);
  if (phone === null) throw problems.validationFailed("Invalid phone number format (E.164 required)");
  return phone;
}
