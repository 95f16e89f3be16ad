import type { Queryable } from "../../../platform/postgres/database.ts";
import type { AuthContext } from "../context.ts";
import type { User } from "../user.ts";
import { addressOf, beginFlow, type Destination, mailCode } from "./issue.ts";
import { oneTimeStore } from "./store.ts";

/**
 * Mails what confirms a new address: to it, and with `mailerSecureEmailChange` to the old one too. Both lead through one flow,
 * which goes on when both are confirmed. Of a new change `oneTimeStore.beginEmailChange` comes first.
 */
export async function mailEmailChange(
  context: AuthContext,
  tx: Queryable,
  user: User,
  newEmail: string,
  destination: Destination,
): Promise<void> {
  const flowStateId = await beginFlow(tx, user, destination, "email_change");
  const shared = { user, redirectTo: destination.redirectTo, flowStateId, keepsPassword: true };
  const mail = { kind: "email_change", mark: "email_change", newEmail } as const;
  const sides = [
    ...(needsCurrent(context, user)
      ? [{ purpose: "email_change_current", address: addressOf(user), to: user.email } as const]
      : []),
    { purpose: "email_change_new", address: newEmail, to: newEmail } as const,
  ];
  for (const { purpose, address, to } of sides) {
    // Sent again, the side that has confirmed is left alone.
    if ((await oneTimeStore.find(tx, user.id, purpose))?.isUsed) continue;
    await mailCode(context, tx, { ...shared, purpose, address }, { ...mail, to });
  }
}

/** Whether the old address is asked too. */
export const needsCurrent = ({ settings }: AuthContext, user: User): boolean =>
  settings.mailerSecureEmailChange && user.email !== "";
