import { randomBytes, randomUUID } from "node:crypto";
import { type TestDatabase, templateDatabase, testDatabase } from "@mainstay/testing";
import type { Values } from "../../kernel/settings.ts";
import { readSettings } from "../../kernel/settings.ts";
import { openChangeLog } from "../../platform/changes/index.ts";
import { changesSettings } from "../../platform/changes/settings.ts";
import type { ChangeLog } from "../../platform/changes/types.ts";
import type { Nodes } from "../../platform/nodes/types.ts";
import { type Database, openDatabase } from "../../platform/postgres/database.ts";
import { connectReplication } from "../../platform/postgres/replication.ts";
import { openTestRealtime, type TestRealtime, type TestRealtimeOptions } from "./testing.ts";

/** One of several nodes on one database: real channels, a real log. */
export interface TestNode {
  readonly realtime: TestRealtime;
  readonly log: ChangeLog;
  readonly id: string;
  /** Stops without a word to the others, who learn of it from the registry. */
  kill(): Promise<void>;
}

/** Nodes on one database. The registry is the test's, so that it says who lives. */
export class TestCluster {
  readonly database: TestDatabase;
  readonly #messageKey = randomBytes(32);
  readonly #nodes: (TestNode & { readonly close: () => Promise<void> })[] = [];
  readonly #living = new Map<string, Set<Parameters<Nodes["onChange"]>[0]>>();

  private constructor(database: TestDatabase) {
    this.database = database;
  }

  static async open(): Promise<TestCluster> {
    return new TestCluster(await testDatabase(await templateDatabase()));
  }

  /** `start` and `stop` of the node's features are the test's to call. */
  async add(
    options: Pick<TestRealtimeOptions, "features" | "settings" | "sql" | "policies"> & {
      readonly logSettings?: Partial<Values<typeof changesSettings>>;
    },
  ): Promise<TestNode> {
    const db: Database = openDatabase({ connectionString: this.database.url });
    const log = openChangeLog({
      database: db,
      connect: () => connectReplication({ connectionString: this.database.url }),
      settings: { ...readSettings(changesSettings, { env: {} }).values, ...options.logSettings },
      observe: () => {},
      messageKey: this.#messageKey,
    });
    const nodes = this.#register();
    const realtime = await openTestRealtime({ ...options, database: this.database, log, nodes });
    let isClosed = false;
    const close = async (): Promise<void> => {
      if (isClosed) return;
      isClosed = true;
      await log.close();
      await realtime.close();
      await db.close();
    };
    const kill = async (): Promise<void> => {
      await close();
      await nodes.close();
    };
    const node = { realtime, log, id: nodes.id, kill, close };
    this.#nodes.push(node);
    return node;
  }

  async close(): Promise<void> {
    for (const node of this.#nodes) await node.close();
    await this.database.drop();
  }

  #register(): Nodes {
    const id = randomUUID();
    const listeners = new Set<Parameters<Nodes["onChange"]>[0]>();
    this.#living.set(id, listeners);
    const tell = (change: Parameters<Parameters<Nodes["onChange"]>[0]>[0]): void => {
      for (const [other, of] of this.#living) if (other !== id) for (const listener of of) listener(change);
    };
    tell({ came: [{ id }], gone: [] });
    return {
      id,
      others: () => [...this.#living.keys()].filter((other) => other !== id).map((other) => ({ id: other })),
      onChange(listener) {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
      close: async () => {
        if (this.#living.delete(id)) tell({ came: [], gone: [{ id }] });
      },
    };
  }
}
