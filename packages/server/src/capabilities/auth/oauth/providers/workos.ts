import { profileOf } from "../profile.ts";
import { textAt } from "../read.ts";
import type { ProviderDefinition } from "../types.ts";
import { baseOf } from "./hosts.ts";

/**
 * https://workos.com/docs/reference/sso: the profile comes with the token. The address is what the organization's own directory
 * says, and directories say what they like.
 */
export const workos: ProviderDefinition = {
  name: "workos",
  scopes: [],
  usesPkce: false,
  clientAuth: "post",
  oauth2: {
    endpoints: (url) => {
      const api = baseOf(url, "https://api.workos.com");
      return { authorize: `${api}/sso/authorize`, token: `${api}/sso/token`, api };
    },
    async profile({ api, tokens: { answer } }) {
      return profileOf({
        issuer: api,
        subject: textAt(answer, "profile", "id"),
        email: textAt(answer, "profile", "email"),
        isEmailVerified: false,
        name: `${textAt(answer, "profile", "first_name")} ${textAt(answer, "profile", "last_name")}`.trim(),
        custom: {
          connection_id: textAt(answer, "profile", "connection_id"),
          organization_id: textAt(answer, "profile", "organization_id"),
        },
      });
    },
  },
};
