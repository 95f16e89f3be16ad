import { sql } from "pg-sql2";
import type { Queryable } from "../../platform/postgres/database.ts";

/** Whether an object of this database has bytes: then a store that has never had any is the wrong one. */
export async function hasKeptBytes(db: Pick<Queryable, "query">): Promise<boolean> {
  const [row] = await db.query<{ hasKept: boolean }>(sql`
    select exists (select from mainstay.object_versions v where v.state = 'kept') as "hasKept"`);
  return row?.hasKept ?? false;
}
