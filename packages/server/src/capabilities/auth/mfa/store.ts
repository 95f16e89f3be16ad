import { type SQL, sql } from "pg-sql2";
import type { Queryable } from "../../../platform/postgres/database.ts";
import { rfc3339 } from "../../../platform/postgres/sql-fragments.ts";
import type { Factor, FactorType } from "./factor.ts";

export interface NewFactor {
  readonly id: string;
  readonly userId: string;
  readonly type: FactorType;
  readonly isVerified?: boolean;
  readonly friendlyName: string;
  readonly phone?: string;
  readonly storedSecret?: string;
}

/** What an admin may change; what is left out stays. */
export interface FactorPatch {
  readonly friendlyName?: string;
  readonly phone?: string;
}

// The kind is compared as text: a database that came from elsewhere may not know the newest one.
const selectFactor = sql`
  select f.id, f.factor_type::text as type, f.status = 'verified' as "isVerified",
    coalesce(f.friendly_name, '') as "friendlyName", f.phone, f.secret as "storedSecret",
    f.web_authn_credential as credential, ${rfc3339(sql`f.created_at`)} as "createdAt",
    ${rfc3339(sql`f.updated_at`)} as "updatedAt", ${rfc3339(sql`f.last_challenged_at`)} as "lastChallengedAt"
  from auth.mfa_factors f`;

/** All SQL about second factors themselves. Every function takes the connection or transaction to run in. */
export const factorStore = {
  /** Oldest first. */
  list(db: Queryable, userId: string): Promise<readonly Factor[]> {
    return db.query<Factor>(sql`${selectFactor} where f.user_id = ${sql.value(userId)} order by f.created_at, f.id`);
  },

  /** @returns `null` for another user's factor as for none */
  async find(db: Queryable, userId: string, id: string): Promise<Factor | null> {
    const [row] = await db.query<Factor>(sql`
      ${selectFactor} where f.id = ${sql.value(id)} and f.user_id = ${sql.value(userId)}`);
    return row ?? null;
  },

  /** @returns false when the name or the number is another factor's */
  async create(db: Queryable, factor: NewFactor): Promise<boolean> {
    const rows = await db.query(sql`
      insert into auth.mfa_factors (id, user_id, factor_type, status, friendly_name, phone, secret, created_at, updated_at)
      values (${sql.value(factor.id)}, ${sql.value(factor.userId)}, ${sql.value(factor.type)}::auth.factor_type,
        ${sql.value(factor.isVerified ? "verified" : "unverified")}::auth.factor_status,
        ${sql.value(factor.friendlyName)}, ${sql.value(factor.phone ?? null)}, ${sql.value(factor.storedSecret ?? null)},
        now(), now())
      on conflict do nothing returning id`);
    return rows.length === 1;
  },

  /** @returns true when it was not verified before */
  async markVerified(db: Queryable, id: string): Promise<boolean> {
    const rows = await db.query(sql`
      update auth.mfa_factors set status = 'verified', updated_at = now()
      where id = ${sql.value(id)} and status <> 'verified' returning id`);
    return rows.length === 1;
  },

  /** Gives a factor its key. One statement. @returns false when it was verified already */
  async createCredential(db: Queryable, id: string, credential: unknown): Promise<boolean> {
    const rows = await db.query(sql`
      update auth.mfa_factors set web_authn_credential = ${sql.value(JSON.stringify(credential))}::jsonb, updated_at = now()
      where id = ${sql.value(id)} and status <> 'verified' returning id`);
    return rows.length === 1;
  },

  /** Notes a use of a key while its counter is the one that was compared. @returns false when it is not: another use came between */
  async useCredential(db: Queryable, id: string, fromCounter: number, credential: unknown): Promise<boolean> {
    const rows = await db.query(sql`
      update auth.mfa_factors set web_authn_credential = ${sql.value(JSON.stringify(credential))}::jsonb
      where id = ${sql.value(id)} and coalesce(web_authn_credential ->> 'counter',
        web_authn_credential -> 'authenticator' ->> 'signCount', '0')::bigint = ${sql.value(fromCounter)} returning id`);
    return rows.length === 1;
  },

  /** @returns false when the name or the number is another factor's */
  async update(db: Queryable, id: string, patch: FactorPatch): Promise<boolean> {
    const set: SQL[] = [sql`updated_at = now()`];
    if (patch.friendlyName !== undefined) set.push(sql`friendly_name = ${sql.value(patch.friendlyName)}`);
    if (patch.phone !== undefined) set.push(sql`phone = ${sql.value(patch.phone)}`);
    const rows = await db.query(sql`
      update auth.mfa_factors f set ${sql.join(set, ", ")}
      where id = ${sql.value(id)} and not exists (
        select from auth.mfa_factors o where o.user_id = f.user_id and o.id <> f.id
          and (o.friendly_name = nullif(${sql.value(patch.friendlyName ?? "")}, '')
            or o.phone = ${sql.value(patch.phone ?? null)})
      ) returning id`);
    return rows.length === 1;
  },

  /** Its challenges, codes and steps go with it. @returns false when it was gone */
  async remove(db: Queryable, id: string): Promise<boolean> {
    const rows = await db.query(sql`delete from auth.mfa_factors where id = ${sql.value(id)} returning id`);
    return rows.length === 1;
  },

  /** Those that were begun and left: older than `olderThanSeconds`, and with no challenge that could still be answered. */
  async removeStale(db: Queryable, userId: string, olderThanSeconds: number, challengeSeconds: number): Promise<void> {
    await db.query(sql`
      delete from auth.mfa_factors f
      where f.user_id = ${sql.value(userId)} and f.status <> 'verified'
        and f.created_at < now() - make_interval(secs => ${sql.value(olderThanSeconds)})
        and not exists (
          select from auth.mfa_challenges c where c.factor_id = f.id
            and c.created_at > now() - make_interval(secs => ${sql.value(challengeSeconds)}))`);
  },

  async removeUnverified(db: Queryable, userId: string): Promise<void> {
    await db.query(sql`delete from auth.mfa_factors where user_id = ${sql.value(userId)} and status <> 'verified'`);
  },

  /** Uses a step of an authenticator app up, with all before it. One statement. @returns false when it was used (threat A10) */
  async useStep(tx: Queryable, factorId: string, step: number): Promise<boolean> {
    const rows = await tx.query(sql`
      insert into mainstay.mfa_totp_steps (factor_id, step) values (${sql.value(factorId)}, ${sql.value(step)})
      on conflict (factor_id) do update set step = excluded.step where mfa_totp_steps.step < excluded.step
      returning factor_id`);
    return rows.length === 1;
  },
};
