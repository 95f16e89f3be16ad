import { Problem } from "../../../kernel/problem.ts";
import { type Call, json, type Reply, type Route } from "../../../kernel/route.ts";
import { parseMediaType } from "../../../platform/http/media-type.ts";
import { callerOf } from "../caller.ts";
import type { AuthContext } from "../context.ts";
import { appNameOf } from "../mail/data.ts";
import { problems } from "../problems.ts";
import { allowedRedirect } from "../redirects.ts";
import { bodyLimitBytes, isPrivate, replyWithSession } from "../reply.ts";
import { type Fields, readFields, textField } from "../request.ts";
import { confirmationPage } from "./page.ts";
import { redirectWithCode, redirectWithError, redirectWithMessage, redirectWithSession } from "./redirect-answers.ts";
import { isPkceToken } from "./secrets.ts";
import { halfConfirmed, openPkceLink, type Verified, verifyCode, verifyPkceLink, verifyToken } from "./verify.ts";

/** What a link carries. */
interface Link {
  readonly token: string;
  readonly type: string;
  readonly redirectTo: string;
}

/**
 * `/verify`: codes that people type, as JSON, and links that they open. No key is asked for: browsers that open links have
 * none, and a token is what counts.
 */
export function verifyRoutes(context: AuthContext): readonly Route[] {
  const { settings } = context;

  const linkOf = (given: URLSearchParams): Link => ({
    token: given.get("token") ?? given.get("token_hash") ?? "",
    type: given.get("type") ?? "",
    redirectTo: allowedRedirect(settings, given.get("redirect_to")),
  });

  const askFirst = (link: Link): Reply => confirmationPage({ ...link, appName: appNameOf(settings) });

  /** Whatever becomes of a link, the browser is sent on (auth.md §7.3). */
  const leadOn = async (link: Link, work: () => Promise<Reply>): Promise<Reply> => {
    try {
      if (link.token === "") throw problems.validationFailed("Verify requires a token or a token hash");
      if (link.type === "") throw problems.validationFailed("Verify requires a verification type");
      return await work();
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      return redirectWithError(link.redirectTo, error, isPkceToken(link.token));
    }
  };

  const redirectTo = (link: Link, verified: Verified): Reply => {
    switch (verified.kind) {
      case "half":
        return redirectWithMessage(link.redirectTo, halfConfirmed, isPkceToken(link.token));
      case "code":
        return redirectWithCode(link.redirectTo, verified.code);
      case "session":
        return redirectWithSession(link.redirectTo, verified.session, settings.accessTokenSeconds, link.type);
    }
  };

  const follow = (link: Link, call: Call): Promise<Reply> =>
    leadOn(link, async () => {
      const verify = isPkceToken(link.token) ? verifyPkceLink : verifyToken;
      return redirectTo(link, await verify(context, link, callerOf(call)));
    });

  return [
    {
      method: "GET",
      path: "/verify",
      access: "open",
      summary: "A link from a mail: asks the person to continue, or leads on at once where that uses nothing up.",
      handle(call) {
        const link = linkOf(new URLSearchParams(call.query));
        if (settings.verifyLinkConfirmation === "direct") return follow(link, call);
        return leadOn(link, async () => {
          const opened = isPkceToken(link.token) ? await openPkceLink(context, link, callerOf(call)) : null;
          return opened === null ? askFirst(link) : redirectTo(link, opened);
        });
      },
    },
    {
      method: "HEAD",
      path: "/verify",
      access: "open",
      summary: "Nothing: scanners ask for the head of links.",
      handle: () => ({ status: 200, headers: [...isPrivate, "Content-Type", "text/html; charset=utf-8"], body: null }),
    },
    {
      method: "POST",
      path: "/verify",
      access: "open",
      summary: "Exchange a code or a link's token for a session; as a form, continue from a link.",
      bodyLimitBytes,
      async handle(call) {
        if (parseMediaType(call.headers["content-type"])?.type === "application/x-www-form-urlencoded") {
          const link = linkOf(new URLSearchParams((await call.body()).toString("utf8")));
          // A form on another site may not sign its visitor in as somebody else; there the person is asked again.
          if (call.headers["sec-fetch-site"] === "cross-site") return leadOn(link, async () => askFirst(link));
          return follow(link, call);
        }
        const verified = await verify(context, await readFields(call), call);
        return verified.kind === "session"
          ? replyWithSession(verified.session, settings)
          : json({ msg: halfConfirmed, code: "200" }, 200, isPrivate);
      },
    },
  ];
}

function verify(context: AuthContext, fields: Fields, call: Call): Promise<Verified> {
  const [type, code, token] = ["type", "token", "token_hash"].map((name) => textField(fields, name));
  const [email, phone] = [textField(fields, "email"), textField(fields, "phone")];
  if (type === "" || type === undefined) throw problems.validationFailed("Verify requires a verification type");
  if (!code && !token) throw problems.validationFailed("Verify requires a token or a token hash");
  if (code && token) throw problems.validationFailed("Verify requires either a token or a token hash");
  if (code) return verifyCode(context, { type, code, email, phone }, callerOf(call));
  if (email !== "" || phone !== "") {
    throw problems.validationFailed("Only the token_hash and type should be provided");
  }
  return verifyToken(context, { type, token: token ?? "" }, callerOf(call));
}
