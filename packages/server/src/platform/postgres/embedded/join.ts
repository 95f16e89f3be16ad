import { existsSync } from "node:fs";
import { defaultPort } from "./configuration.ts";
import { openHome } from "./home.ts";
import { readPassword, superuserName } from "./initialize.ts";
import type { EmbeddedPostgres } from "./open.ts";
import { readPostmasterFile } from "./postmaster-file.ts";
import { ask } from "./running.ts";
import { currentSocketDirectory } from "./socket-directory.ts";

/** The server another process of ours keeps running on a data folder. Nothing of it is ours to stop. */
export type JoinedPostgres = Pick<EmbeddedPostgres, "connection" | "version">;

/** Finds the server that runs on `dataDir` and lets us in; `null` when none does. Starts and changes nothing. */
export async function joinEmbeddedPostgres(dataDir: string): Promise<JoinedPostgres | null> {
  if (!existsSync(dataDir)) return null;
  const home = openHome(dataDir);
  const file = existsSync(home.data) ? readPostmasterFile(home.data) : null;
  const password = file === null ? null : readPassword(home);
  if (file === null || password === null || file.status === "stopping") return null;
  const isWindows = process.platform === "win32";
  const host = isWindows ? "127.0.0.1" : currentSocketDirectory(home);
  const port = file.port || defaultPort;
  const facts = await ask({ host, port, user: superuserName, password, database: "postgres" });
  if (facts === null) return null;
  return {
    connection: { host, port, database: "postgres", superuser: { user: superuserName, password } },
    version: facts.version,
  };
}
