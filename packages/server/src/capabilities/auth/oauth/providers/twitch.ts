import { profileOf } from "../profile.ts";
import { textAt } from "../read.ts";
import type { ProviderDefinition } from "../types.ts";
import { baseOf } from "./hosts.ts";

/** https://dev.twitch.tv/docs/api/reference/#get-users: the address is there when it is verified. */
export const twitch: ProviderDefinition = {
  name: "twitch",
  scopes: ["user:read:email"],
  usesPkce: false,
  clientAuth: "post",
  oauth2: {
    endpoints: (url) => ({
      authorize: `${baseOf(url, "https://id.twitch.tv")}/oauth2/authorize`,
      token: `${baseOf(url, "https://id.twitch.tv")}/oauth2/token`,
      api: baseOf(url, "https://api.twitch.tv"),
    }),
    async profile({ api, clientId, get }) {
      const answer = await get(`${api}/helix/users`, { "Client-Id": clientId });
      return profileOf({
        issuer: api,
        subject: textAt(answer, "data", 0, "id"),
        email: textAt(answer, "data", 0, "email"),
        isEmailVerified: true,
        name: textAt(answer, "data", 0, "display_name"),
        picture: textAt(answer, "data", 0, "profile_image_url"),
        username: textAt(answer, "data", 0, "login"),
      });
    },
  },
};
