import { flag, integer, list, type Settings, text } from "../../../kernel/settings.ts";

/** Passkeys and WebAuthn factors. Named as GoTrue names them where it does. */
export const webauthnSettings = {
  passkeysEnabled: flag({
    env: ["MAINSTAY_PASSKEYS", "GOTRUE_PASSKEY_ENABLED"],
    default: false,
    summary:
      "Sign-in with passkeys. Decide on the relying party's id first: a passkey belongs to it forever and cannot move.",
  }),
  passkeysMaxPerUser: integer<number>({
    env: ["MAINSTAY_PASSKEYS_MAX_PER_USER", "GOTRUE_PASSKEY_MAX_PASSKEYS_PER_USER"],
    default: 10,
    unit: "passkeys",
    min: 1,
    max: 100,
    summary: "Passkeys one user can have.",
  }),
  passkeysAreTwoFactors: flag({
    env: ["MAINSTAY_PASSKEYS_ARE_TWO_FACTORS"],
    default: false,
    summary:
      "A sign-in with a passkey counts as two factors and begins at aal2 (NIST SP 800-63B-4 §3.1.7); off, it begins at aal1 as with GoTrue, and users with a second factor are asked for it.",
  }),
  webauthnRpId: text<string | null>({
    env: ["MAINSTAY_WEBAUTHN_RP_ID", "GOTRUE_WEBAUTHN_RP_ID"],
    default: null,
    summary:
      "The domain that passkeys and WebAuthn factors belong to, without scheme and port (example.com); the host of the site URL when not given.",
  }),
  webauthnRpDisplayName: text<string | null>({
    env: ["MAINSTAY_WEBAUTHN_RP_DISPLAY_NAME", "GOTRUE_WEBAUTHN_RP_DISPLAY_NAME"],
    default: null,
    summary: "Your app's name, as the person's device shows it; the relying party's id when not given.",
  }),
  webauthnRpOrigins: list({
    env: ["MAINSTAY_WEBAUTHN_RP_ORIGINS", "GOTRUE_WEBAUTHN_RP_ORIGINS"],
    default: [],
    summary:
      "Origins whose pages and apps may use passkeys: https://app.example.com, android:apk-key-hash:…; when not given, those of the site URL, the public URL and the relying party's id. Android apps named in androidApps are allowed besides.",
  }),
  webauthnChallengeSeconds: integer<number>({
    env: ["MAINSTAY_WEBAUTHN_CHALLENGE_SECONDS", "GOTRUE_WEBAUTHN_CHALLENGE_EXPIRY_DURATION"],
    default: 300,
    unit: "s",
    min: 30,
    max: 3_600,
    summary: "How long a person can take over a passkey ceremony.",
  }),
  appleAppIds: list({
    env: ["MAINSTAY_APPLE_APP_IDS"],
    default: [],
    summary:
      "iOS and macOS apps that share this domain's passkeys (TEAMID.com.example.app): served as /.well-known/apple-app-site-association.",
  }),
  androidApps: list({
    env: ["MAINSTAY_ANDROID_APPS"],
    default: [],
    summary:
      "Android apps that share this domain's passkeys, as package=SHA-256 of the signing certificate (com.example.app=AB:CD:…): served as /.well-known/assetlinks.json.",
  }),
} satisfies Settings;
