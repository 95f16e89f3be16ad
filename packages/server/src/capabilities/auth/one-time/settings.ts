import { list, type Settings, text } from "../../../kernel/settings.ts";

/** Codes and links: where they lead, how long they hold, how they look. */
export const oneTimeSettings = {
  siteUrl: text<string>({
    env: ["MAINSTAY_SITE_URL", "GOTRUE_SITE_URL", "SITE_URL"],
    default: "http://127.0.0.1:3000",
    summary: "The app's own address: where links lead that ask for no other place, or for one that is not allowed.",
  }),
  redirectAllowList: list({
    env: ["MAINSTAY_REDIRECT_ALLOW_LIST", "GOTRUE_URI_ALLOW_LIST", "ADDITIONAL_REDIRECT_URLS"],
    default: [],
    summary:
      "Where else links and sign-ins may lead: URLs with the globs * and **, and app schemes such as myapp://login-callback.",
  }),
} satisfies Settings;
