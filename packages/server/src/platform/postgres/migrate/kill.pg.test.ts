import { templateDatabase } from "@mainstay/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openDatabase } from "../database.ts";
import { type Bench, folderOf, openBench } from "./testing.ts";

let bench: Bench;
afterEach(() => bench.close());

/**
 * `kill_at(n)` ends its own backend while the switch says `n`: as hard as the connection of a process killed with -9 goes.
 * The switch is outside the migration, so the file and its checksum stay the same between the runs.
 */
async function armed(at: number): Promise<void> {
  await bench.rows(`
    create schema if not exists fault;
    create table if not exists fault.switch (at int);
    delete from fault.switch;
    insert into fault.switch values (${at});
    create or replace function fault.kill_at(n int) returns void language plpgsql as $$
    begin
      if exists (select from fault.switch where at = n) then perform pg_terminate_backend(pg_backend_pid()); end if;
    end $$`);
}

const disarmed = () => bench.rows("delete from fault.switch");

const statements = [
  "create table a (id int primary key)",
  "insert into a select generate_series(1, 10)",
  "create index a_id on a (id)",
  "alter table a add column name text",
  "update a set name = id::text",
];

const withKills = (list: readonly string[]): string =>
  [...list.map((sql, n) => `select fault.kill_at(${n});\n${sql};`), `select fault.kill_at(${list.length});`].join("\n");

describe("B19: killed at a statement, the next run completes", () => {
  // Mainstay's own migrations are in it: the app's are what is killed.
  beforeEach(async () => {
    bench = await openBench(await templateDatabase());
  });

  for (let at = 0; at <= statements.length; at++) {
    it(`in a transaction, before statement ${at}`, async () => {
      const dir = await folderOf({ "1_a.sql": withKills(statements), "2_b.sql": "create table b (id int);" });
      await armed(at);
      await expect(bench.up(dir)).rejects.toMatchObject({ code: "migrations/failed" });
      expect(await bench.rows("select to_regclass('a') as a, to_regclass('b') as b")).toEqual([{ a: null, b: null }]);
      await disarmed();
      const { applied } = await bench.up(dir);
      expect(applied.filter(({ source }) => source === "project").map(({ version }) => version)).toEqual(["1", "2"]);
      expect(await bench.rows("select count(*)::int as n, count(name)::int as named from a")).toEqual([
        { n: 10, named: 10 },
      ]);
      expect((await bench.up(dir)).applied).toEqual([]);
    });
  }

  const alone = [
    "create table a (id int, word text)",
    "insert into a select n, 'w' || n from generate_series(1, 10) n",
    "create index concurrently a_id on a (id)",
    "insert into a values (11, 'w11')",
    "drop index concurrently a_id",
    "create unique index concurrently a_word on a (word)",
    "vacuum a",
  ];

  for (let at = 0; at <= alone.length; at++) {
    it(`without a transaction, before statement ${at}`, async () => {
      const dir = await folderOf({ "1_a.sql": `-- mainstay: no transaction\n${withKills(alone)}` });
      await armed(at);
      await expect(bench.up(dir)).rejects.toMatchObject({ code: "migrations/failed" });
      await disarmed();
      expect((await bench.up(dir)).applied.map(({ version }) => version)).toEqual(["1"]);
      await expectDone();
    });
  }

  it.each(alone.map((sql, at) => [at, sql] as const))(
    "without a transaction, after statement %i ran and before it is recorded (%s)",
    async (at) => {
      const dir = await folderOf({
        "1_a.sql": ["-- mainstay: no transaction", ...alone.map((sql) => `${sql};`)].join("\n"),
      });
      await armed(at + 1);
      await bench.up(null);
      await bench.rows(`
        create function fault.on_progress() returns trigger language plpgsql as $$
        begin
          if not new.is_started then perform fault.kill_at(new.units_done); end if;
          return new;
        end $$;
        create trigger kill before insert or update on mainstay.migration_progress
          for each row execute function fault.on_progress()`);
      await expect(bench.up(dir)).rejects.toThrow();
      await disarmed();
      expect((await bench.up(dir)).applied.map(({ version }) => version)).toEqual(["1"]);
      await expectDone();
    },
  );

  async function expectDone(): Promise<void> {
    expect(await bench.rows("select count(*)::int as n from a")).toEqual([{ n: 11 }]);
    expect(
      await bench.rows(`
        select c.relname as name, i.indisvalid as valid from pg_index i
        join pg_class c on c.oid = i.indexrelid where i.indrelid = 'a'::regclass`),
    ).toEqual([{ name: "a_word", valid: true }]);
    expect(await bench.rows("select * from mainstay.migration_progress")).toEqual([]);
    expect(await bench.rows("select version from supabase_migrations.schema_migrations")).toEqual([{ version: "1" }]);
  }

  it("cleans up the invalid index that a failed CREATE INDEX CONCURRENTLY leaves", async () => {
    const dir = await folderOf({
      "1_a.sql": "create table a (id int); insert into a values (1), (1);",
      "2_b.sql": "create unique index concurrently a_id on a (id);",
    });
    await expect(bench.up(dir)).rejects.toMatchObject({ details: { file: "2_b.sql", line: 1, sqlState: "23505" } });
    await bench.rows("delete from a where ctid = (select min(ctid) from a)");
    await bench.up(dir);
    expect(await bench.rows("select indisvalid as valid from pg_index where indexrelid = 'a_id'::regclass")).toEqual([
      { valid: true },
    ]);
  });

  it("refuses a file changed half way, and a mixed file without the escape", async () => {
    const dir = await folderOf({ "1_a.sql": "create table a (id int); create index concurrently a_id on a (id);" });
    await expect(bench.up(dir)).rejects.toMatchObject({
      code: "migrations/refused",
      hint: expect.stringContaining("-- mainstay: no transaction"),
    });
    const sql = "-- mainstay: no transaction\ncreate table a (id int);\nselect fault.kill_at(1);";
    const half = await folderOf({ "1_a.sql": sql });
    await armed(1);
    await expect(bench.up(half)).rejects.toMatchObject({ code: "migrations/failed" });
    await disarmed();
    const changed = await folderOf({ "1_a.sql": `${sql}\nselect 1;` });
    await expect(bench.up(changed)).rejects.toMatchObject({ code: "migrations/changed-half-way" });
    expect((await bench.up(half)).applied).toHaveLength(1);
  });
});

