import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type AuthServer, type Person, startAuth } from "../auth/server.ts";
import { failuresOf, type RealtimeApp, withClients } from "./app.ts";
import type { Client } from "./client.ts";

/** How long after a right has ended whatever follows from it may still come (threat R05). */
const withinMs = 5_000;

let auth: AuthServer;
let app: RealtimeApp;
beforeAll(async () => {
  auth = await startAuth({ identity: { jwtLeewaySeconds: 0 }, auth: { mailerAutoconfirm: true } });
  app = withClients(auth);
  await app.sql(`
    create role lodger nologin; grant lodger to authenticator; grant usage on schema public to lodger;
    grant authenticated to lodger`);
});
afterAll(async () => {
  expect(failuresOf(app)).toEqual([]);
  await app.stop();
});

/** Rights of every kind that there are: on columns, by policies, by a membership, by a function, by what the token says. */
const world = `
  drop table if exists public.talk, public.members cascade;
  create table public.members (room text, user_id uuid, primary key (room, user_id));
  create table public.talk (id serial primary key, room text not null, body text, secret text);
  revoke all on public.members, public.talk from anon, authenticated;
  grant select on public.members, public.talk to authenticated;
  alter table public.members enable row level security;
  alter table public.talk enable row level security;
  create policy "own" on public.members for select to authenticated using (user_id = auth.uid());
  create or replace function public.is_member(room text) returns boolean language plpgsql stable security definer set search_path = ''
    as $$ begin return exists (select from public.members m where m.room = $1 and m.user_id = auth.uid()); end $$;
  create policy "members" on public.talk for select to authenticated
    using (exists (select from public.members m where m.room = talk.room and m.user_id = auth.uid()));
  create policy "asked of a function" on public.talk for select to authenticated
    using (room like 'by function%' and public.is_member(room));
  alter publication supabase_realtime add table public.talk;
  drop policy if exists "read" on realtime.messages;
  create policy "read" on realtime.messages for select to authenticated using (
    realtime.topic() like 'open %' or realtime.topic() like 'room%' and exists (
      select from public.members m where m.room = realtime.topic() and m.user_id = auth.uid()));
  drop policy if exists "read by function" on realtime.messages;
  create policy "read by function" on realtime.messages for select to authenticated using (
    realtime.topic() like 'by function%' and public.is_member(realtime.topic()));`;

let member: Person;
let other: Person;
let rows: Client;
let room = "";
let rooms = 0;
beforeAll(async () => {
  [member, other] = [await auth.newPerson(), await auth.newPerson()];
});
beforeEach(async () => {
  await app.sql(world);
  await caughtUp();
  room = `room ${++rooms}`;
  await enroll(room);
});
afterEach(() => rows?.cut());

/** The server has heard of the world that was made: until then it goes by the one before. */
async function caughtUp(): Promise<void> {
  const client = await app.connect({ key: app.serviceRoleKey });
  const body = `world ${++worlds}`;
  const hears = async () => {
    await client.follow("realtime:worlds", [binding]).catch(() => {});
    await say("nowhere", body);
    await client.beat();
    return client.of("postgres_changes").some(({ payload }) => payload.data.record?.body === body);
  };
  await expect.poll(hears).toBe(true);
  client.cut();
}
let worlds = 0;

const enroll = (name: string) =>
  app.sql(`insert into public.members values ('${name}', '${member.id}'), ('${name}', '${other.id}')`);
const say = (name: string, body: string) =>
  app.sql("insert into public.talk (room, body, secret) values ($1, $2, 's')", [name, body]);
const send = (name: string, body: string) =>
  app.sql("select realtime.send(jsonb_build_object('body', $2::text), 'said', $1, true)", [name, body]);
const binding = { event: "*", schema: "public", table: "talk" };

async function reads(name: string, person: Person): Promise<Client> {
  const client = await app.connect();
  await client.follow(`realtime:rows of ${name}`, [{ ...binding, filter: `room=eq.${name}` }], person.token);
  return client;
}

