import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openEmbeddedPostgres } from "@mainstay/server/embedded";
import pg from "pg";
import { freePort } from "./free-port.ts";

/**
 * Vitest's global set-up: one embedded PostgreSQL for the whole run, handed to the workers by `MAINSTAY_TEST_CLUSTER`.
 * Set that variable yourself to run against another server; nothing is started then.
 */
export default async function setup(): Promise<(() => Promise<void>) | undefined> {
  if (process.env.MAINSTAY_TEST_CLUSTER) return undefined;
  const dir = await mkdtemp(join(tmpdir(), "mainstay-tests-"));
  const failures: string[] = [];
  const postgres = await openEmbeddedPostgres({
    dataDir: join(dir, "postgres"),
    settings: { postgresPort: await freePort(), postgresMaxConnections: 300 },
    observe: (observation) => {
      if (observation.kind === "postgres.log" && observation.level === "PANIC") failures.push(observation.line);
    },
  });
  const { superuser, database } = postgres.connection;
  const port = postgres.connection.port;
  process.env.MAINSTAY_TEST_CLUSTER = `postgres://${superuser.user}:${encodeURIComponent(superuser.password)}@127.0.0.1:${port}/${database}`;
  await forgoDisk(process.env.MAINSTAY_TEST_CLUSTER);
  return async () => {
    await postgres.stop();
    await rm(dir, { recursive: true, force: true });
    if (failures.length > 0) throw new Error(`PostgreSQL panicked during the tests: ${failures.join("\n")}`);
  };
}

/** Nothing of this cluster outlives the run, and it makes hundreds of databases: what must survive a crash is tried on servers of its own. */
async function forgoDisk(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query("alter system set fsync = off");
  await client.query("alter system set full_page_writes = off");
  await client.query("select pg_reload_conf()");
  await client.end();
}
