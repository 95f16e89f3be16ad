import { randomUUID } from "node:crypto";
import { type TestDatabase, templateDatabase, testDatabase } from "@mainstay/testing";
import pg from "pg";
import { readSettings, type Values } from "../../kernel/settings.ts";
import type { Nodes } from "../nodes/types.ts";
import type { Observation } from "../observe/observation.ts";
import { type Database, openDatabase } from "../postgres/database.ts";
import { openJobs } from "./index.ts";
import { jobsSettings } from "./settings.ts";
import type { Jobs } from "./types.ts";

export type JobsSettings = Values<typeof jobsSettings>;

export const quick: Partial<JobsSettings> = {
  jobsPollMs: 200,
  jobsLeaseMs: 1_000,
  jobsRetryFirstMs: 20,
  jobsRetryMaxMs: 100,
  jobsAbortGraceMs: 100,
  jobsStopMs: 500,
};

export interface TestNode {
  readonly jobs: Jobs;
  readonly db: Database;
  readonly seen: readonly Observation[];
  stop(): Promise<void>;
}

/** A node as far as jobs are concerned: a pool and a runner of its own. Not started. */
export function openNode(
  url: string,
  settings: Partial<JobsSettings> = {},
  nodes?: Pick<Nodes, "id" | "onChange">,
): TestNode {
  const seen: Observation[] = [];
  const db = openDatabase({ connectionString: url, max: 6 }, { listenerHeartbeatMs: 1_000 });
  const jobs = openJobs({
    db,
    nodes: nodes ?? { id: randomUUID(), onChange: () => () => {} },
    settings: { ...readSettings(jobsSettings, { env: {} }).values, ...quick, ...settings },
    observe: (one) => void seen.push(one),
  });
  let stopping: Promise<void> | null = null;
  const stop = () => {
    stopping ??= jobs.stop().then(() => db.close());
    return stopping;
  };
  return { jobs, db, seen, stop };
}

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
