import {
  type BooleanSetting,
  flag,
  integer,
  type ListSetting,
  list,
  object,
  type Setting,
  type Settings,
  type StringSetting,
  text,
} from "../../../kernel/settings.ts";

/** Providers with settings of their own, as GoTrue names them. Others are in the setting `providers`. */
export const providerNames = [
  "apple",
  "azure",
  "bitbucket",
  "discord",
  "facebook",
  "figma",
  "github",
  "gitlab",
  "google",
  "kakao",
  "keycloak",
  "linkedin",
  "linkedin_oidc",
  "notion",
  "slack",
  "slack_oidc",
  "spotify",
  "twitch",
  "twitter",
  "workos",
  "x",
  "zoom",
] as const;

export type ProviderName = (typeof providerNames)[number];

type Camel<S extends string> = S extends `${infer Head}_${infer Tail}` ? `${Head}${Capitalize<Camel<Tail>>}` : S;
type Named<Field extends string, S> = { readonly [N in ProviderName as `${Camel<N>}${Field}`]: S };

/** One setting per provider and field: so each has its variable, its line in `config show`, and secrets are kept. */
export type ProviderSettings = Named<"Enabled", BooleanSetting> &
  Named<"ClientIds", ListSetting> &
  Named<"Secret", StringSetting<string | null>> &
  Named<"Url", StringSetting<string | null>> &
  Named<"RedirectUri", StringSetting<string | null>> &
  Named<"EmailOptional", BooleanSetting> &
  Named<"SkipNonceCheck", BooleanSetting>;

type Field = "Enabled" | "ClientIds" | "Secret" | "Url" | "RedirectUri" | "EmailOptional" | "SkipNonceCheck";

const camel = (name: string): string => name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());

/** What the setting for `field` of a provider is called: `googleClientIds`. */
export const providerSetting = <F extends Field>(
  name: ProviderName,
  field: F,
): keyof ProviderSettings & `${string}${F}` =>
  // The names are made by the same rule as the types.
  `${camel(name)}${field}` as keyof ProviderSettings & `${string}${F}`;

/** Keys of `[auth.external.<provider>]` in Supabase's config.toml, and of `GOTRUE_EXTERNAL_<PROVIDER>_…`. */
export const providerFields: readonly (readonly [key: string, field: Field])[] = [
  ["enabled", "Enabled"],
  ["client_id", "ClientIds"],
  ["secret", "Secret"],
  ["url", "Url"],
  ["redirect_uri", "RedirectUri"],
  ["email_optional", "EmailOptional"],
  ["skip_nonce_check", "SkipNonceCheck"],
];

function providerSettings(name: ProviderName): Record<string, Setting> {
  const env = (key: string) =>
    ["MAINSTAY_OAUTH", "GOTRUE_EXTERNAL"].map((prefix) => `${prefix}_${name}_${key}`.toUpperCase());
  const fields: Record<Field, Setting> = {
    Enabled: flag({ env: env("enabled"), default: false, summary: `Sign-in with ${name}.` }),
    ClientIds: list({
      env: env("client_id"),
      default: [],
      summary: `Client ids at ${name} that tokens may be made out to; the first is used in the browser.`,
    }),
    Secret: text<string | null>({
      env: env("secret"),
      default: null,
      isSecret: true,
      summary: `Client secret at ${name}. Without one only tokens that apps send are taken.`,
    }),
    Url: text<string | null>({
      env: env("url"),
      default: null,
      summary: `Base URL in place of ${name}'s own, for a server or tenant of one's own.`,
    }),
    RedirectUri: text<string | null>({
      env: env("redirect_uri"),
      default: null,
      summary: `Where ${name} sends the browser back to, when it is not \`/auth/v1/callback\` of the public URL.`,
    }),
    EmailOptional: flag({
      env: env("email_optional"),
      default: false,
      summary: `People whom ${name} gives no e-mail address of may sign in too.`,
    }),
    SkipNonceCheck: flag({
      env: env("skip_nonce_check"),
      default: false,
      summary: `Takes tokens of ${name} without comparing the nonce: a stolen one can be used by whoever has it.`,
    }),
  };
  return Object.fromEntries(Object.entries(fields).map(([field, setting]) => [`${camel(name)}${field}`, setting]));
}

/** Sign-in with providers. */
export const oauthSettings = {
  oauthFlowSeconds: integer<number>({
    env: ["MAINSTAY_OAUTH_FLOW_SECONDS", "GOTRUE_EXTERNAL_FLOW_STATE_EXPIRY_DURATION"],
    default: 300,
    unit: "s",
    min: 30,
    max: 3_600,
    summary: "How long somebody may take at the provider.",
  }),
  oauthTimeoutMs: integer<number>({
    env: ["MAINSTAY_OAUTH_TIMEOUT_MS"],
    default: 10_000,
    unit: "ms",
    min: 100,
    max: 60_000,
    summary: "Longest wait for one answer of a provider.",
  }),
  oauthMaxBytes: integer<number>({
    env: ["MAINSTAY_OAUTH_MAX_BYTES"],
    default: 1_048_576,
    unit: "bytes",
    min: 16_384,
    max: 16_777_216,
    summary: "Largest answer of a provider.",
  }),
  oauthDiscoverySeconds: integer<number>({
    env: ["MAINSTAY_OAUTH_DISCOVERY_SECONDS", "GOTRUE_EXTERNAL_OIDC_PROVIDER_CACHE_TTL"],
    default: 3_600,
    unit: "s",
    min: 60,
    max: 86_400,
    summary: "How long a provider's configuration and keys are remembered. An unknown key is asked for at once.",
  }),
  oauthPkceRequired: flag({
    env: ["MAINSTAY_OAUTH_PKCE_REQUIRED"],
    default: false,
    summary: "Sign-in with a provider only for apps that use PKCE: tokens never appear in a URL.",
  }),
  manualLinkingEnabled: flag({
    env: ["MAINSTAY_MANUAL_LINKING", "GOTRUE_SECURITY_MANUAL_LINKING_ENABLED"],
    default: false,
    summary: "Signed-in people can add and remove identities.",
  }),
  providers: object({
    env: ["MAINSTAY_OAUTH_PROVIDERS"],
    default: {},
    isSecret: true,
    summary:
      'Further providers by name, `{"custom:acme": {"issuer": "https://…", "client_id": "…", "secret": "…"}}`, and options of known ones.',
  }),
  appleTeamId: text<string | null>({
    env: ["MAINSTAY_OAUTH_APPLE_TEAM_ID"],
    default: null,
    summary: "Apple's id of the team, to sign client secrets with a key instead of giving one that ends in six months.",
  }),
  appleKeyId: text<string | null>({
    env: ["MAINSTAY_OAUTH_APPLE_KEY_ID"],
    default: null,
    summary: "Apple's id of the key that signs client secrets.",
  }),
  applePrivateKey: text<string | null>({
    env: ["MAINSTAY_OAUTH_APPLE_PRIVATE_KEY"],
    default: null,
    isSecret: true,
    summary: "The key itself: the contents of the `.p8` file.",
  }),
  // The names are made by the rule that the type spells out; `Object.assign` cannot know it.
  ...(Object.assign({}, ...providerNames.map(providerSettings)) as ProviderSettings),
} satisfies Settings;
