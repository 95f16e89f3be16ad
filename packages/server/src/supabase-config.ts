import { readFileSync } from "node:fs";
import { parse } from "smol-toml";
import { mailKinds, mailNotices, pascal } from "./capabilities/auth/mail/kinds.ts";
import { providerFields, providerNames, providerSetting } from "./capabilities/auth/oauth/settings.ts";
import type { DeclaredBucket } from "./capabilities/storage/declared/types.ts";
import type { GivenSettings, GroupName, SettingGroups } from "./config.ts";
import { SettingError } from "./kernel/settings.ts";
import { bytes, readBuckets } from "./supabase-buckets.ts";

/** Where a key's value goes; `convert` where ours says it another way, `undefined` when it says nothing. */
type Known = {
  readonly [G in GroupName]: readonly [
    path: string,
    group: G,
    name: keyof SettingGroups[G] & string,
    convert?: (value: unknown) => unknown,
  ];
}[GroupName];

/** `env(NAME)` gives text. What is neither is left for the setting to refuse. */
function negated(value: unknown): unknown {
  if (value === true || value === "true") return false;
  return value === false || value === "false" ? true : value;
}

/** The one of several that is switched on. What is off says nothing. */
const chosen =
  (name: string) =>
  (value: unknown): unknown =>
    value === true || value === "true" ? name : undefined;

/** A table of names and texts, as a list of `name=text`. */
const pairs = (value: unknown): unknown =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? Object.entries(value).map(([name, text]) => `${name}=${text}`)
    : value;

/** That product's own mailbox for development: switched off, ours is too. */
const inboxOff = (value: unknown): unknown => (value === false || value === "false" ? "off" : undefined);

const letters = "abcdefghijklmnopqrstuvwxyz";
const digits = "0123456789";
/** The kinds of password that product has names for, as sets of characters. The colon among the symbols is escaped. */
const passwordKinds: Readonly<Record<string, string>> = {
  letters_digits: `${letters}${letters.toUpperCase()}:${digits}`,
  lower_upper_letters_digits: `${letters}:${letters.toUpperCase()}:${digits}`,
  lower_upper_letters_digits_symbols: `${letters}:${letters.toUpperCase()}:${digits}:!@#$%^&*()_+-=[]{};'\\\\:"|<>?,./\`~`,
};
const characterSets = (value: unknown): unknown =>
  typeof value === "string" && Object.hasOwn(passwordKinds, value) ? passwordKinds[value] : value;

/**
 * What an existing `supabase/config.toml` says that we have a setting for. `env(NAME)` is looked up, as that product's CLI does.
 * https://supabase.com/docs/guides/local-development/cli/config
 */
