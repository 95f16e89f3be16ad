import { randomUUID } from "node:crypto";
import { Problem } from "../../../kernel/problem.ts";
import type { Queryable } from "../../../platform/postgres/database.ts";
import type { AuthContext, Caller } from "../context.ts";
import { type FlowState, flowStateStore } from "../flow-state-store.ts";
import { sealToken } from "../flow-tokens.ts";
import { type OpenedSession, openSession, signSession } from "../flows/open-session.ts";
import { allowedRedirect } from "../redirects.ts";
import { isUuid } from "../request.ts";
import type { Account } from "../user-store.ts";
import { secretsOf } from "./begin.ts";
import { askOwner } from "./confirmation.ts";
import { acceptInvite } from "./invite.ts";
import { linkIdentity } from "./link.ts";
import { oauthProblems } from "./problems.ts";
import { keepProviderToken } from "./provider-tokens.ts";
import { codeLocation, errorLocation, sessionLocation } from "./redirect.ts";
import type { Providers } from "./registry.ts";
import { signInWith } from "./sign-in.ts";
import type { Profile, Provider, ProviderTokens } from "./types.ts";
import { nameIn } from "./user-field.ts";

/**
 * GoTrue's `/callback`: what a provider sends the browser back with. Whatever becomes of it, the browser is sent on; to the app
 * that began it when there is one, else to the site.
 * @param requestId For the log, where something of ours fails
 */
export async function finishSignIn(
  context: AuthContext,
  providers: Providers,
  answer: URLSearchParams,
  caller: Caller,
  requestId: string,
): Promise<string> {
  const { settings } = context;
  let redirectTo = allowedRedirect(settings);
  try {
    await context.limits.take("oauth", caller.network);
    const flow = await takeFlow(context, answer.get("state") ?? "");
    redirectTo = allowedRedirect(settings, flow.redirectTo);
    return await complete(context, providers, { answer, flow, redirectTo, caller });
  } catch (error) {
    if (!(error instanceof Problem) || error.cause !== undefined) {
      context.observe({ kind: "request.failed", id: requestId, error });
    }
    const problem = error instanceof Problem ? error : new Problem("internal", 500, "Unexpected failure");
    return errorLocation(redirectTo, problem);
  }
}

/** The flow this answer belongs to, used up before anything is done with it: an answer has one try (threat A09). */
async function takeFlow({ db, settings }: AuthContext, state: string): Promise<FlowState> {
  if (state === "") throw oauthProblems.badCallback("OAuth state parameter missing");
  if (!isUuid(state)) throw oauthProblems.badState("OAuth state parameter is invalid");
  const flow = await flowStateStore.takeByState(db, state);
  if (flow === null) throw oauthProblems.badState("OAuth state not found or expired");
  if (flow.ageSeconds > settings.oauthFlowSeconds) throw oauthProblems.badState("OAuth state has expired");
  return flow;
}

interface Answer {
  readonly answer: URLSearchParams;
  readonly flow: FlowState;
  readonly redirectTo: string;
  readonly caller: Caller;
}

async function complete(context: AuthContext, providers: Providers, given: Answer): Promise<string> {
  const { answer, flow, redirectTo, caller } = given;
  const refusal = answer.get("error");
  if (refusal !== null && refusal !== "") throw refusedBy(refusal, answer.get("error_description") ?? "");
  if ((answer.get("code") ?? "") === "") throw oauthProblems.badCallback("OAuth code parameter missing");
  // Off since: then nobody gets in by it any more.
  const provider = providers.get(flow.providerType);
  const who = await provider.authenticate(answer, { state: flow.id, ...secretsOf(context, flow.id) });
  const profile = nameIn(who.profile, provider, answer.get("user") ?? "");
  const { tokens } = who;

  const { linkingTargetId: userId, inviteToken: hash } = flow;
  if (userId !== null || hash !== null) {
    const handed = await context.db.transaction(async (tx) => {
      const account =
        userId !== null
          ? await linkIdentity(context, tx, { userId, provider, profile, caller })
          : await acceptInvite(context, tx, { hash: hash ?? "", provider, profile, caller });
      return hand(context, tx, given, provider, profile, tokens, account);
    });
    return locationOf(context, redirectTo, handed);
  }
  const result = await signInWith(context, provider, profile, caller, async (tx, signedIn) =>
    signedIn.kind === "account" ? hand(context, tx, given, provider, profile, tokens, signedIn.account) : signedIn,
  );
  if (!("kind" in result)) return locationOf(context, redirectTo, result);
  const challenge =
    flow.codeChallengeMethod === "" ? null : { challenge: flow.codeChallenge, method: flow.codeChallengeMethod };
  await askOwner(context, result, { redirectTo, challenge });
  throw oauthProblems.emailNeedsVerification(provider.name);
}

/** Gives the app what it came for: with PKCE a code, that leads to the session and the provider's tokens; else both at once. */
async function hand(
  context: AuthContext,
  tx: Queryable,
  { flow, caller }: Answer,
  provider: Provider,
  profile: Profile,
  { accessToken, refreshToken }: ProviderTokens,
  account: Account,
): Promise<Handed> {
  const userId = account.user.id;
  if (provider.keepsRefreshToken && refreshToken !== null) {
    await keepProviderToken(context, tx, {
      userId,
      provider: provider.name,
      providerId: profile.subject,
      refreshToken,
    });
  }
  if (flow.codeChallengeMethod !== "") {
    const [id, code] = [randomUUID(), randomUUID()];
    await flowStateStore.create(tx, { ...flow, id, linkingTargetId: null, inviteToken: null });
    await flowStateStore.issueCode(tx, id, code, {
      userId,
      providerAccessToken: sealToken(context, id, accessToken),
      providerRefreshToken: sealToken(context, id, refreshToken),
    });
    return { code };
  }
  const opened = await openSession(context, tx, account, { method: "oauth", caller });
  return {
    ...opened,
    providerToken: accessToken,
    ...(refreshToken === null ? {} : { providerRefreshToken: refreshToken }),
  };
}

/** What the app gets, once that is committed. */
type Handed = OpenedSession | { readonly code: string };

async function locationOf(context: AuthContext, redirectTo: string, handed: Handed): Promise<string> {
  if ("code" in handed) return codeLocation(redirectTo, handed.code);
  return sessionLocation(redirectTo, await signSession(context, handed), context.settings.accessTokenSeconds);
}

/** Longest text of a provider's that is passed on, in characters. */
const maxDescriptionLength = 300;

/** What the provider said instead of a code (RFC 6749 §4.1.2.1): its words are shown to the person, as text. */
function refusedBy(error: string, description: string): Problem {
  const text = `${description || error}`.replace(/[\p{C}]/gu, " ").slice(0, maxDescriptionLength);
  return error === "access_denied" || error === "user_cancelled_authorize" || error === "user_cancelled_login"
    ? oauthProblems.accessDenied(text)
    : oauthProblems.badCallback(text);
}
