import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { failuresOf, type RealtimeApp, startRealtime, tokenOf, userId } from "./app.ts";
import type { Client, Message } from "./client.ts";

const [ann, ben] = [userId(1), userId(2)];
/** Rights on columns and on rows. `by_key` tells of a deleted row its key only, `whole` all of it: how PostgreSQL writes its log. */
const sql = `
  create table public.by_key (id int primary key, owner uuid, body text, secret text);
  create table public.whole (id int primary key, owner uuid, body text, secret text);
  alter table public.whole replica identity full;
  create table public.open (id int primary key, body text, secret text, doc jsonb, tags text[]);
  create table public.pending (id serial primary key, body text);
  create table public.unlisted (id int primary key, body text);
  alter table public.by_key enable row level security;
  alter table public.whole enable row level security;
  create policy "own" on public.by_key for select to authenticated using (owner = auth.uid());
  create policy "own" on public.whole for select to authenticated using (owner = auth.uid());
  revoke all on all tables in schema public from anon, authenticated;
  grant select on public.by_key, public.whole to authenticated;
  grant select (id, body, doc, tags) on public.open to anon;
  grant select on public.pending, public.unlisted to anon;
  alter publication supabase_realtime add table public.by_key, public.whole, public.open, public.pending;`;

let app: RealtimeApp;
beforeAll(async () => {
  app = await startRealtime(sql);
});
afterAll(async () => {
  expect(failuresOf(app)).toEqual([]);
  await app.stop();
});

const all = (table: string) => ({ event: "*", schema: "public", table });
let topics = 0;
const newTopic = (): string => `realtime:rows-${++topics}`;

async function following(bindings: readonly unknown[], token?: string): Promise<Client> {
  const client = await app.connect();
  await client.follow(newTopic(), bindings, token);
  return client;
}

/** What came, in short: `INSERT {record} {old_record}`. */
const told = (client: Client) =>
  client.of("postgres_changes").map(({ payload: { data } }: Message) => {
    const { type, record, old_record } = data;
    return [type, ...(record === undefined ? [] : [record]), ...(old_record === undefined ? [] : [old_record])];
  });

/** Everything that has committed so far is with whoever follows `public.pending`, and so with everybody. */
async function settled(...clients: readonly Client[]): Promise<void> {
  const watcher = await following([all("pending")]);
  await app.sql("insert into public.pending (body) values ('settled')");
  await watcher.next(({ event }) => event === "postgres_changes");
  watcher.cut();
  for (const client of clients) expect(await client.beat()).toBe(true);
}

