import { type SQL, sql } from "pg-sql2";
import type { Queryable } from "../../platform/postgres/database.ts";
import { type Columns, type ParameterOf, type Prepared, prepare } from "../../platform/postgres/prepared.ts";
import { entryColumns, entryValues, usernameOf } from "./audit/store.ts";
import {
  type Entered,
  type Entering,
  enteredColumns,
  enteredFields,
  entering,
  type Settling,
  settling,
} from "./protection/attempt-store.ts";
import { isKnownDevice, useDevice } from "./protection/device-store.ts";
import { firstCounter } from "./tokens.ts";
import type { User } from "./user.ts";
import { accountFrom, hasAddress, hasPassword, type UserRow, userColumns, userFieldsAtSignIn } from "./user-store.ts";

/** What has to be known of an account before its password is looked at. */
export interface Candidate {
  readonly userId: string;
  /** A hash; `null` when the account has no password. */
  readonly passwordHash: string | null;
  readonly isBanned: boolean;
  readonly isEmailConfirmed: boolean;
  readonly isPhoneConfirmed: boolean;
}

export type AddressKind = "email" | "phone";

/** A password that was right, and where it came from. */
export type Opening = {
  readonly session: string;
  readonly userId: string;
  /** As it was verified. */
  readonly passwordHash: string;
  /** Hashed, in hexadecimal: see `DeviceKey`. */
  readonly device: string;
  readonly agent: string | null;
  /** `null` when it is no IP address. */
  readonly ip: string | null;
};

export interface Opened {
  readonly user: User;
  /** Unix seconds. */
  readonly openedAt: number;
}

type Address = { readonly address: string | null };

const candidateColumns: Columns = [
  ["userId", "text"],
  ["passwordHash", "text"],
  ["isBanned", "flag"],
  ["isEmailConfirmed", "flag"],
  ["isPhoneConfirmed", "flag"],
];

const candidateFields = sql`u.id as "userId", nullif(u.encrypted_password, '') as "passwordHash",
  coalesce(u.banned_until > now(), false) as "isBanned", u.email_confirmed_at is not null as "isEmailConfirmed",
  u.phone_confirmed_at is not null as "isPhoneConfirmed"`;

/** Gives a row where there is no such account too: the work is the same (threat A16). */
const candidate = (kind: AddressKind, address: SQL): SQL => sql`(select) this left join lateral (
  select * from auth.users u where ${hasAddress(kind, sql`${address}::text`)} order by u.created_at limit 1) u on true`;

const findBy = (kind: AddressKind): Prepared<Address> =>
  prepare<Address>(
    candidateColumns,
    (parameter) => sql`select ${candidateFields} from ${candidate(kind, parameter("address"))}`,
  );

const enterBy = (kind: AddressKind): Prepared<Address & Entering> =>
  prepare<Address & Entering>(
    [...enteredColumns, ...candidateColumns],
    (parameter) => sql`
      with ${entering(parameter)}
      select ${enteredFields}, ${candidateFields} from entered, ${candidate(kind, parameter("address"))}`,
  );

const find = { email: findBy("email"), phone: findBy("phone") };
const enter = { email: enterBy("email"), phone: enterBy("phone") };

/**
 * All that a right password leads to, for an account that was changed by nobody since it was looked up (threat A22), on a device that it
 * is known to use: others get a mail, which takes a transaction. Whatever is written hangs on the update of the user, who is locked
 * first, as everywhere.
 */
