import { canonicalEmail } from "../address.ts";
import type { AuthContext, Caller } from "../context.ts";
import { problems } from "../problems.ts";
import { userStore } from "../user-store.ts";
import { atLeast } from "./at-least.ts";
import { addressOf, beginFlow, type Destination, mailCode } from "./issue.ts";
import { countMail, countMailTo } from "./send-limits.ts";

/** GoTrue's `POST /recover`: a way in for whoever has lost the password. Every address is answered alike (threat A16). */
export async function recover(
  context: AuthContext,
  request: { readonly email: string; readonly destination: Destination },
  caller: Caller,
): Promise<void> {
  const { settings, limits, db } = context;
  await limits.take("otp", caller.network);
  if (!settings.emailEnabled) throw problems.emailDisabled(422);
  const email = canonicalEmail(request.email);
  if (email === null) throw problems.validationFailed("Unable to validate email address: invalid format");
  await countMailTo(context, "recovery", email);
  await atLeast(settings.codeAnswerMs, async () => {
    const account = await userStore.findByEmail(db, email);
    await countMail(context, account !== null);
    if (account === null) return;
    const { user } = account;
    const { destination } = request;
    await db.transaction(async (tx) => {
      const issue = {
        user,
        purpose: "recovery",
        address: addressOf(user),
        redirectTo: destination.redirectTo,
        flowStateId: await beginFlow(tx, user, destination, "recovery"),
        keepsPassword: false,
      } as const;
      await mailCode(context, tx, issue, { kind: "recovery", mark: "recovery", to: user.email });
      await context.audit.record(tx, { action: "user_recovery_requested", userId: user.id, caller });
    });
  });
}