describe("R03 B02 filters are no way to columns that may not be read", () => {
  const onSecret = [
    ...[
      "eq",
      "neq",
      "lt",
      "lte",
      "gt",
      "gte",
      "like",
      "ilike",
      "match",
      "imatch",
      "isdistinct",
      "not.eq",
      "not.like",
    ].map((operator) => `secret=${operator}.a`),
    "secret=in.(a,b)",
    "secret=is.null",
    "secret=not.is.null",
    "id=gt.0,secret=eq.a",
    "secret=eq.a,id=gt.0",
    " secret =eq.a",
  ];
  const notThere = ["nope=eq.a", "ctid=eq.(0,1)", "xmin=gt.1", "tableoid=gt.1", "open=is.null"];
  const dotted = [
    "doc.secret=eq.a",
    "open.secret=eq.a",
    "public.open.secret=eq.a",
    "doc->secret=eq.a",
    "doc->>secret=eq.a",
  ];
  const tricks = [
    "secret::text=eq.a",
    '"secret"=eq.a',
    "SECRET=eq.a",
    "lower(secret)=eq.a",
    "body||secret=eq.a",
    "(select secret)=eq.a",
    "body=eq.a,",
    ",body=eq.a",
    "body",
    "body=",
    "=eq.a",
    "body=eq",
    "body=a",
    "body=fts.a",
    "body=cs.{a}",
    "or=(body.eq.a,secret.eq.a)",
    "and=(secret.eq.a)",
    "not.secret=eq.a",
    "body=not.not.eq.a",
    "body=any.a",
    'body=in.("a',
    "body=in.a",
    "id=eq.secret",
    "id=in.(select 1)",
    "id=eq.1;drop table public.open",
    "tags=match.a",
    "doc=like.a",
    "body=eq.\u0000",
    "body=like.\\",
    "body=match.[",
    "body=match.(",
    `id=in.(${Array.from({ length: 101 }, (_, n) => n)})`,
    `body=eq.${"a".repeat(9_000)}`,
  ];
  const shapes: readonly unknown[] = [
    ["secret=eq.a"],
    { length: 1, 0: "secret=eq.a" },
    { toString: "secret=eq.a" },
    { column: "secret", op: "eq", value: "a" },
    7,
    true,
  ];

  test.each([...onSecret, ...notThere, ...dotted, ...tricks, ...shapes])(
    "R03 %j is refused, and nothing comes",
    async (filter) => {
      const client = await app.connect();
      await expect(client.follow("realtime:filtered", [{ ...all("open"), filter }])).rejects.toThrow(
        /^Unable to subscribe to changes with given parameters: /,
      );
      await app.sql("insert into public.open values (1, 'a', 'a', '{\"secret\": \"a\"}', '{a}')");
      await app.sql("delete from public.open");
      await settled(client);
      expect(client.of("postgres_changes")).toEqual([]);
      client.cut();
    },
  );

  test.each([
    "body=eq.a) or (secret=eq.a",
    "body=eq.a' or secret='a",
    "body=eq.a;select 1",
    "body=like.a' or '%",
    'body=eq."a\\"',
  ])("R03 what follows the operator of %j is a value and nothing else", async (filter) => {
    const client = await app.connect();
    await client.follow("realtime:filtered", [{ ...all("open"), filter }]).catch(() => {});
    await app.sql("insert into public.open values (1, 'a', 'a', null, null)");
    await app.sql("delete from public.open where id = 1");
    await settled(client);
    expect(told(client).filter(([type]) => type === "INSERT")).toEqual([]);
    client.cut();
  });

  test("R03 B07 a column that may not be read is refused as one that is not there", async () => {
    const reason = async (filter: string, select?: readonly unknown[]) => {
      const client = await app.connect();
      const error: Error = await client
        .follow("realtime:filtered", [{ ...all("open"), filter, ...(select === undefined ? {} : { select }) }])
        .then(
          () => new Error("it was let in"),
          (thrown: Error) => thrown,
        );
      client.cut();
      return error.message.replace(/secret|nope/, "?");
    };
    expect(await reason("secret=eq.a")).toBe(await reason("nope=eq.a"));
    expect(await reason("", ["id", "secret"])).toBe(await reason("", ["id", "nope"]));
  });

  test.each([
    [["secret"]],
    [["id", 1]],
    [[["id"]]],
    ["id"],
    [{ 0: "id", length: 1 }],
    [["*"]],
    [["id::text"]],
    [["doc->a"]],
  ])("R03 a select of %j is refused", async (select) => {
    const client = await app.connect();
    await expect(client.follow("realtime:selected", [{ ...all("open"), select }])).rejects.toThrow(
      "Unable to subscribe",
    );
    client.cut();
  });

  test("R03 B02 nothing that comes depends on what may not be read", async () => {
    const filters = ["", "id=gt.0", "body=eq.a", "body=match.^a", "id=in.(1,2)", "doc=eq.{}", "tags=eq.{a}"];
    const clients = await Promise.all(
      [...filters.map((filter) => ({ ...all("open"), filter })), { event: "*", schema: "*" }].map((one) =>
        following([one]),
      ),
    );
    const streams: unknown[] = [];
    // Every filter lets it through: with it a client has been told of all that came before.
    const marker = "insert into public.open values (1, 'a', null, '{}', '{a}')";
    const firstRows = (client: Client) =>
      told(client).filter(([type, row]) => type === "INSERT" && (row as { id?: number }).id === 1).length;
    for (const secret of ["'a'", "'b'", "null", "repeat('secret', 1000)"]) {
      for (const client of clients) client.received.length = 0;
      await app.sql(`insert into public.open values (1, 'a', ${secret}, '{}', '{a}'), (2, 'b', ${secret}, null, null)`);
      await app.sql(`update public.open set body = body || 'c', secret = ${secret} || 'x' where id = 1`);
      await app.sql("delete from public.open");
      await app.sql(marker);
      await expect.poll(() => clients.filter((client) => firstRows(client) < 2).length).toBe(0);
      // What the marker before has left behind may come late.
      const rows = (client: Client) => told(client).slice(told(client).findIndex(([type]) => type === "INSERT"));
      streams.push(clients.map(rows));
      expect(JSON.stringify(clients.map(told))).not.toContain("secret");
      await app.sql("delete from public.open");
    }
    for (const stream of streams) expect(stream).toEqual(streams[0]);
  });

  test("B02 a table that is not published tells nothing, whoever asks", async () => {
    const client = await app.connect({ key: app.serviceRoleKey });
    await expect(client.follow("realtime:unlisted", [all("unlisted")])).rejects.toThrow("has no table");
    for (const schema of ["auth", "realtime", "mainstay", "pg_catalog"]) {
      const other = await app.connect({ key: app.serviceRoleKey });
      await expect(other.follow("realtime:hidden", [{ event: "*", schema }])).rejects.toThrow("has no table");
    }
  });
});

