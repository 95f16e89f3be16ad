import { postgresChangesFilter } from "@supabase/supabase-js";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import {
  type ChangesAsked,
  changesOn,
  newName,
  type RealtimeApp,
  replicating,
  startRealtimeApp,
  subscribed,
  systemOn,
  within,
} from "./realtime-app.ts";

let app: RealtimeApp;
beforeAll(async () => {
  app = await startRealtimeApp(`
    create type public.mood as enum ('low', 'high');
    create table public.items (
      id int primary key, name text, n int, big bigint, price numeric, f float8, ok bool, at timestamptz, day date, uid uuid, mood public.mood,
      tags text[], doc jsonb, vc varchar(20), secret text
    );
    revoke all on public.items from anon;
    grant select (id, name, n, big, price, f, ok, at, day, uid, mood, tags, doc, vc) on public.items to anon;
    create table public.archive (id int primary key, name text, n int);
    alter table public.archive replica identity full;
    grant all on public.archive to anon;
    alter publication supabase_realtime add table public.items, public.archive;
    create table public.unpublished (id int primary key);
    grant all on public.unpublished to anon;`);
});
afterAll(() => app.stop());

/** What filters are held against, without `id`. Some of them differ in one thing only. */
const rows: readonly string[] = [
  `'tea', 1, 1, 1.50, 0.5, true, '2026-01-01 00:00:00+00', '2026-01-01', '6f0c8d2e-0000-4000-8000-000000000001', 'low', '{a,b}', '{"k": 1}', 'tea'`,
  `'Tea', 2, 9007199254740993, 1.5, 1.5, false, '2026-01-01 12:00:00.5+00', '2026-01-02', '6f0c8d2e-0000-4000-8000-000000000002', 'high', '{}', '{}', 'Tea'`,
  `'green tea', -3, -9, -0.01, -2, null, 'infinity', '2025-12-31', null, null, null, null, ''`,
  `'a,b', null, null, null, 'NaN', true, null, null, null, 'low', '{"x,y"}', 'null', null`,
  `'(par)', 10, 10, 10, 10, false, '2025-12-31 23:59:59+00', '2026-01-01', null, 'high', null, null, ' x '`,
  `'say "hi"', 100, 100, 'NaN', 'Infinity', null, null, null, null, null, null, null, 'ünï'`,
  `'back\\slash', 0, 0, 0, 0, null, null, null, null, null, null, null, '100%'`,
  `'', 5, 5, 5, 5, null, null, null, null, null, null, null, 'a_b'`,
  `' spaced ', 5, 5, 5, 5, null, null, null, null, null, null, null, 'null'`,
  `null, 7, 7, 7, 7, null, null, null, null, null, null, null, null`,
  `'null', 8, 8, 8, 8, true, null, null, null, null, null, null, 'aXb'`,
];

