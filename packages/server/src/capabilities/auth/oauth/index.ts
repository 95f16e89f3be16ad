import type { AuthContext } from "../context.ts";
import type { AuthPart } from "../part.ts";
import { signInWithIdToken } from "./id-token-grant.ts";
import { createRevoker } from "./provider-tokens.ts";
import { createProviders, idleProviders } from "./registry.ts";
import { oauthRoutes } from "./routes.ts";

export { revokeProviderTokens } from "./provider-tokens.ts";
export { enabledProviders, idleProviders } from "./registry.ts";

/** Sign-in with providers, and the identities it makes. @throws SettingError for a provider that cannot work */
export function oauthPart(context: AuthContext): AuthPart {
  const providers = createProviders(context);
  const revoker = createRevoker(context, providers);
  return {
    routes: oauthRoutes(context, providers),
    grants: { id_token: (fields, call) => signInWithIdToken(context, providers, fields, call) },
    async start() {
      for (const name of idleProviders(context.settings)) {
        const message = `Sign-in with ${name} is switched on and stays off: it has no client id.`;
        context.observe({ kind: "warning", area: "auth", message });
      }
      await revoker.start();
    },
    stop: revoker.stop,
  };
}
