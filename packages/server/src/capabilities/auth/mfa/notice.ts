import type { Queryable } from "../../../platform/postgres/database.ts";
import type { AuthContext } from "../context.ts";
import type { User } from "../user.ts";
import type { FactorType } from "./factor.ts";

/** Tells people by mail that what guards their account has changed; nobody without an address. */
export async function notice(
  { messages, settings }: AuthContext,
  tx: Queryable,
  kind: "mfa_factor_enrolled" | "mfa_factor_unenrolled",
  user: User,
  type: FactorType,
): Promise<void> {
  if (user.email === "") return;
  await messages.mail(tx, {
    kind,
    to: user.email,
    user,
    otp: "",
    tokenHash: "",
    verifyType: "",
    redirectTo: settings.siteUrl,
    newEmail: "",
    facts: { factor_type: type },
  });
}
