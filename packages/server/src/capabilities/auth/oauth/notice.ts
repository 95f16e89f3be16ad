import type { Queryable } from "../../../platform/postgres/database.ts";
import type { AuthContext } from "../context.ts";
import type { User } from "../user.ts";

/** Tells somebody at their confirmed address what else opens their account now, or does no more. */
export async function tellIdentity(
  { messages, settings }: AuthContext,
  tx: Queryable,
  user: User,
  kind: "identity_linked" | "identity_unlinked",
  provider: string,
): Promise<void> {
  if (user.email === "" || user.emailConfirmedAt === null) return;
  await messages.mail(tx, {
    kind,
    to: user.email,
    user,
    otp: "",
    tokenHash: "",
    verifyType: "",
    redirectTo: settings.siteUrl,
    newEmail: "",
    facts: { Provider: provider },
  });
}
