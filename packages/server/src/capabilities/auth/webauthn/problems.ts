import { auth } from "../problems.ts";

/** What a signature counter that went back means: somebody has a copy of the authenticator's key (WebAuthn Level 3 §6.1.1). */
export class SignatureCounterError extends Error {
  override readonly name = "SignatureCounterError";
}

/** Failures of passkeys and WebAuthn ceremonies. */
export const webauthnProblems = {
  /** Passkeys are off; the setting is `passkeysEnabled`. */
  passkeyDisabled: () => auth("passkey_disabled", 404, "Passkeys are disabled"),
  /** The challenge was used already, was given for something else or to somebody else, or never was. Ask for new options. */
  challengeNotFound: () => auth("webauthn_challenge_not_found", 400, "Challenge not found or already used"),
  /** The person took too long. Ask for new options. */
  challengeExpired: () => auth("webauthn_challenge_expired", 400, "Challenge has expired"),
  /** The authenticator's answer is malformed, from another site, without the person's consent, or signed by no key we know. */
  verificationFailed: (cause?: unknown) =>
    auth("webauthn_verification_failed", 400, "Credential verification failed", cause === undefined ? {} : { cause }),
  /** The authenticator is registered already, with this account or another. */
  credentialExists: () => auth("webauthn_credential_exists", 422, "This credential is already registered"),
  /** The user has no passkey of this id. */
  credentialNotFound: () => auth("webauthn_credential_not_found", 404, "Passkey not found"),
  /** The user has as many passkeys as the setting `passkeysMaxPerUser` allows. */
  tooManyPasskeys: () => auth("too_many_passkeys", 422, "Maximum number of passkeys reached"),
  /** The user has a second factor, and this session did not show it: a passkey added here would be a way around it. */
  passkeyNeedsAal2: () =>
    auth("insufficient_aal", 403, "AAL2 session is required to manage passkeys when MFA is enabled"),
  /** An anonymous user has no name yet that a passkey could show: add an address first. */
  anonymousUser: () => auth("no_authorization", 403, "Anonymous user not allowed to perform these actions"),
  /** Whoever signs in through their company's provider does so there alone. */
  ssoUser: () => auth("validation_failed", 422, "SSO users cannot register passkeys"),
};