const known: readonly Known[] = [
  ["api.port", "http", "port"],
  ["api.schemas", "data", "schemas"],
  ["api.extra_search_path", "data", "extraSearchPath"],
  ["api.max_rows", "data", "maxRows"],
  ["realtime.enabled", "realtime", "realtimeEnabled"],
  ["storage.enabled", "storage", "storageEnabled"],
  ["storage.file_size_limit", "storage", "storageFileSizeLimitBytes", bytes],
  ["storage.image_transformation.enabled", "storage", "storageImagesEnabled"],
  ["storage.s3_protocol.enabled", "storage", "storageS3Enabled"],
  ["auth.site_url", "auth", "siteUrl"],
  ["auth.additional_redirect_urls", "auth", "redirectAllowList"],
  ["auth.jwt_expiry", "auth", "accessTokenSeconds"],
  ["auth.jwt_issuer", "auth", "issuer", (value) => (value === "" ? undefined : value)],
  ["auth.enable_refresh_token_rotation", "auth", "refreshTokenRotation"],
  ["auth.refresh_token_reuse_interval", "auth", "refreshTokenReuseSeconds"],
  ["auth.enable_signup", "auth", "disableSignup", negated],
  ["auth.enable_manual_linking", "auth", "manualLinkingEnabled"],
  ["auth.enable_anonymous_sign_ins", "auth", "anonymousEnabled"],
  ["auth.minimum_password_length", "auth", "passwordMinLength"],
  ["auth.password_requirements", "auth", "passwordRequiredCharacters", characterSets],
  ["auth.captcha.enabled", "auth", "captchaEnabled"],
  ["auth.captcha.provider", "auth", "captchaProvider"],
  ["auth.captcha.secret", "auth", "captchaSecret"],
  ["auth.rate_limit.email_sent", "auth", "rateLimitMail"],
  ["auth.rate_limit.sms_sent", "auth", "rateLimitSms"],
  ["auth.rate_limit.anonymous_users", "auth", "rateLimitAnonymous"],
  ["auth.rate_limit.token_refresh", "auth", "rateLimitRefresh"],
  ["auth.rate_limit.sign_in_sign_ups", "auth", "rateLimitSignIn"],
  ["auth.rate_limit.token_verifications", "auth", "rateLimitVerify"],
  ["auth.sessions.timebox", "auth", "sessionTimeboxSeconds"],
  ["auth.sessions.inactivity_timeout", "auth", "sessionInactivitySeconds"],
  ["auth.email.enable_signup", "auth", "emailEnabled"],
  ["auth.email.enable_confirmations", "auth", "mailerAutoconfirm", negated],
  ["auth.email.double_confirm_changes", "auth", "mailerSecureEmailChange"],
  ["auth.email.secure_password_change", "auth", "passwordReauthentication"],
  ["auth.email.max_frequency", "auth", "mailMinIntervalSeconds"],
  ["auth.email.otp_length", "auth", "mailCodeLength"],
  ["auth.email.otp_expiry", "auth", "mailCodeSeconds"],
  ["auth.email.smtp.host", "auth", "smtpHost"],
  ["auth.email.smtp.port", "auth", "smtpPort"],
  ["auth.email.smtp.user", "auth", "smtpUser"],
  ["auth.email.smtp.pass", "auth", "smtpPassword"],
  ["auth.email.smtp.admin_email", "auth", "mailFrom"],
  ["auth.email.smtp.sender_name", "auth", "mailFromName"],
  ["inbucket.enabled", "auth", "inbox", inboxOff],
  ["local_smtp.enabled", "auth", "inbox", inboxOff],
  ["auth.sms.enable_signup", "auth", "phoneEnabled"],
  ["auth.sms.enable_confirmations", "auth", "phoneAutoconfirm", negated],
  ["auth.sms.template", "auth", "smsTemplate"],
  ["auth.sms.max_frequency", "auth", "smsMinIntervalSeconds"],
  ["auth.sms.test_otp", "auth", "smsTestOtp", pairs],
  ["auth.sms.test_otp_valid_until", "auth", "smsTestOtpValidUntil"],
  ["auth.sms.twilio.enabled", "auth", "smsProvider", chosen("twilio")],
  ["auth.sms.twilio.account_sid", "auth", "smsTwilioAccountSid"],
  ["auth.sms.twilio.message_service_sid", "auth", "smsTwilioSender"],
  ["auth.sms.twilio.auth_token", "auth", "smsTwilioAuthToken"],
  ["auth.sms.vonage.enabled", "auth", "smsProvider", chosen("vonage")],
  ["auth.sms.vonage.from", "auth", "smsVonageFrom"],
  ["auth.sms.vonage.api_key", "auth", "smsVonageApiKey"],
  ["auth.sms.vonage.api_secret", "auth", "smsVonageApiSecret"],
  ["auth.sms.messagebird.enabled", "auth", "smsProvider", chosen("messagebird")],
  ["auth.sms.messagebird.originator", "auth", "smsMessagebirdOriginator"],
  ["auth.sms.messagebird.access_key", "auth", "smsMessagebirdAccessKey"],
  ["auth.sms.textlocal.enabled", "auth", "smsProvider", chosen("textlocal")],
  ["auth.sms.textlocal.sender", "auth", "smsTextlocalSender"],
  ["auth.sms.textlocal.api_key", "auth", "smsTextlocalApiKey"],
  ["auth.hook.custom_access_token.enabled", "auth", "customAccessTokenHookEnabled"],
  ["auth.hook.custom_access_token.uri", "auth", "customAccessTokenHookUri"],
  ["auth.hook.custom_access_token.secrets", "auth", "customAccessTokenHookSecrets"],
  ["auth.hook.before_user_created.enabled", "auth", "beforeUserCreatedHookEnabled"],
  ["auth.hook.before_user_created.uri", "auth", "beforeUserCreatedHookUri"],
  ["auth.hook.before_user_created.secrets", "auth", "beforeUserCreatedHookSecrets"],
  ["auth.hook.after_user_created.enabled", "auth", "afterUserCreatedHookEnabled"],
  ["auth.hook.after_user_created.uri", "auth", "afterUserCreatedHookUri"],
  ["auth.hook.after_user_created.secrets", "auth", "afterUserCreatedHookSecrets"],
  ["auth.hook.password_verification_attempt.enabled", "auth", "passwordVerificationHookEnabled"],
  ["auth.hook.password_verification_attempt.uri", "auth", "passwordVerificationHookUri"],
  ["auth.hook.password_verification_attempt.secrets", "auth", "passwordVerificationHookSecrets"],
  ["auth.hook.mfa_verification_attempt.enabled", "auth", "mfaVerificationHookEnabled"],
  ["auth.hook.mfa_verification_attempt.uri", "auth", "mfaVerificationHookUri"],
  ["auth.hook.mfa_verification_attempt.secrets", "auth", "mfaVerificationHookSecrets"],
  ["auth.hook.send_email.enabled", "auth", "sendEmailHookEnabled"],
  ["auth.hook.send_email.uri", "auth", "sendEmailHookUri"],
  ["auth.hook.send_email.secrets", "auth", "sendEmailHookSecrets"],
  ["auth.hook.send_sms.enabled", "auth", "sendSmsHookEnabled"],
  ["auth.hook.send_sms.uri", "auth", "sendSmsHookUri"],
  ["auth.hook.send_sms.secrets", "auth", "sendSmsHookSecrets"],
  ["auth.mfa.max_enrolled_factors", "auth", "mfaMaxFactors"],
  ["auth.mfa.totp.enroll_enabled", "auth", "mfaTotpEnroll"],
  ["auth.mfa.totp.verify_enabled", "auth", "mfaTotpVerify"],
  ["auth.mfa.phone.enroll_enabled", "auth", "mfaPhoneEnroll"],
  ["auth.mfa.phone.verify_enabled", "auth", "mfaPhoneVerify"],
  ["auth.mfa.phone.otp_length", "auth", "mfaPhoneOtpLength"],
  ["auth.mfa.web_authn.enroll_enabled", "auth", "mfaWebauthnEnroll"],
  ["auth.mfa.web_authn.verify_enabled", "auth", "mfaWebauthnVerify"],
  ["auth.passkey.enabled", "auth", "passkeysEnabled"],
  ["auth.webauthn.rp_id", "auth", "webauthnRpId"],
  ["auth.webauthn.rp_display_name", "auth", "webauthnRpDisplayName"],
  ["auth.webauthn.rp_origins", "auth", "webauthnRpOrigins"],
];

