import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openBlobStore } from "./adapters/blobs/index.ts";
import { type BlobStore, hasKeptBytes } from "./capabilities/storage/index.ts";
import type { ServerOptions } from "./compose.ts";
import type { Config } from "./config.ts";
import type { Observe } from "./platform/observe/observation.ts";
import type { Database } from "./platform/postgres/database.ts";
import type { MigrateNeeds } from "./platform/postgres/migrate/index.ts";
import type { OpenPostgresNeeds } from "./platform/postgres/open.ts";

// What the server and the commands both make of a project's configuration.

/** Mainstay's own schemas, as plain SQL. */
const ownMigrations = fileURLToPath(new URL("../migrations", import.meta.url));

export function postgresNeeds(config: Config, { observe, signal }: ServerOptions): OpenPostgresNeeds {
  const { databaseUrl, apiDatabaseUrl } = config.postgres;
  const { embedded, postgres: session } = config;
  return { dataDir: config.project.dataDir, databaseUrl, apiDatabaseUrl, embedded, session, observe, signal };
}

export function migrationNeeds(
  { project, migrations }: Config,
  database: Database,
  { observe, signal, mode }: ServerOptions,
): MigrateNeeds {
  return {
    database,
    own: ownMigrations,
    project: project.migrationsDir === null ? null : { dir: project.migrationsDir },
    observe,
    leavesEmpty: mode === "dev",
    settings: migrations,
    signal,
  };
}

/** Where the bytes of files are. A folder that has never had any is refused when the database says that there should be some. */
export const openProjectBlobs = (
  { storage, project }: Config,
  database: Database,
  observe: Observe,
): Promise<BlobStore> =>
  openBlobStore(storage, {
    defaultFolder: join(project.dataDir, "objects"),
    observe,
    mayBeNew: async () => !storage.storageEnabled || !(await hasKeptBytes(database)),
  });
