import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { loadConfig, settingGroups } from "./config.ts";
import { readSupabaseConfig } from "./supabase-config.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "supabase-config-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function read(toml: string, env: Readonly<Record<string, string>> = {}) {
  const path = join(dir, "config.toml");
  writeFileSync(path, toml);
  return readSupabaseConfig(path, env);
}

it("gives each key it knows to a setting", () => {
  const toml = `
[api]
port = 4000
schemas = ["public", "api"]
max_rows = 50
[auth]
site_url = "https://app.example.com"
additional_redirect_urls = ["myapp://login-callback"]
jwt_expiry = 600
enable_signup = false
enable_anonymous_sign_ins = true
minimum_password_length = 12
[realtime]
enabled = false
ip_version = "IPv6"
[studio]
port = 9
`;
  expect(read(toml)).toEqual({
    http: { port: 4000 },
    data: { schemas: ["public", "api"], maxRows: 50 },
    auth: {
      siteUrl: "https://app.example.com",
      redirectAllowList: ["myapp://login-callback"],
      accessTokenSeconds: 600,
      disableSignup: true,
      anonymousEnabled: true,
      passwordMinLength: 12,
    },
    realtime: { realtimeEnabled: false },
  });
});

it("reads who passkeys belong to", () => {
  const toml = `
[auth.passkey]
enabled = true
[auth.webauthn]
rp_id = "example.com"
rp_display_name = "Example"
rp_origins = ["https://example.com"]
`;
  expect(read(toml)).toEqual({
    auth: {
      passkeysEnabled: true,
      webauthnRpId: "example.com",
      webauthnRpDisplayName: "Example",
      webauthnRpOrigins: ["https://example.com"],
    },
  });
});

it("looks env(NAME) up, and leaves out what is not set", () => {
  const toml = `[api]\nport = "env(API_PORT)"\nmax_rows = "env(NOWHERE)"\n`;
  expect(read(toml, { API_PORT: "4001" })).toEqual({ http: { port: "4001" } });
  expect(read(`[auth]\nenable_signup = "env(OPEN)"\n`, { OPEN: "false" })).toEqual({ auth: { disableSignup: true } });
});

it("closes sign-up where the project closed it", async () => {
  mkdirSync(join(dir, "supabase"));
  writeFileSync(join(dir, "supabase/config.toml"), "[auth]\nenable_signup = false\n");
  const { auth, origins } = await loadConfig({ projectDir: dir, env: {} });
  expect(auth.disableSignup).toBe(true);
  expect(origins.auth.disableSignup).toBe("supabase/config.toml");
});

it("says which file is not TOML", () => {
  expect(() => read("[api")).toThrow(/config\.toml is not valid TOML/);
});

it("takes over the hooks of a project, their secrets from the environment", () => {
  const toml = `
[auth.hook.custom_access_token]
enabled = true
uri = "pg-functions://postgres/public/custom_access_token_hook"
[auth.hook.send_sms]
enabled = true
uri = "https://hooks.example/sms"
secrets = "env(SEND_SMS_SECRETS)"
`;
  expect(read(toml, { SEND_SMS_SECRETS: "v1,whsec_abc|v1,whsec_def" })).toEqual({
    auth: {
      customAccessTokenHookEnabled: true,
      customAccessTokenHookUri: "pg-functions://postgres/public/custom_access_token_hook",
      sendSmsHookEnabled: true,
      sendSmsHookUri: "https://hooks.example/sms",
      sendSmsHookSecrets: "v1,whsec_abc|v1,whsec_def",
    },
  });
});

it("takes over who sends text messages, and the numbers with a fixed code", () => {
  const toml = `
[auth.sms]
enable_signup = true
enable_confirmations = true
template = "{{ .Code }} is it"
test_otp_valid_until = "2027-01-31"
[auth.sms.test_otp]
4152127777 = "123456"
16019839224 = "654321"
[auth.sms.twilio]
enabled = false
account_sid = ""
message_service_sid = ""
auth_token = "env(SUPABASE_AUTH_SMS_TWILIO_AUTH_TOKEN)"
[auth.sms.vonage]
enabled = true
from = "Roam"
api_key = "key"
api_secret = "env(VONAGE_SECRET)"
[auth.sms.textlocal]
enabled = false
`;
  expect(read(toml, { VONAGE_SECRET: "secret" })).toEqual({
    auth: {
      phoneEnabled: true,
      phoneAutoconfirm: false,
      smsTemplate: "{{ .Code }} is it",
      smsTestOtp: ["4152127777=123456", "16019839224=654321"],
      smsTestOtpValidUntil: "2027-01-31",
      smsTwilioAccountSid: "",
      smsTwilioSender: "",
      smsProvider: "vonage",
      smsVonageFrom: "Roam",
      smsVonageApiKey: "key",
      smsVonageApiSecret: "secret",
    },
  });
});

