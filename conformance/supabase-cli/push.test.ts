import { afterEach, beforeEach, expect, it } from "vitest";
import { type Listed, openWorkbench, projectOf, type Status, type Up, type Workbench } from "./tools.ts";

let bench: Workbench;
beforeEach(async () => {
  bench = await openWorkbench();
});
afterEach(() => bench.close());

/** Everything that makes cutting a file into statements hard. */
const files = {
  "20240101000000_first.sql": [
    "-- é header; with a semicolon",
    "create table public.a (id int primary key, word text default ';'); -- trailing",
    "create function public.f() returns int language sql as $$ select 1; select 2; $$;",
    "create function public.g() returns int language sql begin atomic select 1; select case when true then 2 end; end;",
    "",
    "/* block; */ insert into a values (1, E'it\\'s;');;",
    'create policy "x; y" on a for all using (true)',
  ].join("\n"),
  "20240102000000_concurrently.sql": "create index concurrently a_id on a (id);\n",
  "20240103000000_only_a_comment.sql": "-- nothing\n",
  "20240104000000_end_comment.sql": "select 1;\n-- the end\n",
};
const versions = Object.keys(files).map((name) => name.slice(0, 14));
const history = "select version, name, statements from supabase_migrations.schema_migrations order by version";

it("believes what the CLI has pushed", async () => {
  await bench.write(files);
  await bench.supabase("db", "push");
  const up = await bench.mainstay<Up>("migrate", "up");
  expect(projectOf(up.applied)).toEqual([]);
  expect(up.differences).toEqual([]);
  const { migrations } = await bench.mainstay<Status>("migrate", "status");
  expect(projectOf(migrations).map(({ version, state }) => [version, state])).toEqual(
    versions.map((version) => [version, "applied"]),
  );
});

it("is believed by the CLI", async () => {
  await bench.write(files);
  const up = await bench.mainstay<Up>("migrate", "up");
  expect(projectOf(up.applied).map(({ version }) => version)).toEqual(versions);
  const { migrations } = await bench.supabaseJson<Listed>("migration", "list");
  expect(migrations.map(({ local, remote }) => [local, remote])).toEqual(versions.map((version) => [version, version]));
  expect(await bench.supabaseJson("db", "push", "--dry-run")).toMatchObject({ upToDate: true, migrations: [] });
});

it("takes turns with the CLI on one database", async () => {
  await bench.write({ "20240101000000_a.sql": "create table a (id int);" });
  await bench.mainstay("migrate", "up");
  await bench.write({ "20240102000000_b.sql": "create table b (id int);" });
  await bench.supabase("db", "push");
  await bench.write({ "20240103000000_c.sql": "create table c (id int);" });
  const up = await bench.mainstay<Up>("migrate", "up");
  expect(projectOf(up.applied).map(({ version }) => version)).toEqual(["20240103000000"]);
  expect(await bench.rows("select version from supabase_migrations.schema_migrations order by version")).toHaveLength(
    3,
  );
});

it("records the very statements the CLI records", async () => {
  const other = await openWorkbench();
  try {
    await Promise.all([bench.write(files), other.write(files)]);
    await bench.supabase("db", "push");
    await other.mainstay("migrate", "up");
    expect(await other.rows(history)).toEqual(await bench.rows(history));
  } finally {
    await other.close();
  }
});

it("follows the CLI's repairs of the history", async () => {
  await bench.write({ "20240101000000_a.sql": "select 1;", "20240102000000_b.sql": "select 2;" });
  await bench.mainstay("migrate", "up");
  await bench.supabase("migration", "repair", "--status", "reverted", "20240102000000");
  const up = await bench.mainstay<Up>("migrate", "up");
  expect(projectOf(up.applied).map(({ version }) => version)).toEqual(["20240102000000"]);
  await bench.write({ "20240103000000_c.sql": "select 1/0;" });
  await bench.supabase("migration", "repair", "--status", "applied", "20240103000000");
  expect(await bench.mainstay<Up>("migrate", "up")).toMatchObject({ applied: [], differences: [] });
});
