import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestDatabase, templateDatabase, testDatabase } from "@mainstay/testing";
import pg from "pg";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { mainstayHere } from "../in-process.testing.ts";
import { temporaryFolder } from "../testing.ts";
import { functionFindings } from "./functions.ts";

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

const parts = /^(?:functions|jobs|schedules|webhooks)/;

/** What is said about functions and what they do later: `state name: found`. */
async function examine(): Promise<readonly string[]> {
  const { out } = await mainstayHere(["doctor", "--json"], { cwd: folder.path, env: { DATABASE_URL: database.url } });
  const findings = JSON.parse(out) as readonly { name: string; state: string; found: string }[];
  return findings.filter(({ name }) => parts.test(name)).map(({ name, state, found }) => `${state} ${name}: ${found}`);
}

test("has nothing against a project without functions, and names what is wrong with one that has some", async () => {
  expect(await examine()).toEqual(["ok jobs: none is dead or stuck"]);

  await mkdir(join(folder.path, "functions"));
  const write = (name: string, source: string) => writeFile(join(folder.path, "functions", name), source);
  await write("pay.ts", `Deno.serve(() => new Response(Deno.env.get("STRIPE_KEY") ?? process.env.GIVEN));`);
  await write("broken.ts", "export default () => {");
  await write(".env", "GIVEN=1");
  await client.query(`
    insert into mainstay.jobs (id, name, state, finished_at, run_at) values
      (gen_random_uuid(), 'mail', 5, now(), now()), (gen_random_uuid(), 'mail', 5, now(), now()),
      (gen_random_uuid(), 'nobodys', 0, null, now() - interval '1 h'), (gen_random_uuid(), 'fine', 0, null, now());
    insert into mainstay.schedules (owner, name, expression, time_zone, missed, job_name, next_run_at) values
      ('functions', 'nightly', '0 3 * * *', 'UTC', 'once', 'x', '2026-01-01T03:00:00Z'),
      ('functions', 'later', '0 3 * * *', 'UTC', 'once', 'x', now() + interval '1 h');
    create table public.bookings (id int primary key);
    select mainstay.create_webhook('off', 'https://a.example', 'bookings');
    select mainstay.create_webhook('fails', 'https://b.example', 'bookings');
    select mainstay.create_webhook('works', 'https://c.example', 'bookings');
    update mainstay.webhooks set is_enabled = false, disabled_reason = 'answered 410' where name = 'off';
    update mainstay.webhooks set failing_since = now() where name = 'fails';
    insert into mainstay.change_gaps (handler, reason) values ('confirm', 'retention'), ('confirm', 'slot-lost')`);
  expect(await examine()).toEqual([
    'warn jobs: 2 jobs of "mail" failed for good',
    'warn jobs: 1 job of "nobodys" could have run for more than 5 minutes',
    'warn schedules: "nightly" of functions was due at 2026-01-01T03:00:00.000000Z and has not run',
    expect.stringMatching(/^warn webhooks: "fails" fails since /),
    'warn webhooks: "off" is off: answered 410',
    'warn functions: changes: "confirm" was not told of changes, 2 times within a day (slot-lost)',
    expect.stringMatching(/^fail functions: functions\/broken\.ts:1: /),
    "warn functions: secrets: pay asks for STRIPE_KEY, which is not given",
    expect.stringMatching(/^(?:ok|warn) functions: process: confined, /),
  ]);
});

test("X23 says when the process of functions cannot be held", () => {
  const examined = { functions: ["a"], diagnostics: [], missingSecrets: [], isConfined: false, isBounded: false };
  const found = (given: object) =>
    functionFindings({ ...examined, ...given }).map(({ name, state }) => `${state} ${name}`);
  expect(found({})).toEqual(["ok functions", "fail functions: process"]);
  expect(found({ isConfined: true })).toEqual(["ok functions", "warn functions: process"]);
  expect(found({ isConfined: true, isBounded: true })).toEqual(["ok functions", "ok functions: process"]);
});
