import { flag, integer, list, type Settings, text } from "../../kernel/settings.ts";

export const identitySettings = {
  jwtSecret: text<string | null>({
    env: [
      "MAINSTAY_JWT_SECRET",
      "JWT_SECRET",
      "PGRST_JWT_SECRET",
      "GOTRUE_JWT_SECRET",
      "SUPABASE_JWT_SECRET",
      "SUPABASE_AUTH_JWT_SECRET",
    ],
    default: null,
    isSecret: true,
    summary:
      "Secret that signs and verifies HS256 tokens, or a JWK or JWK set (JSON) to verify with. Generated when not given.",
  }),
  jwtSecretIsBase64: flag({
    env: ["MAINSTAY_JWT_SECRET_IS_BASE64", "PGRST_JWT_SECRET_IS_BASE64"],
    default: false,
    summary: "The JWT secret is base64 text of the real bytes.",
  }),
  jwtAlgorithm: text<"auto" | "ES256" | "HS256">({
    env: ["MAINSTAY_JWT_ALGORITHM"],
    default: "auto",
    choices: ["auto", "ES256", "HS256"],
    summary:
      "What our own access tokens are signed with. `auto`: HS256 when a secret was given, so that whoever shares it can verify them; else ES256.",
  }),
  anonKey: text<string | null>({
    env: ["MAINSTAY_ANON_KEY", "ANON_KEY", "SUPABASE_ANON_KEY"],
    default: null,
    isSecret: true,
    summary: "Legacy API key of the anonymous role, when the apps already carry one. Generated when not given.",
  }),
  serviceRoleKey: text<string | null>({
    env: ["MAINSTAY_SERVICE_ROLE_KEY", "SERVICE_ROLE_KEY", "SUPABASE_SERVICE_ROLE_KEY", "SERVICE_KEY"],
    default: null,
    isSecret: true,
    summary: "Legacy API key of the service role. Generated when not given.",
  }),
  publishableKey: text<string | null>({
    env: ["MAINSTAY_PUBLISHABLE_KEY", "SUPABASE_PUBLISHABLE_KEY"],
    default: null,
    isSecret: true,
    summary: "API key apps carry (`sb_publishable_…`). Generated when not given.",
  }),
  secretKey: text<string | null>({
    env: ["MAINSTAY_SECRET_KEY", "SUPABASE_SECRET_KEY"],
    default: null,
    isSecret: true,
    summary: "API key of your own servers (`sb_secret_…`). Generated when not given.",
  }),
  apiKeyRequired: flag({
    env: ["MAINSTAY_API_KEY_REQUIRED"],
    default: true,
    summary: "Refuse requests without an API key. Turn off for clients of a bare PostgREST, which send none.",
  }),
  refuseServiceKeysInBrowsers: text<"none" | "secret" | "all">({
    env: ["MAINSTAY_REFUSE_SERVICE_KEYS_IN_BROWSERS"],
    default: "secret",
    choices: ["none", "secret", "all"],
    summary:
      "Which keys of the service role are refused when a browser sends them: none, those starting `sb_secret_`, or legacy ones too.",
  }),
  jwtAudience: text<string | null>({
    env: ["MAINSTAY_JWT_AUDIENCE", "PGRST_JWT_AUD"],
    default: null,
    summary: "Audience a token must be for, when it names one.",
  }),
  jwtRoleClaim: text<string>({
    env: ["MAINSTAY_JWT_ROLE_CLAIM", "PGRST_JWT_ROLE_CLAIM_KEY", "PGRST_ROLE_CLAIM_KEY"],
    default: ".role",
    summary: "Where a token keeps its database role, as a path: `.app.roles[0]`.",
  }),
  anonymousRole: text<string>({
    env: ["MAINSTAY_ANONYMOUS_ROLE", "PGRST_DB_ANON_ROLE"],
    default: "anon",
    summary: "Database role of callers who are not signed in.",
  }),
  jwtLeewaySeconds: integer<number>({
    env: ["MAINSTAY_JWT_LEEWAY_SECONDS"],
    default: 30,
    unit: "s",
    min: 0,
    max: 60,
    summary: "How far the clock of whoever made a token may be off.",
  }),
  tokenMaxBytes: integer<number>({
    env: ["MAINSTAY_TOKEN_MAX_BYTES"],
    default: 16_384,
    unit: "bytes",
    min: 512,
    max: 65_536,
    summary: "Longest token looked at.",
  }),
  tokenCacheSize: integer<number>({
    env: ["MAINSTAY_TOKEN_CACHE_SIZE", "PGRST_JWT_CACHE_MAX_ENTRIES"],
    default: 10_000,
    unit: "tokens",
    min: 0,
    summary: "Verified tokens remembered.",
  }),
  masterKey: text<string | null>({
    env: ["MAINSTAY_MASTER_KEY"],
    default: null,
    isSecret: true,
    summary:
      "Secret of at least 32 bytes that all nodes of one database share: the keys are then kept in the database, encrypted with it.",
  }),
  keyOverlapSeconds: integer<number>({
    env: ["MAINSTAY_KEY_OVERLAP_SECONDS"],
    default: 604_800,
    unit: "s",
    min: 0,
    summary:
      "How long a rotated signing key goes on verifying: at least the life of an access token, so that nobody is signed out.",
  }),
  keyPollMs: integer<number>({
    env: ["MAINSTAY_KEY_POLL_MS"],
    default: 2_000,
    unit: "ms",
    min: 0,
    summary: "How often the keys file is checked for a rotation made by another process. 0: never.",
  }),
  refuseEndedSessions: flag({
    env: ["MAINSTAY_REFUSE_ENDED_SESSIONS"],
    default: true,
    summary:
      "Refuse access tokens of ended sessions and of banned or deleted users everywhere, not only at sign-in's own endpoints.",
  }),
  revocationPollMs: integer<number>({
    env: ["MAINSTAY_REVOCATION_POLL_MS"],
    default: 2_000,
    unit: "ms",
    min: 50,
    max: 60_000,
    summary: "How often a node looks for what others have ended, should a notification be lost.",
  }),
  thirdPartyIssuers: list({
    env: ["MAINSTAY_THIRD_PARTY_ISSUERS"],
    default: [],
    summary:
      "Other issuers whose tokens are accepted, each as `issuer|jwks url|audience`. None is accepted without an audience.",
  }),
  jwksRefreshMs: integer<number>({
    env: ["MAINSTAY_JWKS_REFRESH_MS"],
    default: 600_000,
    unit: "ms",
    min: 1_000,
    summary: "How often the keys of third-party issuers are fetched again.",
  }),
  jwksTimeoutMs: integer<number>({
    env: ["MAINSTAY_JWKS_TIMEOUT_MS"],
    default: 5_000,
    unit: "ms",
    min: 100,
    summary: "Longest wait for an issuer's keys.",
  }),
  jwksMaxBytes: integer<number>({
    env: ["MAINSTAY_JWKS_MAX_BYTES"],
    default: 131_072,
    unit: "bytes",
    min: 1_024,
    summary: "Largest key set accepted from an issuer.",
  }),
} satisfies Settings;
