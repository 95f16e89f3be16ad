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
  return { url: url.href, name, drop: () => administer(`drop database if exists "${name}" with (force)`) };
}

async function administer(statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: clusterUrl() });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
