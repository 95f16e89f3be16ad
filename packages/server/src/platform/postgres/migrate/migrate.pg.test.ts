import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Problem } from "../../../kernel/problem.ts";
import { migrationStatus } from "./status.ts";
import { addFiles, type Bench, folderOf, openBench, ownMigrations } from "./testing.ts";

let bench: Bench;
beforeEach(async () => {
  bench = await openBench();
});
afterEach(() => bench.close());

const thrownBy = async (work: Promise<unknown>): Promise<Problem> => {
  const error = await work.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(Problem);
  return error as Problem;
};

describe("migrate", () => {
  it("applies ours, then the project's, once", async () => {
    const dir = await folderOf({
      "20240101000000_places.sql": "create table places (id int primary key);\ninsert into places values (1);",
      "20240102000000_more.sql": "alter table places add column name text;",
      "README.md": "not a migration",
      "notes.sql": "not one either",
    });
    const first = await bench.up(dir);
    expect(first.applied.filter(({ source }) => source === "project").map(({ name }) => name)).toEqual([
      "places",
      "more",
    ]);
    expect(first.applied[0]).toMatchObject({ source: "own", version: "0001", name: "roles" });
    const second = await bench.up(dir);
    expect(second).toMatchObject({ applied: [], differences: [], waitedMs: 0 });
    expect(await bench.rows("select id, name from places")).toEqual([{ id: 1, name: null }]);
  });

  it("records statements as the Supabase CLI cuts them", async () => {
    const dir = await folderOf({
      "20240101000000_first.sql": [
        "-- é header",
        "create table public.a (id int primary key); -- trailing",
        "create function public.f() returns int language sql as $$ select 1; select 2; $$;",
        "",
        "/* block */ insert into a values (1);;",
        'create policy "x" on a for all using (true)',
      ].join("\n"),
      "20240103000000_empty.sql": "-- nothing\n",
    });
    await bench.up(dir);
    const rows = await bench.rows("select * from supabase_migrations.schema_migrations order by version");
    expect(rows).toEqual([
      {
        version: "20240101000000",
        name: "first",
        statements: [
          "-- é header\ncreate table public.a (id int primary key)",
          "-- trailing\ncreate function public.f() returns int language sql as $$ select 1; select 2; $$",
          "/* block */ insert into a values (1)",
          'create policy "x" on a for all using (true)',
        ],
      },
      { version: "20240103000000", name: "empty", statements: ["-- nothing"] },
    ]);
    expect((await bench.up(dir)).differences).toEqual([]);
  });

  it("leaves an empty file to whoever is about to write it, where it is told to", async () => {
    const dir = await folderOf({ "1_new.sql": "\n", "2_done.sql": "select 2;" });
    const projects = async (leavesEmpty: boolean) => {
      const { applied, differences } = await bench.up(dir, { leavesEmpty });
      return { applied: applied.filter(({ source }) => source === "project").map(({ name }) => name), differences };
    };
    expect(await projects(true)).toEqual({ applied: ["done"], differences: [] });
    expect(await projects(true)).toEqual({ applied: [], differences: [] });
    await addFiles(dir, { "1_new.sql": "create table public.written (id int primary key);" });
    expect(await projects(true)).toMatchObject({ applied: ["new"], differences: [{ kind: "out-of-order" }] });
    await addFiles(dir, { "3_nothing.sql": "" });
    expect((await projects(false)).applied).toEqual(["nothing"]);
  });

  it("names file, line and statement, and keeps nothing of the file", async () => {
    const dir = await folderOf({
      "1_good.sql": "create table good (id int);",
      "2_bad.sql": "create table half (id int);\n\n-- why\ninsert into half\n  values ('é', nope);\n",
      "3_never.sql": "create table never (id int);",
    });
    const problem = await thrownBy(bench.up(dir));
    expect(problem.code).toBe("migrations/failed");
    expect(problem.details).toMatchObject({ file: "2_bad.sql", line: 5, sqlState: "42703" });
    expect(problem.message).toContain("2_bad.sql:5:");
    const tables = await bench.rows(
      "select to_regclass('good') is not null as good, to_regclass('half') as half, to_regclass('never') as never",
    );
    expect(tables).toEqual([{ good: true, half: null, never: null }]);
    await addFiles(dir, { "2_bad.sql": "create table half (id int);" });
    expect((await bench.up(dir)).applied.map(({ version }) => version)).toEqual(["2", "3"]);
  });

  it("names the place of a syntax error, and of psql's commands", async () => {
    const dir = await folderOf({ "1_a.sql": "select 'éé';\ncreate tabl x();" });
    const problem = await thrownBy(bench.up(dir));
    expect(problem).toMatchObject({ code: "migrations/syntax", details: { file: "1_a.sql", line: 2, column: 8 } });
    const psql = await folderOf({ "1_a.sql": "select 1;\n\\connect other\n" });
    expect((await thrownBy(bench.up(psql))).hint).toContain("psql");
  });

  it("runs a file's own begin and commit as part of its one transaction", async () => {
    const dir = await folderOf({
      "1_a.sql": "begin; create table a (id int); commit;",
      "2_b.sql": "begin; create table b (id int); commit; select 1/0;",
    });
    const problem = await thrownBy(bench.up(dir));
    expect(problem.details).toMatchObject({ file: "2_b.sql", sqlState: "22012" });
    expect(await bench.rows("select to_regclass('a') is not null as a, to_regclass('b') as b")).toEqual([
      { a: true, b: null },
    ]);
  });

  it("starts every file with the same session, whatever the one before it set", async () => {
    const dir = await folderOf({
      "1_dump.sql":
        "select pg_catalog.set_config('search_path', '', false); set statement_timeout = 54321; create table public.x as select 1;",
      "2_after.sql": "create table y as select current_setting('statement_timeout') as timeout, 1 from x;",
    });
    await bench.up(dir);
    expect(await bench.rows("select timeout from y")).toEqual([{ timeout: "0" }]);
  });

  it("finds extensions' functions unqualified, and leaves out an optional one with a warning", async () => {
    const dir = await folderOf({
      "1_a.sql": [
        'create extension if not exists "pgtap" with schema "extensions";',
        'create extension if not exists "uuid-ossp" with schema extensions;',
        "create table t (id uuid default uuid_generate_v4(), hash text default crypt('x', gen_salt('bf', 4)));",
        "insert into t default values;",
      ].join("\n"),
    });
    const { warnings } = await bench.up(dir);
    expect(warnings.join("\n")).toContain(
      `extension "pgtap" is not available on this server: the statement was left out, and SQL that uses it will fail`,
    );
    expect(await bench.rows("select id is not null as ok from t")).toEqual([{ ok: true }]);
  });

  it("says what to do about an extension that is nowhere", async () => {
    const dir = await folderOf({ "1_a.sql": "create extension vector;" });
    const problem = await thrownBy(bench.up(dir));
    expect(problem.hint).toContain("DATABASE_URL");
  });

  it("names the escape when a new enum value is used too early", async () => {
    const dir = await folderOf({
      "1_a.sql": "create type mood as enum ('sad');",
      "2_b.sql": "alter type mood add value 'ok';\nselect 'ok'::mood;",
    });
    const problem = await thrownBy(bench.up(dir));
    expect(problem).toMatchObject({ details: { file: "2_b.sql", line: 2, sqlState: "55P04" } });
    expect(problem.hint).toContain("mainstay: no transaction");
    await addFiles(dir, {
      "2_b.sql": "-- mainstay: no transaction\nalter type mood add value 'ok';\nselect 'ok'::mood;",
    });
    expect((await bench.up(dir)).applied).toHaveLength(1);
  });

  it("stops when told to, and keeps nothing of the file it was in", async () => {
    const dir = await folderOf({ "1_a.sql": "create table a (id int); select pg_sleep(30);" });
    const controller = new AbortController();
    const run = bench.up(dir, {
      signal: controller.signal,
      observe: (o) =>
        o.kind === "migration.applied" && o.version === "0002" && setTimeout(() => controller.abort(), 50),
    });
    await expect(run).rejects.toThrow(/abort/i);
    expect(await bench.rows("select to_regclass('a') as a")).toEqual([{ a: null }]);
  });

  it("tells listeners that the schema changed", async () => {
    const client = await bench.database.connect();
    const heard: string[] = [];
    client.on("notification", ({ channel, payload }) => heard.push(`${channel} ${payload}`));
    await client.query("listen pgrst; listen mainstay_catalog");
    await bench.up(await folderOf({ "1_a.sql": "select 1;" }));
    await client.query("select 1");
    await client.end();
    expect(new Set(heard)).toEqual(new Set(["mainstay_catalog reload schema", "pgrst reload schema"]));
  });
});

