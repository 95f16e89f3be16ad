import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openEmbeddedPostgres } from "@mainstay/server/embedded";
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
  return async () => {
    await postgres.stop();
    await rm(dir, { recursive: true, force: true });
    if (failures.length > 0) throw new Error(`PostgreSQL panicked during the tests: ${failures.join("\n")}`);
  };
}
