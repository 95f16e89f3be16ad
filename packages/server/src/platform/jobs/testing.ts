import { type TestDatabase, templateDatabase, testDatabase } from "@mainstay/testing";
import pg from "pg";
import { expect } from "vitest";
import type { Nodes } from "../nodes/types.ts";
import { type JobsSettings, openNode, type TestNode } from "./open-node.testing.ts";

export { quick } from "./open-node.testing.ts";
export type { JobsSettings, TestNode };

/** A migrated database, and nodes on it that are stopped with it. */
export class JobsBench {
  readonly database: TestDatabase;
  readonly admin: pg.Client;
  readonly #nodes: TestNode[] = [];

  private constructor(database: TestDatabase, admin: pg.Client) {
    this.database = database;
    this.admin = admin;
  }

  static async open(): Promise<JobsBench> {
    const database = await testDatabase(await templateDatabase());
    const admin = new pg.Client({ connectionString: database.url });
    admin.on("error", () => {});
    await admin.connect();
    return new JobsBench(database, admin);
  }

  node(settings: Partial<JobsSettings> = {}, nodes?: Pick<Nodes, "id" | "onChange">): TestNode {
    const node = openNode(this.database.url, settings, nodes);
    this.#nodes.push(node);
    return node;
  }

  async sql<R extends object = Record<string, unknown>>(text: string, values: unknown[] = []): Promise<R[]> {
    return (await this.admin.query(text, values)).rows;
  }

  /** How many jobs are kept, and unfinished ones when asked. */
  async count(where = "true"): Promise<number> {
    const [row] = await this.sql<{ n: number }>(`select count(*)::int as n from mainstay.jobs where ${where}`);
    return row!.n;
  }

  async close(): Promise<void> {
    for (const node of this.#nodes.reverse()) await node.stop();
    await this.admin.end();
    await this.database.drop();
  }
}

export const until = (holds: () => boolean | Promise<boolean>, timeout = 8_000): Promise<void> =>
  expect.poll(holds, { interval: 10, timeout }).toBe(true);
