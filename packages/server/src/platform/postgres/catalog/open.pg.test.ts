import { testDatabase } from "@mainstay/testing";
import { sql } from "pg-sql2";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { Problem } from "../../../kernel/problem.ts";
import type { Observation } from "../../observe/observation.ts";
import { type Database, openDatabase } from "../database.ts";
import { openWire } from "../session/testing.ts";
import { openCatalog } from "./open.ts";
import type { Catalog, CatalogHolder } from "./types.ts";

let database: Database;
let url: string;
let drop: () => Promise<void>;
const holders: CatalogHolder[] = [];
const seen: Observation[] = [];
const observe = (observation: Observation) => void seen.push(observation);

beforeAll(async () => {
  const test = await testDatabase();
  ({ url, drop } = test);
  database = openDatabase({ connectionString: url }, { observe });
  await database.query(sql`create table first (id int primary key)`);
});
afterEach(async () => {
  await Promise.all(holders.splice(0).map((holder) => holder.close()));
  seen.length = 0;
});
afterAll(async () => {
  await database.close();
  await drop();
});

async function open(
  settings: Parameters<typeof openCatalog>[0]["settings"] = {},
  on = database,
): Promise<CatalogHolder> {
  const holder = await openCatalog({
    database: on,
    schemas: () => ["public"],
    observe,
    settings: { catalogPollMs: 0, ...settings },
  });
  holders.push(holder);
  return holder;
}

