import type { NewUser } from "../user-store.ts";

/** What user metadata and identity say of an address (Supabase docs, Identities). */
export function addressFacts(
  user: Pick<NewUser, "id" | "email" | "phone" | "isEmailConfirmed" | "isPhoneConfirmed">,
): Record<string, unknown> {
  return {
    sub: user.id,
    ...(user.email === null ? {} : { email: user.email }),
    ...(user.phone === null ? {} : { phone: user.phone }),
    email_verified: user.isEmailConfirmed,
    phone_verified: user.isPhoneConfirmed,
  };
}
