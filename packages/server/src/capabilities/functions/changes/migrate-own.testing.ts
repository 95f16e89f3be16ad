import { fileURLToPath } from "node:url";
import { openDatabase } from "../../../platform/postgres/database.ts";
import { migrate } from "../../../platform/postgres/migrate/index.ts";

/** Makes everything of ours in a database that has nothing yet. */
export async function migrateOwn(connectionString: string): Promise<void> {
  const database = openDatabase({ connectionString });
  try {
    const own = fileURLToPath(new URL("../../../../migrations", import.meta.url));
    await migrate({ database, own, project: null, observe: () => {} });
  } finally {
    await database.close();
  }
}
