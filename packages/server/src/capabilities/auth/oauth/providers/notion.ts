import { profileOf } from "../profile.ts";
import { textAt } from "../read.ts";
import type { ProviderDefinition } from "../types.ts";
import { baseOf } from "./hosts.ts";

/** https://developers.notion.com/docs/authorization. Nothing is said of whether the address is confirmed. */
export const notion: ProviderDefinition = {
  name: "notion",
  scopes: [],
  usesPkce: false,
  clientAuth: "basic",
  authorizeParams: { owner: "user" },
  oauth2: {
    endpoints: (url) => {
      const api = baseOf(url, "https://api.notion.com");
      return { authorize: `${api}/v1/oauth/authorize`, token: `${api}/v1/oauth/token`, api };
    },
    async profile({ api, get }) {
      const me = await get(`${api}/v1/users/me`, { "Notion-Version": "2021-08-16" });
      return profileOf({
        issuer: api,
        subject: textAt(me, "bot", "owner", "user", "id"),
        email: textAt(me, "bot", "owner", "user", "person", "email"),
        isEmailVerified: false,
        name: textAt(me, "bot", "owner", "user", "name"),
        picture: textAt(me, "bot", "owner", "user", "avatar_url"),
      });
    },
  },
};
