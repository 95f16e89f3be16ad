import { networkOf } from "../../../kernel/network.ts";
import type { Queryable } from "../../../platform/postgres/database.ts";
import type { Caller } from "../context.ts";
import { accountKey } from "../limits/index.ts";
import { noteLocked } from "../protection/note-locked.ts";
import type { Fields } from "../request.ts";
import { isUuid, textField } from "../request.ts";
import { sessionStore } from "../session-store.ts";
import { countVerifiedSms } from "../sms/index.ts";
import type { Session } from "../user.ts";
import { type Challenge, challengeStore } from "./challenge-store.ts";
import { assertVerifiable, type MfaContext, type Person } from "./context.ts";
import { holdAccount } from "./enroll.ts";
import { type Factor, isBeyond, methodOf } from "./factor.ts";
import { levelStore } from "./level-store.ts";
import { notice } from "./notice.ts";
import { mfaProblems } from "./problems.ts";
import { answerOf, proofOf } from "./proof.ts";
import { raiseSession } from "./raise-session.ts";
import { factorStore } from "./store.ts";

/**
 * GoTrue's `POST /factors/:id/verify`: the answer to a challenge, for a session of `aal2`. Answers are counted before they are
 * looked at, by challenge and by account (threat A12); what may be shown once is used up by the statement that finds it
 * unused (threat A10).
 */
export async function verifyFactor(
  context: MfaContext,
  person: Person,
  factorId: string,
  fields: Fields,
  caller: Caller,
): Promise<Session> {
  const { db, limits, lockout } = context;
  const { user } = person;
  await limits.take("mfa", caller.network);
  const factor = await factorStore.find(db, user.id, factorId);
  if (factor === null || factor.type === "recovery_code") throw mfaProblems.factorNotFound();
  assertVerifiable(context, factor.type);
  const answer = answerOf(factor, fields);
  const challenge = await openChallenge(context, factor, textField(fields, "challenge_id"), caller);
  const attempt = await lockout.enter("code", accountKey(user.id), caller.network);
  const proof = await proofOf(context, factor, challenge, answer);
  if (!proof.isValid) await noteLocked(context, attempt, user.id, caller);
  await judge(context, person, factor, proof.isValid, caller);
  if (!proof.isValid) throw proof.refusal;

  const session = await db.transaction(async (tx) => {
    const { aal } = await holdAccount(tx, user.id, person.session.id);
    const factors = await factorStore.list(tx, user.id);
    const now = factors.find(({ id }) => id === factor.id);
    if (now === undefined) throw mfaProblems.factorNotFound();
    if (isBeyond(now, factors, aal)) throw mfaProblems.enrollNeedsAal2();
    if (!(await proof.spend(tx))) return null;
    if (!(await challengeStore.spend(tx, challenge.id, context.settings.mfaChallengeSeconds))) {
      throw mfaProblems.challengeExpired(challenge.id);
    }
    if (await factorStore.markVerified(tx, factor.id)) await settle(context, tx, person, factor);
    return raiseSession(context, tx, {
      session: person.session,
      user,
      method: methodOf[factor.type],
      factorId: factor.id,
      caller,
    });
  });
  if (session === null) throw proof.refusal;
  await attempt.succeeded();
  if (factor.phone !== null) await countVerifiedSms(context, factor.phone);
  return session;
}

/** A new factor stands alone: what was begun beside it goes, and so do sessions that know the first factor only (threat A22). */
async function settle(context: MfaContext, tx: Queryable, { user, session }: Person, factor: Factor): Promise<void> {
  await factorStore.removeUnverified(tx, user.id);
  await levelStore.endBelowAal2(tx, user.id, session.id);
  await notice(context, tx, "mfa_factor_enrolled", user, factor.type);
}

async function openChallenge(
  { db, settings }: MfaContext,
  factor: Factor,
  id: string,
  caller: Caller,
): Promise<Challenge> {
  const challenge = isUuid(id) ? await challengeStore.find(db, factor.id, id, settings.mfaChallengeSeconds) : null;
  if (challenge === null) throw mfaProblems.challengeNotFound();
  if (settings.mfaSameAddress && networkOf(challenge.address) !== networkOf(caller.ip ?? "::")) {
    throw mfaProblems.addressMismatch();
  }
  const isOpen =
    !challenge.isOver && (await challengeStore.countAttempt(db, challenge.id, settings.mfaChallengeAttempts));
  if (!isOpen) throw mfaProblems.challengeExpired(challenge.id);
  return challenge;
}

/**
 * Writes an attempt down, and lets the app's hook have its say. A refusal ends all sessions of the user
 * (Supabase docs, MFA Verification Hook). @throws Problem 403 when the hook refuses it
 */
export async function judge(
  { db, hooks, audit }: MfaContext,
  { user }: Person,
  factor: Pick<Factor, "id" | "type">,
  isValid: boolean,
  caller: Caller,
): Promise<void> {
  const traits = { factor_id: factor.id, factor_type: factor.type, valid: isValid };
  await audit.record(db, { action: "verification_attempted", userId: user.id, caller, traits });
  const { rejectedBecause } = await hooks.onMfaAttempt(user.id, factor.id, factor.type, isValid);
  if (rejectedBecause === null) return;
  await sessionStore.endAll(db, user.id);
  throw mfaProblems.verificationRejected(rejectedBecause);
}
