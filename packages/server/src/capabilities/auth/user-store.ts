import { type SQL, sql } from "pg-sql2";
import type { Queryable } from "../../platform/postgres/database.ts";
import type { Columns } from "../../platform/postgres/prepared.ts";
import { jsonb, rfc3339 } from "../../platform/postgres/sql-fragments.ts";
import type { User } from "./user.ts";
import { listOf } from "./user-list.ts";

/** A user with what only this capability may see. */
export interface Account {
  readonly user: User;
  /** A hash; `null` when the account has no password. */
  readonly passwordHash: string | null;
}

export interface NewUser {
  readonly id: string;
  /** Canonical; `null` for none. */
  readonly email: string | null;
  readonly phone: string | null;
  readonly passwordHash: string | null;
  readonly role: string;
  readonly isEmailConfirmed: boolean;
  readonly isPhoneConfirmed: boolean;
  readonly appMetadata: Readonly<Record<string, unknown>>;
  readonly userMetadata: Readonly<Record<string, unknown>>;
  readonly isAnonymous: boolean;
  readonly bannedSeconds: number | null;
  /** The app's hook was asked, and had nothing against it. */
  readonly isAdmitted?: true;
  /** How a provider knows them, in place of identities for the addresses. Metadata is the provider's then. */
  readonly identity?: Omit<NewIdentity, "userId">;
}

/** What can change of a user. What is left out stays; metadata is merged key by key, and `null` takes a key away. */
export interface UserPatch {
  readonly email?: string;
  readonly phone?: string;
  readonly emailChange?: string;
  readonly phoneChange?: string;
  readonly passwordHash?: string;
  readonly role?: string;
  readonly isEmailConfirmed?: true;
  readonly isPhoneConfirmed?: true;
  readonly appMetadata?: Readonly<Record<string, unknown>>;
  readonly userMetadata?: Readonly<Record<string, unknown>>;
  readonly isAnonymous?: boolean;
  /** From now; `null` lifts the ban. */
  readonly bannedSeconds?: number | null;
}

