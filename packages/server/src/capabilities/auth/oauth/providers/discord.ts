import { profileOf } from "../profile.ts";
import { flagAt, textAt } from "../read.ts";
import type { ProviderDefinition } from "../types.ts";
import { baseOf } from "./hosts.ts";

/** https://discord.com/developers/docs/topics/oauth2 */
export const discord: ProviderDefinition = {
  name: "discord",
  scopes: ["email", "identify"],
  usesPkce: true,
  clientAuth: "post",
  oauth2: {
    endpoints: (url) => {
      const api = `${baseOf(url, "https://discord.com")}/api`;
      return { authorize: `${api}/oauth2/authorize`, token: `${api}/oauth2/token`, api };
    },
    async profile({ api, get }) {
      const user = await get(`${api}/users/@me`);
      const discriminator = textAt(user, "discriminator");
      return profileOf({
        issuer: api,
        subject: textAt(user, "id"),
        email: textAt(user, "email"),
        isEmailVerified: flagAt(user, "verified"),
        name: discriminator === "" ? textAt(user, "username") : `${textAt(user, "username")}#${discriminator}`,
        picture: pictureOf(textAt(user, "id"), textAt(user, "avatar")),
        custom: { global_name: textAt(user, "global_name") },
      });
    },
  },
};

/** https://discord.com/developers/docs/reference#image-formatting: animated ones begin with `a_`. */
function pictureOf(id: string, avatar: string): string {
  if (avatar === "") return "";
  return `https://cdn.discordapp.com/avatars/${id}/${avatar}.${avatar.startsWith("a_") ? "gif" : "png"}`;
}
