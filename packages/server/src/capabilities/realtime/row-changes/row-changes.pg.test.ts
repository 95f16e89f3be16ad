import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { TestClient } from "../testing.ts";
import { type ChangesBench, changeOf, openChangesBench } from "./testing.ts";

const schema = `
  create table public.todos (id int8 primary key, title text, owner uuid, done bool default false, details jsonb, tags text[], at timestamptz);
  create table public.secured (id int8 primary key, owner uuid, body text, secret text);
  alter table public.secured enable row level security;
  create policy own on public.secured for select using (owner = auth.uid());
  revoke all on public.secured from anon, authenticated;
  grant select (id, owner, body) on public.secured to authenticated;
  create table public.full_secured (id int8 primary key, owner uuid, body text);
  alter table public.full_secured replica identity full;
  alter table public.full_secured enable row level security;
  create policy own on public.full_secured for select using (owner = auth.uid());
  grant select on public.full_secured to authenticated;
  create table public.full_open (id int8 primary key, title text, body text);
  alter table public.full_open replica identity full;
  create table public.hidden (id int8 primary key);
  create table public.closed (id int8 primary key, title text);
  grant select on public.todos, public.full_open to anon, authenticated;
  revoke all on public.closed from anon, authenticated;
  alter publication supabase_realtime add table public.todos, public.secured, public.full_secured, public.full_open, public.closed;
`;

const alice = "11111111-1111-4111-8111-111111111111";
const bob = "22222222-2222-4222-8222-222222222222";

let bench: ChangesBench;
beforeAll(async () => {
  bench = await openChangesBench(schema);
});
afterAll(() => bench.close());

const subscribed = (message: { event: string; payload: unknown }): boolean =>
  message.event === "system" && (message.payload as { message?: string }).message === "Subscribed to PostgreSQL";

async function subscribe(bindings: readonly object[], token?: string): Promise<{ client: TestClient; ids: number[] }> {
  const client = bench.realtime.connect();
  const reply = await client.join("room", { postgres_changes: bindings }, token ?? null);
  expect(reply.status).toBe("ok");
  await client.waitFor(subscribed);
  const given = reply.response.postgres_changes as { id: number }[];
  expect(given.map(({ id: _, ...rest }) => rest)).toEqual(bindings);
  return { client, ids: given.map(({ id }) => id) };
}

/** What has come once a mark, written last, is there: so what is not among it has not come. */
async function changesOf(client: TestClient) {
  const mark = bench.realtime.connect();
  await mark.join("mark", { postgres_changes: [{ event: "INSERT", table: "todos", filter: "id=eq.999999" }] });
  await mark.waitFor(subscribed);
  await bench.realtime.sql("insert into todos (id) values (999999)");
  await mark.waitFor(({ event }) => event === "postgres_changes");
  await bench.realtime.sql("delete from todos where id = 999999");
  mark.drop();
  return client
    .of("postgres_changes")
    .map(changeOf)
    .filter(({ data }) => data.record?.id !== 999999 && data.old_record?.id !== 999999);
}

/** Deletes what a test has left, and waits until the log has told of it. */
async function clear(client: TestClient, table: string): Promise<void> {
  await bench.realtime.sql(`delete from ${table}`);
  await changesOf(client);
  client.drop();
}

