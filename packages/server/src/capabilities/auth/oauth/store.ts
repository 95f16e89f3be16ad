import { randomUUID } from "node:crypto";
import { sql } from "pg-sql2";
import type { Queryable } from "../../../platform/postgres/database.ts";
import { jsonb } from "../../../platform/postgres/sql-fragments.ts";
import { ownershipStore } from "../ownership-store.ts";

/** An identity as far as linking asks. */
export interface IdentityRow {
  /** Of the row. */
  readonly id: string;
  readonly userId: string;
  readonly provider: string;
  readonly providerId: string;
  /** `""` for none. */
  readonly email: string;
  readonly isEmailVerified: boolean;
}

type Data = Readonly<Record<string, unknown>>;

const selectIdentity = sql`
  select i.id, i.user_id as "userId", i.provider, i.provider_id as "providerId", coalesce(i.email, '') as email,
    coalesce(i.identity_data ->> 'email_verified' = 'true', false) as "isEmailVerified"
  from auth.identities i`;

/** All SQL about identities of providers. */
export const identityStore = {
  /**
   * One sign-in of a provider's account, and one of an address, at a time: two that are the first would both find nothing and both
   * make an account. Held until the transaction ends. Always in this order, so that two never wait for each other.
   */
  async lock(tx: Queryable, provider: string, providerId: string, email: string): Promise<void> {
    const lock = (text: string) => tx.query(sql`select pg_advisory_xact_lock(hashtextextended(${sql.value(text)}, 7))`);
    await lock(`identity\0${provider}\0${providerId}`.replaceAll("\0", "\n"));
    if (email !== "") await lock(`email\n${email}`);
  },

  async find(db: Queryable, provider: string, providerId: string): Promise<IdentityRow | null> {
    const [row] = await db.query<IdentityRow>(sql`
      ${selectIdentity} where i.provider = ${sql.value(provider)} and i.provider_id = ${sql.value(providerId)}`);
    return row ?? null;
  },

  /** Oldest first. */
  async listOf(db: Queryable, userId: string): Promise<readonly IdentityRow[]> {
    return db.query<IdentityRow>(sql`
      ${selectIdentity} where i.user_id = ${sql.value(userId)} order by i.created_at, i.id`);
  },

  async isSso(db: Queryable, userId: string): Promise<boolean> {
    const [row] = await db.query<{ isSso: boolean }>(sql`
      select is_sso_user as "isSso" from auth.users where id = ${sql.value(userId)}`);
    return row?.isSso ?? false;
  },

  /** What the provider says now takes the place of what it said before. */
  async refresh(tx: Queryable, id: string, data: Data): Promise<void> {
    await tx.query(sql`
      update auth.identities set identity_data = ${jsonb(data)}, last_sign_in_at = now(), updated_at = now()
      where id = ${sql.value(id)}`);
  },

  async remove(tx: Queryable, userId: string, id: string): Promise<boolean> {
    const rows = await tx.query(sql`
      delete from auth.identities where id = ${sql.value(id)} and user_id = ${sql.value(userId)} returning id`);
    return rows.length === 1;
  },

  /** Metadata as the provider says it, and `app_metadata.providers` as the identities are now. */
  async describe(tx: Queryable, userId: string, data: Data): Promise<void> {
    await tx.query(sql`
      update auth.users u set updated_at = now(),
        raw_user_meta_data = coalesce(u.raw_user_meta_data, '{}') || ${jsonb(data)},
        raw_app_meta_data = coalesce(u.raw_app_meta_data, '{}') || (
          select jsonb_build_object(
            'provider', case when u.raw_app_meta_data ->> 'provider' = any (array_agg(i.provider))
              then u.raw_app_meta_data ->> 'provider' else (array_agg(i.provider order by i.created_at))[1] end,
            'providers', coalesce(jsonb_agg(distinct i.provider) filter (where i.provider is not null), '[]'))
          from auth.identities i where i.user_id = u.id)
      where u.id = ${sql.value(userId)}`);
  },

  /** Makes an account that nobody has proven to be theirs the account of the one identity that has (threat A05). */
  async takeOver(
    tx: Queryable,
    userId: string,
    by: { readonly provider: string; readonly providerId: string; readonly data: Data },
  ): Promise<void> {
    await ownershipStore.disown(tx, userId, { address: "email", identity: by });
    await tx.query(sql`
      update auth.users set email_confirmed_at = now(), is_anonymous = false, raw_user_meta_data = ${jsonb(by.data)}
      where id = ${sql.value(userId)}`);
  },

  /**
   * Takes an address nobody has confirmed from an account that is somebody's for another reason, a confirmed number: the address was
   * never theirs, and the account is.
   */
  async releaseEmail(tx: Queryable, userId: string): Promise<void> {
    const user = sql.value(userId);
    await tx.query(sql`
      with identities as (
        delete from auth.identities where user_id = ${user} and provider = 'email'
      ), codes as (
        delete from mainstay.one_time_tokens where user_id = ${user}
          and purpose in ('signup', 'invite', 'magiclink', 'recovery', 'email_change_current')
      )
      update auth.users set email = null, email_confirmed_at = null, confirmation_token = '', recovery_token = '',
        updated_at = now()
      where id = ${user}`);
  },

  /** `null` takes the address away. @throws the database's 23505 when another account has it */
  async setEmail(tx: Queryable, userId: string, email: string | null, isConfirmed: boolean): Promise<void> {
    await tx.query(sql`
      update auth.users set email = ${sql.value(email)}, updated_at = now(),
        email_confirmed_at = ${isConfirmed ? sql`coalesce(email_confirmed_at, now())` : sql`null`}
      where id = ${sql.value(userId)}`);
  },

  async clearPhone(tx: Queryable, userId: string): Promise<void> {
    await tx.query(sql`
      update auth.users set phone = null, phone_confirmed_at = null, updated_at = now()
      where id = ${sql.value(userId)}`);
  },
};

