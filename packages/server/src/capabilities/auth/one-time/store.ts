import { randomUUID } from "node:crypto";
import { type SQL, sql } from "pg-sql2";
import type { Queryable } from "../../../platform/postgres/database.ts";
import { problems } from "../problems.ts";
import { userStore } from "../user-store.ts";
import type { Purpose } from "./purposes.ts";

/** A code or link as it was sent. */
export interface OneTimeToken {
  readonly id: string;
  readonly userId: string;
  readonly purpose: Purpose;
  /** Canonical: where it was sent. */
  readonly address: string;
  readonly flowStateId: string | null;
  readonly redirectTo: string;
  /** Whether whoever asked for it had also set the account's password. */
  readonly keepsPassword: boolean;
}

export type SeenToken = OneTimeToken & { readonly isUsed: boolean; readonly isExpired: boolean };

export interface NewOneTimeToken extends Omit<OneTimeToken, "id"> {
  readonly codeHash: string;
  /** `""` where there is no link. */
  readonly linkHash: string;
  readonly lifetimeSeconds: number;
}

/** When something was last sent, as clients see it: a column of auth.users for each. */
export type SentMark = "confirmation" | "invite" | "recovery" | "email_change" | "phone_change" | "reauthentication";

const sentColumns: Readonly<Record<SentMark, SQL>> = {
  confirmation: sql`confirmation_sent_at = now()`,
  invite: sql`confirmation_sent_at = now(), invited_at = now()`,
  recovery: sql`recovery_sent_at = now()`,
  email_change: sql`email_change_sent_at = now()`,
  phone_change: sql`phone_change_sent_at = now()`,
  reauthentication: sql`reauthentication_sent_at = now()`,
};

const columns = sql`
  t.id, t.user_id as "userId", t.purpose, t.address, t.flow_state_id as "flowStateId", t.redirect_to as "redirectTo",
  t.keeps_password as "keepsPassword"`;
const seenColumns = sql`
  ${columns}, t.used_at is not null as "isUsed", t.expires_at <= clock_timestamp() as "isExpired"`;

/** `owners`: the users of tokens, held in an order that is the same for all. */
const ownersOf = (isSought: SQL): SQL => sql`
  owners as materialized (
    select u.id from auth.users u where u.id in (select t.user_id from mainstay.one_time_tokens t where ${isSought})
    order by u.id for no key update
  )`;

/**
 * All SQL about codes and links. Each is used up by the one statement that finds it (threat A10).
 *
 * Whoever writes here holds the user's row first, then the token's, then the flow's: two that came the other way round would wait for each
 * other, and PostgreSQL would end one of them.
 */