const filter = postgresChangesFilter;
/** A filter as the client writes it, and the condition in SQL that says the same. */
const filters: readonly [filter: string | ReturnType<typeof filter>, sql: string][] = [
  ["name=eq.tea", "name = 'tea'"],
  ["name=neq.tea", "name <> 'tea'"],
  ["name=eq.", "name = ''"],
  [filter().eq("name", "a,b"), "name = 'a,b'"],
  [filter().eq("name", "(par)"), "name = '(par)'"],
  [filter().eq("name", 'say "hi"'), `name = 'say "hi"'`],
  [filter().eq("name", "back\\slash"), "name = 'back\\slash'"],
  [filter().eq("name", " spaced "), "name = ' spaced '"],
  [filter().eq("name", "null"), "name = 'null'"],
  [filter().in("name", ["tea", "a,b", 'say "hi"', "(par)"]), `name in ('tea', 'a,b', 'say "hi"', '(par)')`],
  ["name=in.(tea,green tea)", "name in ('tea', 'green tea')"],
  ["n=in.(1,2,10)", "n in (1, 2, 10)"],
  ["n=eq.5", "n = 5"],
  ["n=lt.5", "n < 5"],
  ["n=lte.5", "n <= 5"],
  ["n=gt.5", "n > 5"],
  ["n=gte.5", "n >= 5"],
  ["n=eq.-3", "n = -3"],
  [filter().eq("big", "9007199254740993"), "big = 9007199254740993"],
  ["big=gt.9007199254740992", "big > 9007199254740992"],
  ["price=eq.1.5", "price = 1.5"],
  ["price=eq.1.500", "price = 1.5"],
  ["price=lt.0", "price < 0"],
  ["price=gt.9.99", "price > 9.99"],
  ["price=in.(1.50,10)", "price in (1.5, 10)"],
  ["f=gte.1.5", "f >= 1.5"],
  ["f=eq.NaN", "f = 'NaN'"],
  ["ok=eq.true", "ok"],
  ["ok=eq.f", "not ok"],
  ["ok=neq.true", "ok <> true"],
  ["at=gte.2026-01-01T00:00:00Z", "at >= '2026-01-01 00:00:00+00'"],
  ["at=lt.2026-01-01 00:00:00+00", "at < '2026-01-01 00:00:00+00'"],
  ["at=eq.2026-01-01T13:00:00.5+01:00", "at = '2026-01-01 12:00:00.5+00'"],
  ["day=eq.2026-01-01", "day = '2026-01-01'"],
  ["day=gt.2025-12-31", "day > '2025-12-31'"],
  ["uid=eq.6F0C8D2E-0000-4000-8000-000000000001", "uid = '6f0c8d2e-0000-4000-8000-000000000001'"],
  ["mood=eq.low", "mood = 'low'"],
  ["mood=gt.low", "mood > 'low'"],
  ["mood=in.(low,high)", "mood in ('low', 'high')"],
  ['tags=eq."{a,b}"', "tags = '{a,b}'"],
  ['doc=eq."{\\"k\\": 1}"', `doc = '{"k": 1}'`],
  ["name=like.%tea", "name like '%tea'"],
  ["name=ilike.TEA", "name ilike 'tea'"],
  ["name=ilike.%TEA%", "name ilike '%tea%'"],
  ["vc=like.a_b", "vc like 'a_b'"],
  ["vc=like.a\\_b", "vc like 'a\\_b'"],
  ["vc=like.100\\%", "vc like '100\\%'"],
  ["name=match.^(green )?tea$", "name ~ '^(green )?tea$'"],
  [filter().match("name", "t{1,2}ea|a,b"), "name ~ 't{1,2}ea|a,b'"],
  ["name=imatch.^TEA", "name ~* '^TEA'"],
  ["name=is.null", "name is null"],
  ["name=not.is.null", "name is not null"],
  ["ok=is.true", "ok is true"],
  ["ok=is.false", "ok is false"],
  ["ok=is.unknown", "ok is unknown"],
  ["ok=not.is.true", "ok is not true"],
  [filter().is("ok", null), "ok is null"],
  ["n=isdistinct.5", "n is distinct from 5"],
  [filter().isDistinct("name", "tea"), "name is distinct from 'tea'"],
  [filter().not("n", "isdistinct", 5), "not n is distinct from 5"],
  ["n=not.eq.5", "not n = 5"],
  ["n=not.in.(1,2,5)", "not n in (1, 2, 5)"],
  [filter().not("name", "in", ["a,b", "tea"]), "not name in ('a,b', 'tea')"],
  ["name=not.like.%ea%", "not name like '%ea%'"],
  ["name=not.match.tea", "not name ~ 'tea'"],
  ["n=gt.0,n=lt.10", "n > 0 and n < 10"],
  [filter().gte("n", 1).eq("ok", true).like("name", "%e%"), "n >= 1 and ok and name like '%e%'"],
  [
    filter().in("name", ["a,b", "tea"]).eq("mood", "low").not("n", "is", null),
    "name in ('a,b', 'tea') and mood = 'low' and n is not null",
  ],
  [" ", "true"],
  [filter(), "true"],
];

