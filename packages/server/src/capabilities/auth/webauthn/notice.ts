import type { Queryable } from "../../../platform/postgres/database.ts";
import type { AuthContext } from "../context.ts";
import { userStore } from "../user-store.ts";

/** Tells somebody at their confirmed address that a passkey opens their account now, or does no more. */
export async function tellPasskey(
  { messages, settings }: AuthContext,
  tx: Queryable,
  userId: string,
  kind: "passkey_added" | "passkey_removed",
  passkeyName: string,
): Promise<void> {
  const user = (await userStore.findById(tx, userId))?.user;
  if (user === undefined || user.email === "" || user.emailConfirmedAt === null) return;
  await messages.mail(tx, {
    kind,
    to: user.email,
    user,
    otp: "",
    tokenHash: "",
    verifyType: "",
    redirectTo: settings.siteUrl,
    newEmail: "",
    facts: { passkey_name: passkeyName },
  });
}