const opening = (parameter: ParameterOf<Opening>): SQL => {
  const userId = sql`${parameter("userId")}::uuid`;
  const isOpen = sql`exists (select from opened)`;
  return sql`
    verified as (
      update auth.users u set last_sign_in_at = now(), updated_at = now()
      where u.id = ${userId} and u.encrypted_password = ${parameter("passwordHash")}::text
        and ${isKnownDevice(sql`u.id`, parameter("device"))}
      returning ${userFieldsAtSignIn}, u.is_sso_user as "isSso"
    ), opened as (
      insert into auth.sessions (id, user_id, aal, refresh_token_counter, created_at, updated_at, user_agent, ip)
      select ${parameter("session")}::uuid, v.id, 'aal1', ${sql.literal(firstCounter)}, now(), now(),
        ${parameter("agent")}::text, ${parameter("ip")}::text::inet
      from verified v returning id
    ), proven as (
      insert into auth.mfa_amr_claims (id, session_id, authentication_method, created_at, updated_at)
      select gen_random_uuid(), id, 'password', now(), now() from opened
    ), identified as (
      update auth.identities i set last_sign_in_at = now(), updated_at = now()
      where i.user_id = ${userId} and ${hasPassword(sql`i.provider`)} and ${isOpen}
    ), used as (${useDevice(userId, parameter("device"), isOpen)}
    ), noted as (
      insert into auth.audit_log_entries (${entryColumns})
      select ${entryValues({
        action: sql`'login'`,
        logType: sql`'account'`,
        actorId: sql`v.id::text`,
        actorUsername: usernameOf(sql`v.email`, sql`v.phone`),
        isViaSso: sql`v."isSso"`,
        traits: sql`null::jsonb`,
        address: sql`coalesce(${parameter("ip")}::text, '')`,
      })} from verified v
    )`;
};

const openedColumns: Columns = [["openedAt", "number"], ...userColumns];
const openedFields = sql`extract(epoch from now())::bigint as "openedAt", ${sql.join(
  userColumns.map(([name]) => sql`v.${sql.identifier(name)}`),
  ", ",
)} from verified v`;

const open = prepare<Opening>(openedColumns, (parameter) => sql`with ${opening(parameter)} select ${openedFields}`);

const openAndSettle = prepare<Opening & Settling>(
  openedColumns,
  (parameter) => sql`
    with ${opening(parameter)}, ${settling(parameter, sql`exists (select from opened)`)} select ${openedFields}`,
);

type CandidateRow = { readonly [K in keyof Candidate]: Candidate[K] | null };

/** Signing in with a password: a statement before the password is hashed, and one after it. */
export const signInStore = {
  /** @param address canonical; `null` is nobody's */
  async find(db: Queryable, kind: AddressKind, address: string | null): Promise<Candidate | null> {
    const [row] = await db.execute<CandidateRow, Address>(find[kind], { address });
    return candidateOf(row!);
  },

  /** As `find`, and counts an attempt as `attemptStore.enter` does. */
  async enter(
    db: Queryable,
    kind: AddressKind,
    address: string | null,
    attempt: Entering,
  ): Promise<{ readonly entered: Entered; readonly candidate: Candidate | null }> {
    const [row] = await db.execute<Entered & CandidateRow, Address & Entering>(enter[kind], { address, ...attempt });
    return { entered: row!, candidate: candidateOf(row!) };
  },

  /**
   * Opens a session and writes down all that goes with it, the attempt's success too.
   * @returns `null`, with nothing done, when the password was changed meanwhile or the device is not known. Rejects with SQLSTATE
   * 55P03 when the user is held for too long.
   */
  async open(db: Queryable, opening: Opening, success: Settling | null): Promise<Opened | null> {
    const [row] =
      success === null
        ? await db.execute<{ openedAt: number } & UserRow, Opening>(open, opening)
        : await db.execute<{ openedAt: number } & UserRow, Opening & Settling>(openAndSettle, {
            ...opening,
            ...success,
          });
    if (row === undefined) return null;
    const { openedAt, ...account } = row;
    return { openedAt, user: accountFrom(account).user };
  },
};

function candidateOf({
  userId,
  passwordHash,
  isBanned,
  isEmailConfirmed,
  isPhoneConfirmed,
}: CandidateRow): Candidate | null {
  if (userId === null) return null;
  return {
    userId,
    passwordHash,
    isBanned: isBanned === true,
    isEmailConfirmed: isEmailConfirmed === true,
    isPhoneConfirmed: isPhoneConfirmed === true,
  };
}