describe("B19: several nodes at once", () => {
  beforeEach(async () => {
    bench = await openBench();
  });

  it("one migrates, the others wait and find nothing to do", async () => {
    const dir = await folderOf({
      "1_a.sql": "create table a (id int); select pg_sleep(0.3);",
      // Its own session has to be the only one with a snapshot, or it waits for the others for ever.
      "2_b.sql": "create index concurrently a_id on a (id);",
      "3_c.sql": "insert into a values (1);",
    });
    const others = [openDatabase({ connectionString: bench.url }), openDatabase({ connectionString: bench.url })];
    const reports = await Promise.all([bench.up(dir), ...others.map((database) => bench.up(dir, { database }))]);
    await Promise.all(others.map((database) => database.close()));
    const counts = reports.map(({ applied }) => applied.length).sort();
    expect(counts.slice(0, 2)).toEqual([0, 0]);
    expect(counts[2]).toBeGreaterThanOrEqual(5);
    expect(await bench.rows("select count(*)::int as n from a")).toEqual([{ n: 1 }]);
  });

  it("gives up waiting after the bound", async () => {
    const holder = await bench.database.connect();
    await holder.query("select pg_advisory_lock(5570193408821190401)");
    await expect(bench.up(null, { settings: { migrationsLockWaitMs: 0 } })).rejects.toMatchObject({
      code: "migrations/locked",
    });
    await holder.end();
    expect((await bench.up(null)).applied.length).toBeGreaterThan(0);
  });
});
