import { Problem } from "../../../kernel/problem.ts";
import type { Queryable } from "../../../platform/postgres/database.ts";
import type { AuthContext, Caller } from "../context.ts";
import { problems } from "../problems.ts";
import { type NewUser, userStore } from "../user-store.ts";

/**
 * Stores a user with the identities its addresses make. What the server knows of the address stands over what the
 * caller put in the metadata (threat A18). @returns false when the address or id is taken
 * @throws Problem 500 when a trigger of the app's refuses the row, 503 when the database is away
 */
export async function insertUser(
  _context: AuthContext,
  tx: Queryable,
  _caller: Caller | null,
  user: NewUser,
): Promise<boolean> {
  const facts = addressFacts(user);
  const metadata = user.isAnonymous ? user.userMetadata : { ...user.userMetadata, ...facts };
  try {
    if (!(await userStore.create(tx, { ...user, userMetadata: metadata }))) return false;
  } catch (error) {
    // A database that is away is no judgement of the row.
    throw error instanceof Problem ? error : problems.savingUserFailed(error);
  }
  for (const provider of ["email", "phone"] as const) {
    if (user[provider] === null) continue;
    await userStore.addIdentity(tx, { userId: user.id, provider, providerId: user.id, data: metadata });
  }
  return true;
}

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