it("takes over the captcha and what a password needs", () => {
  const toml = `
[auth]
password_requirements = "lower_upper_letters_digits_symbols"
[auth.captcha]
enabled = true
provider = "turnstile"
secret = "env(CAPTCHA_SECRET)"
`;
  expect(read(toml, { CAPTCHA_SECRET: "secret" })).toEqual({
    auth: {
      passwordRequiredCharacters:
        "abcdefghijklmnopqrstuvwxyz:ABCDEFGHIJKLMNOPQRSTUVWXYZ:0123456789:!@#$%^&*()_+-=[]{};'\\\\:\"|<>?,./`~",
      captchaEnabled: true,
      captchaProvider: "turnstile",
      captchaSecret: "secret",
    },
  });
  expect(read(`[auth]\npassword_requirements = ""\n`)).toEqual({ auth: { passwordRequiredCharacters: "" } });
});

it("reads how mails are sent and what they say", () => {
  const toml = `
[auth.rate_limit]
email_sent = 50
sign_in_sign_ups = 9
[auth.sessions]
timebox = "24h"
inactivity_timeout = "1h30m"
[auth.email]
enable_signup = true
double_confirm_changes = false
enable_confirmations = true
secure_password_change = true
max_frequency = "1m0s"
otp_length = 8
otp_expiry = 900
[auth.email.smtp]
enabled = true
host = "smtp.example.com"
port = 587
user = "apikey"
pass = "env(SENDGRID_API_KEY)"
admin_email = "admin@example.com"
sender_name = "Admin"
[auth.email.template.magic_link]
subject = "Sign in"
content_path = "./supabase/templates/magic.html"
[auth.email.notification.password_changed]
enabled = false
subject = "Changed"
[local_smtp]
enabled = false
`;
  expect(read(toml, { SENDGRID_API_KEY: "secret" })).toEqual({
    auth: {
      rateLimitMail: 50,
      rateLimitSignIn: 9,
      sessionTimeboxSeconds: "24h",
      sessionInactivitySeconds: "1h30m",
      emailEnabled: true,
      mailerSecureEmailChange: false,
      mailerAutoconfirm: false,
      passwordReauthentication: true,
      mailMinIntervalSeconds: "1m0s",
      mailCodeLength: 8,
      mailCodeSeconds: 900,
      smtpHost: "smtp.example.com",
      smtpPort: 587,
      smtpUser: "apikey",
      smtpPassword: "secret",
      mailFrom: "admin@example.com",
      mailFromName: "Admin",
      mailSubjectMagicLink: "Sign in",
      mailTemplateMagicLink: "./supabase/templates/magic.html",
      mailNoticePasswordChanged: false,
      mailSubjectPasswordChanged: "Changed",
      inbox: "off",
    },
  });
});

it("takes no mail server that is switched off, nor the limit that goes with one", () => {
  const toml = `
[auth.rate_limit]
email_sent = 2
[auth.email.smtp]
enabled = false
host = "smtp.example.com"
`;
  expect(read(toml)).toEqual({});
  expect(read("[auth.rate_limit]\nemail_sent = 2")).toEqual({});
});

it("reads how codes are mailed", () => {
  const toml = `
[auth.email]
enable_signup = true
enable_confirmations = true
double_confirm_changes = false
secure_password_change = true
otp_length = 8
otp_expiry = 600
`;
  expect(read(toml)).toEqual({
    auth: {
      emailEnabled: true,
      mailerAutoconfirm: false,
      mailerSecureEmailChange: false,
      passwordReauthentication: true,
      mailCodeLength: 8,
      mailCodeSeconds: 600,
    },
  });
});

it("reads sign-in with providers, and keeps their secrets secret", async () => {
  const toml = `
[auth]
enable_manual_linking = true
[auth.external.apple]
enabled = true
client_id = "com.example.app,com.example.web"
secret = "env(APPLE_SECRET)"
skip_nonce_check = true
[auth.external.linkedin_oidc]
enabled = true
client_id = "linkedin"
url = ""
[auth.external.myspace]
enabled = true
`;
  mkdirSync(join(dir, "supabase"));
  writeFileSync(join(dir, "supabase/config.toml"), toml);
  const { auth } = await loadConfig({ projectDir: dir, env: { APPLE_SECRET: "hunter2" } });
  expect(auth).toMatchObject({
    manualLinkingEnabled: true,
    appleEnabled: true,
    appleClientIds: ["com.example.app", "com.example.web"],
    appleSecret: "hunter2",
    appleSkipNonceCheck: true,
    linkedinOidcEnabled: true,
    linkedinOidcClientIds: ["linkedin"],
    googleEnabled: false,
  });
  expect(settingGroups.auth.appleSecret.isSecret).toBe(true);
});