describe("R04 rows that come into view and leave it", () => {
  const token = tokenOf(ann);

  test("R04 an update that takes a row away is not told, one that brings it is told without what it was", async () => {
    for (const table of ["by_key", "whole"]) {
      const client = await following([all(table)], token);
      await app.sql(`insert into public.${table} values (1, '${ann}', 'mine', 's1'), (2, '${ben}', 'his', 's2')`);
      await app.sql(`update public.${table} set owner = '${ben}', body = 'given away' where id = 1`);
      await app.sql(`update public.${table} set body = 'still his' where id = 1`);
      await app.sql(`update public.${table} set owner = '${ann}', body = 'got' where id = 2`);
      await app.sql(`update public.${table} set owner = null, body = 'nobodys' where id = 2`);
      await settled(client);
      expect(told(client), table).toEqual([
        ["INSERT", { id: 1, owner: ann, body: "mine", secret: "s1" }],
        ["UPDATE", { id: 2, owner: ann, body: "got", secret: "s2" }, { id: 2 }],
      ]);
      expect(JSON.stringify(client.received)).not.toContain("his");
    }
  });

  test("R04 a deleted row is its key and no more, and to whom it was not visible nothing, as far as the log can tell", async () => {
    const mine = await following([all("by_key"), all("whole")], token);
    const his = await following([all("by_key"), all("whole")], tokenOf(ben));
    const stranger = await following([all("by_key"), all("whole")], tokenOf(userId(3)));
    const everybody = [mine, his, stranger];
    for (const table of ["by_key", "whole"]) {
      for (const client of everybody) client.received.length = 0;
      await app.sql(`insert into public.${table} values (10, '${ann}', 'mine', 's1'), (11, '${ben}', 'his', 's2')`);
      await settled(...everybody);
      for (const client of everybody) client.received.length = 0;
      await app.sql(`delete from public.${table} where id in (10, 11)`);
      await settled(...everybody);
      const both = [
        ["DELETE", { id: 10 }],
        ["DELETE", { id: 11 }],
      ];
      // Without the row there is nothing to ask the policies about: protocols, visibility.
      const expected = table === "by_key" ? [both, both, both] : [[both[0]], [both[1]], []];
      expect(everybody.map(told), table).toEqual(expected);
      for (const client of everybody) {
        for (const { payload } of client.of("postgres_changes"))
          expect(Object.keys(payload.data.old_record)).toEqual(["id"]);
      }
    }
  });

  test("R04 a filter on what may be read does not tell of rows that may not", async () => {
    const client = await following(
      [
        { ...all("whole"), filter: "body=eq.x" },
        { ...all("whole"), filter: "secret=eq.s" },
      ],
      token,
    );
    await app.sql(`insert into public.whole values (20, '${ben}', 'x', 's')`);
    await app.sql(`update public.whole set secret = 's' where id = 20`);
    await app.sql(`delete from public.whole where id = 20`);
    await settled(client);
    expect(told(client)).toEqual([]);
  });

  test("R04 a row that is given another key tells its former one to nobody who could not see it", async () => {
    const client = await following([all("whole")], token);
    await app.sql(`insert into public.whole values (30, '${ben}', 'his', 's')`);
    await app.sql(`update public.whole set id = 31, owner = '${ann}' where id = 30`);
    await app.sql(`update public.whole set id = 32 where id = 31`);
    await settled(client);
    expect(told(client)).toEqual([
      ["UPDATE", { id: 31, owner: ann, body: "his", secret: "s" }, {}],
      ["UPDATE", { id: 32, owner: ann, body: "his", secret: "s" }, { id: 31 }],
    ]);
  });
});

