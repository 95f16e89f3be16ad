import { profileOf } from "../profile.ts";
import { flagAt, listAt, textAt } from "../read.ts";
import type { ProviderDefinition } from "../types.ts";
import { baseOf } from "./hosts.ts";

/** https://developer.atlassian.com/cloud/bitbucket/oauth-2/ */
export const bitbucket: ProviderDefinition = {
  name: "bitbucket",
  scopes: ["account", "email"],
  usesPkce: false,
  clientAuth: "basic",
  oauth2: {
    endpoints: (url) => ({
      authorize: `${baseOf(url, "https://bitbucket.org")}/site/oauth2/authorize`,
      token: `${baseOf(url, "https://bitbucket.org")}/site/oauth2/access_token`,
      api: `${baseOf(url, "https://api.bitbucket.org")}/2.0`,
    }),
    async profile({ api, get }) {
      const user = await get(`${api}/user`);
      const emails = listAt(await get(`${api}/user/emails`), "values");
      const email =
        emails.find((one) => flagAt(one, "is_primary")) ?? emails.find((one) => flagAt(one, "is_confirmed"));
      return profileOf({
        issuer: api,
        subject: textAt(user, "uuid"),
        email: textAt(email, "email"),
        isEmailVerified: flagAt(email, "is_confirmed"),
        name: textAt(user, "display_name"),
        picture: textAt(user, "links", "avatar", "href"),
        username: textAt(user, "username"),
      });
    },
  },
};
