import { profileOf } from "../profile.ts";
import { flagAt, textAt } from "../read.ts";
import type { ProviderDefinition } from "../types.ts";
import { baseOf } from "./hosts.ts";

/** Apple signs tokens of its newer account domain with the same keys. */
const issuers = ["https://appleid.apple.com", "https://account.apple.com"];

/**
 * https://developer.apple.com/documentation/signinwithapple. Apple asks for the answer as a form as soon as a scope is asked for,
 * has no PKCE, and gives out addresses it has verified or made itself. The name comes once and outside of the token.
 */
export const apple: ProviderDefinition = {
  name: "apple",
  scopes: ["email", "name"],
  usesPkce: false,
  clientAuth: "post",
  authorizeParams: { response_mode: "form_post" },
  isFormPost: true,
  revocationPath: "/auth/revoke",
  oidc: {
    issuer: (url) => baseOf(url, issuers[0]!),
    isIssuer: ({ iss }, discovered) =>
      iss === discovered || (issuers.includes(discovered) && typeof iss === "string" && issuers.includes(iss)),
    profile: (claims) =>
      profileOf({
        issuer: textAt(claims, "iss"),
        subject: textAt(claims, "sub"),
        email: textAt(claims, "email"),
        isEmailVerified: flagAt(claims, "email_verified"),
        custom: {
          ...(claims.is_private_email === undefined ? {} : { is_private_email: flagAt(claims, "is_private_email") }),
          ...(typeof claims.auth_time === "number" ? { auth_time: claims.auth_time } : {}),
          transfer_sub: textAt(claims, "transfer_sub"),
        },
      }),
  },
};
