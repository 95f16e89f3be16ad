import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openEmbeddedPostgres } from "@mainstay/server/embedded";
import { freePort } from "./free-port.ts";

/** A PostgreSQL of a test's own, for what cannot be done to the one that all share. It comes back whenever it ends. */
export interface OwnPostgres {
  /** As the superuser, over TCP. */
  readonly url: string;
  /** The postmaster's process now: SIGINT is a fast shutdown, SIGQUIT an immediate one, after which it recovers as from a crash. */
  pid(): number;
  stop(): Promise<void>;
}

/** Makes and starts it, which takes a second or two. */
export async function openOwnPostgres(): Promise<OwnPostgres> {
  const dir = await mkdtemp(join(tmpdir(), "mainstay-own-postgres-"));
  const postgres = await openEmbeddedPostgres({
    dataDir: join(dir, "postgres"),
    settings: { postgresPort: await freePort(), postgresMaxConnections: 100 },
    observe: () => {},
  });
  const { superuser, database, port } = postgres.connection;
  return {
    url: `postgres://${superuser.user}:${encodeURIComponent(superuser.password)}@127.0.0.1:${port}/${database}`,
    pid: postgres.pid,
    async stop() {
      await postgres.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
