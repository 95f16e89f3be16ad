import { type TestDatabase, templateDatabase, testDatabase } from "@mainstay/testing";
import pg from "pg";
import type { Values } from "../../../kernel/settings.ts";
import { readSettings } from "../../../kernel/settings.ts";
import { type ChangeLog, changesSettings as logSettings, openChangeLog } from "../../../platform/changes/index.ts";
import { jobsStore } from "../../../platform/jobs/store.ts";
import type { Observation } from "../../../platform/observe/observation.ts";
import { type Database, openDatabase } from "../../../platform/postgres/database.ts";
import { parseConnectionUrl } from "../../../platform/postgres/external/index.ts";
import { connectReplication } from "../../../platform/postgres/replication.ts";
import { openSession } from "../../../platform/postgres/session/index.ts";
import { postgresSettings } from "../../../platform/postgres/settings.ts";
import { createFunctionChanges, type FunctionChanges } from "./index.ts";
import { changesSettings } from "./settings.ts";
import { changeStore } from "./store.ts";
import type { ChangeHandler } from "./types.ts";

/** A job that a change has become. */
export interface SeenJob {
  readonly name: string;
  readonly orderKey: string | null;
  readonly payload: Readonly<Record<string, unknown>>;
}

/** What a server has of functions on change, without anything that runs them: its jobs stay where they are. */
export interface ChangesNode {
  readonly changes: FunctionChanges;
  readonly log: ChangeLog;
  readonly db: Database;
  readonly id: string;
  /** Stops at once: what it has under way is given up, as far as the log is concerned. */
  close(): Promise<void>;
}

export const handler = (given: Partial<ChangeHandler> & { readonly name: string }): ChangeHandler => ({
  schema: "public",
  table: "entries",
  operations: ["insert", "update", "delete"],
  filter: "",
  columns: null,
  order: "row",
  maxAttempts: null,
  ...given,
});

/** A migrated database with a table to write into, and servers on it. */
export class ChangesBench {
  readonly url: string;
  readonly admin: pg.Client;
  readonly seen: Observation[] = [];
  readonly #drop: () => Promise<void>;
  readonly #nodes: ChangesNode[] = [];

  private constructor(url: string, admin: pg.Client, drop: () => Promise<void>) {
    this.url = url;
    this.admin = admin;
    this.#drop = drop;
  }

  static async open(): Promise<ChangesBench> {
    const database: TestDatabase = await testDatabase(await templateDatabase());
    return ChangesBench.on(database.url, () => database.drop());
  }

  static async on(url: string, drop: () => Promise<void> = async () => {}): Promise<ChangesBench> {
    const admin = new pg.Client({ connectionString: url });
    admin.on("error", () => {});
    await admin.connect();
    await admin.query("create table entries (id int primary key, status text, body text, amount numeric)");
    return new ChangesBench(url, admin, drop);
  }

  async node(settings: Partial<Values<typeof changesSettings>> = {}): Promise<ChangesNode> {
    const db = openDatabase({ connectionString: this.url, max: 6 });
    const observe = (one: Observation) => void this.seen.push(one);
    const values = readSettings(postgresSettings, { env: {} }).values;
    const session = await openSession({ target: parseConnectionUrl(this.url), settings: values, observe });
    const log = openChangeLog({
      database: db,
      connect: () => connectReplication({ connectionString: this.url }),
      settings: {
        ...readSettings(logSettings, { env: {} }).values,
        logLeaderPollMs: 50,
        logSlotCheckMs: 100,
        logHeartbeatMs: 100,
      },
      observe,
    });
    const id = crypto.randomUUID();
    const changes = createFunctionChanges({
      db,
      session,
      log,
      jobs: { enqueue: (tx, jobs) => jobsStore.enqueue(tx, jobs) },
      node: id,
      settings: { ...readSettings(changesSettings, { env: {} }).values, jobsPayloadMaxBytes: 1_048_576, ...settings },
      observe,
    });
    await changes.start();
    let closing: Promise<void> | null = null;
    const close = () => {
      closing ??= (async () => {
        await changes.stop();
        await log.close();
        await session.close(AbortSignal.timeout(2_000));
        await db.close();
      })();
      return closing;
    };
    const node = { changes, log, db, id, close };
    this.#nodes.push(node);
    return node;
  }

  async sql<R extends object = Record<string, unknown>>(text: string): Promise<R[]> {
    return (await this.admin.query(text)).rows;
  }

  /**
   * The reader has its place: what commits from now on is told. Its slot waits for every transaction of the cluster, other tests' too, and so it may
   * take longer than `apply` waits.
   */
  async followed(): Promise<void> {
    const { db } = this.#nodes.at(-1)!;
    while (!(await changeStore.isEnrolled(db))) await new Promise((resolve) => setTimeout(resolve, 20));
  }

  /** Jobs in the order they were put in. */
  jobs(name?: string): Promise<SeenJob[]> {
    const only = name === undefined ? "" : `where name = 'mainstay.change/${name}'`;
    return this.sql<SeenJob & object>(
      `select name, order_key as "orderKey", payload from mainstay.jobs ${only} order by place`,
    );
  }

  /** `operation id` of each, in their order. */
  async words(name?: string): Promise<string[]> {
    return (await this.jobs(name)).map(({ payload }) => {
      const { operation, row, oldRow } = payload as Record<string, { id?: number } | null> & { operation: string };
      return `${operation} ${row?.id ?? oldRow?.id}`;
    });
  }

  async published(): Promise<string[]> {
    const rows = await this.sql<{ name: string }>(
      "select schemaname || '.' || tablename as name from pg_publication_tables where pubname = 'mainstay_readers' order by 1",
    );
    return rows.map(({ name }) => name);
  }

  async close(): Promise<void> {
    for (const node of this.#nodes) await node.close();
    await this.admin.end();
    await this.#drop();
  }
}
