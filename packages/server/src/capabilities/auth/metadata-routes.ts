import { json, type Route } from "../../kernel/route.ts";
import type { Values } from "../../kernel/settings.ts";
import type { TokenSigner } from "../../platform/identity/types.ts";
import { enabledProviders } from "./oauth/index.ts";
import { providerNames } from "./oauth/settings.ts";
import type { authSettings } from "./settings.ts";
import { issuerOf } from "./tokens.ts";

/** Every provider clients know of, so that each finds its own here (Supabase docs, Social Login); the last two are not served. */
const providers = [...providerNames, "fly", "snapchat"].sort();

/** What anyone may know: GoTrue's health, settings and keys (JWKS: RFC 7517 §5). */
export function metadataRoutes(
  signer: TokenSigner,
  settings: Values<typeof authSettings>,
  version: string,
): readonly Route[] {
  const enabled = enabledProviders(settings);
  return [
    {
      method: "GET",
      path: "/health",
      access: "open",
      summary: "Whether sign-in is served.",
      // The name is GoTrue's: some clients and probes compare it.
      handle: () => json({ version, name: "GoTrue", description: "Sign-in and accounts, by Mainstay" }),
    },
    {
      method: "GET",
      path: "/settings",
      access: "key",
      summary: "Which ways of signing in are on.",
      handle: () =>
        json({
          external: {
            anonymous_users: settings.anonymousEnabled,
            ...Object.fromEntries(providers.map((name) => [name, enabled.has(name)])),
            email: settings.emailEnabled,
            phone: settings.phoneEnabled,
          },
          disable_signup: settings.disableSignup,
          mailer_autoconfirm: settings.mailerAutoconfirm,
          phone_autoconfirm: settings.phoneAutoconfirm,
          sms_provider: settings.smsProvider ?? "",
          saml_enabled: false,
          saml_private_key_next_configured: false,
          passkeys_enabled: settings.passkeysEnabled,
        }),
    },
    {
      method: "GET",
      path: "/.well-known/jwks.json",
      access: "open",
      summary: "Public keys to verify access tokens with.",
      handle: () => json(signer.jwks(), 200, ["Cache-Control", "public, max-age=600"]),
    },
    {
      method: "GET",
      path: "/.well-known/openid-configuration",
      access: "open",
      summary: "Where the public keys are, for verifiers that look here first.",
      handle() {
        const issuer = issuerOf(settings);
        const algorithms = signer.jwks().keys.map((key) => key.alg);
        return json(
          {
            issuer,
            jwks_uri: `${issuer}/.well-known/jwks.json`,
            subject_types_supported: ["public"],
            id_token_signing_alg_values_supported: [...new Set(algorithms)],
          },
          200,
          ["Cache-Control", "public, max-age=600"],
        );
      },
    },
  ];
}