describe("changed history", () => {
  it("is reported, and refused only when strict", async () => {
    const dir = await folderOf({ "10_a.sql": "create table a (id int);", "20_b.sql": "create table b (id int);" });
    await bench.up(dir);
    await addFiles(dir, { "20_b.sql": "create table b (id bigint);", "15_late.sql": "create table late (id int);" });
    await bench.rows("insert into supabase_migrations.schema_migrations (version, name) values ('99', 'elsewhere')");

    const problem = await thrownBy(bench.up(dir, { settings: { migrationsStrict: true } }));
    expect(problem.code).toBe("migrations/history-differs");
    expect(await bench.rows("select to_regclass('late') as late")).toEqual([{ late: null }]);

    const { differences, applied } = await bench.up(dir);
    expect(differences.map(({ kind, version }) => [kind, version])).toEqual([
      ["out-of-order", "15"],
      ["changed", "20"],
      ["missing-file", "99"],
    ]);
    expect(applied.map(({ version }) => version)).toEqual(["15"]);
    const reported = bench.observations.filter(({ kind }) => kind === "migration.history-differs");
    expect(reported.length).toBeGreaterThanOrEqual(3);
  });

  it("is not a change when only blanks and line ends differ", async () => {
    const dir = await folderOf({ "1_a.sql": "create table a (id int);\ncreate table b (id int);\n" });
    await bench.up(dir);
    await addFiles(dir, { "1_a.sql": "\uFEFFcreate table a (id int);\r\n\r\ncreate table b (id int);;\r\n" });
    expect((await bench.up(dir)).differences).toEqual([]);
  });

  it("of our own migrations is reported by checksum; a breaking one of a newer version refuses", async () => {
    const own = await folderOf({ "0001_a.sql": "select 1;", "0002_b.sql": "--! breaking\nselect 2;" });
    await bench.up(null, { own });
    await addFiles(own, { "0001_a.sql": "select  1;" });
    expect((await bench.up(null, { own })).differences).toMatchObject([
      { source: "own", kind: "changed", version: "0001" },
    ]);
    const older = await folderOf({ "0001_a.sql": "select 1;" });
    expect((await thrownBy(bench.up(null, { own: older }))).code).toBe("migrations/newer-database");
  });

  it("is shown by the status", async () => {
    const dir = await folderOf({ "1_a.sql": "select 1;", "2_b.sql": "select 2;" });
    await bench.up(dir);
    await addFiles(dir, { "2_b.sql": "select 3;", "3_c.sql": "select 1;" });
    const { migrations } = await migrationStatus({
      database: bench.database,
      own: ownMigrations,
      project: { dir },
    });
    expect(migrations.filter(({ source }) => source === "project")).toEqual([
      { source: "project", version: "1", name: "a", state: "applied", appliedAt: null },
      { source: "project", version: "2", name: "b", state: "changed", appliedAt: null },
      { source: "project", version: "3", name: "c", state: "pending", appliedAt: null },
    ]);
    expect(migrations.filter(({ source }) => source === "own").every(({ appliedAt }) => appliedAt !== null)).toBe(true);
  });
});
