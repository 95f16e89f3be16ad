import { profileOf } from "../profile.ts";
import { textAt } from "../read.ts";
import type { ProviderDefinition } from "../types.ts";
import { baseOf } from "./hosts.ts";

/** https://developer.spotify.com/documentation/web-api/reference/get-current-users-profile: "This email address is unverified". */
export const spotify: ProviderDefinition = {
  name: "spotify",
  scopes: ["user-read-email"],
  usesPkce: true,
  clientAuth: "basic",
  oauth2: {
    endpoints: (url) => ({
      authorize: `${baseOf(url, "https://accounts.spotify.com")}/authorize`,
      token: `${baseOf(url, "https://accounts.spotify.com")}/api/token`,
      api: baseOf(url, "https://api.spotify.com/v1"),
    }),
    async profile({ api, get }) {
      const user = await get(`${api}/me`);
      return profileOf({
        issuer: api,
        subject: textAt(user, "id"),
        email: textAt(user, "email"),
        isEmailVerified: false,
        name: textAt(user, "display_name"),
        picture: textAt(user, "images", 0, "url"),
      });
    },
  },
};
