import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openDatabase } from "@mainstay/server/database";
import { migrate } from "@mainstay/server/migrate";
import pg from "pg";
import { clusterUrl } from "./database.ts";

const own = fileURLToPath(new URL("../../server/migrations", import.meta.url));

let made: Promise<string> | null = null;

/** The name of a database in which Mainstay's own migrations have run. Made once per cluster and state of the files. */
export function templateDatabase(): Promise<string> {
  made ??= make();
  return made;
}

async function make(): Promise<string> {
  const hash = createHash("sha256");
  for (const file of (await readdir(own)).sort()) hash.update(await readFile(join(own, file)));
  const name = `template_${hash.digest("hex").slice(0, 12)}`;
  const client = new pg.Client({ connectionString: clusterUrl() });
  await client.connect();
  try {
    // Workers start together: one makes it, the others wait for the lock and find it.
    await client.query("select pg_advisory_lock(5432100)");
    const { rowCount } = await client.query("select 1 from pg_database where datname = $1 and datistemplate", [name]);
    if (rowCount === 1) return name;
    await client.query(`drop database if exists "${name}" with (force)`);
    await client.query(`create database "${name}"`);
    const url = new URL(clusterUrl());
    url.pathname = `/${name}`;
    const database = openDatabase({ connectionString: url.href });
    await migrate({ database, own, project: null, observe: () => {} });
    await database.close();
    await client.query(`alter database "${name}" with is_template true`);
    return name;
  } finally {
    await client.end();
  }
}
