import { randomUUID } from "node:crypto";
import { Problem } from "../../../kernel/problem.ts";
import { reasonOf } from "../../../kernel/reason.ts";
import { canonicalEmail, canonicalPhone } from "../address.ts";
import type { AuthContext } from "../context.ts";
import { addressFacts } from "../flows/address-facts.ts";
import { isImportableHash } from "../flows/admin-users.ts";
import { isStorable, isUuid } from "../request.ts";
import { type IdentityRow, importStore, type UserRow } from "./import-store.ts";

/** One account from elsewhere. What is left out is unknown; times are anything PostgreSQL reads as a timestamptz. */
export interface ImportedUser {
  /** A UUID; a new one when left out. */
  readonly id?: string | undefined;
  readonly email?: string | undefined;
  readonly phone?: string | undefined;
  /** bcrypt, argon2 or Firebase scrypt. */
  readonly passwordHash?: string | undefined;
  readonly emailConfirmedAt?: string | undefined;
  readonly phoneConfirmedAt?: string | undefined;
  readonly createdAt?: string | undefined;
  readonly lastSignInAt?: string | undefined;
  readonly bannedUntil?: string | undefined;
  readonly role?: string | undefined;
  readonly isAnonymous?: boolean | undefined;
  readonly isSso?: boolean | undefined;
  readonly userMetadata?: Readonly<Record<string, unknown>> | undefined;
  readonly appMetadata?: Readonly<Record<string, unknown>> | undefined;
  /** Besides those its address and number make. */
  readonly identities?: readonly ImportedIdentity[] | undefined;
}

export interface ImportedIdentity {
  readonly provider: string;
  /** The provider's name for the user. */
  readonly providerId: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly createdAt?: string | undefined;
  readonly lastSignInAt?: string | undefined;
}

/** What became of one account. `exists`: its id, address or number is there already, and was left as it is. */
export type ImportOutcome =
  | { readonly status: "imported"; readonly id: string }
  | { readonly status: "exists" }
  | { readonly status: "invalid"; readonly reason: string };

export interface ImportOptions {
  /** Everything is tried, nothing is kept. */
  readonly isDryRun?: boolean;
}

/** Rolls a trial back. */
class DryRun extends Error {}

/**
 * Stores accounts from elsewhere, in one transaction. Where the database refuses them, each is tried by itself, so that one bad row
 * takes no other along. Hooks are not asked and nobody is told: these accounts were made long ago.
 * @returns one outcome for each, in their order
 */
export async function importUsers(
  context: AuthContext,
  users: readonly ImportedUser[],
  options: ImportOptions = {},
): Promise<readonly ImportOutcome[]> {
  const prepared = users.map((user) => prepare(context, user));
  const rows = prepared.filter((one): one is Prepared => typeof one !== "string");
  const stored = await store(context, rows, options);
  return prepared.map((one) => {
    if (typeof one === "string") return { status: "invalid", reason: one };
    return stored.get(one) ?? { status: "exists" };
  });
}

interface Prepared {
  readonly user: UserRow;
  readonly identities: readonly IdentityRow[];
}

async function store(
  context: AuthContext,
  rows: readonly Prepared[],
  options: ImportOptions,
): Promise<ReadonlyMap<Prepared, ImportOutcome>> {
  if (rows.length === 0) return new Map();
  try {
    const made = await storeAtOnce(context, rows, options);
    const id = (row: Prepared) => row.user.id;
    return new Map(rows.filter((row) => made.has(id(row))).map((row) => [row, { status: "imported", id: id(row) }]));
  } catch (error) {
    if (error instanceof Problem) throw error;
    const [only] = rows;
    if (rows.length === 1) return new Map([[only!, { status: "invalid", reason: reasonOf(error) }]]);
    const outcomes = new Map<Prepared, ImportOutcome>();
    for (const row of rows)
      for (const [key, outcome] of await store(context, [row], options)) outcomes.set(key, outcome);
    return outcomes;
  }
}

/** @returns the ids that were new */
async function storeAtOnce(
  { db, audit }: AuthContext,
  rows: readonly Prepared[],
  { isDryRun = false }: ImportOptions,
): Promise<ReadonlySet<string>> {
  let made: ReadonlySet<string> = new Set();
  try {
    await db.transaction(async (tx) => {
      made = new Set(
        await importStore.addUsers(
          tx,
          rows.map(({ user }) => user),
        ),
      );
      const identities = rows.flatMap((row) => (made.has(row.user.id) ? row.identities : []));
      await importStore.addIdentities(tx, identities);
      if (isDryRun) throw new DryRun();
      if (made.size === 0) return;
      const traits = { users: made.size };
      await audit.record(tx, { action: "user_imported", userId: null, actor: "system", caller: null, traits });
    });
  } catch (error) {
    if (!(error instanceof DryRun)) throw error;
  }
  return made;
}

