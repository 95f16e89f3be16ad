import { profileOf } from "../profile.ts";
import { textAt } from "../read.ts";
import type { ProviderDefinition } from "../types.ts";
import { baseOf } from "./hosts.ts";

/** https://developers.figma.com/docs/rest-api/authentication/. Nothing is said of whether the address is confirmed. */
export const figma: ProviderDefinition = {
  name: "figma",
  scopes: ["current_user:read"],
  usesPkce: true,
  clientAuth: "basic",
  oauth2: {
    endpoints: (url) => ({
      authorize: `${baseOf(url, "https://www.figma.com")}/oauth`,
      token: `${baseOf(url, "https://api.figma.com")}/v1/oauth/token`,
      api: baseOf(url, "https://api.figma.com"),
    }),
    async profile({ api, get }) {
      const me = await get(`${api}/v1/me`);
      return profileOf({
        issuer: api,
        subject: textAt(me, "id"),
        email: textAt(me, "email"),
        isEmailVerified: false,
        name: textAt(me, "handle"),
        picture: textAt(me, "img_url"),
      });
    },
  },
};
