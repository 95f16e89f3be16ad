import { type SQL, sql } from "pg-sql2";
import type { Queryable } from "../../../platform/postgres/database.ts";
import { rfc3339 } from "../../../platform/postgres/sql-fragments.ts";
import type { CeremonyState, Credential } from "./ceremonies.ts";

/** A passkey as its owner sees it. Times are RFC 3339 UTC texts. */
export interface Passkey {
  readonly id: string;
  readonly userId: string;
  readonly friendlyName: string;
  readonly createdAt: string;
  readonly lastUsedAt: string | null;
}

export type StoredPasskey = Passkey & { readonly credential: Credential };

export type ChallengeType = "registration" | "authentication";

export interface TakenChallenge {
  readonly isExpired: boolean;
  readonly state: CeremonyState;
}

/** How long a challenge is kept after its time, so that whoever comes late is told so, in seconds. */
const lateSeconds = 3_600;

/** Challenges past even that, swept with each new one: more than come in, so the table stays as small as its traffic. */
const sweptAtOnce = 16;

const bytea = (base64url: string): SQL =>
  sql`decode(${sql.value(Buffer.from(base64url, "base64url").toString("hex"))}, 'hex')`;

const columns = sql`
  c.id, c.user_id as "userId", c.friendly_name as "friendlyName", ${rfc3339(sql`c.created_at`)} as "createdAt",
  ${rfc3339(sql`c.last_used_at`)} as "lastUsedAt"`;

const credentialColumns = sql`
  c.credential_id as "credentialId", c.public_key as "publicKey", c.sign_count::float8 as counter, c.transports,
  coalesce(c.aaguid, '00000000-0000-0000-0000-000000000000') as aaguid, c.backup_eligible as "isBackupEligible",
  c.backed_up as "isBackedUp"`;