/** `[auth.external.<provider>]`: the same keys for each. */
const external: readonly Known[] = providerNames.flatMap((name) =>
  providerFields.map(([key, field]): Known => [`auth.external.${name}.${key}`, "auth", providerSetting(name, field)]),
);

/** `[auth.email.template.<kind>]` and `[auth.email.notification.<kind>]`. */
const mails: readonly Known[] = [
  ...mailKinds.flatMap((kind): Known[] =>
    (["template", "notification"] as const).flatMap((table): Known[] => [
      [`auth.email.${table}.${kind}.subject`, "auth", `mailSubject${pascal(kind)}`],
      [`auth.email.${table}.${kind}.content_path`, "auth", `mailTemplate${pascal(kind)}`],
    ]),
  ),
  ...mailNotices.map((kind): Known => [`auth.email.notification.${kind}.enabled`, "auth", `mailNotice${pascal(kind)}`]),
];

/** What counts only while its own mail server is used: that product's template has 2 mails an hour, without one unlimited. */
const withMailServer = /^auth\.(?:email\.smtp\.|rate_limit\.email_sent$)/;

function hasMailServer(document: unknown, env: Environment): boolean {
  const isOn = resolve(dig(document, "auth.email.smtp.enabled"), env);
  return dig(document, "auth.email.smtp") !== undefined && isOn !== false && isOn !== "false";
}

type Environment = Readonly<Record<string, string | undefined>>;

/** `[storage.buckets.<name>]` and the files that are to be in them. @throws SettingError for what cannot be used */
export function readSupabaseBuckets(path: string, env: Environment): readonly DeclaredBucket[] {
  return readBuckets(dig(readDocument(path), "storage.buckets"), path, (value) => resolve(value, env));
}

/** @throws SettingError when the file is not TOML. */
export function readSupabaseConfig(path: string, env: Environment): GivenSettings {
  const document = readDocument(path);
  const given: Partial<Record<GroupName, Record<string, unknown>>> = {};
  const skipsMailServer = !hasMailServer(document, env);
  for (const [at, group, name, convert] of [...known, ...external, ...mails]) {
    if (skipsMailServer && withMailServer.test(at)) continue;
    const value = resolve(dig(document, at), env);
    const converted = value !== undefined && convert ? convert(value) : value;
    if (converted === undefined) continue;
    given[group] ??= {};
    given[group][name] = converted;
  }
  return given as GivenSettings;
}

function readDocument(path: string): unknown {
  try {
    return parse(readFileSync(path, "utf8"));
  } catch (cause) {
    throw new SettingError(
      `${path} is not valid TOML: ${cause instanceof Error ? cause.message.split("\n")[0] : cause}`,
      { cause },
    );
  }
}

function dig(document: unknown, path: string): unknown {
  let at = document;
  for (const key of path.split(".")) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, key)) return undefined;
    at = (at as Record<string, unknown>)[key];
  }
  return at;
}

function resolve(value: unknown, env: Environment): unknown {
  const reference = typeof value === "string" ? /^env\((\w+)\)$/.exec(value) : null;
  return reference ? env[reference[1]!] : value;
}
