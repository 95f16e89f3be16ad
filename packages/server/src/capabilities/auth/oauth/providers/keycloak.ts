import type { ProviderDefinition } from "../types.ts";
import { standardOidc } from "./generic.ts";

/** https://www.keycloak.org/securing-apps/oidc-layers. The URL is the realm's: `https://host/realms/name`. */
export const keycloak: ProviderDefinition = {
  name: "keycloak",
  scopes: ["openid", "profile", "email"],
  usesPkce: true,
  clientAuth: "post",
  oidc: standardOidc(null),
};
