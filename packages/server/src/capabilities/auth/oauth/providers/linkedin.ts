import { profileOf } from "../profile.ts";
import { flagAt, textAt } from "../read.ts";
import type { ProviderDefinition } from "../types.ts";
import { baseOf } from "./hosts.ts";

/**
 * https://learn.microsoft.com/en-us/linkedin/consumer/integrations/self-serve/sign-in-with-linkedin-v2. Its ID tokens carry no nonce, so
 * the userinfo endpoint is asked instead: its answer comes over our own connection.
 */
export const linkedinOidc: ProviderDefinition = {
  name: "linkedin_oidc",
  scopes: ["openid", "email", "profile"],
  usesPkce: false,
  clientAuth: "post",
  oauth2: {
    endpoints: (url) => ({
      authorize: `${baseOf(url, "https://www.linkedin.com")}/oauth/v2/authorization`,
      token: `${baseOf(url, "https://www.linkedin.com")}/oauth/v2/accessToken`,
      api: baseOf(url, "https://api.linkedin.com"),
    }),
    async profile({ api, get }) {
      const user = await get(`${api}/v2/userinfo`);
      return profileOf({
        issuer: api,
        subject: textAt(user, "sub"),
        email: textAt(user, "email"),
        isEmailVerified: flagAt(user, "email_verified"),
        name: textAt(user, "name"),
        picture: textAt(user, "picture"),
        claims: { given_name: textAt(user, "given_name"), family_name: textAt(user, "family_name") },
      });
    },
  },
};

/** The product before, for apps that still have it. Nothing is said of whether the address is confirmed. */
export const linkedin: ProviderDefinition = {
  ...linkedinOidc,
  name: "linkedin",
  scopes: ["r_emailaddress", "r_liteprofile"],
  oauth2: {
    endpoints: linkedinOidc.oauth2!.endpoints,
    async profile({ api, get }) {
      const user = await get(`${api}/v2/me?projection=(id,localizedFirstName,localizedLastName)`);
      const email = await get(`${api}/v2/emailAddress?q=members&projection=(elements*(handle~))`);
      return profileOf({
        issuer: api,
        subject: textAt(user, "id"),
        email: textAt(email, "elements", 0, "handle~", "emailAddress"),
        isEmailVerified: false,
        name: `${textAt(user, "localizedFirstName")} ${textAt(user, "localizedLastName")}`.trim(),
      });
    },
  },
};