describe("a table that is made anew while somebody follows it", () => {
  test("R04 is followed as what it is now, without a word of error in between", async () => {
    const remade = `
      drop table if exists public.remade; create table public.remade (id int primary key, owner uuid, body text);
      alter table public.remade enable row level security;
      create policy "own" on public.remade for select to authenticated using (owner = auth.uid());
      revoke all on public.remade from anon, authenticated; grant select on public.remade to authenticated;
      alter publication supabase_realtime add table public.remade;`;
    await app.sql(remade);
    await settled();
    const client = await following([{ ...all("remade"), filter: "id=gt.0" }], tokenOf(ann));
    for (let times = 1; times <= 10; times++) {
      await app.sql(remade);
      await app.sql(`insert into public.remade values (${times + 100}, '${ben}', 'his'), (${times}, '${ann}', 'mine')`);
      // What is gone again before it is told of is nobody's to see.
      await client.next(({ payload }) => payload?.data?.record?.id === times);
    }
    await settled(client);
    expect(told(client).map(([type, row]) => [type, (row as { id: number }).id])).toEqual(
      Array.from({ length: 10 }, (_, at) => ["INSERT", at + 1]),
    );
    expect(client.of("system").filter(({ payload }) => payload.status !== "ok")).toEqual([]);
  });
});

describe("R15 the order is that of commits", () => {
  test("R15 of two long transactions the one that ends first is told first, and whoever was away between misses neither", async () => {
    const client = await following([all("pending")]);
    const [first, second] = [await app.session(), await app.session()];
    const { length } = client.of("postgres_changes");
    await first.query("begin");
    await second.query("begin");
    const wanted: number[] = [];
    const add = async (by: typeof first, body: string) => {
      const { rows } = await by.query("insert into public.pending (body) values ($1) returning id", [body]);
      return rows[0].id as number;
    };
    const ids = { first: [] as number[], second: [] as number[] };
    for (let at = 0; at < 50; at++) {
      ids.first.push(await add(first, `first ${at}`));
      ids.second.push(await add(second, `second ${at}`));
    }
    await second.query("commit");
    wanted.push(...ids.second);
    await expect.poll(() => client.of("postgres_changes").length).toBe(length + 50);
    // A client with the numbers it has seen as its cursor would ask for what is above them, and never get those of the first.
    expect(Math.max(...ids.second)).toBeGreaterThan(Math.max(...ids.first));
    wanted.push(await add(await app.session(), "between"));
    await first.query("commit");
    wanted.push(...ids.first);
    await settled(client);
    const got = client.of("postgres_changes").slice(length, length + 101);
    expect(got.map(({ payload }) => payload.data.record.id)).toEqual(wanted);
    const times = got.map(({ payload }) => payload.data.commit_timestamp);
    expect(times).toEqual([...times].sort());
  });

  test("R15 a client that is away when the older one ends is sent it when it is back", async () => {
    const topic = newTopic();
    const bindings = { postgres_changes: [all("pending")] };
    const client = await app.connect();
    await client.follow(topic, bindings.postgres_changes);
    const older = await app.session();
    await older.query("begin");
    await older.query("insert into public.pending (body) values ('older')");
    await app.sql("insert into public.pending (body) values ('newer')");
    await client.next(({ payload }) => payload?.data?.record?.body === "newer");
    // Its word that all has arrived, by which it is known where it was.
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    expect(await client.beat()).toBe(true);
    client.cut();
    await older.query("commit");
    const back = await app.connect();
    // Clients that come back go on counting: that is how one is known for the same (README of `resume`).
    for (let ref = 0; ref < 10; ref++) expect(await back.beat()).toBe(true);
    await back.follow(topic, bindings.postgres_changes);
    await back.next(({ payload }) => payload?.data?.record?.body === "older");
    expect(told(back).filter(([, record]) => (record as { body: string }).body === "newer")).toEqual([]);
  });
});