/** Waits until the picture satisfies; the test's own timeout is the bound. */
async function until(holder: CatalogHolder, isTrue: (catalog: Catalog) => boolean): Promise<Catalog> {
  for (;;) {
    const catalog = holder.current();
    if (isTrue(catalog)) return catalog;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const has = (name: string) => (catalog: Catalog) => catalog.relation("public", name) !== null;
const loads = () => seen.filter((observation) => observation.kind === "catalog.loaded").length;

describe("openCatalog", () => {
  it.each([
    ["mainstay_catalog", "reload schema"],
    ["mainstay_catalog", ""],
    ["pgrst", "reload schema"],
    ["pgrst", "reload config"],
    ["pgrst", ""],
  ])("reloads on NOTIFY %s, '%s'", async (channel, payload) => {
    const holder = await open();
    await database.query(sql`create table told (id int)`);
    await database.query(sql`select pg_notify(${sql.value(channel)}, ${sql.value(payload)})`);
    await until(holder, has("told"));
    await database.query(sql`drop table told`);
  });

  it("ignores other payloads", async () => {
    await open();
    await database.query(
      sql`select pg_notify('pgrst', 'something else'), pg_notify('mainstay_catalog', 'reload schema')`,
    );
    await database.query(sql`select pg_notify('pgrst', 'something else')`);
    const holder = holders[0]!;
    await holder.reload();
    expect(loads()).toBeLessThanOrEqual(3);
  });

  it("makes one more load of a burst, begun after the last call", async () => {
    const holder = await open();
    const first = holder.reload();
    const rest = Array.from({ length: 20 }, () => holder.reload());
    expect(new Set(rest).size).toBe(1);
    const [one, other] = [await first, await rest[0]!];
    expect(other.version).toBe(one.version + 1);
    expect(loads()).toBe(3);
  });

  it("keeps the old picture while a load fails, says so, and recovers by itself", async () => {
    let schemas: readonly string[] = ["public"];
    let isBroken = false;
    const holder = await openCatalog({
      database,
      schemas: () => {
        if (isBroken) throw new Error("no schemas today");
        return schemas;
      },
      observe,
      settings: { catalogPollMs: 0 },
    });
    holders.push(holder);
    const before = holder.current();
    isBroken = true;
    schemas = [];
    await expect(holder.reload()).rejects.toThrow("no schemas today");
    await database.query(sql`notify mainstay_catalog`);
    while (seen.filter((observation) => observation.kind === "catalog.failed").length < 2)
      await new Promise((resolve) => setTimeout(resolve, 10));
    expect(holder.current()).toBe(before);
    isBroken = false;
    const after = await until(holder, (catalog) => catalog !== before);
    expect(after.relations).toEqual([]);
  });

  it("listens again after its connection is cut, and reads what it missed", async () => {
    const holder = await open();
    await database.query(sql`create table missed (id int)`);
    await database.query(sql`
      select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and query like 'listen %' and pid <> pg_backend_pid()`);
    await until(holder, has("missed"));
    expect(seen).toContainEqual(expect.objectContaining({ kind: "postgres.connection-lost", lane: "listener" }));
    expect(seen).toContainEqual(expect.objectContaining({ kind: "postgres.reconnected", lane: "listener" }));
    await database.query(sql`create table heard (id int)`);
    await database.query(sql`notify pgrst, 'reload schema'`);
    await until(holder, has("heard"));
    await database.query(sql`drop table missed, heard`);
  });

  it("notices connections that died without a word, its listener's and a load's", async () => {
    const server = new URL(url);
    const wire = await openWire(Number(server.port));
    server.port = String(wire.port);
    const far = openDatabase({ connectionString: server.href }, { listenerHeartbeatMs: 100, observe });
    try {
      const holder = await open({ catalogTimeoutMs: 300 }, far);
      wire.freeze();
      await database.query(sql`create table unheard (id int)`);
      await until(holder, has("unheard"));
      expect(seen).toContainEqual(expect.objectContaining({ kind: "postgres.reconnected", lane: "listener" }));
      await database.query(sql`drop table unheard`);
      await holder.close();
    } finally {
      await wire.close();
      await far.close();
    }
  });

  it("closes in bounded time when its connection died without a word", async () => {
    const server = new URL(url);
    const wire = await openWire(Number(server.port));
    server.port = String(wire.port);
    const far = openDatabase({ connectionString: server.href });
    try {
      const holder = await open({}, far);
      wire.freeze();
      await holder.close();
      await expect(holder.reload()).rejects.toThrow("closed");
    } finally {
      await wire.close();
      await far.close();
    }
  });

  it("finds changes by looking where nothing announces them, and looks on its own accord there", async () => {
    const holder = await open({ catalogPollMs: null });
    for (const change of [
      sql`create table looked_for (id int)`,
      sql`alter table looked_for add column more text`,
      sql`comment on column looked_for.more is 'news'`,
      sql`create function looked_for_too() returns int language sql as $$ select 1 $$`,
      sql`drop table looked_for`,
    ]) {
      const { version } = holder.current();
      await database.query(change);
      await until(holder, (catalog) => catalog.version > version);
    }
    // Settings of roles belong to the whole cluster, and other tests may change one just now: a quiet moment is enough.
    const staysAfterAnInsert = async (): Promise<boolean> => {
      const { version } = holder.current();
      await database.query(sql`insert into first select coalesce(max(id), 0) + 1 from first`);
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      return holder.current().version === version;
    };
    let stays = false;
    for (let attempt = 0; attempt < 16 && !stays; attempt++) stays = await staysAfterAnInsert();
    expect(stays).toBe(true);
  });

  it("needs no looking where an event trigger announces DDL", async () => {
    await database.query(sql`
      create function announce() returns event_trigger language plpgsql as $$ begin notify mainstay_catalog, 'reload schema'; end $$`);
    await database.query(sql`create event trigger announce on ddl_command_end execute function announce()`);
    const holder = await open({ catalogPollMs: null });
    await database.query(sql`create table announced (id int)`);
    await until(holder, has("announced"));
    // Taking the trigger's word away and changing something unannounced shows that nobody looks.
    await database.query(sql`alter event trigger announce disable`);
    const { version } = await holder.reload();
    await database.query(sql`create table unannounced (id int)`);
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect(holder.current().version).toBe(version);
    await database.query(sql`drop event trigger announce`);
    await database.query(sql`drop function announce()`);
    await database.query(sql`drop table announced, unannounced`);
  });

  it("opens without a database, answers 503, and loads when there is one", async () => {
    const name = `${new URL(url).pathname.slice(1)}_later`;
    const later = new URL(url);
    later.pathname = `/${name}`;
    const absent = openDatabase({ connectionString: later.href });
    const holder = await open({}, absent);
    const thrown = (() => {
      try {
        return holder.current();
      } catch (error) {
        return error;
      }
    })();
    expect(thrown).toBeInstanceOf(Problem);
    expect(thrown).toMatchObject({ code: "catalog/not-loaded", status: 503 });
    await database.query(sql`create database ${sql.identifier(name)}`);
    try {
      for (;;) {
        if (seen.some((observation) => observation.kind === "catalog.loaded")) break;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      expect(holder.current().version).toBeGreaterThanOrEqual(1);
      await holder.close();
    } finally {
      await absent.close();
      await database.query(sql`drop database ${sql.identifier(name)} with (force)`);
    }
  });

  it("reads role settings a transaction may set, and pgrst settings as configuration", async () => {
    // Settings in one database, because roles belong to the whole cluster.
    const here = sql.identifier(new URL(url).pathname.slice(1));
    await database.query(sql`
      do $$ begin
        create role authenticator noinherit login;
      exception when duplicate_object or unique_violation then null;
      end $$`);
    for (const setting of [
      sql`statement_timeout = '3s'`,
      sql`session_preload_libraries = 'nothing'`,
      sql`pgrst.db_max_rows = '77'`,
      sql`"Pgrst"."db_Schemas" = 'a, b=c'`,
    ])
      await database.query(sql`alter role authenticator in database ${here} set ${setting}`);
    const catalog = (await open()).current();
    const settings = catalog.roleSettings.get("authenticator");
    expect(settings?.get("statement_timeout")).toBe("3s");
    expect(settings?.has("session_preload_libraries")).toBe(false);
    expect(catalog.configuration.get("db_max_rows")).toBe("77");
    expect(catalog.configuration.get("db_schemas")).toBe("a, b=c");
    expect(catalog.configuration.has("statement_timeout")).toBe(false);
  });
});
