import { createHmac } from "node:crypto";
import { profileOf } from "../profile.ts";
import { textAt } from "../read.ts";
import type { ProviderDefinition } from "../types.ts";
import { baseOf } from "./hosts.ts";

const site = "https://www.facebook.com";

/**
 * https://developers.facebook.com/docs/facebook-login/guides/advanced/manual-flow, and for the tokens of Limited Login on iOS
 * https://developers.facebook.com/docs/facebook-login/limited-login/token. Facebook gives out confirmed addresses only.
 */
export const facebook: ProviderDefinition = {
  name: "facebook",
  scopes: ["email"],
  usesPkce: false,
  clientAuth: "post",
  oauth2: {
    endpoints: (url) => ({
      authorize: `${baseOf(url, site)}/dialog/oauth`,
      token: `${baseOf(url, "https://graph.facebook.com")}/oauth/access_token`,
      api: baseOf(url, "https://graph.facebook.com"),
    }),
    async profile({ api, tokens, clientSecret, get }) {
      // Shows that the server asks, and not somebody who found the token.
      const proof = createHmac("sha256", clientSecret).update(tokens.accessToken).digest("hex");
      const me = await get(`${api}/me?fields=email,first_name,last_name,name,picture&appsecret_proof=${proof}`);
      return profileOf({
        issuer: api,
        subject: textAt(me, "id"),
        email: textAt(me, "email"),
        isEmailVerified: true,
        name: textAt(me, "name"),
        picture: textAt(me, "picture", "data", "url"),
        claims: { given_name: textAt(me, "first_name"), family_name: textAt(me, "last_name") },
      });
    },
  },
  oidc: {
    issuer: (url) => baseOf(url, site),
    isIssuer: ({ iss }, discovered) => iss === discovered,
    // The app's SDK puts its own nonce into the token, and does not hash it.
    hasNoNonce: true,
    profile: (claims) =>
      profileOf({
        issuer: textAt(claims, "iss"),
        subject: textAt(claims, "sub"),
        email: textAt(claims, "email"),
        isEmailVerified: true,
        name: textAt(claims, "name"),
        picture: textAt(claims, "picture"),
      }),
  },
};