describe("each filter lets through what its condition does in SQL", () => {
  const got = new Map<string, readonly { readonly new: object }[]>();
  let firstId = 0;

  beforeAll(async () => {
    // Sixteen bindings to a channel: one message serves many of them.
    for (let at = 0; at < filters.length; at += 16) {
      const channel = app.realtime().client.channel(newName());
      for (const [filter] of filters.slice(at, at + 16)) {
        got.set(
          String(filter),
          changesOn(channel, { event: "INSERT", schema: "public", table: "items", filter }) as never,
        );
      }
      const system = systemOn(channel);
      await subscribed(channel);
      await replicating(system);
    }
    const witness = app.realtime().client.channel(newName());
    const all = changesOn(witness, { event: "INSERT", schema: "public", table: "items" });
    const system = systemOn(witness);
    await subscribed(witness);
    await replicating(system);
    firstId = 1;
    await app.sql(
      `insert into public.items (id, name, n, big, price, f, ok, at, day, uid, mood, tags, doc, vc) values
       ${rows.map((row, at) => `(${firstId + at}, ${row})`).join(",\n")}`,
    );
    await vi.waitFor(() => expect(all).toHaveLength(rows.length), within);
  });

  it.each(filters)("%s", async (filter, sql) => {
    const expected = (await app.sql(`select id from public.items where ${sql} order by id`)).map(({ id }) => id);
    await vi.waitFor(
      () => expect(got.get(String(filter))?.map(({ new: row }) => (row as { id: number }).id)).toEqual(expected),
      within,
    );
  });

  it("and every one of them is on this list because it decides something", async () => {
    const named = new Set(filters.map(([filter]) => /=(?:not\.)?(\w+)\./.exec(String(filter))?.[1]).filter(Boolean));
    expect([...named].toSorted()).toEqual(
      ["eq", "gt", "gte", "ilike", "imatch", "in", "is", "isdistinct", "like", "lt", "lte", "match", "neq"].toSorted(),
    );
    expect(Object.getOwnPropertyNames(Object.getPrototypeOf(filter())).toSorted()).toEqual(
      [
        "add",
        "build",
        "constructor",
        "toString",
        "not",
        "isDistinct",
        ...[...named].filter((name) => name !== "isdistinct"),
      ].toSorted(),
    );
  });
});

describe("filters of changes and of rows that go", () => {
  it("UPDATE by the row as it is now, DELETE by what is known of the old one", async () => {
    const channel = app.realtime().client.channel(newName());
    const table = { schema: "public", table: "items" } as const;
    const updates = changesOn(channel, { event: "UPDATE", ...table, filter: "n=gt.1000" });
    const byKey = changesOn(channel, { event: "DELETE", ...table, filter: "id=eq.2001" });
    const byOther = changesOn(channel, { event: "DELETE", ...table, filter: "n=eq.1" });
    const whole = changesOn(channel, { event: "DELETE", schema: "public", table: "archive", filter: "n=eq.1" });
    const system = systemOn(channel);
    await subscribed(channel);
    await replicating(system);
    await app.sql(`insert into public.items (id, n) values (2001, 1), (2002, 2);
      update public.items set n = 1001 where id = 2001; update public.items set n = 3 where id = 2001; update public.items set n = 1002 where id = 2002;
      insert into public.archive values (1, 'a', 1), (2, 'b', 2);
      delete from public.items where id in (2001, 2002); delete from public.archive`);
    await vi.waitFor(() => expect(whole).toHaveLength(1), within);
    expect(updates.map(({ new: now }) => now)).toMatchObject([
      { id: 2001, n: 1001 },
      { id: 2002, n: 1002 },
    ]);
    expect(byKey.map(({ old }) => old)).toEqual([{ id: 2001 }]);
    // What is not in the log is not held against it.
    expect(byOther.map(({ old }) => old)).toEqual([{ id: 2001 }, { id: 2002 }]);
    expect(whole.map(({ old }) => old)).toEqual([{ id: 1, name: "a", n: 1 }]);
  });

  it("several channels of one client, each with its own row", async () => {
    const { client } = app.realtime();
    const got = await Promise.all(
      [3001, 3002, 3003].map(async (id) => {
        const channel = client.channel(newName());
        const changes = changesOn(channel, { event: "*", schema: "public", table: "items", filter: `id=eq.${id}` });
        const system = systemOn(channel);
        await subscribed(channel);
        await replicating(system);
        return changes;
      }),
    );
    await app.sql(`insert into public.items (id) select generate_series(3000, 3010)`);
    await vi.waitFor(
      () =>
        expect(got.map((of) => of.map(({ new: now }) => (now as { id: number }).id))).toEqual([[3001], [3002], [3003]]),
      within,
    );
  });
});

