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

interface Found {
  readonly name: string;
  readonly state: string;
  readonly found: string;
  readonly remedy: string | null;
}

const parts = ["log", "publication", "policies", "messages", "realtime"];

/** What the command says about the log and realtime: `state name: found`. */
async function examine(env: Readonly<Record<string, string>> = {}): Promise<readonly string[]> {
  const { out } = await mainstayHere(["doctor", "--json"], {
    cwd: folder.path,
    env: { DATABASE_URL: database.url, ...env },
  });
  return (JSON.parse(out) as readonly Found[])
    .filter(({ name }) => parts.includes(name))
    .map(({ name, state, found }) => `${state} ${name}: ${found}`);
}

test("has nothing against a database that nobody has followed yet", async () => {
  expect(await examine()).toEqual([
    "ok log: can be followed; nobody does",
    "ok publication: supabase_realtime has no table",
    "ok messages: nobody has sent one from SQL",
  ]);
  expect(await examine({ MAINSTAY_REALTIME_ENABLED: "false" })).toEqual(["ok realtime: switched off"]);
});

test("names tables without replica identity, and policies that PostgreSQL decides", async () => {
  await client.query(`
    create table public.rooms (id int primary key, owner uuid, name text);
    create view public.open_rooms as select id from public.rooms;
    create table public.logs (line text);
    create table public.events (line text);
    alter table public.events replica identity full;
    create table public.halves (id int primary key, a int, b int);
    create table public.crossed (id int primary key);
    alter table public.crossed enable row level security;
    alter table public.rooms enable row level security;
    create policy "own" on public.rooms for select to authenticated using (owner = auth.uid());
    create policy "by size" on public.rooms for select to anon, authenticated using (length(name) > 3 and md5(name) like 'a%');
    create policy "writes" on public.rooms for insert to authenticated with check (md5(name) = 'x');
    create policy "through a view" on public.crossed for select using (id in (select o.id from public.open_rooms o));
    create publication supabase_realtime_messages for table public.halves (id, a);
    alter publication supabase_realtime add table public.rooms, public.logs, public.events, public.crossed, public.halves (id, b);
    alter publication mainstay_policies add table public.halves (id, a)`);
  const found = await examine();
  expect(found.filter((line) => line.startsWith("warn publication"))).toEqual([
    expect.stringMatching(/public\.logs has neither a primary key nor another replica identity/),
    expect.stringMatching(/public\.halves is published with other columns by another publication/),
    expect.stringMatching(/public\.events has no primary key/),
  ]);
  expect(found.filter((line) => line.includes(" policies: "))).toEqual([
    'warn policies: "by size" on public.rooms is not decided in memory (the function length)',
    expect.stringMatching(/^warn policies: "through a view" on public\.crossed .*public\.open_rooms/),
  ]);
});

test("says how much log is kept, and when that is too much", async () => {
  const { rows } = await client.query("select oid from pg_database where datname = current_database()");
  const slot = `mainstay_log_${rows[0].oid}`;
  await client.query("select pg_create_logical_replication_slot($1, 'pgoutput')", [slot]);
  try {
    expect((await examine())[0]).toMatch(/^ok log: followed by 0 servers; PostgreSQL keeps \d+ MiB of it$/);
    await client.query(
      "select pg_logical_emit_message(false, 'filler', repeat('x', 1000000)) from generate_series(1, 20)",
    );
    expect((await examine({ MAINSTAY_LOG_RETAINED_BYTES: String(16 * 1_048_576) }))[0]).toMatch(
      /^warn log: .*more than the 16 MiB of MAINSTAY_LOG_RETAINED_BYTES$/,
    );
  } finally {
    await client.query("select pg_drop_replication_slot($1)", [slot]);
  }
});

test("says why the log cannot be followed", async () => {
  const url = new URL(database.url);
  url.username = "without_replication";
  url.password = "nothing-secret";
  // A superuser's rights are inherited by its members, its attributes are not.
  await client.query("create role without_replication login createrole password 'nothing-secret'");
  try {
    await client.query(`grant "${new URL(database.url).username}" to without_replication`);
    await client.query("grant anon, authenticated, service_role to without_replication");
    const { out } = await mainstayHere(["doctor", "--json"], { cwd: folder.path, env: { DATABASE_URL: url.href } });
    const log = (JSON.parse(out) as readonly Found[]).find(({ name }) => name === "log");
    expect(log, out).toMatchObject({ state: "warn", found: expect.stringMatching(/cannot be followed/) });
    expect(log!.remedy).toMatch(/^As a superuser: alter role .* replication/);
  } finally {
    await client.query("drop role without_replication");
  }
});

test("notices that days of messages are not kept", async () => {
  await client.query("select realtime.send('{}', 'a', 'room')");
  await client.query("update realtime.messages set inserted_at = inserted_at - interval '9 days'");
  expect((await examine()).at(-1)).toMatch(/^warn messages: realtime\.messages has days that are over/);
});
