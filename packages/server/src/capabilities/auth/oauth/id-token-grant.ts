import type { Call } from "../../../kernel/route.ts";
import { callerOf } from "../caller.ts";
import type { AuthContext } from "../context.ts";
import { currentUser } from "../flows/current-user.ts";
import { openSession, signSession } from "../flows/open-session.ts";
import { type Fields, flagField, hasBearer, textField } from "../request.ts";
import type { Session } from "../user.ts";
import { askOwner } from "./confirmation.ts";
import { assertNonce } from "./id-token.ts";
import { linkIdentity } from "./link.ts";
import { oauthProblems } from "./problems.ts";
import type { Providers } from "./registry.ts";
import { signInWith } from "./sign-in.ts";

/**
 * GoTrue's `grant_type=id_token`: sign-in by the phone's own dialogue, whose token the app sends (auth.md §9.4). `issuer` and
 * `client_id` of the body are not read: the provider's name picks its settings, and these pick keys, issuer and audience (threat A01).
 * @throws Problem
 */
export async function signInWithIdToken(
  context: AuthContext,
  providers: Providers,
  fields: Fields,
  call: Call,
): Promise<Session> {
  const caller = callerOf(call);
  await context.limits.take("signIn", caller.network);
  const given = {
    provider: textField(fields, "provider"),
    token: textField(fields, "id_token"),
    accessToken: textField(fields, "access_token"),
    nonce: textField(fields, "nonce"),
    isLink: flagField(fields, "link_identity") ?? false,
  };
  if (given.token === "") throw oauthProblems.invalidIdTokenRequest("id_token required");
  if (given.provider === "") throw oauthProblems.invalidIdTokenRequest("provider required");
  const linkingUser = given.isLink ? await linkingUserOf(context, call) : null;
  const provider = providers.find(given.provider);
  if (provider === null) throw oauthProblems.providerDisabled(given.provider.slice(0, 100));
  if (!provider.hasIdTokens) throw oauthProblems.unsupportedProvider("it gives out no ID tokens");
  const { profile, nonce } = await provider.verifyIdToken({ token: given.token, accessToken: given.accessToken });
  if (!provider.skipsNonceCheck) assertNonce(nonce, given.nonce);

  if (linkingUser !== null) {
    const opened = await context.db.transaction(async (tx) => {
      const account = await linkIdentity(context, tx, { userId: linkingUser, provider, profile, caller });
      return openSession(context, tx, account, { method: "oauth", caller });
    });
    return signSession(context, opened);
  }
  const result = await signInWith(context, provider, profile, caller, async (tx, signedIn) =>
    signedIn.kind === "account" ? openSession(context, tx, signedIn.account, { method: "oauth", caller }) : signedIn,
  );
  if (!("kind" in result)) return signSession(context, result);
  await askOwner(context, result, { redirectTo: context.settings.siteUrl, challenge: null });
  throw oauthProblems.emailNeedsVerification(provider.name);
}

/** The route needs no bearer token; linking does. @throws Problem 401, 403, 404 `manual_linking_disabled` */
async function linkingUserOf(context: AuthContext, call: Call): Promise<string> {
  if (!hasBearer(call)) {
    throw oauthProblems.invalidIdTokenRequest("Linking requires a valid user access token in Authorization");
  }
  const who = context.identity.identify(call.headers, call.query);
  const { user } = await currentUser(context, who, true);
  if (!context.settings.manualLinkingEnabled) throw oauthProblems.manualLinkingDisabled();
  return user.id;
}
