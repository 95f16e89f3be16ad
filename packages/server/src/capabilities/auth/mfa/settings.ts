import { flag, integer, type Settings } from "../../../kernel/settings.ts";

/** Second factors: which kinds there are, how many, and how long an answer may take. */
export const mfaSettings = {
  mfaTotpEnroll: flag({
    env: ["MAINSTAY_MFA_TOTP_ENROLL", "GOTRUE_MFA_TOTP_ENROLL_ENABLED"],
    default: true,
    summary: "People can add an authenticator app as second factor.",
  }),
  mfaTotpVerify: flag({
    env: ["MAINSTAY_MFA_TOTP_VERIFY", "GOTRUE_MFA_TOTP_VERIFY_ENABLED"],
    default: true,
    summary: "Codes of authenticator apps are accepted.",
  }),
  mfaPhoneEnroll: flag({
    env: ["MAINSTAY_MFA_PHONE_ENROLL", "GOTRUE_MFA_PHONE_ENROLL_ENABLED"],
    default: false,
    summary: "People can add a phone number as second factor.",
  }),
  mfaPhoneVerify: flag({
    env: ["MAINSTAY_MFA_PHONE_VERIFY", "GOTRUE_MFA_PHONE_VERIFY_ENABLED"],
    default: false,
    summary: "Codes sent to phones are accepted as second factor.",
  }),
  mfaPhoneOtpLength: integer<number>({
    env: ["MAINSTAY_MFA_PHONE_OTP_LENGTH", "GOTRUE_MFA_PHONE_OTP_LENGTH"],
    default: 6,
    unit: "digits",
    min: 6,
    max: 10,
    summary: "Length of a code sent to a phone as second factor.",
  }),
  mfaWebauthnEnroll: flag({
    env: ["MAINSTAY_MFA_WEBAUTHN_ENROLL", "GOTRUE_MFA_WEB_AUTHN_ENROLL_ENABLED"],
    default: false,
    summary: "People can add a security key or this device as second factor.",
  }),
  mfaWebauthnVerify: flag({
    env: ["MAINSTAY_MFA_WEBAUTHN_VERIFY", "GOTRUE_MFA_WEB_AUTHN_VERIFY_ENABLED"],
    default: false,
    summary: "Security keys and devices are accepted as second factor.",
  }),
  mfaRecoveryCodesEnroll: flag({
    env: ["MAINSTAY_MFA_RECOVERY_CODES_ENROLL", "GOTRUE_MFA_RECOVERY_CODES_ENROLL_ENABLED"],
    default: true,
    summary: "People with a second factor can have recovery codes made.",
  }),
  mfaRecoveryCodesVerify: flag({
    env: ["MAINSTAY_MFA_RECOVERY_CODES_VERIFY", "GOTRUE_MFA_RECOVERY_CODES_VERIFY_ENABLED"],
    default: true,
    summary: "Recovery codes are accepted in place of a second factor.",
  }),
  mfaMaxFactors: integer<number>({
    env: ["MAINSTAY_MFA_MAX_FACTORS", "GOTRUE_MFA_MAX_ENROLLED_FACTORS"],
    default: 10,
    unit: "factors",
    min: 0,
    max: 100,
    summary: "Second factors of one user, those not verified yet included.",
  }),
  mfaMaxVerifiedFactors: integer<number>({
    env: ["MAINSTAY_MFA_MAX_VERIFIED_FACTORS", "GOTRUE_MFA_MAX_VERIFIED_FACTORS"],
    default: 10,
    unit: "factors",
    min: 0,
    max: 100,
    summary: "Verified second factors of one user.",
  }),
  mfaFactorSeconds: integer<number>({
    env: ["MAINSTAY_MFA_FACTOR_SECONDS", "GOTRUE_MFA_FACTOR_EXPIRY_DURATION"],
    default: 300,
    unit: "s",
    min: 60,
    summary: "A factor not verified for so long makes room when its user adds another.",
  }),
  mfaChallengeSeconds: integer<number>({
    env: ["MAINSTAY_MFA_CHALLENGE_SECONDS", "GOTRUE_MFA_CHALLENGE_EXPIRY_DURATION"],
    default: 300,
    unit: "s",
    min: 30,
    max: 3_600,
    summary: "How long a challenge can be answered.",
  }),
  mfaChallengeAttempts: integer<number>({
    env: ["MAINSTAY_MFA_CHALLENGE_ATTEMPTS"],
    default: 5,
    unit: "attempts",
    min: 1,
    max: 100,
    summary: "Answers to one challenge; after that a new one is needed.",
  }),
  mfaSameAddress: flag({
    env: ["MAINSTAY_MFA_SAME_ADDRESS"],
    default: true,
    summary:
      "A challenge is answered from the address (IPv6: the /64) it was asked for from. Turn off where phones change networks in between.",
  }),
  sessionAal1Seconds: integer<number>({
    env: ["MAINSTAY_SESSION_AAL1_SECONDS", "GOTRUE_SESSIONS_ALLOW_LOW_AAL"],
    default: 0,
    unit: "s",
    min: 0,
    summary: "Longest life of a session that has not shown the second factor its user has, 0 for no end.",
  }),
} satisfies Settings;