describe("messages", () => {
  test("INSERT, UPDATE and DELETE of an open table, value by value", async () => {
    const { client, ids } = await subscribe([{ event: "*", schema: "public", table: "todos" }]);
    await bench.realtime.sql(`
      insert into todos values (1, 'é "x"', '${alice}', true, '{"a": [1, null]}', '{a,"b c"}', '2024-05-01 12:00:00.5+02')`);
    await bench.realtime.sql("update todos set title = null where id = 1");
    await bench.realtime.sql("update todos set id = 2 where id = 1");
    await bench.realtime.sql("delete from todos where id = 2");
    const [insert, update, moved, gone] = await changesOf(client);
    expect(insert!.ids).toEqual(ids);
    expect(insert!.data).toEqual({
      schema: "public",
      table: "todos",
      commit_timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      type: "INSERT",
      columns: [
        { name: "id", type: "int8" },
        { name: "title", type: "text" },
        { name: "owner", type: "uuid" },
        { name: "done", type: "bool" },
        { name: "details", type: "jsonb" },
        { name: "tags", type: "_text" },
        { name: "at", type: "timestamptz" },
      ],
      record: {
        id: 1,
        title: 'é "x"',
        owner: alice,
        done: true,
        details: { a: [1, null] },
        tags: ["a", "b c"],
        at: "2024-05-01T10:00:00.5+00:00",
      },
      errors: null,
    });
    expect(update!.data).toMatchObject({ type: "UPDATE", record: { id: 1, title: null }, old_record: { id: 1 } });
    expect(Object.keys(update!.data.old_record!)).toEqual(["id"]);
    expect(moved!.data).toMatchObject({ type: "UPDATE", record: { id: 2 }, old_record: { id: 1 } });
    expect(gone!.data.old_record).toEqual({ id: 2 });
    expect(gone!.data.record).toBeUndefined();
    client.drop();
  });

  test("several bindings of a channel share one message, and their numbers are in it", async () => {
    const { client, ids } = await subscribe([
      { event: "*", schema: "public", table: "todos" },
      { event: "INSERT", schema: "public", table: "todos", filter: "id=eq.11" },
      { event: "UPDATE", schema: "public", table: "todos" },
      { event: "INSERT", schema: "*" },
      { event: "INSERT", schema: "public", table: "todos", filter: "id=eq.12" },
    ]);
    await bench.realtime.sql("insert into todos (id) values (11)");
    const changes = await changesOf(client);
    expect(changes).toHaveLength(1);
    expect([...changes[0]!.ids].sort()).toEqual([ids[0], ids[1], ids[3]].sort());
    client.drop();
  });

  test("select leaves out other columns, and keeps the key of an old row", async () => {
    const { client } = await subscribe([{ event: "*", table: "full_open", select: ["title"] }]);
    await bench.realtime.sql("insert into full_open values (1, 'a', 'b')");
    await bench.realtime.sql("update full_open set title = 'c'");
    const [insert, update] = await changesOf(client);
    expect(insert!.data).toMatchObject({ columns: [{ name: "title", type: "text" }] });
    expect(insert!.data.record).toEqual({ title: "a" });
    expect(update!.data.record).toEqual({ title: "c" });
    expect(update!.data.old_record).toEqual({ id: 1, title: "a" });
    client.drop();
  });

  test("replica identity full without row level security gives the whole old row", async () => {
    const { client } = await subscribe([{ event: "*", table: "full_open", filter: "title=eq.whole" }]);
    await bench.realtime.sql("insert into full_open values (2, 'whole', 'b')");
    await bench.realtime.sql("delete from full_open where id = 2");
    const changes = await changesOf(client);
    expect(changes.map(({ data }) => data.old_record)).toEqual([undefined, { id: 2, title: "whole", body: "b" }]);
    client.drop();
  });

  test("a large value that an update left as it was is in the record", async () => {
    const { client } = await subscribe([{ event: "UPDATE", table: "todos", filter: "id=eq.20" }]);
    await bench.realtime.sql(
      "insert into todos (id, title) select 20, string_agg(md5(n::text), '') from generate_series(1, 1000) n",
    );
    await bench.realtime.sql("update todos set done = true where id = 20");
    const [update] = await changesOf(client);
    expect(String(update!.data.record!.title)).toHaveLength(32_000);
    client.drop();
  });

  test("of a record above the bound, large values are left out, and it says so", async () => {
    const { client } = await subscribe([{ event: "INSERT", table: "todos", filter: "id=eq.21" }]);
    await bench.realtime.sql("insert into todos (id, title, details) values (21, repeat('x', 1100000), '{}')");
    const [insert] = await changesOf(client);
    expect(insert!.data.record).toEqual({ id: 21, owner: null, done: false, details: {}, tags: null, at: null });
    expect(insert!.data.errors).toEqual(["Error 413: Payload Too Large"]);
    client.drop();
  });

  test("truncation is not told", async () => {
    const { client } = await subscribe([{ event: "*", table: "full_open" }]);
    await bench.realtime.sql("truncate full_open");
    expect(await changesOf(client)).toEqual([]);
    client.drop();
  });
});

