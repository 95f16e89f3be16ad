import type { AuthContext, Caller } from "../context.ts";
import type { CurrentUser } from "../flows/current-user.ts";
import { isPasswordOf } from "../flows/is-password-of.ts";
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
  const { settings } = context;
  const { user, session } = current;
  const hasSecondFactor = user.factors.some((factor) => factor.status === "verified");
  if (hasSecondFactor && session?.aal !== "aal2") throw accountProblems.insufficientAal();
  if (session !== null && session.ageSeconds < settings.accountFreshSeconds) return;
  if (proof.password !== "") {
    if (await isPasswordOf(context, current, proof.password, caller)) return;
    throw accountProblems.passwordWrong();
  }
  if (proof.nonce === "") throw accountProblems.reauthenticationNeeded();
  await takeNonce(context, user, proof.nonce, caller);
}
