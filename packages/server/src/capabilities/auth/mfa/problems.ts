import { auth } from "../problems.ts";

/** What is refused about second factors. */
export const mfaProblems = {
  /** The user has no such factor. */
  factorNotFound: () => auth("mfa_factor_not_found", 404, "Factor not found"),
  /** The factor has no such challenge. */
  challengeNotFound: () => auth("mfa_factor_not_found", 422, "MFA factor with the provided challenge ID not found"),
  /** No recovery codes were made yet. */
  recoveryCodesNotFound: () => auth("mfa_factor_not_found", 404, "The user has not enrolled recovery codes"),
  /** Anonymous users sign up before they add a second factor. */
  anonymousRefused: () => auth("no_authorization", 403, "Anonymous user not allowed to perform these actions"),
  /** A second factor is there, and this session did not show it. Challenge and verify it first. */
  enrollNeedsAal2: () => auth("insufficient_aal", 403, "AAL2 required to enroll a new factor"),
  /** Recovery codes are made, made anew and taken away in a session that showed a second factor. */
  recoveryCodesNeedAal2: () => auth("insufficient_aal", 403, "AAL2 required to manage recovery codes"),
  /** A verified factor is taken away in a session that showed one. Challenge and verify it first. */
  unenrollNeedsAal2: () => auth("insufficient_aal", 422, "AAL2 required to unenroll verified factor"),
  /** The user has as many factors as the settings allow. Unenroll one. */
  tooManyFactors: () =>
    auth("too_many_enrolled_mfa_factors", 422, "Maximum number of verified factors reached, unenroll to continue"),
  /** Another factor of the user has this name. */
  nameConflict: (name: string) =>
    auth("mfa_factor_name_conflict", 422, `A factor with the friendly name "${name}" for this user already exists`),
  /** The phone number is a verified factor of the user already, or the user has recovery codes already. */
  verifiedFactorExists: (what: string) =>
    auth(
      "mfa_verified_factor_exists",
      422,
      `A verified ${what} already exists, unenroll the existing factor to continue`,
    ),
  /** Recovery codes stand in for a factor: they are never the only one. */
  recoveryCodesSoleFactor: (message: string) => auth("mfa_recovery_codes_sole_factor", 422, message),
  /** Authenticator apps cannot be added; the setting is `mfaTotpEnroll`. */
  totpEnrollDisabled: () => auth("mfa_totp_enroll_not_enabled", 422, "MFA enroll is disabled for TOTP"),
  /** Authenticator apps are not accepted; the setting is `mfaTotpVerify`. */
  totpVerifyDisabled: () => auth("mfa_totp_verify_not_enabled", 422, "MFA verification is disabled for TOTP"),
  /** Phones cannot be added; the setting is `mfaPhoneEnroll`. */
  phoneEnrollDisabled: () => auth("mfa_phone_enroll_not_enabled", 422, "MFA enroll is disabled for Phone"),
  /** Phones are not accepted; the setting is `mfaPhoneVerify`. */
  phoneVerifyDisabled: () => auth("mfa_phone_verify_not_enabled", 422, "MFA verification is disabled for Phone"),
  /** Security keys cannot be added; the setting is `mfaWebauthnEnroll`. */
  webauthnEnrollDisabled: () => auth("mfa_webauthn_enroll_not_enabled", 422, "MFA enroll is disabled for WebAuthn"),
  /** Security keys are not accepted; the setting is `mfaWebauthnVerify`. */
  webauthnVerifyDisabled: () =>
    auth("mfa_webauthn_verify_not_enabled", 422, "MFA verification is disabled for WebAuthn"),
  /** Recovery codes cannot be made; the setting is `mfaRecoveryCodesEnroll`. */
  recoveryCodesEnrollDisabled: () =>
    auth("mfa_recovery_codes_enroll_not_enabled", 422, "MFA enroll is disabled for recovery codes"),
  /** Recovery codes are not accepted; the setting is `mfaRecoveryCodesVerify`. */
  recoveryCodesVerifyDisabled: () =>
    auth("mfa_recovery_codes_verify_not_enabled", 422, "MFA verification is disabled for recovery codes"),
  /** The challenge is too old, was answered, or was tried too often. Ask for a new one. */
  challengeExpired: (id: string) =>
    auth(
      "mfa_challenge_expired",
      422,
      `MFA challenge ${id} has expired, verify against another challenge or create a new challenge.`,
    ),
  /** The challenge was asked for from another address. The setting is `mfaSameAddress`. */
  addressMismatch: () => auth("mfa_ip_address_mismatch", 422, "Challenge and verify IP addresses mismatch."),
  /** The code is wrong, or was used before. */
  verificationFailed: (message: string) => auth("mfa_verification_failed", 422, message),
  /** The app's hook refused the attempt; the message is its own. */
  verificationRejected: (message: string) => auth("mfa_verification_rejected", 403, message),
  /** The factor's secret was encrypted with a key this server does not have: it came from another one. Enroll it anew. */
  secretUnreadable: () =>
    auth("unexpected_failure", 500, "The secret of this factor cannot be read; enroll the factor again"),
};