describe("who sees what", () => {
  test("nobody without the right to select gets more than the refusal", async () => {
    const { client } = await subscribe([{ event: "*", table: "closed" }]);
    await bench.realtime.sql("insert into closed values (1, 'x')");
    const [insert] = await changesOf(client);
    expect(insert!.data.record).toBeUndefined();
    expect(insert!.data.columns).toEqual([]);
    expect(insert!.data.errors).toEqual(["Error 401: Unauthorized"]);
    client.drop();
  });

  test("R04 a row that moves out of and into view", async () => {
    const token = bench.realtime.token({ sub: alice });
    for (const table of ["secured", "full_secured"]) {
      const { client } = await subscribe([{ event: "*", table }], token);
      await bench.realtime.sql(
        `insert into ${table} (id, owner, body) values (1, '${alice}', 'mine'), (2, '${bob}', 'theirs')`,
      );
      await bench.realtime.sql(`update ${table} set owner = '${bob}', body = 'gone' where id = 1`);
      await bench.realtime.sql(`update ${table} set body = 'still gone' where id = 1`);
      await bench.realtime.sql(`update ${table} set owner = '${alice}', body = 'back' where id = 1`);
      const changes = await changesOf(client);
      expect(changes.map(({ data }) => [data.type, data.record?.body, data.old_record])).toEqual([
        ["INSERT", "mine", undefined],
        ["UPDATE", "back", { id: 1 }],
      ]);
      expect(JSON.stringify(client.received)).not.toMatch(/gone|theirs/);
      await clear(client, table);
    }
  });

  test("R04 a former key is told only to those who saw the row there", async () => {
    const token = bench.realtime.token({ sub: alice });
    const { client } = await subscribe([{ event: "UPDATE", table: "full_secured" }], token);
    await bench.realtime.sql(`insert into full_secured values (10, '${bob}', ''), (20, '${alice}', '')`);
    await bench.realtime.sql(`update full_secured set id = id + 1, owner = '${alice}' where id = 10`);
    await bench.realtime.sql("update full_secured set id = id + 1 where id = 20");
    const changes = await changesOf(client);
    expect(changes.map(({ data }) => [data.record?.id, data.old_record])).toEqual([
      [11, {}],
      [21, { id: 20 }],
    ]);
    await clear(client, "full_secured");
  });

  test("R04 deleted rows: the key alone; where the log has the whole row, only for those who saw it", async () => {
    const token = bench.realtime.token({ sub: alice });
    const { client } = await subscribe(
      [
        { event: "DELETE", table: "secured" },
        { event: "DELETE", table: "full_secured" },
      ],
      token,
    );
    for (const table of ["secured", "full_secured"]) {
      await bench.realtime.sql(
        `insert into ${table} (id, owner, body) values (1, '${alice}', 'a'), (2, '${bob}', 'b')`,
      );
      await bench.realtime.sql(`delete from ${table} where id = 1`);
      await bench.realtime.sql(`delete from ${table} where id = 2`);
    }
    const changes = await changesOf(client);
    expect(changes.map(({ data }) => [data.table, data.old_record])).toEqual([
      ["secured", { id: 1 }],
      ["secured", { id: 2 }],
      ["full_secured", { id: 1 }],
    ]);
    client.drop();
  });

  test("columns that may not be selected are nowhere", async () => {
    const { client } = await subscribe([{ event: "*", table: "secured" }], bench.realtime.token({ sub: alice }));
    await bench.realtime.sql(`insert into secured values (5, '${alice}', 'body', 'hush')`);
    const [insert] = await changesOf(client);
    expect(insert!.data.record).toEqual({ id: 5, owner: alice, body: "body" });
    expect(insert!.data.columns.map(({ name }) => name)).toEqual(["id", "owner", "body"]);
    expect(JSON.stringify(client.received)).not.toContain("hush");
    await clear(client, "secured");
  });

  test("the service key sees every row", async () => {
    const client = bench.realtime.connect({ key: "service" });
    await bench.realtime.sql("grant select on secured to service_role");
    await bench.policies.changed();
    await client.join("room", { postgres_changes: [{ event: "INSERT", table: "secured" }] });
    await client.waitFor(subscribed);
    await bench.realtime.sql(`insert into secured values (6, '${bob}', 'body', 'hush')`);
    const [insert] = await changesOf(client);
    expect(insert!.data.record).toMatchObject({ id: 6, secret: "hush" });
    await clear(client, "secured");
  });

  test("R05 another token, another view: from then on, and nothing in between is lost or doubled", async () => {
    const { client } = await subscribe([{ event: "INSERT", table: "secured" }], bench.realtime.token({ sub: alice }));
    const insert = (id: number) =>
      bench.realtime.sql(`insert into secured (id, owner) values (${id}, '${alice}'), (${id + 1}, '${bob}')`);
    await insert(30);
    await client.waitFor(({ event }) => event === "postgres_changes");
    client.push("room", "access_token", { access_token: bench.realtime.token({ sub: bob }) });
    await expect.poll(() => client.received.filter(subscribed).length).toBe(2);
    await insert(32);
    expect((await changesOf(client)).map(({ data }) => data.record?.id)).toEqual([30, 33]);
    await clear(client, "secured");
  });
});