const bodies = (client: Client): readonly unknown[] =>
  client.of("postgres_changes").map(({ payload: { data } }) => data.record?.body ?? data.errors?.[0]);

/** What is said before the right ends comes, and of what has committed after it has ended nothing, from the first message on. */
async function expectEndOfRows(change: () => Promise<unknown>, name = room): Promise<void> {
  rows = await reads(name, member);
  const control = await app.connect({ key: app.serviceRoleKey });
  await control.follow("realtime:all rows", [binding]);
  await say(name, "before");
  await rows.next(({ payload }) => payload?.data?.record?.body === "before");
  await change();
  for (let after = 1; after <= 20; after++) await say(name, `after ${after}`);
  await control.next(({ payload }) => payload?.data?.record?.body === "after 20");
  if (rows.isOpen) await rows.beat();
  const got = bodies(rows).filter((body) => body !== "Error 401: Unauthorized");
  expect(got).toEqual(["before"]);
  control.cut();
}

describe("R05 rights to rows that end while one listens: nothing that has committed afterwards comes", () => {
  test.each([
    ["its privilege on the table", "revoke select on public.talk from authenticated"],
    ["the policy", 'drop policy "members" on public.talk'],
    ["the policy's condition", 'alter policy "members" on public.talk using (false)'],
    ["the policy's roles", 'alter policy "members" on public.talk to service_role'],
    [
      "what a policy restricts",
      'create policy "nobody" on public.talk as restrictive for select to authenticated using (false)',
    ],
    ["a look into the members", 'drop policy "own" on public.members'],
    ["its privilege on the members", "revoke select on public.members from authenticated"],
    ["membership", "delete from public.members"],
    ["membership in that room", "update public.members set room = room || ' (closed)'"],
    ["membership, all at once", "truncate public.members"],
    ["the table's place in the publication", "alter publication supabase_realtime drop table public.talk"],
  ])("R05 %s", async (_what, change) => {
    const isPublished = !change.includes("drop table");
    if (isPublished) return expectEndOfRows(() => app.sql(change));
    rows = await reads(room, member);
    await say(room, "before");
    await rows.next(({ payload }) => payload?.data?.record?.body === "before");
    await app.sql(change);
    await say(room, "after");
    await app.sql("alter publication supabase_realtime add table public.talk");
    await say(room, "again");
    await rows.next(({ payload }) => payload?.data?.record?.body === "again");
    expect(bodies(rows)).toEqual(["before", "again"]);
  });

  test("R05 membership that a function looks up, and the function itself", async () => {
    for (const [name, change] of [
      ["by function", "delete from public.members where room = 'by function'"],
      [
        "by function 2",
        "create or replace function public.is_member(room text) returns boolean language sql as 'select false'",
      ],
    ] as const) {
      await app.sql(`drop policy "members" on public.talk`);
      await enroll(name);
      await expectEndOfRows(() => app.sql(change), name);
      await app.sql(world);
    }
  });

  test("R05 one column of many", async () => {
    rows = await reads(room, member);
    await say(room, "before");
    await rows.next(({ payload }) => payload?.data?.record?.body === "before");
    await app.sql(
      "revoke select on public.talk from authenticated; grant select (id, room, body) on public.talk to authenticated",
    );
    await say(room, "after");
    const { payload } = await rows.next((message) => message.payload?.data?.record?.body === "after");
    expect(Object.keys(payload.data.record).sort()).toEqual(["body", "id", "room"]);
    expect(payload.data.columns.map(({ name }: { name: string }) => name).sort()).toEqual(["body", "id", "room"]);
  });

  test("R05 a filter on a column that may not be read any more ends with the right to it", async () => {
    rows = await app.connect();
    await rows.follow("realtime:filtered", [{ ...binding, filter: "secret=eq.s" }], member.token);
    await say(room, "before");
    await rows.next(({ payload }) => payload?.data?.record?.body === "before");
    await app.sql(
      "revoke select on public.talk from authenticated; grant select (id, room, body) on public.talk to authenticated",
    );
    for (let after = 0; after < 20; after++) await say(room, "after");
    const isError = ({ event, payload }: { event: string; payload: { status?: string } }) =>
      event === "system" && payload.status === "error";
    const { payload } = await rows.next(isError);
    expect(payload.message).toContain('invalid column "secret"');
    await rows.beat();
    expect(bodies(rows)).toEqual(["before"]);
  });

  test("R05 another token, of somebody else or of another role", async () => {
    for (const token of [other.token, undefined]) {
      await app.sql("delete from public.members where user_id = $1", [other.id]);
      const client = await reads(room, member);
      await say(room, "before");
      await client.next(({ payload }) => payload?.data?.record?.body === "before");
      const said = client.of("system").length;
      client.push(`realtime:rows of ${room}`, "access_token", { access_token: token ?? app.server.keys.anonKey });
      await expect.poll(() => client.of("system").length).toBeGreaterThan(said);
      await say(room, "after");
      await say(room, "after");
      const control = await reads(room, member);
      await say(room, "last");
      await control.next(({ payload }) => payload?.data?.record?.body === "last");
      await client.beat();
      expect(bodies(client).filter((body) => body !== "Error 401: Unauthorized")).toEqual(["before"]);
      client.cut();
      control.cut();
    }
  });
});

