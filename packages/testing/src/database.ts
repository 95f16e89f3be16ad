import { randomBytes } from "node:crypto";
import pg from "pg";

/** A database of its own for one test file, on the cluster the test run was given. */
export interface TestDatabase {
  /** `postgres://…/<name>`, as the cluster's superuser. */
  readonly url: string;
  readonly name: string;
  /** Drops it, ending whoever is still connected. */
  drop(): Promise<void>;
}

const cluster = () => process.env["MAINSTAY_TEST_CLUSTER"] ?? "postgres://postgres:postgres@127.0.0.1:5499/postgres";

/** Creates a database, as a copy of `template` when given (a clone takes some 30 ms). */
export async function testDatabase(template = "template1"): Promise<TestDatabase> {
  const name = `test_${randomBytes(6).toString("hex")}`;
  await administer(`create database "${name}" template "${template}"`);
  const url = new URL(cluster());
  url.pathname = `/${name}`;
  return { url: url.href, name, drop: () => administer(`drop database if exists "${name}" with (force)`) };
}

async function administer(statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: cluster() });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