/** All SQL about passkeys. */
export const passkeyStore = {
  /** Whether the account is one of a company's provider; holds the user's row, so that passkeys are added one at a time. */
  async lockUser(tx: Queryable, userId: string): Promise<{ readonly isSsoUser: boolean } | null> {
    const [row] = await tx.query<{ isSsoUser: boolean }>(sql`
      select is_sso_user as "isSsoUser" from auth.users where id = ${sql.value(userId)} for no key update`);
    return row ?? null;
  },

  /** Oldest first. */
  async list(db: Queryable, userId: string): Promise<readonly StoredPasskey[]> {
    const rows = await db.query<PasskeyRow>(sql`
      select ${columns}, ${credentialColumns} from auth.webauthn_credentials c
      where c.user_id = ${sql.value(userId)} order by c.created_at, c.id`);
    return rows.map(passkeyOf);
  },

  /** By what the authenticator calls it. */
  async findByCredentialId(db: Queryable, credentialId: string): Promise<StoredPasskey | null> {
    const [row] = await db.query<PasskeyRow>(sql`
      select ${columns}, ${credentialColumns} from auth.webauthn_credentials c
      where c.credential_id = ${bytea(credentialId)}`);
    return row === undefined ? null : passkeyOf(row);
  },

  /** @returns `null` when somebody has this credential already */
  async add(tx: Queryable, userId: string, credential: Credential, friendlyName: string): Promise<Passkey | null> {
    const [row] = await tx.query<Passkey>(sql`
      insert into auth.webauthn_credentials as c (user_id, credential_id, public_key, attestation_type, aaguid, sign_count,
        transports, backup_eligible, backed_up, friendly_name)
      values (${sql.value(userId)}, ${bytea(credential.id)}, ${bytea(credential.publicKey)}, 'none',
        ${sql.value(credential.aaguid)}::uuid, ${sql.value(credential.counter)},
        ${sql.value(JSON.stringify(credential.transports))}::jsonb, ${sql.value(credential.isBackupEligible)},
        ${sql.value(credential.isBackedUp)}, ${sql.value(friendlyName)})
      on conflict do nothing returning ${columns}`);
    return row ?? null;
  },

  /**
   * Notes a use, while the counter is still below the one that was signed: of two that show the same one, one is a copy.
   * @returns false when it is not, or the passkey is gone
   */
  async use(
    tx: Queryable,
    id: string,
    used: { readonly newCounter: number; readonly isBackedUp: boolean },
  ): Promise<boolean> {
    const { newCounter, isBackedUp } = used;
    const rows = await tx.query(sql`
      update auth.webauthn_credentials set sign_count = ${sql.value(newCounter)}, backed_up = ${sql.value(isBackedUp)},
        last_used_at = now(), updated_at = now()
      where id = ${sql.value(id)}
        and (sign_count < ${sql.value(newCounter)} or (sign_count = 0 and ${sql.value(newCounter)}::bigint = 0))
      returning id`);
    return rows.length === 1;
  },

  /** @returns `null` when the user has no such passkey */
  async rename(tx: Queryable, userId: string, id: string, friendlyName: string): Promise<Passkey | null> {
    const [row] = await tx.query<Passkey>(sql`
      update auth.webauthn_credentials c set friendly_name = ${sql.value(friendlyName)}, updated_at = now()
      where c.id = ${sql.value(id)} and c.user_id = ${sql.value(userId)} returning ${columns}`);
    return row ?? null;
  },

  /** @returns what it was; `null` when the user has no such passkey */
  async remove(tx: Queryable, userId: string, id: string): Promise<Passkey | null> {
    const [row] = await tx.query<Passkey>(sql`
      delete from auth.webauthn_credentials c
      where c.id = ${sql.value(id)} and c.user_id = ${sql.value(userId)} returning ${columns}`);
    return row ?? null;
  },

  /** Remembers a ceremony. @returns when it is over, in Unix seconds; `null` when its user was deleted meanwhile */
  async addChallenge(
    db: Queryable,
    challenge: {
      readonly id: string;
      readonly userId: string | null;
      readonly type: ChallengeType;
      readonly state: CeremonyState;
      readonly lifeSeconds: number;
    },
  ): Promise<number | null> {
    const owner = sql`${sql.value(challenge.userId)}::uuid`;
    const [row] = await db.query<{ expiresAt: number }>(sql`
      with swept as (
        delete from auth.webauthn_challenges where id in (
          select id from auth.webauthn_challenges where expires_at < now() - make_interval(secs => ${sql.value(lateSeconds)})
          limit ${sql.value(sweptAtOnce)} for update skip locked)
      ), held as (
        select u.id from auth.users u where u.id = ${owner} for key share
      )
      insert into auth.webauthn_challenges (id, user_id, challenge_type, session_data, created_at, expires_at)
      select ${sql.value(challenge.id)}, ${owner}, ${sql.value(challenge.type)},
        ${sql.value(JSON.stringify(challenge.state))}::jsonb, now(),
        now() + make_interval(secs => ${sql.value(challenge.lifeSeconds)})
      where ${owner} is null or exists (select from held)
      returning floor(extract(epoch from expires_at))::float8 as "expiresAt"`);
    return row?.expiresAt ?? null;
  },

  /** Uses a challenge up: whoever comes second, for something else or as somebody else finds none (threats A10, A11). */
  async takeChallenge(
    db: Queryable,
    challenge: { readonly id: string; readonly userId: string | null; readonly type: ChallengeType },
  ): Promise<TakenChallenge | null> {
    const [row] = await db.query<TakenChallenge>(sql`
      delete from auth.webauthn_challenges
      where id = ${sql.value(challenge.id)} and challenge_type = ${sql.value(challenge.type)}
        and user_id is not distinct from ${sql.value(challenge.userId)}::uuid
      returning session_data as state, expires_at <= clock_timestamp() as "isExpired"`);
    return row ?? null;
  },
};

type PasskeyRow = Passkey &
  Omit<Credential, "id" | "publicKey" | "transports"> & {
    readonly credentialId: Buffer;
    readonly publicKey: Buffer;
    readonly transports: readonly string[] | null;
  };

function passkeyOf(row: PasskeyRow): StoredPasskey {
  const { id, userId, friendlyName, createdAt, lastUsedAt, credentialId, publicKey, transports, ...facts } = row;
  const credential = {
    ...facts,
    // GoTrue writes JSON's null for an authenticator that named none.
    transports: transports ?? [],
    id: credentialId.toString("base64url"),
    publicKey: publicKey.toString("base64url"),
  };
  return { id, userId, friendlyName, createdAt, lastUsedAt, credential };
}
