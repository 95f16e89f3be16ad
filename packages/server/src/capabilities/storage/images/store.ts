import { sql } from "pg-sql2";
import type { Queryable } from "../../../platform/postgres/database.ts";

type Query = Pick<Queryable, "query">;

/** All SQL of images: which versions there still are. */
export const imageStore = {
  /** Those of `versions` that no object has any more. */
  async gone(db: Query, versions: readonly string[]): Promise<readonly string[]> {
    const rows = await db.query<{ version: string }>(sql`
      select asked.version from unnest(${sql.value([...versions])}::text[]) asked (version)
      where not exists (select from mainstay.object_versions v where v.id = asked.version and v.state = 'kept')`);
    return rows.map(({ version }) => version);
  },

  /** Those of `versions` that objects of the bucket have. */
  async ofBucket(db: Query, bucketId: string, versions: readonly string[]): Promise<readonly string[]> {
    const rows = await db.query<{ version: string }>(sql`
      select o.version from storage.objects o
      where o.bucket_id = ${sql.value(bucketId)} and o.version = any (${sql.value([...versions])}::text[])`);
    return rows.map(({ version }) => version);
  },
};
