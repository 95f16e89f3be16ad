import { type TestDatabase, templateDatabase, testDatabase } from "@mainstay/testing";
import pg from "pg";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { mainstayHere } from "../in-process.testing.ts";
import { temporaryFolder } from "../testing.ts";

// Every line of these is a whole command.
vi.setConfig({ testTimeout: 120_000 });

let database: TestDatabase;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let client: pg.Client;
beforeAll(async () => {
  database = await testDatabase(await templateDatabase());
  folder = await temporaryFolder();
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
});
afterAll(async () => {
  await client.end();
  await folder.remove();
  await database.drop();
});

const run = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  mainstayHere(["storage", ...args], { cwd: folder.path, env: { DATABASE_URL: database.url, ...env } });

test("storage check tells what is wrong, repairs what nobody misses, and ends as it found", async () => {
  expect(await run(["check"])).toMatchObject({ code: 0, out: "All is well.\n" });
  await client.query(`
    insert into storage.buckets (id, name) values ('files', 'files');
    insert into storage.objects (bucket_id, name, version) values ('files', 'lost.png', 'no such version');
    insert into mainstay.object_usage (owner_id, used_bytes) values ('ann', 99);
    insert into mainstay.object_versions (id, bucket_id, state) values ('11111111-1111-4111-8111-111111111111', 'files', 'kept')`);
  const looked = await run(["check", "--json"]);
  const findings = looked.out
    .trim()
    .split("\n")
    .map((text) => JSON.parse(text));
  expect(looked.code).toBe(1);
  expect(findings.map(({ kind }) => kind).sort()).toEqual(["unnamed-version", "usage-differs", "version-missing"]);
  expect(findings).toContainEqual(
    expect.objectContaining({ kind: "version-missing", isLoss: true, object: { bucketId: "files", name: "lost.png" } }),
  );
  const repaired = await run(["check", "--repair", "--deep"]);
  expect([repaired.code, repaired.out]).toEqual([
    1,
    expect.stringMatching(/damaged .*lost\.png[\s\S]*1 damaged: [\s\S]*2 repaired/),
  ]);
  expect((await client.query("select name from storage.objects")).rows).toEqual([{ name: "lost.png" }]);
  expect((await run(["check"])).out).toMatch(/^damaged .*\n\n1 damaged: .*\n$/);
  await client.query("delete from storage.objects");
  expect((await run(["check"])).code).toBe(0);
});

test("storage rotate-key says what it needs, and what it did", async () => {
  expect(await run(["rotate-key"])).toMatchObject({
    code: 1,
    err: expect.stringContaining("MAINSTAY_STORAGE_ENCRYPTION_KEY"),
  });
  const key = {
    MAINSTAY_STORAGE_ENCRYPTION_KEY: Buffer.from(Array.from({ length: 32 }, (_, at) => at)).toString("base64"),
  };
  expect(JSON.parse((await run(["rotate-key", "--json"], key)).out)).toEqual({ rewrapped: 0, failed: {} });
  await client.query(`
    insert into mainstay.object_versions (id, bucket_id, state) values ('22222222-2222-4222-8222-222222222222', 'files', 'kept');
    insert into mainstay.object_segments (blob_id, version_id, position, size_bytes, wrapped_key, wrapping_key_id)
    values (gen_random_uuid(), '22222222-2222-4222-8222-222222222222', 0, 1, '\\x00', 'former')`);
  expect(await run(["rotate-key"], key)).toMatchObject({ code: 1, err: expect.stringContaining("former") });
});
