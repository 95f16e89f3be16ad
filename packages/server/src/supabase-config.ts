import { readFileSync } from "node:fs";
import { parse } from "smol-toml";
import { providerFields, providerNames, providerSetting } from "./capabilities/auth/oauth/settings.ts";
import type { GivenSettings, GroupName, SettingGroups } from "./config.ts";
import { SettingError } from "./kernel/settings.ts";

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
  ["auth.site_url", "auth", "siteUrl"],
  ["auth.additional_redirect_urls", "auth", "redirectAllowList"],
  ["auth.jwt_expiry", "auth", "accessTokenSeconds"],
  ["auth.enable_signup", "auth", "disableSignup", negated],
  ["auth.enable_manual_linking", "auth", "manualLinkingEnabled"],
  ["auth.enable_anonymous_sign_ins", "auth", "anonymousEnabled"],
  ["auth.minimum_password_length", "auth", "passwordMinLength"],
  ["auth.password_requirements", "auth", "passwordRequiredCharacters", characterSets],
  ["auth.captcha.enabled", "auth", "captchaEnabled"],
  ["auth.captcha.provider", "auth", "captchaProvider"],
  ["auth.captcha.secret", "auth", "captchaSecret"],
  ["auth.sms.enable_signup", "auth", "phoneEnabled"],
  ["auth.sms.enable_confirmations", "auth", "phoneAutoconfirm", negated],
  ["auth.sms.template", "auth", "smsTemplate"],
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

/** @throws SettingError when the file is not TOML. */
export function readSupabaseConfig(path: string, env: Readonly<Record<string, string | undefined>>): GivenSettings {
  let document: unknown;
  try {
    document = parse(readFileSync(path, "utf8"));
  } catch (cause) {
    throw new SettingError(
      `${path} is not valid TOML: ${cause instanceof Error ? cause.message.split("\n")[0] : cause}`,
      { cause },
    );
  }
  const given: Partial<Record<GroupName, Record<string, unknown>>> = {};
  for (const [at, group, name, convert] of [...known, ...external]) {
    const value = resolve(dig(document, at), env);
    const converted = value !== undefined && convert ? convert(value) : value;
    if (converted === undefined) continue;
    given[group] ??= {};
    given[group][name] = converted;
  }
  return given as GivenSettings;
}

function dig(document: unknown, path: string): unknown {
  let at = document;
  for (const key of path.split(".")) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, key)) return undefined;
    at = (at as Record<string, unknown>)[key];
  }
  return at;
}

function resolve(value: unknown, env: Readonly<Record<string, string | undefined>>): unknown {
  const reference = typeof value === "string" ? /^env\((\w+)\)$/.exec(value) : null;
  return reference ? env[reference[1]!] : value;
}
