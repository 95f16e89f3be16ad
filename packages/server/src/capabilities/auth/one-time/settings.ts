import { flag, integer, list, type Settings, text } from "../../../kernel/settings.ts";

/** Codes and links: where they lead, how long they hold, how they look. */
export const oneTimeSettings = {
  siteUrl: text<string>({
    env: ["MAINSTAY_SITE_URL", "GOTRUE_SITE_URL", "SITE_URL"],
    default: "http://127.0.0.1:3000",
    summary: "The app's own address: where links lead that ask for no other place, or for one that is not allowed.",
  }),
  redirectAllowList: list({
    env: ["MAINSTAY_REDIRECT_ALLOW_LIST", "GOTRUE_URI_ALLOW_LIST", "ADDITIONAL_REDIRECT_URLS"],
    default: [],
    summary:
      "Where else links and sign-ins may lead: URLs with the globs * and **, and app schemes such as myapp://login-callback.",
  }),
  verifyLinkConfirmation: text<"page" | "direct">({
    env: ["MAINSTAY_VERIFY_LINK_CONFIRMATION"],
    choices: ["page", "direct"],
    default: "page",
    summary:
      "What a link in a mail does: page asks the person to continue, because mail scanners open links too; direct works at once, for whoever comes first.",
  }),
  mailCodeSeconds: integer<number>({
    env: ["MAINSTAY_MAIL_CODE_SECONDS", "GOTRUE_MAILER_OTP_EXP", "MAILER_OTP_EXP"],
    default: 3_600,
    unit: "s",
    min: 60,
    max: 604_800,
    summary: "Life of a code or link that was mailed.",
  }),
  mailCodeLength: integer<number>({
    env: ["MAINSTAY_MAIL_CODE_LENGTH", "GOTRUE_MAILER_OTP_LENGTH"],
    default: 6,
    unit: "digits",
    min: 6,
    max: 10,
    summary: "Length of a code that is mailed.",
  }),
  smsCodeSeconds: integer<number>({
    env: ["MAINSTAY_SMS_CODE_SECONDS", "GOTRUE_SMS_OTP_EXP"],
    default: 60,
    unit: "s",
    min: 15,
    max: 604_800,
    summary: "Life of a code that was sent to a phone.",
  }),
  smsCodeLength: integer<number>({
    env: ["MAINSTAY_SMS_CODE_LENGTH", "GOTRUE_SMS_OTP_LENGTH"],
    default: 6,
    unit: "digits",
    min: 6,
    max: 10,
    summary: "Length of a code that is sent to a phone.",
  }),
  codeMaxAttempts: integer<number>({
    env: ["MAINSTAY_CODE_MAX_ATTEMPTS"],
    default: 5,
    unit: "attempts",
    min: 1,
    max: 100,
    summary: "Tries that one code allows, the right one among them; then it is void. Its link still works.",
  }),
  authCodeSeconds: integer<number>({
    env: ["MAINSTAY_AUTH_CODE_SECONDS", "GOTRUE_EXTERNAL_FLOW_STATE_EXPIRY_DURATION"],
    default: 300,
    unit: "s",
    min: 10,
    max: 3_600,
    summary: "Life of the code that a PKCE redirect carries, from its issue to its exchange.",
  }),
  mailerSecureEmailChange: flag({
    env: ["MAINSTAY_MAILER_SECURE_EMAIL_CHANGE", "GOTRUE_MAILER_SECURE_EMAIL_CHANGE_ENABLED"],
    default: true,
    summary: "A new e-mail address is confirmed from the old one too.",
  }),
  codeAnswerMs: integer<number>({
    env: ["MAINSTAY_CODE_ANSWER_MS"],
    default: 150,
    unit: "ms",
    min: 0,
    max: 10_000,
    summary:
      "Least time that asking for a code and trying one takes, so that it does not tell whether there is an account.",
  }),
  sweepIntervalSeconds: integer<number>({
    env: ["MAINSTAY_AUTH_SWEEP_INTERVAL_SECONDS"],
    default: 600,
    unit: "s",
    min: 0,
    max: 86_400,
    summary: "How often expired codes, flows, sessions and refresh tokens are cleared away, 0 for never.",
  }),
  sweepRevokedTokenSeconds: integer<number>({
    env: ["MAINSTAY_AUTH_SWEEP_REVOKED_TOKEN_SECONDS"],
    default: 2_592_000,
    unit: "s",
    min: 86_400,
    summary: "How long a used refresh token is remembered, so that one who brings it again is found out.",
  }),
} satisfies Settings;
