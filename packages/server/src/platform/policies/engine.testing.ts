import { randomUUID } from "node:crypto";
import { clusterUrl, type TestDatabase, templateDatabase, testDatabase } from "@mainstay/testing";
import pg from "pg";
import { vi } from "vitest";
import type { Batch, ChangedRelation, LogEntry, RowImage } from "../../kernel/change.ts";
import type { Principal } from "../../kernel/principal.ts";
import { readSettings, type Values } from "../../kernel/settings.ts";
import { type ChangeLog, changesSettings, openChangeLog } from "../changes/index.ts";
import type { Observation } from "../observe/observation.ts";
import { asCaller } from "../postgres/caller.ts";
import { type Database, openDatabase } from "../postgres/database.ts";
import { parseConnectionUrl } from "../postgres/external/index.ts";
import { connectReplication } from "../postgres/replication.ts";
import { openSession, type Session } from "../postgres/session/index.ts";
import { postgresSettings } from "../postgres/settings.ts";
import { type OpenPolicies, openPolicies, policiesSettings } from "./index.ts";

/** Policies on a real database that a real log follows. Close it at the end. */
export interface Engine {
  readonly database: TestDatabase;
  readonly db: Database;
  readonly log: ChangeLog;
  readonly session: Session;
  readonly policies: OpenPolicies;
  readonly observations: readonly Observation[];
  /** Every entry since the start, and what was done with each change. */
  readonly entries: readonly LogEntry[];
  /** Called with each batch, in the order of the log, which waits for it. */
  onBatch: (batch: Batch) => Promise<void> | void;
  /** Runs SQL as the superuser; gives the last statement's rows. */
  sql<R extends object = Record<string, unknown>>(text: string): Promise<R[]>;
  /** Ids that a SELECT shows to the caller; `null` when PostgreSQL refuses it. */
  selected(table: string, who: Principal): Promise<readonly string[] | null>;
  /** The table as the log would announce it, and its rows as the log would show them. */
  relation(table: string, leftOut?: readonly string[]): Promise<ChangedRelation>;
  images(table: string, relation: ChangedRelation): Promise<readonly RowImage[]>;
  close(): Promise<void>;
}

const raw = { getTypeParser: () => (text: string) => text } as unknown as pg.CustomTypesConfig;

export async function openEngine(
  options: { readonly sql?: string; readonly settings?: Partial<Values<typeof policiesSettings>> } = {},
): Promise<Engine> {
  const database = await testDatabase(await templateDatabase());
  const admin = new pg.Client({ connectionString: database.url });
  admin.on("error", () => {});
  await admin.connect();
  if (options.sql !== undefined) await admin.query(options.sql);
  const observations: Observation[] = [];
  const observe = (observation: Observation): void => void observations.push(observation);
  const db = openDatabase({ connectionString: database.url });
  const session = await openSession({
    target: parseConnectionUrl(database.url),
    settings: readSettings(postgresSettings, { env: {} }).values,
    observe,
    defaults: { search_path: "public, extensions" },
  });
  const log = openChangeLog({
    database: db,
    connect: () => connectReplication({ connectionString: database.url }),
    settings: readSettings(changesSettings, { env: {} }).values,
    observe,
  });
  const policies = await openPolicies({
    database: db,
    session,
    log,
    settings: { ...readSettings(policiesSettings, { env: {} }).values, ...options.settings },
    observe,
  });
  const entries: LogEntry[] = [];
  const engine: Engine = {
    database,
    db,
    log,
    session,
    policies,
    observations,
    entries,
    onBatch: () => {},
    async sql(text) {
      const result = await admin.query(text);
      return (Array.isArray(result) ? result.at(-1) : result).rows;
    },
    async selected(table, who) {
      const client = new pg.Client({ connectionString: database.url });
      await client.connect();
      try {
        await client.query("begin");
        await client.query("select set_config('search_path', 'public, extensions', true)");
        for (const { text, values } of asCaller(who)) await client.query(text, [...values]);
        const { rows } = await client.query<{ id: string }>(`select id::text from ${table} as t order by t.id`);
        return rows.map(({ id }) => id);
      } catch {
        return null;
      } finally {
        await client.end();
      }
    },
    async relation(table, leftOut = []) {
      const { rows } = await admin.query<{ oid: number; schema: string; name: string; columns: ColumnRow[] }>(
        `select c.oid, n.nspname as schema, c.relname as name,
           (select json_agg(json_build_object('name', a.attname, 'typeOid', a.atttypid::int8, 'typeName', t.typname, 'isKey', true)
             order by a.attnum) from pg_attribute a join pg_type t on t.oid = a.atttypid
             where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = '') as columns
         from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = $1::regclass`,
        [table],
      );
      const [row] = rows;
      const columns = row!.columns.filter(({ name }) => !leftOut.includes(name));
      const names = columns.map(({ name }) => name);
      return { ...row!, columns, replicaIdentity: "default", indexOf: (column) => names.indexOf(column) };
    },
    async images(table, { columns }) {
      const list = columns.map(({ name }) => `"${name}"`).join(", ");
      const text = `select ${list} from ${table} order by id`;
      const { rows } = await admin.query<(string | null)[]>({ text, rowMode: "array", types: raw });
      return rows;
    },
    async close() {
      await policies.close();
      await log.close();
      await session.close(AbortSignal.timeout(2_000));
      await db.close();
      await admin.end();
      await database.drop();
    },
  };
  return engine;
}

interface ColumnRow {
  readonly name: string;
  readonly typeOid: number;
  readonly typeName: string;
  readonly isKey: boolean;
}

/** Follows the log: every batch is given to `engine.onBatch`, in order. */
export async function follow(engine: Engine): Promise<void> {
  await engine.log.follow({
    name: "test",
    async onEntry(entry) {
      if (entry.kind === "batch") await engine.onBatch(entry);
      (engine.entries as LogEntry[]).push(entry);
    },
    onGap() {},
  });
}

/** Waits until all that has been committed has been told to those who follow. */
export async function settled(engine: Engine): Promise<void> {
  const mark = randomUUID();
  await engine.sql(`select pg_logical_emit_message(true, 'mark', '${mark}')`);
  const isThere = () => engine.entries.some((entry) => entry.kind === "message" && entry.content.toString() === mark);
  await vi.waitUntil(isThere, { timeout: 30_000, interval: 5 });
}

/** Roles belong to the whole cluster: when the database is gone, nothing holds them. */
export async function dropRoles(...names: readonly string[]): Promise<void> {
  const client = new pg.Client({ connectionString: clusterUrl() });
  await client.connect();
  for (const name of names) await client.query(`drop role if exists "${name}"`);
  await client.end();
}