export interface NewIdentity {
  readonly userId: string;
  readonly provider: string;
  /** The provider's name for the user: for `email` and `phone` the user's id. */
  readonly providerId: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export interface UserPage {
  readonly users: readonly User[];
  readonly total: number;
}

// GoTrue keeps every user under this instance, and its index of addresses begins with it. Seeds often leave it out.
const instance = sql`'00000000-0000-0000-0000-000000000000'::uuid`;

/** How a statement gives what it knows of a user. */
interface Manner {
  readonly time: (column: SQL) => SQL;
  /** Of an identity `i`: what has become of its times by a statement that changes them and cannot see that. */
  readonly seen?: (column: SQL) => SQL;
  /** All of a user's, of these JSON objects, by the column. */
  readonly list: (object: SQL, by: SQL) => SQL;
}

/** Of `auth.users u`, named column by column: a secret column added later does not come along by itself (threat A19). */
const fieldsIn = ({ time, seen = (column) => column, list }: Manner): SQL => sql`
    u.id, coalesce(nullif(u.aud, ''), 'authenticated') as aud, coalesce(nullif(u.role, ''), 'authenticated') as role,
    coalesce(u.email, '') as email, coalesce(u.phone, '') as phone,
    ${time(sql`u.email_confirmed_at`)} as "emailConfirmedAt",
    ${time(sql`u.phone_confirmed_at`)} as "phoneConfirmedAt",
    ${time(sql`u.confirmed_at`)} as "confirmedAt",
    ${time(sql`u.last_sign_in_at`)} as "lastSignInAt",
    ${time(sql`u.invited_at`)} as "invitedAt",
    ${time(sql`u.confirmation_sent_at`)} as "confirmationSentAt",
    ${time(sql`u.recovery_sent_at`)} as "recoverySentAt",
    coalesce(u.email_change, '') as "emailChange",
    ${time(sql`u.email_change_sent_at`)} as "emailChangeSentAt",
    coalesce(u.phone_change, '') as "phoneChange",
    ${time(sql`u.phone_change_sent_at`)} as "phoneChangeSentAt",
    ${time(sql`u.reauthentication_sent_at`)} as "reauthenticationSentAt",
    ${time(sql`u.banned_until`)} as "bannedUntil",
    coalesce(u.banned_until > now(), false) as "isBanned",
    ${time(sql`u.deleted_at`)} as "deletedAt",
    coalesce(u.raw_app_meta_data, '{}') as "appMetadata",
    coalesce(u.raw_user_meta_data, '{}') as "userMetadata",
    u.is_anonymous as "isAnonymous",
    ${time(sql`coalesce(u.created_at, now())`)} as "createdAt",
    ${time(sql`coalesce(u.updated_at, u.created_at, now())`)} as "updatedAt",
    coalesce((
      select ${list(
        sql`json_build_object(
          'identity_id', i.id, 'id', i.provider_id, 'user_id', i.user_id, 'identity_data', i.identity_data,
          'provider', i.provider, 'last_sign_in_at', ${time(seen(sql`i.last_sign_in_at`))},
          'created_at', ${time(sql`i.created_at`)}, 'updated_at', ${time(seen(sql`i.updated_at`))}, 'email', i.email)`,
        sql`i.created_at`,
      )}
      from auth.identities i where i.user_id = u.id
    ), '[]') as identities,
    coalesce((
      select ${list(
        sql`json_build_object(
          'id', f.id, 'factor_type', f.factor_type, 'status', f.status, 'friendly_name', nullif(f.friendly_name, ''),
          'phone', f.phone, 'created_at', ${time(sql`f.created_at`)}, 'updated_at', ${time(sql`f.updated_at`)},
          'last_challenged_at', ${time(sql`f.last_challenged_at`)})`,
        sql`f.created_at`,
      )}
      from auth.mfa_factors f where f.user_id = u.id
    ), '[]') as factors,
    nullif(u.encrypted_password, '') as "passwordHash"`;

/** For `userColumns` and `accountFrom`, which do here what PostgreSQL takes longer for than for the rest of the row: formats and order. */
const bare: Manner = {
  time: (column) => sql`${column} at time zone 'UTC'`,
  list: (object) => sql`json_agg(${object})`,
};

export const userFields = fieldsIn(bare);

/** The identities a password stands for: signing in with it is signing in with them. */
export const hasPassword = (provider: SQL): SQL => sql`${provider} in ('email', 'phone')`;

/** As `userFields`, in the statement that notes that the user signs in with a password. */
export const userFieldsAtSignIn = fieldsIn({
  ...bare,
  seen: (column) => sql`case when ${hasPassword(sql`i.provider`)} then now() else ${column} end`,
});

const selectUser = sql`select ${fieldsIn({
  time: rfc3339,
  list: (object, by) => sql`json_agg(json_strip_nulls(${object}) order by ${by})`,
})} from auth.users u`;

/** What `userFields` give, in their order. */
export const userColumns: Columns = [
  ["id", "text"],
  ["aud", "text"],
  ["role", "text"],
  ["email", "text"],
  ["phone", "text"],
  ["emailConfirmedAt", "time"],
  ["phoneConfirmedAt", "time"],
  ["confirmedAt", "time"],
  ["lastSignInAt", "time"],
  ["invitedAt", "time"],
  ["confirmationSentAt", "time"],
  ["recoverySentAt", "time"],
  ["emailChange", "text"],
  ["emailChangeSentAt", "time"],
  ["phoneChange", "text"],
  ["phoneChangeSentAt", "time"],
  ["reauthenticationSentAt", "time"],
  ["bannedUntil", "time"],
  ["isBanned", "flag"],
  ["deletedAt", "time"],
  ["appMetadata", "json"],
  ["userMetadata", "json"],
  ["isAnonymous", "flag"],
  ["createdAt", "time"],
  ["updatedAt", "time"],
  ["identities", "json"],
  ["factors", "json"],
  ["passwordHash", "text"],
];

/** Whose canonical address of that kind `address` is, as a condition on `auth.users u`. Seeds may have written one in another case. */
export const hasAddress = (kind: "email" | "phone", address: SQL): SQL =>
  kind === "email"
    ? sql`lower(u.email) = ${address} and (u.instance_id = ${instance} or u.instance_id is null)
        and u.is_sso_user = false and u.deleted_at is null`
    : sql`u.phone = ${address} and u.is_sso_user = false and u.deleted_at is null`;

/** All SQL about users and their identities. Every function takes the connection or transaction to run in. */
export const userStore = {
  /**
   * Holds the user for the rest of the transaction: what is decided by a look at all that is a user's (which factor is the first,
   * whether an address is confirmed) is decided by one at a time. @returns false when there is none, or it is deleted
   */
  async lock(tx: Queryable, id: string): Promise<boolean> {
    const rows = await tx.query(sql`
      select id from auth.users where id = ${sql.value(id)} and deleted_at is null for no key update`);
    return rows.length === 1;
  },

  /** By canonical address. */
  async findByEmail(db: Queryable, email: string): Promise<Account | null> {
    return first(
      await db.query<UserRow>(sql`
        ${selectUser}
        where ${hasAddress("email", sql.value(email))} order by u.created_at limit 1`),
    );
  },

  async findByPhone(db: Queryable, phone: string): Promise<Account | null> {
    return first(
      await db.query<UserRow>(sql`
        ${selectUser} where ${hasAddress("phone", sql.value(phone))}`),
    );
  },

  async findById(db: Queryable, id: string): Promise<Account | null> {
    return first(await db.query<UserRow>(sql`${selectUser} where u.id = ${sql.value(id)}`));
  },

  /** Newest first. `filter` is looked for in the address and the number, as text. */
  async list(
    db: Queryable,
    options: { readonly page: number; readonly perPage: number; readonly filter: string },
  ): Promise<UserPage> {
    const { page, perPage, filter } = options;
    const where =
      filter === ""
        ? sql`true`
        : sql`(position(lower(${sql.value(filter)}) in lower(coalesce(u.email, ''))) > 0
            or position(${sql.value(filter)} in coalesce(u.phone, '')) > 0)`;
    const [count] = await db.query<{ total: number }>(
      sql`select count(*)::int as total from auth.users u where ${where}`,
    );
    const rows = await db.query<UserRow>(sql`
      ${selectUser} where ${where} order by u.created_at desc nulls last, u.id
      limit ${sql.value(perPage)} offset ${sql.value((page - 1) * perPage)}`);
    return { users: rows.map((row) => accountOf(row).user), total: count?.total ?? 0 };
  },

  /** @returns false when the address, the number or the id is taken: the database decides, so two at once are one. */
  async create(db: Queryable, user: NewUser): Promise<boolean> {
    const rows = await db.query(sql`
      insert into auth.users (
        instance_id, id, aud, role, email, phone, encrypted_password, email_confirmed_at, phone_confirmed_at,
        confirmation_token, recovery_token, email_change_token_new, email_change, raw_app_meta_data, raw_user_meta_data,
        is_anonymous, banned_until, created_at, updated_at
      ) values (
        ${instance}, ${sql.value(user.id)}, 'authenticated', ${sql.value(user.role)}, ${sql.value(user.email)},
        ${sql.value(user.phone)}, ${sql.value(user.passwordHash ?? "")},
        ${user.isEmailConfirmed ? sql`now()` : sql`null`}, ${user.isPhoneConfirmed ? sql`now()` : sql`null`},
        '', '', '', '', ${jsonb(user.appMetadata)}, ${jsonb(user.userMetadata)}, ${sql.value(user.isAnonymous)},
        ${bannedUntil(user.bannedSeconds)}, now(), now()
      ) on conflict do nothing returning id`);
    return rows.length === 1;
  },

  async addIdentity(db: Queryable, identity: NewIdentity): Promise<void> {
    await db.query(sql`
      insert into auth.identities (provider_id, user_id, identity_data, provider, last_sign_in_at, created_at, updated_at)
      values (${sql.value(identity.providerId)}, ${sql.value(identity.userId)}, ${jsonb(identity.data)},
        ${sql.value(identity.provider)}, now(), now(), now())
      on conflict (provider_id, provider) do update
        set identity_data = identities.identity_data || excluded.identity_data, updated_at = now()
        where identities.user_id = excluded.user_id`);
  },

  /** @returns false when there is no such user */
  async update(db: Queryable, id: string, patch: UserPatch): Promise<boolean> {
    const set: SQL[] = [sql`updated_at = now()`];
    if (patch.email !== undefined) set.push(sql`email = ${sql.value(patch.email)}`);
    if (patch.phone !== undefined) set.push(sql`phone = ${sql.value(patch.phone)}`);
    if (patch.emailChange !== undefined) set.push(sql`email_change = ${sql.value(patch.emailChange)}`);
    if (patch.phoneChange !== undefined) set.push(sql`phone_change = ${sql.value(patch.phoneChange)}`);
    if (patch.passwordHash !== undefined) set.push(sql`encrypted_password = ${sql.value(patch.passwordHash)}`);
    if (patch.role !== undefined) set.push(sql`role = ${sql.value(patch.role)}`);
    if (patch.isEmailConfirmed) set.push(sql`email_confirmed_at = coalesce(email_confirmed_at, now())`);
    if (patch.isPhoneConfirmed) set.push(sql`phone_confirmed_at = coalesce(phone_confirmed_at, now())`);
    if (patch.appMetadata) set.push(sql`raw_app_meta_data = ${merged(sql`raw_app_meta_data`, patch.appMetadata)}`);
    if (patch.userMetadata) set.push(sql`raw_user_meta_data = ${merged(sql`raw_user_meta_data`, patch.userMetadata)}`);
    if (patch.isAnonymous !== undefined) set.push(sql`is_anonymous = ${sql.value(patch.isAnonymous)}`);
    if (patch.bannedSeconds !== undefined) set.push(sql`banned_until = ${bannedUntil(patch.bannedSeconds)}`);
    const rows = await db.query(sql`
      update auth.users set ${sql.join(set, ", ")} where id = ${sql.value(id)} returning id`);
    return rows.length === 1;
  },

  /** Replaces a hash only while it is still the one that was verified. @returns false when it is not: what came meanwhile wins */
  async rehash(db: Queryable, id: string, from: string, to: string): Promise<boolean> {
    const rows = await db.query(sql`
      update auth.users set encrypted_password = ${sql.value(to)}
      where id = ${sql.value(id)} and encrypted_password = ${sql.value(from)} returning id`);
    return rows.length === 1;
  },

  /** @returns false when there is no such user */
  async remove(db: Queryable, id: string): Promise<boolean> {
    const rows = await db.query(sql`delete from auth.users where id = ${sql.value(id)} returning id`);
    return rows.length === 1;
  },

  /**
   * Keeps the row, for what refers to it, and takes the person out of it: the address is replaced by a hash that cannot be
   * turned back, everything else is emptied. @returns false when there is no such user
   */
  async erase(db: Queryable, id: string, scrub: (text: string) => string): Promise<boolean> {
    const [found] = await db.query<{ email: string | null; phone: string | null }>(sql`
      select email, phone from auth.users where id = ${sql.value(id)} for update`);
    if (found === undefined) return false;
    await db.query(sql`
      update auth.users set
        email = ${sql.value(found.email ? scrub(found.email) : null)},
        phone = ${sql.value(found.phone ? scrub(found.phone).slice(0, 15) : null)},
        encrypted_password = '', confirmation_token = '', recovery_token = '', email_change_token_current = '',
        email_change_token_new = '', email_change = '', phone_change = '', phone_change_token = '',
        reauthentication_token = '', raw_app_meta_data = '{}', raw_user_meta_data = '{}',
        deleted_at = now(), updated_at = now()
      where id = ${sql.value(id)}`);
    await db.query(sql`delete from auth.identities where user_id = ${sql.value(id)}`);
    await db.query(sql`delete from auth.mfa_factors where user_id = ${sql.value(id)}`);
    await db.query(sql`delete from auth.webauthn_credentials where user_id = ${sql.value(id)}`);
    return true;
  },
};

/** What `selectUser` gives. */
export type UserRow = User & { readonly passwordHash: string | null };

export function accountOf({ passwordHash, ...user }: UserRow): Account {
  return { user, passwordHash };
}

/** Of a row in `userColumns`. */
export function accountFrom(row: UserRow): Account {
  return accountOf({ ...row, identities: listOf(row.identities), factors: listOf(row.factors) });
}

const first = (rows: readonly UserRow[]): Account | null => (rows[0] === undefined ? null : accountOf(rows[0]));

const bannedUntil = (seconds: number | null): SQL =>
  seconds === null ? sql`null` : sql`now() + make_interval(secs => ${sql.value(seconds)})`;

/** Top-level merge in the database, so that two updates at once both count; then keys set to null are taken away. */
function merged(column: SQL, patch: Readonly<Record<string, unknown>>): SQL {
  const removed = Object.keys(patch).filter((key) => patch[key] === null);
  const kept = Object.fromEntries(Object.entries(patch).filter(([, value]) => value !== null));
  return sql`(coalesce(${column}, '{}') || ${jsonb(kept)}) - ${sql.value(removed)}::text[]`;
}
