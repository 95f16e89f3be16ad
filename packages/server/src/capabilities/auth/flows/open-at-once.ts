import { randomUUID } from "node:crypto";
import { sqlStateOf } from "../../../platform/postgres/sql-state.ts";
import type { AuthContext, Caller } from "../context.ts";
import type { Attempt } from "../protection/lockout.ts";
import { type Candidate, signInStore } from "../sign-in-store.ts";
import { firstCounter, signAccessToken } from "../tokens.ts";
import type { Session } from "../user.ts";

/**
 * The short way from a right password to a session, in one statement: sign-in is what everybody does at the same moment after an
 * outage, and beside the hash it should cost next to nothing. For what is most often so: no hook of the app's, no rule about other
 * sessions, a device that is known. It does what `openSession` does in a transaction. @returns `null`, with nothing done, where that
 * one has to decide
 */
export async function openAtOnce(
  context: AuthContext,
  candidate: Candidate,
  attempt: Attempt,
  caller: Caller,
): Promise<Session | null> {
  const { db, settings, hooks, passwords, refreshTokens } = context;
  const { userId, passwordHash } = candidate;
  const isPlain = !hooks.joinsSignIn && !settings.singleSessionPerUser && settings.sessionAal1Seconds === 0;
  if (!isPlain || passwordHash === null || passwords.isOutdated(passwordHash)) return null;
  const id = randomUUID();
  const opening = {
    session: id,
    userId,
    passwordHash,
    device: context.deviceKey(userId, caller),
    agent: caller.userAgent,
    ip: caller.ip,
  };
  const opened = await signInStore.open(db, opening, attempt.success).catch((error: unknown) => {
    // Somebody holds the user: a transaction waits for them longer.
    if (sqlStateOf(error) === "55P03") return null;
    throw error;
  });
  if (opened === null) return null;
  context.audit.tell({ action: "login", userId, caller });
  const { user, openedAt } = opened;
  const facts = { id, aal: "aal1", amr: [{ method: "password", timestamp: openedAt }] };
  const access = await signAccessToken(context, user, facts, "password");
  return { id, access, refreshToken: refreshTokens.seal({ sessionId: id, counter: firstCounter }), user };
}
