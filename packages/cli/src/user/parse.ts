import type { ImportedIdentity, ImportedUser } from "@mainstay/server";
import { flagOf, isFields, RecordError, textOf, timeOf } from "./record.ts";
import { uuidOf } from "./source-id.ts";

/** Parse's providers by the names they have here. */
const providers: Readonly<Record<string, string>> = {
  facebook: "facebook",
  google: "google",
  apple: "apple",
  twitter: "twitter",
  github: "github",
  linkedin: "linkedin_oidc",
  spotify: "spotify",
};

/**
 * One row of Parse's `_User`: from mongoexport (`_id`, `_hashed_password`, `_auth_data_facebook`), or from a dashboard's export
 * (`objectId`, `bcryptPassword`, `authData`). Its id stays in the metadata as `parse_id`. What the app put into the row beside is not
 * taken: it belongs into a table.
 * @throws RecordError
 */
export function parseUser(fields: Readonly<Record<string, unknown>>): ImportedUser {
  const id = textOf(fields._id) ?? textOf(fields.objectId);
  if (id === undefined) throw new RecordError("there is no objectId");
  const username = textOf(fields.username);
  const createdAt = timeOf(fields._created_at ?? fields.createdAt);
  const { identities, isAnonymous } = authDataOf(fields);
  // Many apps have the address as the name, and no address.
  const email = textOf(fields.email) ?? (username?.includes("@") ? username : undefined);
  return {
    id: uuidOf("parse", id),
    email,
    passwordHash: textOf(fields._hashed_password) ?? textOf(fields.bcryptPassword),
    emailConfirmedAt: flagOf(fields.emailVerified) ? (createdAt ?? "1970-01-01T00:00:00Z") : undefined,
    createdAt,
    isAnonymous: isAnonymous && email === undefined && identities.length === 0,
    userMetadata: username === undefined ? {} : { username },
    appMetadata: { parse_id: id },
    identities,
  };
}

function authDataOf(fields: Readonly<Record<string, unknown>>) {
  const columns = Object.entries(fields)
    .filter(([name]) => name.startsWith("_auth_data_"))
    .map(([name, value]) => [name.slice("_auth_data_".length), value] as const);
  const all = [...Object.entries(isFields(fields.authData) ? fields.authData : {}), ...columns];
  const identities = all.flatMap(([name, value]): ImportedIdentity[] => {
    const provider = providers[name];
    const providerId = isFields(value) ? textOf(value.id) : undefined;
    // The tokens beside the id were Parse's to use, and have expired.
    return provider && providerId ? [{ provider, providerId, data: { sub: providerId, provider_id: providerId } }] : [];
  });
  return { identities, isAnonymous: all.some(([name]) => name === "anonymous") };
}
