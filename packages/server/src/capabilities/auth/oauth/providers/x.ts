import { profileOf } from "../profile.ts";
import { textAt } from "../read.ts";
import type { ProviderDefinition } from "../types.ts";
import { baseOf } from "./hosts.ts";

/** https://docs.x.com/fundamentals/authentication/oauth-2-0/authorization-code. PKCE is not optional there. */
export const x: ProviderDefinition = {
  name: "x",
  scopes: ["users.email", "users.read", "tweet.read", "offline.access"],
  usesPkce: true,
  clientAuth: "basic",
  oauth2: {
    endpoints: (url) => ({
      authorize: `${baseOf(url, "https://x.com")}/i/oauth2/authorize`,
      token: `${baseOf(url, "https://api.x.com")}/2/oauth2/token`,
      api: baseOf(url, "https://api.x.com"),
    }),
    async profile({ api, get }) {
      const fields = "id,name,username,confirmed_email,profile_image_url,url";
      const me = await get(`${api}/2/users/me?user.fields=${fields}`);
      const username = textAt(me, "data", "username");
      return profileOf({
        issuer: api,
        subject: textAt(me, "data", "id"),
        email: textAt(me, "data", "confirmed_email"),
        isEmailVerified: true,
        name: textAt(me, "data", "name"),
        picture: textAt(me, "data", "profile_image_url"),
        username,
        claims: { profile: `https://x.com/${username}`, website: textAt(me, "data", "url") },
      });
    },
  },
};

/** The same service under its former name, which apps still ask for. Its old OAuth 1.0a is not spoken. */
export const twitter: ProviderDefinition = { ...x, name: "twitter" };
