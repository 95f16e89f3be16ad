import { randomBytes } from "node:crypto";
import pg from "pg";

/** The superuser's URL of the cluster this run was given (cluster.ts). */
export function clusterUrl(): string {
  const url = process.env.MAINSTAY_TEST_CLUSTER;
  if (!url)
    throw new Error(
      "Tests of the `pg` and `conformance` projects run under vitest.config.ts, which starts PostgreSQL.",
    );
  return url;
}

/** A database of its own for one test file, on the cluster the test run was given. */
export interface TestDatabase {
  /** `postgres://…/<name>`, as the cluster's superuser. */
  readonly url: string;
  readonly name: string;
  /** Drops it, ending whoever is still connected. */
  drop(): Promise<void>;
}

/** Creates a database, as a copy of `template` when given (a clone takes some 30 ms). */
export async function testDatabase(template = "template1"): Promise<TestDatabase> {
  const name = `test_${randomBytes(6).toString("hex")}`;
  await administer(`create database "${name}" template "${template}"`);
  const url = new URL(clusterUrl());
  url.pathname = `/${name}`;
  return { url: url.href, name, drop: () => drop(name) };
}

/** Slots belong to the server: whoever still streams is ended, and what is kept for them goes, before the database does. */
async function drop(name: string): Promise<void> {
  const slots = `from pg_replication_slots where database = '${name}'`;
  for (let tries = 0; tries < 100; tries++) {
    await administer(`select pg_terminate_backend(active_pid) ${slots} and active`);
    const [left] = await administer(`select pg_drop_replication_slot(slot_name) ${slots} and not active;
      select count(*)::int as count ${slots}`);
    if (left?.count === 0) break;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await administer(`drop database if exists "${name}" with (force)`);
}

/** @returns the rows of the last statement */
async function administer(statements: string): Promise<readonly Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: clusterUrl() });
  await client.connect();
  try {
    // Of several statements pg gives a list of results, though its types know of one only.
    const results: unknown = await client.query(statements);
    const [last] = [results].flat().slice(-1) as pg.QueryResult[];
    return last?.rows ?? [];
  } finally {
    await client.end();
  }
}
