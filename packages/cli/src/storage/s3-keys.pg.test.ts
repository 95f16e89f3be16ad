import { type TestDatabase, templateDatabase, testDatabase } from "@mainstay/testing";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { mainstayHere } from "../in-process.testing.ts";
import { temporaryFolder } from "../testing.ts";

// Every line of these is a whole command.
vi.setConfig({ testTimeout: 120_000 });

let database: TestDatabase;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;

beforeAll(async () => {
  database = await testDatabase(await templateDatabase());
  folder = await temporaryFolder();
});
afterAll(async () => {
  await folder.remove();
  await database.drop();
});

const run = (...args: readonly string[]) =>
  mainstayHere(["storage", "s3-keys", ...args], { cwd: folder.path, env: { DATABASE_URL: database.url } });

test("makes, lists and revokes access keys", async () => {
  const made = JSON.parse((await run("create", "--description", "backups", "--json")).out);
  expect(made).toMatchObject({
    id: expect.stringMatching(/^MS[A-Z2-7]{18}$/),
    secret: expect.stringMatching(/^[\w+/]{40}$/),
    role: "service_role",
    userId: null,
  });
  const listed = await run("list", "--json");
  expect(JSON.parse(listed.out).keys).toMatchObject([{ id: made.id, description: "backups" }]);
  expect(listed.out).not.toContain(made.secret);
  expect((await run("revoke", made.id)).code).toBe(0);
  expect((await run("revoke", made.id)).code).toBe(1);
  expect(JSON.parse((await run("list", "--json")).out).keys).toEqual([]);
});

test("makes no key for a role or a user that is not there, or for a superuser", async () => {
  for (const order of [
    ["--role", "nobody"],
    ["--role", "postgres"],
    ["--user", "0b5f3c2a-7a0e-4c65-9f6e-2d1d8b7f1a01"],
    ["--user", "ann"],
  ]) {
    const { code, err } = await run("create", ...order);
    expect([code, err.length > 0]).toEqual([1, true]);
  }
  expect(JSON.parse((await run("list", "--json")).out).keys).toEqual([]);
});
