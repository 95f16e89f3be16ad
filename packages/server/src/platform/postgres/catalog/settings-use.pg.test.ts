import { testDatabase } from "@mainstay/testing";
import { expect, test } from "vitest";
import { openDatabase } from "../database.ts";
import { migrate } from "../migrate/index.ts";
import { ownMigrations } from "../migrate/testing.ts";
import { openCatalog } from "./open.ts";

test("nothing that we ship makes every request carry itself, or clean up behind itself", async () => {
  const { url, drop } = await testDatabase();
  const database = openDatabase({ connectionString: url });
  try {
    await migrate({ database, own: ownMigrations, project: null, observe: () => {} });
    const settings = { catalogPollMs: 0 };
    const catalog = await openCatalog({ database, schemas: () => ["public"], observe: () => {}, settings });
    const { readsRequest, changesSession } = catalog.current().settingsUse;
    expect({ readsRequest, changesSession }).toEqual({ readsRequest: false, changesSession: false });
    await catalog.close();
  } finally {
    await database.close();
    await drop();
  }
});
