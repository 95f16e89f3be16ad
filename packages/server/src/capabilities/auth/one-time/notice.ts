import type { Queryable } from "../../../platform/postgres/database.ts";
import type { AuthContext } from "../context.ts";
import type { User } from "../user.ts";

/**
 * Tells somebody what has changed in their account, at the address they had confirmed before: whoever took it over reads mail
 * at the new one. @param user As it was
 */
export async function tellChange(
  { messages, settings }: Pick<AuthContext, "messages" | "settings">,
  tx: Queryable,
  user: User,
  change:
    | { readonly kind: "password_changed" }
    | { readonly kind: "email_changed"; readonly newEmail: string }
    | { readonly kind: "phone_changed"; readonly newPhone: string },
): Promise<void> {
  if (user.email === "" || user.emailConfirmedAt === null) return;
  const facts: Record<string, string> = {};
  if (change.kind === "email_changed") facts.old_email = user.email;
  if (change.kind === "phone_changed") facts.old_phone = user.phone;
  await messages.mail(tx, {
    kind: change.kind,
    to: user.email,
    user: change.kind === "phone_changed" ? { ...user, phone: change.newPhone } : user,
    otp: "",
    tokenHash: "",
    verifyType: "",
    redirectTo: settings.siteUrl,
    newEmail: change.kind === "email_changed" ? change.newEmail : "",
    facts,
  });
}
