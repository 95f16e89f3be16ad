import { sql } from "pg-sql2";
import type { Queryable } from "../../../platform/postgres/database.ts";
import type { BucketFacts } from "./types.ts";

type Query = Pick<Queryable, "query">;

/** All SQL that says how storage stands, without looking at every file. */
export const examineStore = {
  async buckets(db: Query): Promise<readonly BucketFacts[]> {
    return db.query<BucketFacts>(sql`
      select b.id, coalesce(b.public, false) as "isPublic" from storage.buckets b order by b.id`);
  },

  /** `null` when there is no table of objects. */
  async rules(db: Query): Promise<{ readonly hasRowSecurity: boolean; readonly policies: number } | null> {
    const [row] = await db.query<{ hasRowSecurity: boolean; policies: number }>(sql`
      select c.relrowsecurity as "hasRowSecurity",
        (select count(*)::int from pg_catalog.pg_policy p where p.polrelid = c.oid) as policies
      from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      where n.nspname = 'storage' and c.relname = 'objects'`);
    return row ?? null;
  },

  /** Whether triggers see to it that bytes follow their rows: on a database of somebody else's they may be missing. */
  async hasTriggers(db: Query): Promise<boolean> {
    const [row] = await db.query<{ hasTriggers: boolean }>(sql`
      select count(*) = 2 as "hasTriggers"
      from pg_catalog.pg_trigger t
      join pg_catalog.pg_class c on c.oid = t.tgrelid
      join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      where n.nspname = 'storage' and c.relname = 'objects' and t.tgenabled <> 'D'
        and t.tgname in ('mainstay_guard_version', 'mainstay_objects_came')`);
    return row?.hasTriggers ?? false;
  },
};
