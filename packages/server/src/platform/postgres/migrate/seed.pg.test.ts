import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type SeedNeeds, type SeedReport, seed } from "./seed.ts";
import { type Bench, folderOf, openBench } from "./testing.ts";

let bench: Bench;
beforeEach(async () => {
  bench = await openBench();
  await bench.up(await folderOf({ "1_a.sql": "create table items (id int primary key, name text);" }));
});
afterEach(() => bench.close());

const run = (files: readonly string[], more: Partial<SeedNeeds> = {}): Promise<SeedReport> =>
  seed({ database: bench.database, files, observe: (o) => bench.observations.push(o), ...more });

const count = async () => (await bench.rows<{ n: number }>("select count(*)::int as n from items"))[0]?.n;

describe("seed", () => {
  it("runs once, and says when the file has changed since", async () => {
    const dir = await folderOf({
      "seed.sql": "insert into items values (1, 'a;b');\ninsert into items values (2, null);",
    });
    const file = join(dir, "seed.sql");
    expect(await run([file])).toEqual({ applied: ["seed.sql"], changed: [], failed: null });
    expect(await run([file])).toEqual({ applied: [], changed: [], failed: null });
    await writeFile(file, "insert into items values (3, null);");
    expect(await run([file])).toEqual({ applied: [], changed: ["seed.sql"], failed: null });
    expect(await count()).toBe(2);
    expect(await run([file], { isForced: true })).toMatchObject({ applied: ["seed.sql"] });
    expect(await count()).toBe(3);
  });

  it("takes dumps: COPY with its data, settings, begin and commit", async () => {
    const dir = await folderOf({
      "seed.sql": [
        "\\restrict x",
        "begin;",
        "select pg_catalog.set_config('search_path', '', false);",
        "copy public.items (id, name) from stdin;",
        "1\ta;'b",
        "2\t\\N",
        "\\.",
        "commit;",
        "insert into public.items values (3, 'é');",
      ].join("\n"),
    });
    expect(await run([join(dir, "seed.sql")])).toMatchObject({ failed: null });
    expect(await bench.rows("select * from items order by id")).toEqual([
      { id: 1, name: "a;'b" },
      { id: 2, name: null },
      { id: 3, name: "é" },
    ]);
  });

  it("never rejects: names file, line and statement, keeps nothing, and tries again", async () => {
    const lines = Array.from({ length: 500 }, (_, n) => `insert into items values (${n}, 'x');`);
    lines[401] = "-- a comment\ninsert into items\n  values (7, 'twice');";
    const dir = await folderOf({ "seed.sql": lines.join("\n"), "b.sql": "insert into items values (1000, 'b');" });
    const { failed, applied } = await run([join(dir, "seed.sql"), join(dir, "b.sql")]);
    expect(applied).toEqual([]);
    expect(failed?.file).toBe("seed.sql");
    expect(failed?.problem).toMatchObject({
      code: "seed/failed",
      details: { file: "seed.sql", sqlState: "23505", statement: expect.stringContaining("(7, 'twice')") },
    });
    expect(bench.observations.filter(({ kind }) => kind === "seed.failed")).toHaveLength(1);
    expect(await count()).toBe(0);
    lines[401] = "";
    await writeFile(join(dir, "seed.sql"), lines.join("\n"));
    expect(await run([join(dir, "seed.sql")])).toMatchObject({ failed: null });
    expect(await count()).toBe(499);
  });

  it.each([
    ["copy public.items from stdin;\n1\ta\nx\tb\n\\.\n", "22P02", 1],
    ["select 1;\n-- why\nselect nope;\n", "42703", 3],
    ["select 1;\n-- why\nselect\n  nope;\n", "42703", 4],
  ])("names the line of %j", async (sql, sqlState, line) => {
    const dir = await folderOf({ "seed.sql": sql });
    const { failed } = await run([join(dir, "seed.sql")]);
    expect(failed?.problem.details).toMatchObject({ sqlState, line });
  });

  it("runs a seed.ts in one transaction and shows its progress", async () => {
    const dir = await folderOf({
      "seed.ts": `export default async ({ client, progress }: { client: any; progress: any }) => {
        await client.query("insert into items select n, null from generate_series(1, 50) n");
        progress("half way", 50, 100);
        await client.query("insert into items select n, null from generate_series(51, 100) n");
      };`,
      "bad.ts": `export default async ({ client }: { client: any }) => {
        await client.query("insert into items values (1000, null)");
        throw new Error("no such planet");
      };`,
    });
    const seen: unknown[] = [];
    const report = await run([join(dir, "seed.ts"), join(dir, "bad.ts")], {
      onProgress: (text, done, total) => seen.push([text, done, total]),
    });
    expect(report.applied).toEqual(["seed.ts"]);
    expect(report.failed?.problem.message).toBe("bad.ts: no such planet");
    expect(seen).toEqual([["half way", 50, 100]]);
    expect(await count()).toBe(100);
  });

  it("B19: killed at a statement, the next start completes; two at once, one runs", async () => {
    await bench.rows(`create function kill_if(word text) returns text language plpgsql as $$
      begin
        if word = current_setting('fault.word', true) then perform pg_terminate_backend(pg_backend_pid()); end if;
        return word;
      end $$;
      do $$ begin execute format('alter database %I set fault.word = %L', current_database(), 'b'); end $$`);
    const dir = await folderOf({
      "seed.sql": "insert into items values (1, 'a'); insert into items values (2, kill_if('b'));",
    });
    const file = join(dir, "seed.sql");
    expect((await run([file])).failed).not.toBeNull();
    expect(await count()).toBe(0);
    await bench.rows("do $$ begin execute format('alter database %I reset fault.word', current_database()); end $$");
    const reports = await Promise.all([run([file]), run([file]), run([file])]);
    expect(reports.map(({ applied }) => applied.length).sort()).toEqual([0, 0, 1]);
    expect(await count()).toBe(2);
  });
});
