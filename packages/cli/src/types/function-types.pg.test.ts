import { mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openFunctionBuild } from "@mainstay/server/function-build";
import { type TestDatabase, testDatabase } from "@mainstay/testing";
import pg from "pg";
import { afterAll, beforeAll, expect, it } from "vitest";
import { refreshFunctionTypes } from "./function-types.ts";

let database: TestDatabase;
let client: pg.Client;
let dir: string;

beforeAll(async () => {
  database = await testDatabase();
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
  await client.query(`
    create type public.booking_status as enum ('open', 'confirmed');
    create table public.bookings (id uuid primary key default gen_random_uuid(), status public.booking_status not null, guests int not null)`);
  dir = await realpath(await mkdtemp(join(tmpdir(), "function-types-")));
});
afterAll(async () => {
  await client.end();
  await database.drop();
  await rm(dir, { recursive: true, force: true });
});

async function typeErrors(code: string): Promise<readonly (readonly [number | null, string | undefined])[]> {
  await writeFile(join(dir, "a.ts"), code);
  const build = await openFunctionBuild({
    projectDir: dir,
    functionsDir: dir,
    supabaseConfigFile: null,
    cacheDir: join(dir, ".mainstay/cache/functions"),
    mode: "look",
    settings: { functionsSourceLimitBytes: 1e6, functionsBundleLimitBytes: 1e6 },
    observe: () => {},
  });
  try {
    expect(build.current().diagnostics).toEqual([]);
    return (await build.checkTypes()).map(({ line, source }) => [line, source?.trim()]);
  } finally {
    await build.close();
  }
}

it("types ctx.db and on() by the schema as it is, and follows it", async () => {
  expect(await refreshFunctionTypes(client, dir, ["public"])).toBe(join(dir, "database.d.ts"));
  expect(await refreshFunctionTypes(client, dir, ["public"])).toBeNull();
  expect(await readFile(join(dir, "database.d.ts"), "utf8")).not.toContain("const Constants");
  const code = `import { on } from "@mainstay/functions";
on("bookings", "update", async (change, ctx) => {
  const status: "open" | "confirmed" = change.row.status;
  const { data } = await ctx.db.from("bookings").select("guests").eq("status", status);
  const guests: number | undefined = data?.[0]?.guests;
  ctx.log.info("read", { guests, note: change.row.note });
  await ctx.admin.from("bookings").insert({ status: "gone", guests: 1 });
});
`;
  const insert = 'await ctx.admin.from("bookings").insert({ status: "gone", guests: 1 });';
  expect(await typeErrors(code)).toEqual([
    [6, 'ctx.log.info("read", { guests, note: change.row.note });'],
    [7, insert],
  ]);
  await client.query("alter table public.bookings add column note text");
  expect(await refreshFunctionTypes(client, dir, ["public"])).not.toBeNull();
  expect(await typeErrors(code)).toEqual([[7, insert]]);
});