describe("subscriptions that cannot be", () => {
  async function refusal(binding: object, token?: string): Promise<string> {
    const client = bench.realtime.connect();
    const reply = await client.join("room", { postgres_changes: [binding] }, token ?? null);
    expect(reply).toMatchObject({ status: "ok", response: { postgres_changes: [binding] } });
    const message = await client.waitFor(({ event }) => event === "system");
    client.drop();
    const payload = message.payload as { extension: string; status: string; message: string; channel: string };
    expect(payload).toMatchObject({ extension: "postgres_changes", status: "error", channel: "room" });
    return payload.message;
  }

  test("a table that is not published is named, and not told from one that is not there", async () => {
    const hidden = await refusal({ event: "*", schema: "public", table: "hidden" });
    const missing = await refusal({ event: "*", schema: "public", table: "missing" });
    expect(hidden).toContain("table: hidden");
    expect(missing.replace("missing", "hidden")).toBe(hidden);
  });

  test("R03 a filter or select on a column that may not be read is refused as one that is not there", async () => {
    const token = bench.realtime.token({ sub: alice });
    const secret = await refusal({ event: "*", table: "secured", filter: "secret=eq.hush" }, token);
    const missing = await refusal({ event: "*", table: "secured", filter: "nowhere=eq.hush" }, token);
    expect(missing.replace("nowhere", "secret")).toBe(secret);
    expect(await refusal({ event: "*", table: "secured", select: ["secret"] }, token)).toBe(secret);
    await refusal({ event: "*", table: "todos", filter: "details.a=eq.1" });
    await refusal({ event: "*", table: "todos", filter: "details->a=eq.1" });
  });

  test.each([
    "id=eq.abc",
    "id=eq.99999999999999999999",
    "owner=eq.me",
    "at=gt.yesterdayish",
    "title=is.true",
    "id=like.5",
    "title=match.(",
    "title=like.5\\",
    "details=gt.{",
    "id",
    "id=in.(1,x)",
    "tags=match.a",
  ])("the filter %s", async (filter) => {
    expect(await refusal({ event: "*", table: "todos", filter })).toMatch(/^Unable to subscribe to changes/);
  });

  test("publishing the table mends it, and taking it out ends it", async () => {
    const client = bench.realtime.connect();
    await client.join("room", { postgres_changes: [{ event: "INSERT", schema: "public", table: "hidden" }] });
    await client.waitFor(({ event }) => event === "system");
    await bench.realtime.sql("grant select on hidden to anon; alter publication supabase_realtime add table hidden");
    await client.waitFor(subscribed);
    await bench.realtime.sql("insert into hidden values (1)");
    await client.waitFor(({ event }) => event === "postgres_changes");
    await bench.realtime.sql("alter publication supabase_realtime drop table hidden");
    await expect.poll(() => client.of("system").length).toBe(3);
    await bench.realtime.sql("insert into hidden values (2)");
    expect((await changesOf(client)).map(({ data }) => data.record)).toEqual([{ id: 1 }]);
    client.drop();
  });
});

