import type { ImportedIdentity, ImportedUser } from "@mainstay/server";
import { flagOf, isFields, objectOf, RecordError, textOf } from "./record.ts";

/**
 * One row of `auth.users`, from a dump, a CSV or JSON export, or the admin API; also a CSV of one's own, with as many of these
 * columns as there are. Codes and links under way are not taken.
 * @throws RecordError
 */
export function supabaseUser(fields: Readonly<Record<string, unknown>>): ImportedUser {
  if (textOf(fields.deleted_at) !== undefined) throw new RecordError("the account was deleted");
  const confirmed = (name: "email" | "phone"): string | undefined => {
    const at = textOf(fields[`${name}_confirmed_at`]);
    if (at !== undefined) return at;
    return flagOf(fields[`${name}_verified`] ?? fields[`${name}_confirmed`])
      ? (textOf(fields.created_at) ?? "1970-01-01T00:00:00Z")
      : undefined;
  };
  const identities = Array.isArray(fields.identities) ? fields.identities.filter(isFields).map(identityOf) : [];
  return {
    id: textOf(fields.id),
    email: textOf(fields.email),
    phone: textOf(fields.phone),
    passwordHash: textOf(fields.encrypted_password) ?? textOf(fields.password_hash),
    emailConfirmedAt: confirmed("email"),
    phoneConfirmedAt: confirmed("phone"),
    createdAt: textOf(fields.created_at),
    lastSignInAt: textOf(fields.last_sign_in_at),
    bannedUntil: textOf(fields.banned_until),
    role: textOf(fields.role),
    isAnonymous: flagOf(fields.is_anonymous),
    isSso: flagOf(fields.is_sso_user),
    userMetadata: objectOf(fields.raw_user_meta_data ?? fields.user_metadata),
    appMetadata: objectOf(fields.raw_app_meta_data ?? fields.app_metadata),
    // Those of an address come by themselves.
    identities: identities.filter(({ provider }) => provider !== "email" && provider !== "phone"),
  };
}

/** One row of `auth.identities`. @throws RecordError */
export function supabaseIdentity(
  fields: Readonly<Record<string, unknown>>,
): ImportedIdentity & { readonly userId: string } {
  const userId = textOf(fields.user_id);
  if (userId === undefined) throw new RecordError("the identity has no user_id");
  return { userId, ...identityOf(fields) };
}

function identityOf(fields: Readonly<Record<string, unknown>>): ImportedIdentity {
  const provider = textOf(fields.provider);
  // The admin API has the provider's id as `id`, and the row's as `identity_id`; so had the table before 2023.
  const providerId = textOf(fields.provider_id) ?? textOf(fields.id);
  if (provider === undefined || providerId === undefined) throw new RecordError("an identity has no provider or no id");
  return {
    provider,
    providerId,
    data: objectOf(fields.identity_data) ?? { sub: providerId },
    createdAt: textOf(fields.created_at),
    lastSignInAt: textOf(fields.last_sign_in_at),
  };
}
