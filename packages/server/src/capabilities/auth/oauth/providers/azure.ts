import type { Fields } from "../../request.ts";
import { profileOf } from "../profile.ts";
import { textAt } from "../read.ts";
import type { ProviderDefinition } from "../types.ts";
import { baseOf } from "./hosts.ts";

/** Stands in the issuer of endpoints that serve many tenants. */
const anyTenant = "{tenantid}";
/** Microsoft's own tenant, of personal accounts: Microsoft verifies their addresses. */
const personalTenant = "9188040d-6c67-4c5b-b112-36a304b66dad";
const guid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** https://learn.microsoft.com/en-us/entra/identity-platform/id-token-claims-reference */
export const azure: ProviderDefinition = {
  name: "azure",
  scopes: ["openid"],
  usesPkce: true,
  clientAuth: "post",
  oidc: {
    issuer: (url) => {
      const base = baseOf(url, "https://login.microsoftonline.com/common");
      return base.endsWith("/v2.0") ? base : `${base}/v2.0`;
    },
    isIssuer: (claims, discovered) => {
      if (!discovered.includes(anyTenant)) return claims.iss === discovered;
      const tenant = textAt(claims, "tid");
      return guid.test(tenant) && claims.iss === discovered.replace(anyTenant, tenant);
    },
    profile: (claims, discovered) =>
      profileOf({
        issuer: textAt(claims, "iss"),
        subject: textAt(claims, "sub"),
        email: textAt(claims, "email"),
        isEmailVerified: isVerified(claims, discovered),
        name: textAt(claims, "name"),
        username: textAt(claims, "preferred_username"),
        custom: { tid: textAt(claims, "tid"), oid: textAt(claims, "oid") },
      }),
  },
};

/**
 * In a tenant of their own anybody can give themselves any address. Microsoft says whether the tenant owns the address's domain in
 * `xms_edov`, an optional claim; without it only Microsoft's own tenant, or the one tenant the operator has named, is believed.
 * https://learn.microsoft.com/en-us/entra/identity-platform/migrate-off-email-claim-authorization
 */
function isVerified(claims: Fields, discovered: string): boolean {
  const owned = claims.xms_edov;
  if (owned !== undefined && owned !== null) return owned === true || owned === 1 || owned === "1" || owned === "true";
  return textAt(claims, "tid") === personalTenant || !discovered.includes(anyTenant);
}
