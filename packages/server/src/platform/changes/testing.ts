import { type TestDatabase, testDatabase } from "@mainstay/testing";
import pg from "pg";
import type { Batch, Change, LogEntry, LogMessage } from "../../kernel/change.ts";
import type { Values } from "../../kernel/settings.ts";
import type { Observation } from "../observe/observation.ts";
import { type Database, openDatabase } from "../postgres/database.ts";
import { connectReplication } from "../postgres/replication.ts";
import { openChangeLog } from "./log.ts";
import { changesSettings } from "./settings.ts";
import type { ChangeLog, GapReason, LiveReader } from "./types.ts";

export const defaults = Object.fromEntries(
  Object.entries(changesSettings).map(([name, setting]) => [name, setting.default]),
) as Values<typeof changesSettings>;

/** A database with the publications and event triggers that migrations make, a connection to it, and the log of it. */
export class LogBench {
  readonly database: TestDatabase;
  readonly db: Database;
  readonly admin: pg.Client;
  readonly seen: Observation[] = [];
  readonly #logs: ChangeLog[] = [];

  private constructor(database: TestDatabase, db: Database, admin: pg.Client) {
    this.database = database;
    this.db = db;
    this.admin = admin;
  }

  static async open(): Promise<LogBench> {
    const database = await testDatabase();
    const admin = new pg.Client({ connectionString: database.url });
    admin.on("error", () => {});
    await admin.connect();
    await admin.query(schemaForTests);
    return new LogBench(database, openDatabase({ connectionString: database.url }), admin);
  }

  log(settings: Partial<Values<typeof changesSettings>> = {}, nowMs?: () => number): ChangeLog {
    const log = openChangeLog({
      database: this.db,
      connect: () => connectReplication({ connectionString: this.database.url }),
      settings: { ...defaults, ...settings },
      observe: (one) => void this.seen.push(one),
      ...(nowMs === undefined ? {} : { nowMs }),
    });
    this.#logs.push(log);
    return log;
  }

  async sql(text: string): Promise<Record<string, unknown>[]> {
    const result = await this.admin.query(text);
    return result.rows;
  }

  async close(): Promise<void> {
    for (const log of this.#logs) await log.close();
    await this.db.close();
    await this.admin.end();
    await this.database.drop();
  }
}

/** As the migrations make it, without the rest of them. */
export const schemaForTests = `
  create schema mainstay;
  create table mainstay.log_slots (name text primary key, followed_at timestamptz not null default now());
  create table mainstay.log_cursors (name text primary key, epoch text not null, lsn pg_lsn not null,
    changes integer not null default 0, messages integer not null default 0,
    moved_at timestamptz not null default now(), read_at timestamptz not null default now());
  create publication supabase_realtime;
  create publication mainstay_policies;
  create function mainstay.announce_ddl() returns event_trigger language plpgsql as $$
  begin perform pg_logical_emit_message(true, 'mainstay.ddl', ''::text); end $$;
  create event trigger mainstay_announce_ddl on ddl_command_end execute function mainstay.announce_ddl();
`;

/** A reader that keeps all it is told. */
export class Witness implements LiveReader {
  readonly name = "witness";
  readonly entries: LogEntry[] = [];
  readonly gaps: GapReason[] = [];

  onEntry(entry: LogEntry): void | Promise<void> {
    this.entries.push(entry);
  }

  onGap(reason: GapReason): void {
    this.gaps.push(reason);
  }

  get batches(): readonly Batch[] {
    return this.entries.filter((entry) => entry.kind === "batch");
  }

  get changes(): readonly Change[] {
    return this.batches.flatMap(({ changes }) => changes);
  }

  get messages(): readonly LogMessage[] {
    return this.entries.filter((entry) => entry.kind === "message");
  }

  /** Each change as `op table {column: value}`, values that are not in the log left out. */
  get words(): readonly unknown[] {
    return this.changes.map(({ op, relation, new: now, old }) => [
      op,
      relation.name,
      rowOf(relation, now),
      rowOf(relation, old),
    ]);
  }
}

function rowOf(relation: Change["relation"], image: Change["new"]): Record<string, string | null> | null {
  if (image === null) return null;
  const row: Record<string, string | null> = {};
  for (const [at, { name }] of relation.columns.entries()) {
    const value = image[at];
    if (value !== undefined) row[name] = value;
  }
  return row;
}
