import type { Queryable } from "../../../platform/postgres/database.ts";
import type { AuthContext, Caller } from "../context.ts";
import { type FlowState, flowStateStore } from "../flow-state-store.ts";
import { openToken } from "../flow-tokens.ts";
import { type Method, type OpenedSession, openSession, signSession } from "../flows/open-session.ts";
import { problems } from "../problems.ts";
import { isUuid } from "../request.ts";
import { sessionStore } from "../session-store.ts";
import type { Session } from "../user.ts";
import { userStore } from "../user-store.ts";
import { codeStore } from "./code-store.ts";
import { confirm } from "./confirm.ts";
import { isVerifierRight } from "./pkce.ts";
import { oneTimeProblems } from "./problems.ts";
import { oneTimeHashes } from "./secrets.ts";
import { oneTimeStore } from "./store.ts";

/**
 * GoTrue's `grant_type=pkce`: the code of a redirect and the verifier that never left the client (RFC 7636 §4.5). A code is
 * good for one exchange; the next one shows that two parties have both, and ends what the first got (threat A09).
 */
export async function exchangeCode(
  context: AuthContext,
  given: { readonly code: string; readonly verifier: string },
  caller: Caller,
): Promise<Session> {
  const { db, limits, settings } = context;
  await limits.take("signIn", caller.network);
  if (given.code === "" || given.verifier === "") {
    throw problems.validationFailed("invalid request: both auth code and code verifier should be non-empty");
  }
  // Codes are UUIDs; whatever else is asked for is none of ours.
  const flow = isUuid(given.code) ? await flowStateStore.findByCode(db, given.code) : null;
  if (flow === null) return refuseUsed(context, given, caller);
  if ((flow.codeAgeSeconds ?? 0) > settings.authCodeSeconds) throw oneTimeProblems.flowStateExpired();
  // A wrong verifier uses nothing up: somebody who only saw the code cannot spoil it.
  if (!isVerifierRight(given.verifier, flow.codeChallenge, flow.codeChallengeMethod)) {
    throw oneTimeProblems.badCodeVerifier();
  }
  const { userId } = flow;
  const opened = await db.transaction(async (tx) => {
    // Whoever sends another code holds the user and then takes this flow away: so do we, in this order.
    if (userId !== null) await userStore.lock(tx, userId);
    return take(context, tx, given.code, caller);
  });
  return opened === null ? refuseUsed(context, given, caller) : signSession(context, opened);
}

/** @returns `null` when somebody else was faster */
async function take(context: AuthContext, tx: Queryable, code: string, caller: Caller): Promise<OpenedSession | null> {
  const flow = await flowStateStore.takeByCode(tx, code);
  if (flow === null) return null;
  if (flow.userId === null) throw oneTimeProblems.flowStateNotFound();
  const token = await oneTimeStore.takeOfFlow(tx, flow.id);
  if (token !== null) {
    const confirmed = await confirm(context, tx, token, caller);
    if (confirmed === "half" || confirmed === "stale") throw oneTimeProblems.linkInvalid();
  } else {
    await context.audit.record(tx, { action: "login", userId: flow.userId, caller });
  }
  const account = await userStore.findById(tx, flow.userId);
  if (account === null || account.user.deletedAt !== null) throw oneTimeProblems.flowStateNotFound();
  if (account.user.isBanned) throw problems.userBanned(400);
  const session = await openSession(context, tx, account, { method: methodOf(flow), caller });
  await codeStore.remember(tx, oneTimeHashes(context).ofAuthCode(code), {
    sessionId: session.id,
    codeChallenge: flow.codeChallenge,
    codeChallengeMethod: flow.codeChallengeMethod,
  });
  return withProviderTokens(context, session, flow);
}

async function refuseUsed(
  context: AuthContext,
  given: { readonly code: string; readonly verifier: string },
  caller: Caller,
): Promise<never> {
  const { db } = context;
  const used = await codeStore.findUsed(db, oneTimeHashes(context).ofAuthCode(given.code));
  if (used === null || !isVerifierRight(given.verifier, used.codeChallenge, used.codeChallengeMethod)) {
    throw oneTimeProblems.flowStateNotFound();
  }
  const session = await sessionStore.find(db, used.sessionId);
  await sessionStore.end(db, used.sessionId);
  await context.audit.record(db, { action: "token_reused", userId: session?.userId ?? null, caller });
  throw oneTimeProblems.flowStateAlreadyUsed();
}

const methods: ReadonlySet<string> = new Set<Method>([
  "magiclink",
  "recovery",
  "invite",
  "email/signup",
  "email_change",
  "oauth",
]);

const methodOf = ({ authenticationMethod }: FlowState): Method =>
  methods.has(authenticationMethod) ? (authenticationMethod as Method) : "otp";

function withProviderTokens(context: AuthContext, session: OpenedSession, flow: FlowState): OpenedSession {
  const providerToken = openToken(context, flow.id, flow.providerAccessToken);
  const providerRefreshToken = openToken(context, flow.id, flow.providerRefreshToken);
  return {
    ...session,
    ...(providerToken === null ? {} : { providerToken }),
    ...(providerRefreshToken === null ? {} : { providerRefreshToken }),
  };
}
