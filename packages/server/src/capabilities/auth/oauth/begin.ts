import { createHmac, randomUUID } from "node:crypto";
import type { AuthContext, Caller } from "../context.ts";
import { flowStateStore } from "../flow-state-store.ts";
import { challengeOf } from "../one-time/pkce.ts";
import { allowedRedirect } from "../redirects.ts";
import { invitationOf } from "./invite.ts";
import { oauthProblems } from "./problems.ts";
import type { Providers } from "./registry.ts";
import type { Authorization } from "./types.ts";

/** Parameters for the provider that a request may bring along, and the length of each, in characters. */
const maxParams = 20;
const maxParamLength = 1_000;
/** All scopes together, in characters. */
const maxScopesLength = 2_000;
/** RFC 6749 §3.3. */
const scopeToken = /^[\x21\x23-\x5b\x5d-\x7e]+$/;

/** What is ours to say to the provider, and what is said to us. In lower case: some providers do not look at case. */
const kept: ReadonlySet<string> = new Set([
  "provider",
  "scopes",
  "redirect_to",
  "code_challenge",
  "code_challenge_method",
  "code_verifier",
  "invite_token",
  "skip_http_redirect",
  "apikey",
  "client_id",
  "client_secret",
  "redirect_uri",
  "response_type",
  "response_mode",
  "scope",
  "state",
  "nonce",
  "request",
  "request_uri",
  "registration",
]);

export interface Beginning {
  readonly query: URLSearchParams;
  /** From the `Referer`, where the request names no place to return to. */
  readonly referer: string | undefined;
  /** The signed-in user who wants the identity; `null` to sign in. */
  readonly linkingUserId: string | null;
}

/**
 * GoTrue's `GET /authorize`: remembers what was begun, and says where the provider asks. Its `state` is the name of the row; the nonce
 * and our own PKCE verifier are made from it with a key of the server's, so the row, and a dump of it, does not have them.
 *
 * No cookie ties the answer to the browser that began. It would have to survive the way through a provider's own app, which returns
 * in whatever browser is the default, a form that Apple posts from its site, and a development server that has two names; each loses
 * it. What ties an answer to the app is PKCE, whose code is worth nothing to anybody else; `oauthPkceRequired` makes it the only way.
 * @throws Problem 400
 */
export async function beginSignIn(
  context: AuthContext,
  providers: Providers,
  { query, referer, linkingUserId }: Beginning,
  caller: Caller,
): Promise<string> {
  const { db, settings, limits } = context;
  await limits.take("oauth", caller.network);
  const provider = providers.get(query.get("provider") ?? "");
  if (!provider.hasRedirectFlow) throw oauthProblems.unsupportedProvider("missing OAuth secret");
  const challenge = challengeOf(query.get("code_challenge") ?? "", query.get("code_challenge_method") ?? "");
  if (challenge === null && settings.oauthPkceRequired) throw oauthProblems.pkceRequired();
  const [scopes, params] = [scopesOf(query.get("scopes") ?? ""), paramsOf(query)];
  const inviteToken = await invitationOf(context, query.get("invite_token") ?? "");
  const id = randomUUID();
  const url = await provider.authorizationUrl({ state: id, scopes, params, ...secretsOf(context, id) });
  await flowStateStore.create(db, {
    id,
    codeChallenge: challenge?.challenge ?? "",
    codeChallengeMethod: challenge?.method ?? "",
    providerType: provider.name,
    authenticationMethod: "oauth",
    redirectTo: allowedRedirect(settings, query.get("redirect_to"), referer),
    inviteToken,
    linkingTargetId: linkingUserId,
  });
  return url;
}

/** What only this server can know of a flow it has begun (RFC 7636 §4.1: 43 characters). */
export function secretsOf(
  { signer }: Pick<AuthContext, "signer">,
  flowId: string,
): Pick<Authorization, "codeVerifier" | "nonce"> {
  const key = signer.deriveKey("auth/oauth-flow");
  const secret = (purpose: string) => createHmac("sha256", key).update(`${purpose}\0${flowId}`).digest("base64url");
  return { codeVerifier: secret("code_verifier"), nonce: secret("nonce") };
}

/** With spaces as the standard has it, or with commas. @throws Problem */
function scopesOf(text: string): readonly string[] {
  const scopes = text.split(/[\s,]+/).filter((scope) => scope !== "");
  if (text.length > maxScopesLength || !scopes.every((scope) => scopeToken.test(scope)))
    throw oauthProblems.badScopes();
  return scopes;
}

/** `prompt`, `access_type`, `hd`, `login_hint` and whatever else is the provider's. @throws Problem */
function paramsOf(query: URLSearchParams): Record<string, string> {
  const params = [...query].filter(([name]) => !kept.has(name.toLowerCase()));
  if (params.length > maxParams || params.some(([name, value]) => name.length + value.length > maxParamLength)) {
    throw oauthProblems.tooManyParams();
  }
  // WorkOS has its own use for the name.
  return Object.fromEntries(params.map(([name, value]) => [name === "workos_provider" ? "provider" : name, value]));
}
