import { expect, test } from "vitest";
import { readSettings } from "../../kernel/settings.ts";
import { authSettings } from "./settings.ts";

// Names and forms of supabase/auth's configuration.
test.each([
  ["GOTRUE_SESSIONS_TIMEBOX", "24h", "sessionTimeboxSeconds", 86_400],
  ["GOTRUE_SESSIONS_INACTIVITY_TIMEOUT", "1h30m", "sessionInactivitySeconds", 5_400],
  ["GOTRUE_SESSIONS_ALLOW_LOW_AAL", "15m", "sessionAal1Seconds", 900],
  ["GOTRUE_SMTP_MAX_FREQUENCY", "1m0s", "mailMinIntervalSeconds", 60],
  ["GOTRUE_SMS_MAX_FREQUENCY", "5s", "smsMinIntervalSeconds", 5],
  ["GOTRUE_MFA_FACTOR_EXPIRY_DURATION", "300s", "mfaFactorSeconds", 300],
  ["GOTRUE_MFA_CHALLENGE_EXPIRY_DURATION", "300", "mfaChallengeSeconds", 300],
  ["GOTRUE_MFA_RATE_LIMIT_CHALLENGE_AND_VERIFY", "20", "rateLimitMfa", 20],
  ["GOTRUE_WEBAUTHN_CHALLENGE_EXPIRY_DURATION", "5m", "webauthnChallengeSeconds", 300],
  ["GOTRUE_EXTERNAL_FLOW_STATE_EXPIRY_DURATION", "10m0s", "oauthFlowSeconds", 600],
  ["GOTRUE_EXTERNAL_FLOW_STATE_EXPIRY_DURATION", "10m0s", "authCodeSeconds", 600],
  ["GOTRUE_EXTERNAL_OIDC_PROVIDER_CACHE_TTL", "2h", "oauthDiscoverySeconds", 7_200],
  ["GOTRUE_SECURITY_CAPTCHA_TIMEOUT", "1500ms", "captchaTimeoutMs", 1_500],
  ["GOTRUE_SECURITY_REFRESH_TOKEN_REUSE_INTERVAL", "10", "refreshTokenReuseSeconds", 10],
] as const)("%s=%s is read as %s", (variable, raw, name, value) => {
  expect(readSettings(authSettings, { env: { [variable]: raw } }).values[name]).toBe(value);
});