export interface KeptToken {
  readonly id: string;
  readonly provider: string;
  readonly refreshToken: string;
  readonly attempts: number;
}

/** All SQL about refresh tokens that are kept to be revoked. */
export const providerTokenStore = {
  /** The newest takes the place of the last one: the provider counts them as one grant. */
  async keep(
    tx: Queryable,
    token: {
      readonly id: string;
      readonly userId: string;
      readonly provider: string;
      readonly providerId: string;
      readonly sealed: string;
    },
  ): Promise<void> {
    await tx.query(sql`
      insert into mainstay.provider_tokens (id, user_id, provider, provider_id, refresh_token)
      values (${sql.value(token.id)}, ${sql.value(token.userId)}, ${sql.value(token.provider)},
        ${sql.value(token.providerId)}, ${sql.value(token.sealed)})
      on conflict (provider, provider_id) where revoke_at is null do update
        set id = excluded.id, user_id = excluded.user_id, refresh_token = excluded.refresh_token, created_at = now()`);
  },

  /** @param identity Only of this one; of all when left out. @returns how many are to be revoked */
  async release(
    tx: Queryable,
    userId: string,
    identity?: { readonly provider: string; readonly providerId: string },
  ): Promise<number> {
    const which = identity
      ? sql`provider = ${sql.value(identity.provider)} and provider_id = ${sql.value(identity.providerId)}`
      : sql`true`;
    const rows = await tx.query(sql`
      update mainstay.provider_tokens set revoke_at = now()
      where user_id = ${sql.value(userId)} and revoke_at is null and ${which} returning id`);
    return rows.length;
  },

  /** Takes what is due, and puts the next attempt off: a node that dies meanwhile, or another one, comes to it again. */
  async takeDue(db: Pick<Queryable, "query">, limit: number, firstDelaySeconds: number): Promise<readonly KeptToken[]> {
    return db.query<KeptToken>(sql`
      update mainstay.provider_tokens set attempts = attempts + 1,
        revoke_at = now() + make_interval(secs => ${sql.value(firstDelaySeconds)} * power(2, least(attempts, 12)))
      where id in (
        select id from mainstay.provider_tokens where revoke_at <= now()
        order by revoke_at limit ${sql.value(limit)} for update skip locked
      ) returning id, provider, refresh_token as "refreshToken", attempts`);
  },

  async remove(db: Queryable, id: string): Promise<void> {
    await db.query(sql`delete from mainstay.provider_tokens where id = ${sql.value(id)}`);
  },

  newId: (): string => randomUUID(),
};
