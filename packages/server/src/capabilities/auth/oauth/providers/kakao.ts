import { profileOf } from "../profile.ts";
import { flagAt, textAt } from "../read.ts";
import type { ProviderDefinition } from "../types.ts";
import { baseOf } from "./hosts.ts";

const site = "https://kauth.kakao.com";

/** https://developers.kakao.com/docs/latest/en/kakaologin/rest-api. Its ID tokens do not say whether the address is verified. */
export const kakao: ProviderDefinition = {
  name: "kakao",
  scopes: ["account_email", "profile_image", "profile_nickname"],
  usesPkce: false,
  clientAuth: "post",
  oauth2: {
    endpoints: (url) => ({
      authorize: `${baseOf(url, site)}/oauth/authorize`,
      token: `${baseOf(url, site)}/oauth/token`,
      api: baseOf(url, "https://kapi.kakao.com"),
    }),
    async profile({ api, get }) {
      const user = await get(`${api}/v2/user/me`);
      return profileOf({
        issuer: api,
        subject: textAt(user, "id"),
        email: textAt(user, "kakao_account", "email"),
        isEmailVerified:
          flagAt(user, "kakao_account", "is_email_verified") && flagAt(user, "kakao_account", "is_email_valid"),
        name: textAt(user, "kakao_account", "profile", "nickname"),
        picture: textAt(user, "kakao_account", "profile", "profile_image_url"),
      });
    },
  },
  oidc: {
    issuer: (url) => baseOf(url, site),
    isIssuer: ({ iss }, discovered) => iss === discovered,
    profile: (claims) =>
      profileOf({
        issuer: textAt(claims, "iss"),
        subject: textAt(claims, "sub"),
        email: textAt(claims, "email"),
        isEmailVerified: flagAt(claims, "email_verified"),
        name: textAt(claims, "nickname"),
        picture: textAt(claims, "picture"),
      }),
  },
};