/** Says something on a private channel every now and then until the listener hears no more. @returns how long that took, in ms */
async function silentAfter(client: Client, name: string, change: () => Promise<unknown>): Promise<number> {
  const topic = `realtime:${name}`;
  await send(name, "before");
  await client.next(({ topic: of, payload }) => of === topic && payload?.payload?.body === "before");
  const atMs = performance.now();
  await change();
  const until = atMs + withinMs + 2_000;
  let at = 0;
  while (performance.now() < until && client.isOpen && client.of("phx_close", topic).length === 0) {
    await send(name, `after ${++at}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const last = client.of("broadcast", topic).at(-1)!;
  // It is over, and stays so.
  await send(name, "much later");
  await client.beat();
  expect(client.of("broadcast", topic).at(-1)).toBe(last);
  expect(client.isOpen ? client.of("phx_close", topic).length : 1).toBe(1);
  if (process.env.MAINSTAY_SHOW_TIMES)
    console.info(expect.getState().currentTestName, Math.round(last.atMs - atMs), "ms");
  return Math.max(0, last.atMs - atMs);
}

async function listens(name: string, person: Person): Promise<Client> {
  const client = await app.connect();
  const reply = await client.join(`realtime:${name}`, { private: true }, person.token);
  expect(reply.status).toBe("ok");
  return client;
}

describe("R05 A22 rights on a private channel that end while one listens: silent within 5 s", () => {
  test.each<[what: string, name: string, change: string]>([
    ["the policy", "room", 'drop policy "read" on realtime.messages'],
    ["the policy's condition", "room", 'alter policy "read" on realtime.messages using (false)'],
    ["the privilege on messages", "room", "revoke select on realtime.messages from authenticated"],
    [
      "the function",
      "by function",
      "create or replace function public.is_member(room text) returns boolean language sql as 'select false'",
    ],
  ])("R05 %s", async (_what, name, change) => {
    await enroll(name);
    const client = await listens(name, member);
    const stays = await listens("open to all", other);
    expect(await silentAfter(client, name, () => app.sql(change))).toBeLessThan(withinMs);
    if (!change.includes("realtime.messages")) expect(stays.of("phx_close")).toEqual([]);
    stays.cut();
    client.cut();
    await app.sql("grant select on realtime.messages to authenticated");
  });

  test("R05 a membership: in a table that nobody has published, looked up by a function, all of them at once", async () => {
    const names = ["room of one", "by function", "room of all"];
    for (const name of names) await enroll(name);
    const clients = await Promise.all(names.map((name) => listens(name, member)));
    const stays = await listens("room of one", other);
    // As in the middle of a long connection: whatever a join or a change of the rules makes the server look at has been looked at.
    await new Promise((resolve) => setTimeout(resolve, 4_500));
    for (const [at, change] of [
      `delete from public.members where room = 'room of one' and user_id = '${member.id}'`,
      `delete from public.members where room = 'by function'`,
      "truncate public.members",
    ].entries()) {
      expect(clients[at]!.of("phx_close")).toEqual([]);
      if (at === 2) expect(stays.of("phx_close")).toEqual([]);
      expect(await silentAfter(clients[at]!, names[at]!, () => app.sql(change)), change).toBeLessThan(withinMs);
    }
    for (const client of [...clients, stays]) client.cut();
  });

  test.each<[what: string, end: (person: Person) => Promise<unknown>]>([
    ["signed out", (person) => auth.post("/logout?scope=global", {}, person.token)],
    ["banned", (person) => auth.admin("PUT", `/admin/users/${person.id}`, { ban_duration: "1h" })],
    ["deleted", (person) => auth.admin("DELETE", `/admin/users/${person.id}`)],
    [
      "given another password",
      (person) => auth.admin("PUT", `/admin/users/${person.id}`, { password: "another horse 9" }),
    ],
  ])("R05 A22 somebody who is %s", async (_what, end) => {
    const person = await auth.newPerson();
    const client = await listens("open to all", person);
    const stays = await listens("open to all", other);
    rows = await reads(room, person);
    expect(await silentAfter(client, "open to all", () => end(person))).toBeLessThan(withinMs);
    await rows.next(({ event }) => event === "phx_close");
    await say(room, "after");
    expect(bodies(rows)).toEqual([]);
    expect(stays.of("phx_close")).toEqual([]);
    const back = await app.connect();
    expect((await back.join("realtime:open to all", { private: true }, person.token)).status).toBe("error");
    for (const one of [client, stays, back]) one.cut();
  });

  test("R05 a token that runs out ends its channels, and one socket's others stay", async () => {
    const sub = { sub: member.id, role: "authenticated", aud: "authenticated" };
    const now = Math.floor(Date.now() / 1_000);
    const short = await shortToken({ ...sub, iat: now, exp: now + 2 });
    const client = await app.connect();
    expect((await client.join("realtime:open to all", { private: true }, short)).status).toBe("ok");
    expect((await client.join("realtime:open to others", { private: true }, other.token)).status).toBe("ok");
    const took = await silentAfter(client, "open to all", () => Promise.resolve());
    expect(took).toBeLessThan(2_000 + withinMs);
    expect(client.of("system", "realtime:open to all").at(-1)?.payload.message).toContain("expired");
    expect(client.of("phx_close", "realtime:open to others")).toEqual([]);
    client.cut();
  });
});

/** Signed with the server's own key, from the file where it keeps it. */
async function shortToken(claims: Readonly<Record<string, unknown>>): Promise<string> {
  const { createPrivateKey, sign } = await import("node:crypto");
  const { readFile, readdir } = await import("node:fs/promises");
  const { join } = await import("node:path");
  const dir = join(app.server.project.dataDir, "keys");
  const [file = ""] = (await readdir(dir)).filter((name) => name.endsWith(".json"));
  const { signing } = JSON.parse(await readFile(join(dir, file), "utf8"));
  const { kid, jwk } = signing.find(({ algorithm }: { algorithm: string }) => algorithm === "ES256");
  const b64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const text = `${b64({ alg: "ES256", kid, typ: "JWT" })}.${b64(claims)}`;
  const key = createPrivateKey({ key: jwk, format: "jwk" });
  return `${text}.${sign("sha256", Buffer.from(text), { key, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
}
