import { profileOf } from "../profile.ts";
import { textAt } from "../read.ts";
import type { ProviderDefinition } from "../types.ts";
import { baseOf } from "./hosts.ts";

/** https://developers.zoom.us/docs/integrations/oauth/ */
export const zoom: ProviderDefinition = {
  name: "zoom",
  scopes: [],
  usesPkce: true,
  clientAuth: "basic",
  oauth2: {
    endpoints: (url) => ({
      authorize: `${baseOf(url, "https://zoom.us")}/oauth/authorize`,
      token: `${baseOf(url, "https://zoom.us")}/oauth/token`,
      api: `${baseOf(url, "https://api.zoom.us")}/v2`,
    }),
    async profile({ api, get }) {
      const me = await get(`${api}/users/me`);
      return profileOf({
        issuer: api,
        subject: textAt(me, "id"),
        email: textAt(me, "email"),
        isEmailVerified: textAt(me, "verified") === "1",
        name: `${textAt(me, "first_name")} ${textAt(me, "last_name")}`.trim(),
        picture: textAt(me, "pic_url"),
      });
    },
  },
};
