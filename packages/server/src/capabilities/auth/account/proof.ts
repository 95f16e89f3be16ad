import type { AuthContext, Caller } from "../context.ts";
import type { CurrentUser } from "../flows/current-user.ts";
import { accountKey } from "../limits/index.ts";
import { takeNonce } from "../one-time/reauthenticate.ts";
import { accountProblems } from "./problems.ts";

export interface Proof {
  readonly password: string;
  /** From `/reauthenticate`. */
  readonly nonce: string;
}

/**
 * Whether the caller is the user, and not somebody with their phone: signed in a moment ago, or with the password or a nonce at hand;
 * with the second factor where there is one.
 * @throws Problem when not
 */
export async function assertProven(
  context: AuthContext,
  current: CurrentUser,
  proof: Proof,
  caller: Caller,
): Promise<void> {
  const { settings, passwords, limits } = context;
  const { user, session, passwordHash } = current;
  const hasSecondFactor = user.factors.some((factor) => factor.status === "verified");
  if (hasSecondFactor && session?.aal !== "aal2") throw accountProblems.insufficientAal();
  if (session !== null && session.ageSeconds < settings.accountFreshSeconds) return;
  if (proof.password !== "") {
    // As at sign-in: this is another place to guess a password at (threat A12).
    const key = accountKey(user.email || user.phone);
    await limits.check("failedPassword", key);
    if (passwordHash !== null && (await passwords.isMatch(proof.password, passwordHash))) return;
    await limits.take("failedPassword", key);
    await context.audit.record(context.db, { action: "login_failed", userId: user.id, caller });
    throw accountProblems.passwordWrong();
  }
  if (proof.nonce === "") throw accountProblems.reauthenticationNeeded();
  await takeNonce(context, user, proof.nonce);
}