describe("what cannot be subscribed to", () => {
  const table = { event: "*", schema: "public", table: "items" } as const;
  const wrong: readonly [string, ChangesAsked, RegExp][] = [
    ["an unknown operator", { ...table, filter: "name=fts.tea" }, /unknown operator/],
    ["no operator", { ...table, filter: "name=tea" }, /operator/],
    ["no column", { ...table, filter: "=eq.1" }, /column=operator/],
    ["an empty condition", { ...table, filter: "n=eq.1,,n=eq.2" }, /./],
    ["a comma at the end", { ...table, filter: "n=eq.1," }, /./],
    ["a column that is not there", { ...table, filter: "nope=eq.1" }, /invalid column "nope"/],
    ["a value of another type", { ...table, filter: "n=eq.abc" }, /./],
    ["one too large for its type", { ...table, filter: "n=eq.99999999999" }, /./],
    ["a date that is none", { ...table, filter: "day=eq.2026-02-30" }, /./],
    ["a word the enum does not have", { ...table, filter: "mood=eq.so-so" }, /./],
    ["an empty list", { ...table, filter: "n=in.()" }, /empty list/],
    ["a list that does not end", { ...table, filter: "n=in.(1,2" }, /\)/],
    ["a quote that does not end", { ...table, filter: 'name=eq."tea' }, /quote/],
    [
      "more than 100 values",
      { ...table, filter: `n=in.(${Array.from({ length: 101 }, (_, n) => n).join()})` },
      /100 values/,
    ],
    ["is with another word", { ...table, filter: "name=is.tea" }, /is takes/],
    ["is true of what is no boolean", { ...table, filter: "name=is.true" }, /./],
    ["like of a number", { ...table, filter: "n=like.1%" }, /./],
    ["a pattern that is none", { ...table, filter: "name=match.(" }, /./],
    ["a filter on all tables", { event: "*", schema: "public", filter: "id=eq.1" }, /one table/],
    ["a select on all tables", { event: "*", schema: "public", table: "*", select: ["id"] }, /one table/],
    ["a column to select that is not there", { ...table, select: ["id", "nope"] }, /invalid column "nope"/],
    ["a table that is not there", { event: "*", schema: "public", table: "nothing" }, /nothing/],
    ["one that is not published", { event: "*", schema: "public", table: "unpublished" }, /unpublished/],
    ["a schema that is not there", { event: "*", schema: "nowhere" }, /nowhere/],
    ["a table in another schema", { event: "*", schema: "extra", table: "items" }, /extra/],
    ["R03 a filter on a column one may not read", { ...table, filter: "secret=eq.x" }, /invalid column "secret"/],
    ["R03 a select of one", { ...table, select: ["id", "secret"] }, /invalid column "secret"/],
  ];

  it.each(wrong)(
    "%s: the app is told, in the same words for what is hidden and what is not there",
    async (_, asked, message) => {
      const channel = app.realtime().client.channel(newName());
      const got = changesOn(channel, asked);
      const system = systemOn(channel);
      await subscribed(channel);
      await vi.waitFor(() => expect(system).toHaveLength(1), within);
      expect(system[0]).toEqual({
        extension: "postgres_changes",
        status: "error",
        message: expect.stringMatching(/^Unable to subscribe to changes with given parameters: /),
        channel: channel.subTopic,
      });
      expect(system[0]?.message).toMatch(message);
      expect(got).toEqual([]);
    },
  );

  it("broadcasts and presence of such a channel go on", async () => {
    const channel = app.realtime().client.channel(newName(), { config: { broadcast: { self: true, ack: true } } });
    changesOn(channel, { ...table, filter: "nope=eq.1" });
    const got: unknown[] = [];
    channel.on("broadcast", { event: "x" }, (message) => void got.push(message));
    await subscribed(channel);
    expect(await channel.send({ type: "broadcast", event: "x", payload: {} })).toBe("ok");
    await vi.waitFor(() => expect(got).toHaveLength(1), within);
  });

  it("B01 text of a request is never SQL", async () => {
    const channel = app.realtime().client.channel(newName());
    const evil = "'); drop table public.items; select pg_sleep(10); --";
    const got = changesOn(channel, { ...table, event: "INSERT", filter: postgresChangesFilter().ilike("name", evil) });
    const system = systemOn(channel);
    await subscribed(channel);
    await replicating(system);
    await app.sql(`insert into public.items (id, name) values (4001, 'x'), (4002, '${evil.replaceAll("'", "''")}')`);
    await vi.waitFor(() => expect(got.map(({ new: now }) => (now as { id: number }).id)).toEqual([4002]), within);
  });
});
