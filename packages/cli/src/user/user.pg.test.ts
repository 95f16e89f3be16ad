import { writeFile } from "node:fs/promises";
import { join } from "node:path";
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
  mainstayHere(["user", ...args], { cwd: folder.path, env: { DATABASE_URL: database.url, ...env } });
const file = async (name: string, text: string) => {
  await writeFile(join(folder.path, name), text);
  return name;
};
const rows = async (text: string) => (await client.query(text)).rows;

test("makes, lists, bans, shows and deletes an account", async () => {
  const made = JSON.parse((await run(["create", "ann@example.com", "--json"])).out);
  expect(made).toMatchObject({ email: "ann@example.com", password: expect.stringMatching(/^[\w-]{20}$/) });
  const given = await run(["create", "bob@example.com", "--password-env", "SECRET"], {
    SECRET: "correct horse battery",
  });
  expect([given.code, given.out.includes("correct horse")]).toEqual([0, false]);
  expect((await run(["create", "bob@example.com"])).code).toBe(1);

  const listed = JSON.parse((await run(["list", "ann", "--json"])).out);
  expect(listed).toMatchObject({ total: 1, users: [{ id: made.id, email: "ann@example.com", isBanned: false }] });
  expect(JSON.parse((await run(["ban", "ann@example.com", "--json"])).out).isBanned).toBe(true);
  expect((await run(["list"])).out).toContain("banned");
  expect(JSON.parse((await run(["unban", made.id, "--json"])).out).isBanned).toBe(false);

  await client.query(
    `insert into auth.sessions (id, user_id, created_at, not_after, tag) values
      (gen_random_uuid(), $1, now() - interval '2 hours', null, 'older'), (gen_random_uuid(), $1, now(), null, 'newer'),
      (gen_random_uuid(), $1, now() - interval '1 day', now() - interval '1 hour', 'over')`,
    [made.id],
  );
  // As `GET /admin/users/:id/sessions` has them.
  const { sessions } = JSON.parse((await run(["sessions", made.id, "--end", "--json"])).out);
  expect(sessions.map(({ tag }: { tag: string }) => tag)).toEqual(["newer", "older"]);
  expect(await rows("select from auth.sessions")).toEqual([]);

  await client.query("create table public.notes (owner uuid references auth.users on delete cascade)");
  await client.query("insert into public.notes values ($1)", [made.id]);
  const preview = await run(["delete", "ann@example.com", "--dry-run"]);
  expect(preview.out).toContain("public.notes");
  expect((await run(["delete", "ann@example.com"])).err).toContain("--yes");
  expect(await rows("select from public.notes")).toHaveLength(1);
  expect((await run(["delete", "ann@example.com", "--yes"])).code).toBe(0);
  expect(await rows("select from public.notes")).toEqual([]);
  expect(await run(["delete", "ann@example.com", "--yes"])).toMatchObject({
    code: 1,
    err: expect.stringContaining("There is no user"),
  });
});

const hash = "$2a$10$abcdefghijklmnopqrstuuLZ1Z2Z3Z4Z5Z6Z7Z8Z9Z0Z1Z2Z3Z4Z5";
const dump = `COPY auth.identities (provider_id, user_id, identity_data, provider) FROM stdin;
g1\t11111111-1111-4111-8111-111111111111\t{"sub": "g1"}\tgoogle
\\.
COPY auth.users (id, email, encrypted_password, email_confirmed_at, raw_user_meta_data) FROM stdin;
11111111-1111-4111-8111-111111111111\tdump@example.com\t${hash}\t2026-01-01 00:00:00+00\t{"name": "D"}
22222222-2222-4222-8222-222222222222\tbad address\t\\N\t\\N\t\\N
\\.
`;

test("imports a dump in two passes, tells what was refused, and can be repeated", async () => {
  const path = await file("dump.sql", dump);
  const trial = await run(["import", path, "--from", "supabase", "--dry-run", "--json"]);
  expect(JSON.parse(trial.out)).toMatchObject({ dryRun: true, read: 2, imported: 1, invalid: 1 });
  expect(await rows("select from auth.users where email = 'dump@example.com'")).toEqual([]);

  const first = await run(["import", path, "--from", "supabase"]);
  expect(first.code).toBe(1);
  expect(first.out).toContain("1 of 2 imported");
  expect(first.err).toContain("Line 6, bad address: the e-mail address is malformed");
  expect(
    await rows(`select encrypted_password, provider from auth.users u join auth.identities i on i.user_id = u.id
      where u.email = 'dump@example.com' order by provider`),
  ).toEqual([
    { encrypted_password: hash, provider: "email" },
    { encrypted_password: hash, provider: "google" },
  ]);
  const again = JSON.parse((await run(["import", path, "--from", "supabase", "--json"])).out);
  expect(again).toMatchObject({ imported: 0, exists: 1, invalid: 1, identities: 0 });
});

test("imports Firebase, Parse and a table of one's own, in batches", async () => {
  const config = await file(
    "hash.txt",
    "hash_config {\n  algorithm: SCRYPT,\n  base64_signer_key: c2lnbmVy,\n  base64_salt_separator: Bw==,\n  rounds: 8,\n  mem_cost: 14,\n}",
  );
  const users = Array.from({ length: 25 }, (_, one) => ({
    localId: `f${one}`,
    email: `f${one}@example.com`,
    emailVerified: true,
    passwordHash: "aGFzaA==",
    salt: "c2FsdA==",
  }));
  const json = await file("firebase.json", JSON.stringify({ users }, null, 1));
  expect((await run(["import", json, "--from", "firebase"])).err).toContain("--hash-config");
  const firebase = await run([
    "import",
    json,
    "--from",
    "firebase",
    "--hash-config",
    config,
    "--batch",
    "10",
    "--json",
  ]);
  expect(JSON.parse(firebase.out)).toMatchObject({ read: 25, imported: 25, invalid: 0 });
  expect(await rows("select encrypted_password as hash from auth.users where email = 'f7@example.com'")).toEqual([
    { hash: "$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==,sk=c2lnbmVy$c2FsdA==$aGFzaA==" },
  ]);

  const parse = await file("parse.json", `{"_id": "p1", "email": "p1@example.com", "_hashed_password": "${hash}"}\n`);
  expect(JSON.parse((await run(["import", parse, "--from", "parse", "--confirm-emails", "--json"])).out).imported).toBe(
    1,
  );
  expect(
    await rows("select from auth.users where email = 'p1@example.com' and email_confirmed_at is not null"),
  ).toHaveLength(1);

  const csv = await file("own.csv", `email,password_hash,email_verified\nown@example.com,${hash},true\n`);
  expect(JSON.parse((await run(["import", csv, "--from", "csv", "--json"])).out).imported).toBe(1);
});

test("says what is wrong with the call or the file", async () => {
  expect(await run(["import", "nowhere.json", "--from", "parse"])).toMatchObject({ code: 2 });
  expect(await run(["import", "dump.sql"])).toMatchObject({ code: 2, err: expect.stringContaining("--from") });
  const empty = await file("empty.json", "{}");
  expect((await run(["import", empty, "--from", "firebase"])).code).toBe(1);
  const none = await file("none.sql", "-- nothing\n");
  expect((await run(["import", none, "--from", "supabase"])).err).toContain("has no accounts in it");
});
