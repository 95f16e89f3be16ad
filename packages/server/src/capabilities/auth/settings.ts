import { flag, integer, type Settings, text } from "../../kernel/settings.ts";
import { accountSettings } from "./account/settings.ts";
import { auditSettings } from "./audit/settings.ts";
import { breachedSettings } from "./breached/settings.ts";
import { captchaSettings } from "./captcha/settings.ts";
import { hooksSettings } from "./hooks/settings.ts";
import { inboxSettings } from "./inbox/settings.ts";
import { limitSettings } from "./limits/settings.ts";
import { mailSettings } from "./mail/settings.ts";
import { mfaSettings } from "./mfa/settings.ts";
import { oauthSettings } from "./oauth/settings.ts";
import { oneTimeSettings } from "./one-time/settings.ts";
import { protectionSettings } from "./protection/settings.ts";
import { sessionSettings } from "./sessions/settings.ts";
import { smsSettings } from "./sms/settings.ts";
import { webauthnSettings } from "./webauthn/settings.ts";

/** What the other rooms do not have of their own. */
const coreSettings = {
  publicUrl: text<string>({
    env: ["MAINSTAY_PUBLIC_URL", "API_EXTERNAL_URL", "SUPABASE_PUBLIC_URL"],
    default: "http://127.0.0.1:54321",
    summary:
      "Where apps reach this server. Tokens name it as their issuer; links are built from it, never from a request.",
  }),
  issuer: text<string | null>({
    env: ["MAINSTAY_JWT_ISSUER", "GOTRUE_JWT_ISSUER"],
    default: null,
    summary: "Issuer named in access tokens, when it is not the public URL with /auth/v1.",
  }),
  accessTokenSeconds: integer<number>({
    env: ["MAINSTAY_JWT_EXPIRY", "GOTRUE_JWT_EXP", "JWT_EXPIRY", "JWT_EXP"],
    default: 3_600,
    unit: "s",
    min: 300,
    max: 604_800,
    summary: "Life of an access token.",
  }),
  disableSignup: flag({
    env: ["MAINSTAY_DISABLE_SIGNUP", "GOTRUE_DISABLE_SIGNUP", "DISABLE_SIGNUP"],
    default: false,
    summary: "Nobody can make an account but an admin.",
  }),
  emailEnabled: flag({
    env: ["MAINSTAY_EMAIL_SIGNIN", "GOTRUE_EXTERNAL_EMAIL_ENABLED", "ENABLE_EMAIL_SIGNUP"],
    default: true,
    summary: "Sign-up and sign-in with e-mail address and password.",
  }),
  phoneEnabled: flag({
    env: ["MAINSTAY_PHONE_SIGNIN", "GOTRUE_EXTERNAL_PHONE_ENABLED", "ENABLE_PHONE_SIGNUP"],
    default: false,
    summary: "Sign-up and sign-in with phone number and password.",
  }),
  anonymousEnabled: flag({
    env: ["MAINSTAY_ANONYMOUS_SIGNIN", "GOTRUE_EXTERNAL_ANONYMOUS_USERS_ENABLED", "ENABLE_ANONYMOUS_USERS"],
    default: false,
    summary: "Accounts without address or password, to be completed later.",
  }),
  mailerAutoconfirm: flag({
    env: ["MAINSTAY_MAILER_AUTOCONFIRM", "GOTRUE_MAILER_AUTOCONFIRM", "ENABLE_EMAIL_AUTOCONFIRM"],
    default: true,
    summary:
      "E-mail addresses count as confirmed without a mail: anyone can claim any address. When nobody says, only as long as no mail can leave, since neither a mail server nor a hook is set.",
  }),
  phoneAutoconfirm: flag({
    env: ["MAINSTAY_PHONE_AUTOCONFIRM", "GOTRUE_SMS_AUTOCONFIRM", "ENABLE_PHONE_AUTOCONFIRM"],
    default: false,
    summary: "Phone numbers count as confirmed without a message.",
  }),
  passwordMinLength: integer<number>({
    env: ["MAINSTAY_PASSWORD_MIN_LENGTH", "GOTRUE_PASSWORD_MIN_LENGTH"],
    default: 6,
    unit: "characters",
    min: 1,
    max: 64,
    summary: "Shortest password. NIST SP 800-63B-4 asks for 15, or 8 beside a second factor.",
  }),
  passwordMaxBytes: integer<number>({
    env: ["MAINSTAY_PASSWORD_MAX_BYTES"],
    default: 1_024,
    unit: "bytes",
    min: 256,
    max: 65_536,
    summary: "Longest password, as UTF-8. All of it counts.",
  }),
  passwordReauthentication: flag({
    env: ["MAINSTAY_PASSWORD_REAUTHENTICATION", "GOTRUE_SECURITY_UPDATE_PASSWORD_REQUIRE_REAUTHENTICATION"],
    default: false,
    summary: "A password can only be changed within 24 hours of signing in, or with the current one.",
  }),
  passwordCurrentRequired: flag({
    env: ["MAINSTAY_PASSWORD_CURRENT_REQUIRED", "GOTRUE_SECURITY_UPDATE_PASSWORD_REQUIRE_CURRENT_PASSWORD"],
    default: false,
    summary: "A password can only be changed together with the current one.",
  }),
  hashMemoryKib: integer<number>({
    env: ["MAINSTAY_PASSWORD_HASH_MEMORY_KIB"],
    default: 19_456,
    unit: "KiB",
    min: 7_168,
    max: 1_048_576,
    summary: "Memory of one password hash (argon2id).",
  }),
  hashPasses: integer<number>({
    env: ["MAINSTAY_PASSWORD_HASH_PASSES"],
    default: 2,
    unit: "passes",
    min: 1,
    max: 64,
    summary: "Passes of one password hash (argon2id).",
  }),
  hashConcurrency: integer<number>({
    env: ["MAINSTAY_PASSWORD_HASH_CONCURRENCY"],
    default: 2,
    unit: "hashes",
    min: 1,
    max: 64,
    summary: "Password hashes computed at once.",
  }),
  hashQueueLimit: integer<number>({
    env: ["MAINSTAY_PASSWORD_HASH_QUEUE"],
    default: 64,
    unit: "hashes",
    min: 0,
    summary: "Password hashes waiting their turn; more are answered 429.",
  }),
  metadataMaxBytes: integer<number>({
    env: ["MAINSTAY_USER_METADATA_MAX_BYTES"],
    default: 6_144,
    unit: "bytes",
    min: 256,
    max: 1_048_576,
    summary:
      "Largest user or app metadata, as JSON. It travels in every access token, and so in a header of every request.",
  }),
  refreshTokenRotation: flag({
    env: ["MAINSTAY_REFRESH_TOKEN_ROTATION", "GOTRUE_SECURITY_REFRESH_TOKEN_ROTATION_ENABLED"],
    default: true,
    summary: "Each refresh gives a new refresh token, and an old one that turns up again ends the session.",
  }),
  refreshTokenReuseSeconds: integer<number>({
    env: ["MAINSTAY_REFRESH_TOKEN_REUSE_SECONDS", "GOTRUE_SECURITY_REFRESH_TOKEN_REUSE_INTERVAL"],
    default: 10,
    unit: "s",
    min: 0,
    max: 3_600,
    summary: "How long any used refresh token still gives the current one, for apps that refresh twice at once.",
  }),
  sessionTimeboxSeconds: integer<number>({
    env: ["MAINSTAY_SESSION_TIMEBOX_SECONDS", "GOTRUE_SESSIONS_TIMEBOX"],
    default: 0,
    unit: "s",
    min: 0,
    summary: "Longest life of a session, 0 for no end.",
  }),
  sessionInactivitySeconds: integer<number>({
    env: ["MAINSTAY_SESSION_INACTIVITY_SECONDS", "GOTRUE_SESSIONS_INACTIVITY_TIMEOUT"],
    default: 0,
    unit: "s",
    min: 0,
    summary: "A session that was not refreshed for so long is over, 0 for never.",
  }),
  singleSessionPerUser: flag({
    env: ["MAINSTAY_SESSIONS_SINGLE_PER_USER", "GOTRUE_SESSIONS_SINGLE_PER_USER"],
    default: false,
    summary: "Signing in ends a user's other sessions.",
  }),
} satisfies Settings;

/** All there is to set about sign-in, in the order of the reference. */
export const authSettings = {
  ...coreSettings,
  ...oneTimeSettings,
  ...mailSettings,
  ...inboxSettings,
  ...smsSettings,
  ...oauthSettings,
  ...mfaSettings,
  ...webauthnSettings,
  ...captchaSettings,
  ...breachedSettings,
  ...limitSettings,
  ...protectionSettings,
  ...sessionSettings,
  ...hooksSettings,
  ...auditSettings,
  ...accountSettings,
} satisfies Settings;
