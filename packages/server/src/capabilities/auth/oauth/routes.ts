import { type Call, json, type Route } from "../../../kernel/route.ts";
import { callerOf } from "../caller.ts";
import type { AuthContext } from "../context.ts";
import { currentUser } from "../flows/current-user.ts";
import { isPrivate } from "../reply.ts";
import { hasBearer } from "../request.ts";
import { beginSignIn } from "./begin.ts";
import { finishSignIn } from "./finish.ts";
import { oauthProblems } from "./problems.ts";
import { found } from "./redirect.ts";
import type { Providers } from "./registry.ts";
import { unlinkIdentity } from "./unlink.ts";

/** What Apple's form holds at most, in bytes: a code, a state, a name. */
const formLimitBytes = 65_536;

const one = (header: string | readonly string[] | undefined): string | undefined =>
  typeof header === "string" ? header : undefined;

export function oauthRoutes(context: AuthContext, providers: Providers): readonly Route[] {
  const finish = async (call: Call, answer: URLSearchParams) =>
    found(await finishSignIn(context, providers, answer, callerOf(call), call.id));

  return [
    {
      method: "GET",
      path: "/authorize",
      access: "open",
      summary: "Begin to sign in with a provider.",
      async handle(call) {
        const query = new URLSearchParams(call.query);
        const beginning = { query, referer: one(call.headers.referer), linkingUserId: null };
        return found(await beginSignIn(context, providers, beginning, callerOf(call)));
      },
    },
    {
      method: "GET",
      path: "/callback",
      access: "open",
      summary: "Where providers send the browser back to.",
      handle: (call) => finish(call, new URLSearchParams(call.query)),
    },
    {
      method: "POST",
      path: "/callback",
      access: "open",
      summary: "Where providers send the browser back to with a form.",
      bodyLimitBytes: formLimitBytes,
      handle: async (call) => finish(call, new URLSearchParams((await call.body()).toString("utf8"))),
    },
    {
      method: "GET",
      path: "/user/identities/authorize",
      access: "caller",
      summary: "Begin to link an account of a provider.",
      async handle(call) {
        const { user } = await currentUser(context, call.who, hasBearer(call));
        if (!context.settings.manualLinkingEnabled) throw oauthProblems.manualLinkingDisabled();
        const query = new URLSearchParams(call.query);
        const beginning = { query, referer: one(call.headers.referer), linkingUserId: user.id };
        const url = await beginSignIn(context, providers, beginning, callerOf(call));
        return query.get("skip_http_redirect") === "true" ? json({ url }, 200, isPrivate) : found(url);
      },
    },
    {
      method: "DELETE",
      path: "/user/identities/:identity_id",
      access: "caller",
      summary: "Take an identity away from oneself.",
      async handle(call) {
        const user = await currentUser(context, call.who, hasBearer(call));
        await unlinkIdentity(context, user, call.params.identity_id ?? "", callerOf(call));
        return json({}, 200, isPrivate);
      },
    },
    ...samlRoutes(),
  ];
}

/** Clients ask; SAML itself is not served. */
function samlRoutes(): readonly Route[] {
  const refuse = (): never => {
    throw oauthProblems.samlDisabled();
  };
  const summary = "Single sign-on by SAML: not served.";
  return [
    { method: "POST", path: "/sso", access: "key", summary, handle: refuse },
    { method: "GET", path: "/sso/saml/metadata", access: "open", summary, handle: refuse },
    { method: "POST", path: "/sso/saml/acs", access: "open", summary, handle: refuse },
  ];
}