describe("cost", () => {
  test("those who see the same are asked about once, and those who wait for other values not at all", async () => {
    const token = bench.realtime.token({ sub: alice });
    const clients = await Promise.all(
      Array.from({ length: 30 }, async (_, at) => {
        const filter = `id=eq.${at % 2 === 0 ? 50 : 1_000 + at}`;
        return (await subscribe([{ event: "INSERT", table: "secured", filter }], token)).client;
      }),
    );
    const before = bench.policies.asked();
    await bench.realtime.sql(`insert into secured (id, owner) values (50, '${alice}')`);
    await Promise.all(
      clients
        .filter((_, at) => at % 2 === 0)
        .map((client) => client.waitFor(({ event }) => event === "postgres_changes")),
    );
    expect(bench.policies.asked() - before).toBe(1);
    await bench.realtime.sql("insert into secured (id) values (51)");
    await changesOf(clients[0]!);
    expect(bench.policies.asked() - before).toBe(1);
    for (const client of clients) client.drop();
  });
});

describe("all tables", () => {
  test("B07 are those the caller may read something of; one by its name says that it may not", async () => {
    const all = await subscribe([{ event: "*", schema: "*" }]);
    const named = await subscribe([{ event: "*", schema: "public", table: "closed" }]);
    await bench.realtime.sql("insert into closed values (7001, 'x'); insert into todos (id) values (7001)");
    expect((await changesOf(all.client)).map(({ data }) => [data.table, data.record])).toEqual([
      ["todos", expect.objectContaining({ id: 7001 })],
    ]);
    expect((await changesOf(named.client)).map(({ data }) => data.errors)).toEqual([["Error 401: Unauthorized"]]);
    named.client.drop();
    await bench.realtime.sql("delete from closed where id = 7001");
    await clear(all.client, "todos");
  });
});

describe("a join that asks to be refused when its row changes are not on", () => {
  const joinWaiting = (client: TestClient, table: string, timeout: number) =>
    client.join("waiting", {
      postgres_changes: [{ event: "*", schema: "public", table }],
      postgres_changes_options: { wait: true, timeout },
    });

  test("is refused with the reason, or when its time is over, and leaves nothing behind", async () => {
    const fresh = await openChangesBench(schema);
    const client = fresh.realtime.connect();
    const late = await joinWaiting(client, "todos", 0);
    expect(late).toEqual({
      status: "error",
      response: { reason: expect.stringMatching(/^PostgresChangesSubscribeTimeout: /) },
    });
    expect(await joinWaiting(client, "todos", 10_000)).toMatchObject({ status: "ok" });
    await client.waitFor(subscribed);
    const wrong = await joinWaiting(client, "hidden", 10_000);
    expect(wrong).toEqual({
      status: "error",
      response: { reason: expect.stringMatching(/^RealtimeDisabledForConfiguration: Unable to subscribe.*hidden/) },
    });
    expect(fresh.realtime.channels.stats().channels).toBe(0);
    expect(client.of("system")).toHaveLength(1);
    await fresh.close();
  });
});
