import { setTimeout as delay } from "node:timers/promises";
import { type TestDatabase, templateDatabase, testDatabase } from "@mainstay/testing";
import pg from "pg";
import { sql } from "pg-sql2";
import type { LogEntry } from "../../../kernel/change.ts";
import type { Values } from "../../../kernel/settings.ts";
import type { Observation } from "../../observe/observation.ts";
import { type Database, openDatabase, type Queryable } from "../../postgres/database.ts";
import { connectReplication } from "../../postgres/replication.ts";
import { openChangeLog } from "../log.ts";
import type { changesSettings } from "../settings.ts";
import { defaults } from "../testing.ts";
import type { ChangeLog, DurableReader, GapReason } from "../types.ts";

export const quick = { logLeaderPollMs: 50, logSlotCheckMs: 100, logHeartbeatMs: 100 } as const;

/** A migrated database with a published table to write into, and a ledger of what readers have taken from the log. */
export class DurableBench {
  readonly database: TestDatabase;
  readonly admin: pg.Client;
  readonly db: Database;
  readonly seen: Observation[] = [];
  readonly #closers: (() => Promise<void>)[] = [];

  private constructor(database: TestDatabase, admin: pg.Client) {
    this.database = database;
    this.admin = admin;
    this.db = openDatabase({ connectionString: database.url, max: 2 });
  }

  static async open(): Promise<DurableBench> {
    const database = await testDatabase(await templateDatabase());
    const admin = new pg.Client({ connectionString: database.url });
    admin.on("error", () => {});
    await admin.connect();
    await admin.query(`create table entries (id int primary key, body text);
      alter publication supabase_realtime add table entries; ${ledger}`);
    return new DurableBench(database, admin);
  }

  /** A node of its own, as far as the log is concerned. */
  node(settings: Partial<Values<typeof changesSettings>> = {}): {
    readonly log: ChangeLog;
    readonly close: () => Promise<void>;
  } {
    const { log, db } = openNode(this.database.url, settings, (one) => void this.seen.push(one));
    let closing: Promise<void> | null = null;
    const close = () => {
      closing ??= log.close().then(() => db.close());
      return closing;
    };
    this.#closers.push(close);
    return { log, close };
  }

  async sql<R extends object = Record<string, unknown>>(text: string): Promise<R[]> {
    return (await this.admin.query(text)).rows;
  }

  /** What a reader has taken, in its order. */
  async taken(reader: string): Promise<readonly number[]> {
    const rows = await this.sql<{ entry: number }>(`select entry from ledger where reader = '${reader}' order by n`);
    return rows.map(({ entry }) => entry);
  }

  async close(): Promise<void> {
    for (const close of this.#closers) await close();
    await this.db.close();
    await this.admin.end();
    await this.database.drop();
  }
}

export const ledger = `
  create table ledger (n bigserial primary key, reader text not null, lsn pg_lsn not null, place int not null, entry int not null);
  create table gaps (n bigserial primary key, reader text not null, reason text not null);`;

export function openNode(
  url: string,
  settings: Partial<Values<typeof changesSettings>>,
  observe: (one: Observation) => void,
): { readonly log: ChangeLog; readonly db: Database } {
  const db = openDatabase({ connectionString: url, max: 4 });
  const log = openChangeLog({
    database: db,
    connect: () => connectReplication({ connectionString: url }),
    settings: { ...defaults, ...quick, ...settings },
    observe,
  });
  return { log, db };
}

/** Writes into the ledger what it takes: a change taken twice, or not at all, is seen there. */
export class LedgerReader implements DurableReader {
  readonly name: string;
  /** Called before the effects of a group are written. */
  before: (ids: readonly number[]) => Promise<void> | void = () => {};
  readonly #napMs: number;

  constructor(name: string, napMs = 0) {
    this.name = name;
    this.#napMs = napMs;
  }

  async onEntries(entries: readonly LogEntry[], tx: Queryable): Promise<void> {
    const rows = entries.flatMap((entry) =>
      entry.kind === "message"
        ? []
        : entry.changes.map((change, at) => ({ lsn: entry.lsn, place: entry.first + at, id: Number(change.new?.[0]) })),
    );
    await this.before(rows.map(({ id }) => id));
    if (this.#napMs > 0) await delay(this.#napMs);
    for (const { lsn, place, id } of rows) {
      await tx.query(sql`
        insert into ledger (reader, lsn, place, entry)
        values (${sql.value(this.name)}, '0/0'::pg_lsn + ${sql.value(lsn.toString())}::numeric, ${sql.value(place)}::int, ${sql.value(id)}::int)`);
    }
  }

  async onGap(reason: GapReason, tx: Queryable): Promise<void> {
    await tx.query(sql`insert into gaps (reader, reason) values (${sql.value(this.name)}, ${sql.value(reason)})`);
  }
}
