import { sql } from "pg-sql2";
import type { Queryable } from "../../../platform/postgres/database.ts";

/** All SQL about recovery codes. */
export const recoveryStore = {
  /** In place of those there were. */
  async replace(tx: Queryable, factorId: string, hashes: readonly string[]): Promise<void> {
    await tx.query(sql`delete from mainstay.mfa_recovery_codes where factor_id = ${sql.value(factorId)}`);
    await tx.query(sql`
      insert into mainstay.mfa_recovery_codes (factor_id, code_hash)
      select ${sql.value(factorId)}, unnest(${sql.value(hashes)}::text[])`);
  },

  async count(db: Queryable, factorId: string): Promise<{ readonly total: number; readonly remaining: number }> {
    const [row] = await db.query<{ total: number; remaining: number }>(sql`
      select count(*)::int as total, (count(*) filter (where used_at is null))::int as remaining
      from mainstay.mfa_recovery_codes where factor_id = ${sql.value(factorId)}`);
    return row ?? { total: 0, remaining: 0 };
  },

  /** Whether a code is there and was not used yet. Decides nothing: `use` does. */
  async isUnused(db: Queryable, factorId: string, hash: string): Promise<boolean> {
    const rows = await db.query(sql`
      select from mainstay.mfa_recovery_codes
      where factor_id = ${sql.value(factorId)} and code_hash = ${sql.value(hash)} and used_at is null`);
    return rows.length === 1;
  },

  /** Uses one up. One statement. @returns false when it was used, or never was (threat A10) */
  async use(tx: Queryable, factorId: string, hash: string): Promise<boolean> {
    const rows = await tx.query(sql`
      update mainstay.mfa_recovery_codes set used_at = now()
      where factor_id = ${sql.value(factorId)} and code_hash = ${sql.value(hash)} and used_at is null
      returning factor_id`);
    return rows.length === 1;
  },
};
