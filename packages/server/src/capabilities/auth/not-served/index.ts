import type { Access, Method, Route } from "../../../kernel/route.ts";
import { oauthProblems } from "../oauth/problems.ts";
import type { AuthPart } from "../part.ts";
import { notServedProblems } from "./problems.ts";

const methods: readonly Method[] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/**
 * Clients have methods for these. They are told that the feature is off, with the code GoTrue has for it where it is off there
 * (auth.md §2.2), and not that the path is unknown: an app that offers the feature where it can goes by that.
 */
export function notServedPart(): AuthPart {
  const refuse = (path: string, access: Access, feature: string): Route => ({
    method: methods,
    path,
    access,
    summary: `${feature}: not served.`,
    handle() {
      throw notServedProblems.featureDisabled(feature);
    },
  });
  const server = "The OAuth 2.1 server";
  const providers = "Management of custom providers";
  return {
    grants: {
      web3: async () => {
        throw notServedProblems.web3Disabled();
      },
    },
    routes: [
      refuse("/oauth/*", "open", server),
      refuse("/user/oauth/grants", "caller", server),
      refuse("/admin/oauth/*", "service", server),
      refuse("/admin/custom-providers", "service", providers),
      refuse("/admin/custom-providers/*", "service", providers),
      {
        method: methods,
        path: "/admin/sso/*",
        access: "service",
        summary: "Single sign-on by SAML: not served.",
        handle() {
          throw oauthProblems.samlDisabled();
        },
      },
    ],
  };
}
