import { profileOf } from "../profile.ts";
import { flagAt, textAt } from "../read.ts";
import type { ProfileSource, ProviderDefinition } from "../types.ts";
import { baseOf } from "./hosts.ts";

const own = "https://slack.com";

async function profile({ api, get }: ProfileSource) {
  const user = await get(`${api}/openid.connect.userInfo`);
  return profileOf({
    issuer: api,
    subject: textAt(user, "https://slack.com/user_id"),
    email: textAt(user, "email"),
    isEmailVerified: flagAt(user, "email_verified"),
    name: textAt(user, "name"),
    picture: textAt(user, "picture"),
    custom: { "https://slack.com/team_id": textAt(user, "https://slack.com/team_id") },
  });
}

/** https://docs.slack.dev/authentication/sign-in-with-slack */
export const slackOidc: ProviderDefinition = {
  name: "slack_oidc",
  scopes: ["openid", "profile", "email"],
  usesPkce: false,
  clientAuth: "post",
  oauth2: {
    endpoints: (url) => ({
      authorize: `${baseOf(url, own)}/openid/connect/authorize`,
      token: `${baseOf(url, own)}/api/openid.connect.token`,
      api: `${baseOf(url, own)}/api`,
    }),
    profile,
  },
};

/** Slack's sign-in before OpenID Connect, for apps that still have it. */
export const slack: ProviderDefinition = {
  ...slackOidc,
  name: "slack",
  scopes: ["profile", "email", "openid"],
  oauth2: {
    endpoints: (url) => ({
      authorize: `${baseOf(url, own)}/oauth/authorize`,
      token: `${baseOf(url, own)}/api/oauth.access`,
      api: `${baseOf(url, own)}/api`,
    }),
    profile,
  },
};
