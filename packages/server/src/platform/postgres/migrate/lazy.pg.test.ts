import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { folderOf, openBench, ownMigrations } from "./testing.ts";

/** Counts loads of the parser in a process of its own, where nothing else can have loaded it. */
const program = `
  import { registerHooks } from "node:module";
  let loads = 0;
  registerHooks({ load: (url, context, next) => { if (url.includes("libpg-query")) loads++; return next(url, context); } });
  const [url, own, dir, migrateUrl, databaseUrl] = process.argv.slice(1);
  const { migrate, seed } = await import(migrateUrl);
  const { openDatabase } = await import(databaseUrl);
  const database = openDatabase({ connectionString: url });
  const report = await migrate({ database, own, project: { dir }, observe: () => {} });
  await seed({ database, files: [], observe: () => {} });
  await database.close();
  console.log(JSON.stringify({ applied: report.applied.length, loads }));
`;

it("does not load the parser when nothing is pending", async () => {
  const bench = await openBench();
  const dir = await folderOf({ "1_a.sql": "create table a (id int);" });
  const run = async () => {
    const urls = ["./index.ts", "../database.ts"].map((path) => new URL(path, import.meta.url).href);
    const args = ["--input-type=module", "-e", program, bench.url, ownMigrations, dir, ...urls];
    const { stdout } = await promisify(execFile)(process.execPath, args, {
      cwd: fileURLToPath(new URL(".", import.meta.url)),
    });
    return JSON.parse(stdout) as { applied: number; loads: number };
  };
  try {
    const first = await run();
    expect(first.applied).toBeGreaterThan(2);
    expect(first.loads).toBeGreaterThan(0);
    expect(await run()).toEqual({ applied: 0, loads: 0 });
  } finally {
    await bench.close();
  }
});
