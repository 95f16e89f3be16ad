import type { AuthContext } from "../context.ts";
import { addressOf, beginFlow, type Destination, mailCode } from "../one-time/issue.ts";
import { countMail, countMailTo } from "../one-time/send-limits.ts";
import type { SignedIn } from "./sign-in.ts";

/**
 * Asks the owner of a mailbox whether an account that a provider does not vouch for is theirs. Where the address is somebody
 * else's nothing is sent; what the caller sees is the same (threats A06, A16). After the transaction that made the account.
 * @throws Problem 429
 */
export async function askOwner(
  context: AuthContext,
  { account, address }: Extract<SignedIn, { kind: "unverified" }>,
  destination: Destination,
): Promise<void> {
  await countMailTo(context, "sign-in", address);
  await countMail(context, account !== null);
  if (account === null) return;
  const { user } = account;
  await context.db.transaction(async (tx) => {
    const flowStateId = await beginFlow(tx, user, destination, "email/signup");
    const issue = {
      user,
      purpose: "signup",
      address: addressOf(user),
      redirectTo: destination.redirectTo,
      flowStateId,
      // The identity was made by whoever asks: who confirms the address wants it.
      keepsPassword: true,
    } as const;
    await mailCode(context, tx, issue, { kind: "confirmation", mark: "confirmation", to: user.email });
  });
}
