import { sql } from "pg-sql2";
import type { Queryable } from "../../../platform/postgres/database.ts";

/** What becomes of files when their owner's account is deleted: the database does it, whoever deletes the account (migration 0023). */
export const accountStore = {
  async setPolicy(db: Queryable, erasesFiles: boolean): Promise<void> {
    await db.query(sql`
      update mainstay.account_policy set erases_files = ${sql.value(erasesFiles)}
      where erases_files <> ${sql.value(erasesFiles)}`);
  },
};
