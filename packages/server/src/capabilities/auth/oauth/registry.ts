import { SettingError } from "../../../kernel/settings.ts";
import type { AuthContext, AuthSettings } from "../context.ts";
import { issuerOf } from "../tokens.ts";
import { customDefinition, customName, type GivenProvider, readProvider } from "./custom.ts";
import { oauthProblems } from "./problems.ts";
import { createProvider } from "./provider.ts";
import { definitions } from "./providers/index.ts";
import { providerNames, providerSetting } from "./settings.ts";
import type { Provider, ProviderDefinition, ProviderOptions } from "./types.ts";

/** The providers that are on. */
export interface Providers {
  /** @throws Problem 400 `validation_failed` when it is off, or there is none of this name */
  get(name: string): Provider;
  find(name: string): Provider | null;
}

/**
 * Whether a provider is on, for `/settings`. Switched on without a client id it stays off: a token made out to anybody would do
 * (threat A02). @throws SettingError when the setting `providers` cannot be read
 */
export const enabledProviders = (settings: AuthSettings): ReadonlySet<string> =>
  new Set(configured(settings).map(({ definition }) => definition.name));

/** Providers that somebody has switched on and that stay off, for want of a client id. */
export const idleProviders = (settings: AuthSettings): readonly string[] =>
  allOf(settings)
    .filter(({ isEnabled, options }) => isEnabled && options.clientIds.length === 0)
    .map(({ definition }) => definition.name);

/**
 * All that are on, checked (threat A24). @param known What there is besides `custom:` ones; in the order of nothing
 * @throws SettingError for one that cannot work: the server does not start with it
 */
export function createProviders(
  { settings, clock }: Pick<AuthContext, "settings" | "clock">,
  known: Readonly<Record<string, ProviderDefinition>> = definitions,
): Providers {
  const needs = {
    bounds: { timeoutMs: settings.oauthTimeoutMs, maxBytes: settings.oauthMaxBytes },
    rememberMs: settings.oauthDiscoverySeconds * 1000,
    clock,
    callbackUrl: `${issuerOf({ issuer: null, publicUrl: settings.publicUrl })}/callback`,
  };
  const providers = new Map(
    configured(settings, known).map(({ definition, options }) => [
      definition.name,
      createProvider(definition, options, needs),
    ]),
  );
  const find = (name: string): Provider | null => providers.get(name.toLowerCase()) ?? null;
  return {
    find,
    get(name) {
      const provider = find(name);
      if (provider === null) throw oauthProblems.unsupportedProvider();
      return provider;
    },
  };
}

interface Configured {
  readonly definition: ProviderDefinition;
  readonly options: ProviderOptions;
}

const configured = (
  settings: AuthSettings,
  known: Readonly<Record<string, ProviderDefinition>> = definitions,
): readonly Configured[] =>
  allOf(settings, known).filter(({ isEnabled, options }) => isEnabled && options.clientIds.length > 0);

/** @throws SettingError when the setting `providers` cannot be read */
function allOf(
  settings: AuthSettings,
  known: Readonly<Record<string, ProviderDefinition>> = definitions,
): readonly (Configured & { readonly isEnabled: boolean })[] {
  const stray = Object.keys(settings.providers).find((name) => !customName.test(name) && !Object.hasOwn(known, name));
  if (stray !== undefined) {
    throw new SettingError(
      `providers: there is no ${JSON.stringify(stray)}. A provider of your own is named custom: and letters, digits, - and _.`,
    );
  }
  return [
    ...Object.values(known).map((definition) => ({ definition, ...optionsOf(settings, definition.name) })),
    ...Object.entries(settings.providers)
      .filter(([name]) => customName.test(name))
      .map(([name, value]) => ({ definition: customDefinition(name, value), ...readProvider(name, value) })),
  ];
}

/** The provider's own settings; what they leave open, its entry in `providers` says. */
function optionsOf(settings: AuthSettings, name: string): GivenProvider {
  const entry = settings.providers[name];
  const given = entry === undefined ? null : readProvider(name, entry);
  const own = ownSettings(settings, name);
  if (own === null) return given ?? { isEnabled: false, options: nothing };
  if (given === null) return own;
  return {
    isEnabled: own.isEnabled || given.isEnabled,
    options: {
      clientIds: own.options.clientIds.length > 0 ? own.options.clientIds : given.options.clientIds,
      secret: own.options.secret || given.options.secret,
      redirectUri: own.options.redirectUri ?? given.options.redirectUri,
      url: own.options.url ?? given.options.url,
      isEmailOptional: own.options.isEmailOptional || given.options.isEmailOptional,
      skipsNonceCheck: own.options.skipsNonceCheck || given.options.skipsNonceCheck,
      signing: own.options.signing,
    },
  };
}

const nothing: ProviderOptions = {
  clientIds: [],
  secret: "",
  redirectUri: null,
  url: null,
  isEmailOptional: false,
  skipsNonceCheck: false,
  signing: null,
};

function ownSettings(settings: AuthSettings, text: string): GivenProvider | null {
  const name = providerNames.find((one) => one === text);
  if (name === undefined) return null;
  return {
    isEnabled: settings[providerSetting(name, "Enabled")],
    options: {
      clientIds: settings[providerSetting(name, "ClientIds")],
      secret: settings[providerSetting(name, "Secret")] ?? "",
      // config.toml is written with empty texts.
      redirectUri: settings[providerSetting(name, "RedirectUri")] || null,
      url: settings[providerSetting(name, "Url")] || null,
      isEmailOptional: settings[providerSetting(name, "EmailOptional")],
      skipsNonceCheck: settings[providerSetting(name, "SkipNonceCheck")],
      signing: name === "apple" ? appleSigning(settings) : null,
    },
  };
}

/** @throws SettingError when some of the three are there and some are not */
function appleSigning(settings: AuthSettings): ProviderOptions["signing"] {
  const { appleTeamId: teamId, appleKeyId: keyId, applePrivateKey: privateKey } = settings;
  if (teamId === null && keyId === null && privateKey === null) return null;
  if (teamId === null || keyId === null || privateKey === null) {
    throw new SettingError("appleTeamId, appleKeyId and applePrivateKey are given together or not at all.");
  }
  return { teamId, keyId, privateKey };
}
