import { profileOf } from "../profile.ts";
import { flagAt, textAt } from "../read.ts";
import type { ProviderDefinition } from "../types.ts";
import { baseOf } from "./hosts.ts";

const issuer = "https://accounts.google.com";

/** https://developers.google.com/identity/openid-connect/openid-connect. Old libraries write the issuer without its scheme. */
export const google: ProviderDefinition = {
  name: "google",
  scopes: ["openid", "email", "profile"],
  usesPkce: true,
  clientAuth: "post",
  oidc: {
    issuer: (url) => baseOf(url, issuer),
    isIssuer: ({ iss }, discovered) => iss === discovered || (discovered === issuer && iss === "accounts.google.com"),
    // An Android app asks with an id of its own for a token made out to the server's.
    isAskedByOthers: true,
    profile: (claims, discovered) =>
      profileOf({
        issuer: discovered,
        subject: textAt(claims, "sub"),
        email: textAt(claims, "email"),
        isEmailVerified: flagAt(claims, "email_verified"),
        name: textAt(claims, "name"),
        picture: textAt(claims, "picture"),
        claims: { given_name: textAt(claims, "given_name"), family_name: textAt(claims, "family_name") },
        custom: { hd: textAt(claims, "hd") },
      }),
  },
};