export const oneTimeStore = {
  /**
   * Takes the place of an earlier one for the same purpose: that one's code, link and redirect are void.
   * @throws Problem 404 when the user was deleted meanwhile
   */
  async put(tx: Queryable, token: NewOneTimeToken): Promise<void> {
    // A statement of its own: what is replaced below is what there is when nobody else is at it any more.
    if (!(await userStore.lock(tx, token.userId))) throw problems.userNotFound();
    await tx.query(sql`
      with replaced as (
        delete from auth.flow_state f using mainstay.one_time_tokens t
        where t.user_id = ${sql.value(token.userId)} and t.purpose = ${sql.value(token.purpose)}
          and f.id = t.flow_state_id and f.id is distinct from ${sql.value(token.flowStateId)}::uuid
      )
      insert into mainstay.one_time_tokens (id, user_id, purpose, address, code_hash, link_hash, flow_state_id, redirect_to,
        keeps_password, expires_at)
      values (${sql.value(randomUUID())}, ${sql.value(token.userId)}, ${sql.value(token.purpose)},
        ${sql.value(token.address)}, ${sql.value(token.codeHash)}, ${sql.value(token.linkHash)},
        ${sql.value(token.flowStateId)}, ${sql.value(token.redirectTo)}, ${sql.value(token.keepsPassword)},
        clock_timestamp() + make_interval(secs => ${sql.value(token.lifetimeSeconds)}))
      on conflict (user_id, purpose) do update set id = excluded.id, address = excluded.address,
        code_hash = excluded.code_hash, link_hash = excluded.link_hash, flow_state_id = excluded.flow_state_id,
        redirect_to = excluded.redirect_to, keeps_password = excluded.keeps_password, attempts = 0,
        created_at = excluded.created_at, expires_at = excluded.expires_at, used_at = null`);
  },

  /**
   * Tries a code on whatever was sent to the address for these purposes. Right or wrong, the try counts: the row's lock lets
   * tries in one by one, so a thousand at once are `maxAttempts` too. @returns `null` when it was wrong
   */
  async tryCode(
    db: Queryable,
    given: {
      readonly address: string;
      readonly purposes: readonly Purpose[];
      readonly codeHash: string;
      readonly maxAttempts: number;
      /** Only this user's. */
      readonly userId?: string;
    },
  ): Promise<OneTimeToken | null> {
    const isRight = sql`t.code_hash = ${sql.value(given.codeHash)}`;
    const owner = given.userId === undefined ? sql`true` : sql`t.user_id = ${sql.value(given.userId)}`;
    const isSought = sql`
      t.address = ${sql.value(given.address)} and t.purpose = any (${sql.value(given.purposes)}::text[]) and ${owner}`;
    const rows = await db.query<OneTimeToken & { isRight: boolean }>(sql`
      with ${ownersOf(isSought)}
      update mainstay.one_time_tokens t
      set attempts = attempts + 1, used_at = case when ${isRight} then clock_timestamp() end
      where t.user_id in (select id from owners) and ${isSought} and t.used_at is null and t.expires_at > clock_timestamp() and t.attempts < ${sql.value(given.maxAttempts)}
      returning ${columns}, ${isRight} as "isRight"`);
    const found = rows.find((row) => row.isRight);
    if (found === undefined) return null;
    const { isRight: _, ...token } = found;
    return token;
  },

  /** Uses a link up. @returns `null` when there is none to use */
  async takeLink(db: Queryable, linkHash: string, purposes: readonly Purpose[]): Promise<OneTimeToken | null> {
    const isSought = sql`t.link_hash = ${sql.value(linkHash)} and t.purpose = any (${sql.value(purposes)}::text[])`;
    const [row] = await db.query<OneTimeToken>(sql`
      with ${ownersOf(isSought)}
      update mainstay.one_time_tokens t set used_at = clock_timestamp()
      where t.user_id in (select id from owners) and ${isSought} and t.used_at is null and t.expires_at > clock_timestamp()
      returning ${columns}`);
    return row ?? null;
  },

  /** What a link is about, changing nothing. */
  async findLink(db: Queryable, linkHash: string, purposes: readonly Purpose[]): Promise<SeenToken | null> {
    const [row] = await db.query<SeenToken>(sql`
      select ${seenColumns} from mainstay.one_time_tokens t
      where t.link_hash = ${sql.value(linkHash)} and t.purpose = any (${sql.value(purposes)}::text[])`);
    return row ?? null;
  },

  /** Uses up what began this flow, whose user is held already, however long the link has been open: its code has a life of its own. */
  async takeOfFlow(tx: Queryable, flowStateId: string): Promise<OneTimeToken | null> {
    const [row] = await tx.query<OneTimeToken>(sql`
      update mainstay.one_time_tokens t set used_at = clock_timestamp()
      where t.flow_state_id = ${sql.value(flowStateId)} and t.used_at is null
        and t.purpose in ('signup', 'magiclink', 'recovery')
      returning ${columns}`);
    return row ?? null;
  },

  /** The last one sent, used or not. */
  async find(db: Queryable, userId: string, purpose: Purpose): Promise<SeenToken | null> {
    const [row] = await db.query<SeenToken>(sql`
      select ${seenColumns} from mainstay.one_time_tokens t
      where t.user_id = ${sql.value(userId)} and t.purpose = ${sql.value(purpose)}`);
    return row ?? null;
  },

  /** Whose change to, or from, this address is under way; the newest, `null` when there is none. */
  async findChange(db: Queryable, address: string, purposes: readonly Purpose[]): Promise<string | null> {
    const [row] = await db.query<{ userId: string }>(sql`
      select t.user_id as "userId" from mainstay.one_time_tokens t
      where t.address = ${sql.value(address)} and t.purpose = any (${sql.value(purposes)}::text[])
      order by t.created_at desc limit 1`);
    return row?.userId ?? null;
  },

  async remove(tx: Queryable, userId: string, purposes: readonly Purpose[]): Promise<void> {
    await tx.query(sql`
      delete from mainstay.one_time_tokens
      where user_id = ${sql.value(userId)} and purpose = any (${sql.value(purposes)}::text[])`);
  },

  async markSent(tx: Queryable, userId: string, mark: SentMark): Promise<void> {
    await tx.query(sql`update auth.users set ${sentColumns[mark]} where id = ${sql.value(userId)}`);
  },

  /** Nobody has confirmed anything of it yet. */
  async beginEmailChange(tx: Queryable, userId: string): Promise<void> {
    await userStore.lock(tx, userId);
    await oneTimeStore.remove(tx, userId, ["email_change_current", "email_change_new"]);
    await tx.query(sql`update auth.users set email_change_confirm_status = 0 where id = ${sql.value(userId)}`);
  },

  /** Half of a change with two confirmations is done; shown by the column GoTrue has for it. */
  async markHalfConfirmed(tx: Queryable, userId: string): Promise<void> {
    await tx.query(sql`update auth.users set email_change_confirm_status = 1 where id = ${sql.value(userId)}`);
  },

  async finishEmailChange(tx: Queryable, userId: string): Promise<void> {
    await tx.query(sql`update auth.users set email_change_confirm_status = 0 where id = ${sql.value(userId)}`);
    // Codes for the old address too: it is nobody's way in any more.
    await tx.query(sql`
      delete from mainstay.one_time_tokens where user_id = ${sql.value(userId)}
        and purpose in ('signup', 'invite', 'magiclink', 'recovery', 'reauthentication')`);
  },

  /**
   * A new sign-up for an address nobody has confirmed: what the last one set is gone, password, metadata and
   * the provider it came with (threat A05).
   * @returns false when it was confirmed meanwhile
   */
  async resetUnconfirmed(
    tx: Queryable,
    userId: string,
    given: { readonly passwordHash: string; readonly userMetadata: Readonly<Record<string, unknown>> },
  ): Promise<boolean> {
    const rows = await tx.query(sql`
      with reset as (
        update auth.users set encrypted_password = ${sql.value(given.passwordHash)},
          raw_user_meta_data = ${sql.value(JSON.stringify(given.userMetadata))}::jsonb, updated_at = now(),
          raw_app_meta_data = coalesce(raw_app_meta_data, '{}') || '{"provider": "email", "providers": ["email"]}'
        where id = ${sql.value(userId)} and confirmed_at is null and last_sign_in_at is null returning id
      ), identities as (
        delete from auth.identities where user_id in (select id from reset) and provider not in ('email', 'phone')
      )
      select id from reset`);
    return rows.length === 1;
  },
};
