import type { ImportedIdentity, ImportedUser } from "@mainstay/server";
import { flagOf, isFields, objectOf, RecordError, textOf, timeOf } from "./record.ts";
import { uuidOf } from "./source-id.ts";

/** A project's password hash parameters (Firebase console, Authentication, Users, ⋮). */
export interface FirebaseHashConfig {
  readonly signerKey: string;
  readonly saltSeparator: string;
  readonly rounds: number;
  readonly memoryCost: number;
}

/**
 * Reads the parameters: as the console shows them (`hash_config { … }`), or as JSON of the CLI or the REST API.
 * @throws RecordError naming what is missing
 */
export function readHashConfig(text: string): FirebaseHashConfig {
  const find = (...names: readonly string[]): string => {
    const found = new RegExp(`"?\\b(?:${names.join("|")})"?\\s*[:=]\\s*"?([A-Za-z0-9+/_=-]+)`).exec(text)?.[1];
    if (found === undefined) throw new RecordError(`the hash parameters have no ${names[0]}`);
    return found;
  };
  const algorithm = /"?\balgorithm"?\s*[:=]\s*"?(\w+)/.exec(text)?.[1];
  if (algorithm !== undefined && algorithm !== "SCRYPT") {
    throw new RecordError(`the hash algorithm is ${algorithm}, not SCRYPT, which is Firebase's own`);
  }
  return {
    signerKey: standardBase64(find("base64_signer_key", "signerKey", "signer_key")),
    saltSeparator: standardBase64(find("base64_salt_separator", "saltSeparator", "salt_separator")),
    rounds: Number(find("rounds")),
    memoryCost: Number(find("mem_cost", "memoryCost", "memory_cost")),
  };
}

/** Columns of `firebase auth:export users.csv`, which has no row of names (Firebase docs, CLI, auth:export file format). */
export const firebaseColumns = [
  "localId",
  "email",
  "emailVerified",
  "passwordHash",
  "salt",
  "displayName",
  "photoUrl",
  ...["google.com", "facebook.com", "twitter.com", "github.com"].flatMap((provider) =>
    ["rawId", "email", "displayName", "photoUrl"].map((name) => `${provider} ${name}`),
  ),
  "createdAt",
  "lastSignedInAt",
  "phoneNumber",
  "disabled",
  "customAttributes",
] as const;

/** Firebase's providers by the names they have here. What is not here (`custom`, `saml.…`) has no identity to sign in with. */
const providers: Readonly<Record<string, string>> = {
  "google.com": "google",
  "apple.com": "apple",
  "facebook.com": "facebook",
  "twitter.com": "twitter",
  "github.com": "github",
  "microsoft.com": "azure",
  "yahoo.com": "yahoo",
  "linkedin.com": "linkedin_oidc",
};

/**
 * One user of `firebase auth:export`. Firebase's ids are no UUIDs: each gives the same UUID every time (version 5), and stays in the
 * metadata as `firebase_uid`.
 * @throws RecordError
 */
export function firebaseUser(
  fields: Readonly<Record<string, unknown>>,
  config: FirebaseHashConfig | null,
): ImportedUser {
  const uid = textOf(fields.localId);
  if (uid === undefined) throw new RecordError("there is no localId");
  const createdAt = timeOf(fields.createdAt);
  const displayName = textOf(fields.displayName);
  const photo = textOf(fields.photoUrl);
  const claims = objectOf(fields.customAttributes);
  const identities = identitiesOf(fields);
  const email = textOf(fields.email);
  const phone = textOf(fields.phoneNumber);
  return {
    id: uuidOf("firebase", uid),
    email,
    phone,
    passwordHash: hashOf(fields, config),
    // Firebase lets people in without; here it takes a confirmed address.
    emailConfirmedAt: flagOf(fields.emailVerified) ? (createdAt ?? "1970-01-01T00:00:00Z") : undefined,
    phoneConfirmedAt: phone === undefined ? undefined : (createdAt ?? "1970-01-01T00:00:00Z"),
    createdAt,
    lastSignInAt: timeOf(fields.lastSignedInAt),
    bannedUntil: flagOf(fields.disabled) ? "infinity" : undefined,
    isAnonymous: email === undefined && phone === undefined && identities.length === 0,
    userMetadata: {
      ...(displayName === undefined ? {} : { full_name: displayName, name: displayName }),
      ...(photo === undefined ? {} : { avatar_url: photo, picture: photo }),
    },
    appMetadata: { ...claims, firebase_uid: uid },
    identities,
  };
}

function hashOf(fields: Readonly<Record<string, unknown>>, config: FirebaseHashConfig | null): string | undefined {
  const hash = textOf(fields.passwordHash);
  if (hash === undefined) return undefined;
  if (config === null) throw new RecordError("there is a password, but no --hash-config to read it with");
  const { memoryCost, rounds, saltSeparator, signerKey } = config;
  const salt = standardBase64(textOf(fields.salt) ?? "");
  return `$fbscrypt$v=1,n=${memoryCost},r=${rounds},p=1,ss=${saltSeparator},sk=${signerKey}$${salt}$${standardBase64(hash)}`;
}

function identitiesOf(fields: Readonly<Record<string, unknown>>): readonly ImportedIdentity[] {
  const listed = Array.isArray(fields.providerUserInfo) ? fields.providerUserInfo.filter(isFields) : [];
  const inColumns = Object.keys(providers)
    .map((providerId) => ({
      providerId,
      rawId: fields[`${providerId} rawId`],
      email: fields[`${providerId} email`],
      displayName: fields[`${providerId} displayName`],
      photoUrl: fields[`${providerId} photoUrl`],
    }))
    .filter(({ rawId }) => textOf(rawId) !== undefined);
  return [...listed, ...inColumns].flatMap((info) => {
    const provider = providers[textOf(info.providerId) ?? ""];
    const providerId = textOf(info.rawId);
    if (provider === undefined || providerId === undefined) return [];
    const [email, name, picture] = [textOf(info.email), textOf(info.displayName), textOf(info.photoUrl)];
    const data = {
      sub: providerId,
      provider_id: providerId,
      ...(email === undefined ? {} : { email }),
      ...(name === undefined ? {} : { name, full_name: name }),
      ...(picture === undefined ? {} : { picture, avatar_url: picture }),
    };
    return [{ provider, providerId, data }];
  });
}

/** The REST API writes Base64 for URLs. */
const standardBase64 = (text: string): string => text.replaceAll("-", "+").replaceAll("_", "/");
