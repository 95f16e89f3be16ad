import { profileOf } from "../profile.ts";
import { textAt } from "../read.ts";
import type { ProviderDefinition } from "../types.ts";
import { baseOf } from "./hosts.ts";

/** https://docs.gitlab.com/api/oauth2/; a server of one's own by its URL. */
export const gitlab: ProviderDefinition = {
  name: "gitlab",
  scopes: ["read_user"],
  usesPkce: true,
  clientAuth: "post",
  oauth2: {
    endpoints: (url) => {
      const base = baseOf(url, "https://gitlab.com");
      return { authorize: `${base}/oauth/authorize`, token: `${base}/oauth/token`, api: base };
    },
    async profile({ api, get }) {
      const user = await get(`${api}/api/v4/user`);
      return profileOf({
        issuer: api,
        subject: textAt(user, "id"),
        email: textAt(user, "email"),
        isEmailVerified: textAt(user, "confirmed_at") !== "",
        name: textAt(user, "name"),
        picture: textAt(user, "avatar_url"),
        username: textAt(user, "username"),
      });
    },
  },
};
