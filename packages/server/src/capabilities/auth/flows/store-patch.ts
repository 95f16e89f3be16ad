import type { Values } from "../../../kernel/settings.ts";
import type { Queryable } from "../../../platform/postgres/database.ts";
import { sqlStateOf } from "../../../platform/postgres/sql-state.ts";
import { problems } from "../problems.ts";
import type { authSettings } from "../settings.ts";
import type { User } from "../user.ts";
import { type UserPatch, userStore } from "../user-store.ts";

/**
 * Stores a change of a user, with the identity that a new address makes.
 * @throws Problem when the address was taken meanwhile, or the metadata has grown past its limit
 */
export async function storePatch(
  tx: Queryable,
  settings: Values<typeof authSettings>,
  user: User,
  patch: UserPatch,
): Promise<void> {
  const facts = {
    ...(patch.email === undefined ? {} : { sub: user.id, email: patch.email }),
    ...(patch.isEmailConfirmed ? { email_verified: true } : {}),
    ...(patch.phone === undefined ? {} : { sub: user.id, phone: patch.phone }),
    ...(patch.isPhoneConfirmed ? { phone_verified: true } : {}),
  };
  const providers = new Set(Array.isArray(user.appMetadata.providers) ? user.appMetadata.providers : []);
  if (patch.email !== undefined) providers.add("email");
  if (patch.phone !== undefined) providers.add("phone");
  const isNewProvider = patch.email !== undefined || patch.phone !== undefined;
  const provider = user.appMetadata.provider ?? (patch.email === undefined ? "phone" : "email");
  const complete: UserPatch = {
    ...patch,
    ...(Object.keys(facts).length > 0 ? { userMetadata: { ...patch.userMetadata, ...facts } } : {}),
    ...(isNewProvider ? { appMetadata: { ...patch.appMetadata, provider, providers: [...providers] } } : {}),
  };
  try {
    if (!(await userStore.update(tx, user.id, complete))) throw problems.userNotFound();
  } catch (error) {
    throw takenAddress(error) ?? error;
  }
  for (const name of ["email", "phone"] as const) {
    if (patch[name] === undefined) continue;
    await userStore.addIdentity(tx, { userId: user.id, provider: name, providerId: user.id, data: facts });
  }
  const fresh = await userStore.findById(tx, user.id);
  for (const metadata of [fresh?.user.userMetadata, fresh?.user.appMetadata]) {
    if (Buffer.byteLength(JSON.stringify(metadata ?? {})) > settings.metadataMaxBytes) {
      throw problems.validationFailed(`metadata is larger than ${settings.metadataMaxBytes} bytes`);
    }
  }
}

/** The two unique constraints of auth.users that a change can meet (SQLSTATE 23505). */
function takenAddress(error: unknown): Error | null {
  if (sqlStateOf(error) !== "23505") return null;
  const { constraint } = error as { readonly constraint?: string };
  if (constraint === "users_email_partial_key") return problems.emailExists();
  return constraint === "users_phone_key" ? problems.phoneExists() : null;
}
