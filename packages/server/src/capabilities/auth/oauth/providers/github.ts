import { profileOf } from "../profile.ts";
import { flagAt, listAt, textAt } from "../read.ts";
import type { ProviderDefinition } from "../types.ts";
import { baseOf } from "./hosts.ts";

/** https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps; an enterprise server by its URL. */
export const github: ProviderDefinition = {
  name: "github",
  scopes: ["user:email"],
  usesPkce: true,
  clientAuth: "post",
  oauth2: {
    endpoints: (url) => ({
      authorize: `${baseOf(url, "https://github.com")}/login/oauth/authorize`,
      token: `${baseOf(url, "https://github.com")}/login/oauth/access_token`,
      api: url === null ? "https://api.github.com" : `${baseOf(url, "")}/api/v3`,
    }),
    async profile({ api, get }) {
      const user = await get(`${api}/user`);
      // The profile's address is what the person likes to show; which are confirmed is said here only.
      const emails = listAt(await get(`${api}/user/emails`));
      const email = emails.find((one) => flagAt(one, "primary")) ?? emails.find((one) => flagAt(one, "verified"));
      return profileOf({
        issuer: api,
        subject: textAt(user, "id"),
        email: textAt(email, "email"),
        isEmailVerified: flagAt(email, "verified"),
        name: textAt(user, "name"),
        picture: textAt(user, "avatar_url"),
        username: textAt(user, "login"),
      });
    },
  },
};