/** Identities that come by themselves, as in a dump. @returns how many were new */
export async function importIdentities(
  { db }: AuthContext,
  identities: readonly (ImportedIdentity & { readonly userId: string })[],
  { isDryRun = false }: ImportOptions = {},
): Promise<number> {
  const rows = identities.map(({ userId, ...identity }) => identityRow(userId, identity));
  if (!isDryRun) return importStore.addIdentities(db, rows);
  return 0;
}

/** @returns the rows, or what is wrong with the account */
function prepare({ settings }: AuthContext, user: ImportedUser): Prepared | string {
  const id = (user.id || randomUUID()).toLowerCase();
  if (!isUuid(id)) return "the id is no UUID";
  const email = user.email ? canonicalEmail(user.email) : null;
  if (user.email && email === null) return "the e-mail address is malformed";
  const phone = user.phone ? canonicalPhone(user.phone) : null;
  if (user.phone && phone === null) return "the phone number is malformed";
  const identities = user.identities ?? [];
  if (email === null && phone === null && identities.length === 0 && !user.isAnonymous) {
    return "there is neither an e-mail address nor a phone number nor an identity";
  }
  if (user.passwordHash && !isImportableHash(user.passwordHash)) {
    return "the password hash is none of bcrypt, argon2 and Firebase scrypt";
  }
  const role = user.role || "authenticated";
  // Users are users: the service role is for keys (threats A18, B18).
  if (["service_role", "supabase_admin", "postgres"].includes(role)) return "the role is not one a user can have";
  const times = [user.emailConfirmedAt, user.phoneConfirmedAt, user.createdAt, user.lastSignInAt, user.bannedUntil];
  if (times.some((time) => time && time !== "infinity" && Number.isNaN(Date.parse(time)))) return "a time is malformed";

  const address = {
    id,
    email,
    phone,
    isEmailConfirmed: Boolean(email && user.emailConfirmedAt),
    isPhoneConfirmed: Boolean(phone && user.phoneConfirmedAt),
  };
  const facts = addressFacts(address);
  const own: IdentityRow[] = (["email", "phone"] as const)
    .filter((provider) => address[provider] !== null && !user.isSso)
    .map((provider) => identityRow(id, { provider, providerId: id, data: facts, createdAt: user.createdAt }));
  const all = [...own, ...identities.map((identity) => identityRow(id, identity))];
  const providers = [...new Set(all.map(({ provider }) => provider))];
  const userMetadata = user.isAnonymous ? (user.userMetadata ?? {}) : { ...user.userMetadata, ...facts };
  const appMetadata = {
    ...(providers.length > 0 ? { provider: providers[0], providers } : {}),
    ...user.appMetadata,
  };
  for (const metadata of [userMetadata, appMetadata]) {
    if (Buffer.byteLength(JSON.stringify(metadata)) > settings.metadataMaxBytes) {
      return `the metadata is larger than ${settings.metadataMaxBytes} bytes`;
    }
    if (!isStorable(metadata)) return "the metadata is nested too deep or holds characters that cannot be stored";
  }
  return {
    user: {
      id,
      role,
      email,
      phone,
      encrypted_password: user.passwordHash ?? "",
      email_confirmed_at: email === null ? null : user.emailConfirmedAt || null,
      phone_confirmed_at: phone === null ? null : user.phoneConfirmedAt || null,
      created_at: user.createdAt || null,
      last_sign_in_at: user.lastSignInAt || null,
      banned_until: user.bannedUntil || null,
      is_anonymous: user.isAnonymous ?? false,
      is_sso_user: user.isSso ?? false,
      raw_user_meta_data: userMetadata,
      raw_app_meta_data: appMetadata,
    },
    identities: all,
  };
}

function identityRow(userId: string, identity: ImportedIdentity): IdentityRow {
  return {
    user_id: userId,
    provider: identity.provider,
    provider_id: identity.providerId,
    identity_data: identity.data,
    created_at: identity.createdAt || null,
    last_sign_in_at: identity.lastSignInAt || null,
  };
}

/** What the database said, for whoever runs the import: it is their data. */
