import { sql } from "pg-sql2";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Method } from "../../kernel/route.ts";
import { alice, anon, bob, type DataUnderTest, openDataUnderTest } from "./testing/data.ts";
import { shopSchema } from "./testing/shop.ts";

let data: DataUnderTest;
beforeAll(async () => {
  data = await openDataUnderTest(shopSchema);
});
afterAll(() => data.close());
beforeEach(async () => {
  await data.database.query(sql`truncate items, parts, pairs, plain, notes, drop_box, calls restart identity cascade`);
});

const full = { prefer: "return=representation" };
const send = (method: Method, path: string, body?: unknown, headers: Record<string, string> = {}) =>
  data.request(method, path, { headers, body: typeof body === "string" ? body : JSON.stringify(body) });
const items = async () => (await data.request("GET", "/items?select=id,slug,name,price&order=id")).json();

describe("insert", () => {
  it("adds one row without a body in the answer", async () => {
    const answer = await send("POST", "/items", { slug: "a", price: 1.5 });
    expect(answer).toMatchObject({ status: 201, text: "", headers: { "content-range": "*/*" } });
    expect(answer.headers["content-type"]).toBeUndefined();
    expect(await items()).toEqual([{ id: 1, slug: "a", name: "unnamed", price: 1.5 }]);
  });

  it("adds many and returns them shaped by select", async () => {
    const answer = await send(
      "POST",
      "/items?select=slug,price",
      [
        { slug: "a", price: "2" },
        { slug: "b", price: null },
      ],
      {
        prefer: "return=representation,count=exact",
      },
    );
    expect(answer.json()).toEqual([
      { slug: "a", price: 2 },
      { slug: "b", price: null },
    ]);
    expect(answer).toMatchObject({
      status: 201,
      headers: { "content-range": "*/2", "preference-applied": "return=representation, count=exact" },
    });
  });

  it("embeds in what it returns", async () => {
    await send("POST", "/items", { id: 7, slug: "seven" });
    const answer = await send("POST", "/parts?select=name,items(slug)", { id: 1, item_id: 7, name: "p" }, full);
    expect(answer.json()).toEqual([{ name: "p", items: { slug: "seven" } }]);
  });

  it("refuses ragged rows, unless columns say what is taken", async () => {
    const ragged = [{ slug: "a", name: "n" }, { slug: "b" }];
    expect(await send("POST", "/items", ragged)).toMatchObject({ status: 400 });
    expect((await send("POST", "/items", ragged)).json()).toMatchObject({
      code: "PGRST102",
      message: "All object keys must match",
    });
    expect((await send("POST", '/items?columns="slug","price"', ragged, full)).json()).toMatchObject([
      { slug: "a", price: null },
      { slug: "b" },
    ]);
  });

  it("uses defaults for missing keys when asked, and null for keys that are there", async () => {
    const rows = [{ slug: "a", name: "n" }, { slug: "b" }];
    const prefer = "return=representation,missing=default";
    const answer = await send("POST", "/items?columns=slug,name,id", rows, { prefer });
    expect(answer.json()).toMatchObject([
      { id: 1, slug: "a", name: "n" },
      { id: 2, slug: "b", name: "unnamed" },
    ]);
    expect(answer.headers["preference-applied"]).toBe("missing=default, return=representation");
    const explicit = await send("POST", "/items?columns=slug,name", [{ slug: "c", name: null }, { slug: "d" }], {
      prefer,
    });
    expect(explicit).toMatchObject({ status: 400 });
  });

  it.each<readonly [string, unknown, number, number]>([
    ["/items", [], 201, 0],
    ["/items", {}, 201, 1],
    ["/items", [{}, {}], 201, 2],
    ["/items", 5, 201, 0],
    ["/items", "", 400, 0],
    ["/items", "{", 400, 0],
    ["/items", '{"slug":"a"}x', 400, 0],
    ["/items", [1, 2], 400, 0],
    ["/items", { nope: 1 }, 400, 0],
    ["/items", { price: "x" }, 400, 0],
  ])("%s with %j is %i and adds %i", async (path, body, status, count) => {
    expect((await send("POST", path, body)).status).toBe(status);
    expect(await items()).toHaveLength(count);
  });

  it("names the unknown column", async () => {
    expect((await send("POST", "/items", { nope: 1 })).json()).toEqual({
      code: "PGRST204",
      details: null,
      hint: null,
      message: "Could not find the 'nope' column of 'items' in the schema cache",
    });
  });

  it("says where a row is with return=headers-only", async () => {
    const answer = await send("POST", "/pairs", { a: 1, b: 2 }, { prefer: "return=headers-only" });
    expect(answer).toMatchObject({ status: 201, text: "", headers: { location: "/pairs?a=eq.1&b=eq.2" } });
  });

  it("needs no SELECT for return=minimal, and does for more", async () => {
    const body = JSON.stringify({ id: 1, word: "x" });
    expect(await data.request("POST", "/drop_box", { who: anon, body })).toMatchObject({ status: 201 });
    expect(await data.request("POST", "/drop_box", { who: anon, body, headers: full })).toMatchObject({ status: 401 });
  });

  it("reads CSV and forms", async () => {
    const csv = 'slug,name,price\r\na,"x, ""y""",1\nb,NULL,NULL\n';
    expect(await send("POST", "/items?columns=slug,price", csv, { "content-type": "text/csv" })).toMatchObject({
      status: 201,
    });
    const form = await send("POST", "/items", "slug=c&price=3", {
      "content-type": "application/x-www-form-urlencoded; charset=utf-8",
    });
    expect(form.status).toBe(201);
    expect(await items()).toMatchObject([
      { slug: "a", price: 1 },
      { slug: "b", price: null },
      { slug: "c", price: 3 },
    ]);
  });

  it("answers 409 to a duplicate and to a dangling reference", async () => {
    await send("POST", "/items", { slug: "a" });
    expect(await send("POST", "/items", { slug: "a" })).toMatchObject({ status: 409 });
    expect((await send("POST", "/parts", { id: 1, item_id: 99 })).json()).toMatchObject({ code: "23503" });
  });
});

describe("upsert", () => {
  beforeEach(() => send("POST", "/items", { id: 1, slug: "a", name: "old" }));

  it("merges by primary key and by another, 201 when something was new", async () => {
    const prefer = "resolution=merge-duplicates";
    const merged = await send("POST", "/items?on_conflict=slug", [{ slug: "a", name: "new" }], { prefer });
    expect(merged).toMatchObject({ status: 200, headers: { "preference-applied": prefer } });
    const both = await send(
      "POST",
      "/items?on_conflict=slug",
      [
        { slug: "a", name: "x" },
        { slug: "b", name: "y" },
      ],
      { prefer },
    );
    expect(both.status).toBe(201);
    expect(await items()).toMatchObject([
      { slug: "a", name: "x" },
      { slug: "b", name: "y" },
    ]);
    expect((await send("POST", "/items", [{ id: 1, name: "key" }], { prefer })).status).toBe(200);
  });

  it("ignores duplicates, which are then absent from the answer", async () => {
    const prefer = "resolution=ignore-duplicates,return=representation";
    const answer = await send("POST", "/items?on_conflict=slug&select=slug", [{ slug: "a" }, { slug: "z" }], {
      prefer,
    });
    expect(answer).toMatchObject({ status: 201 });
    expect(answer.json()).toEqual([{ slug: "z" }]);
  });

  it("refuses a target without unique index, and inserts where there is no key", async () => {
    const prefer = "resolution=merge-duplicates";
    expect((await send("POST", "/items?on_conflict=name", { name: "q" }, { prefer })).json()).toMatchObject({
      code: "42P10",
    });
    const plain = await send("POST", "/plain", { x: 1 }, { prefer });
    expect(plain.status).toBe(201);
    expect(plain.headers["preference-applied"]).toBeUndefined();
  });

  it("B15: an upsert cannot take over a row the policies hide", async () => {
    const row = (owner: string) => JSON.stringify({ id: 5, owner, body: owner.slice(0, 1) });
    const prefer = { prefer: "resolution=merge-duplicates" };
    expect(await data.request("POST", "/notes", { who: alice, body: row(alice.subject!) })).toMatchObject({
      status: 201,
    });
    const stolen = await data.request("POST", "/notes", { who: bob, body: row(bob.subject!), headers: prefer });
    expect(stolen).toMatchObject({ status: 403 });
    const kept = await data.request("GET", "/notes?select=body", { who: alice });
    expect(kept.json()).toEqual([{ body: "1" }]);
  });
});

describe("put", () => {
  it("inserts, then replaces, the row its URL names", async () => {
    const put = (body: unknown, path = "/pairs?a=eq.1&b=eq.2", headers = full) => send("PUT", path, body, headers);
    expect(await put({ a: 1, b: 2, note: "x" })).toMatchObject({ status: 201 });
    const again = await put({ a: 1, b: 2, note: "y" });
    expect(again.status).toBe(200);
    expect(again.json()).toEqual([{ a: 1, b: 2, note: "y" }]);
    expect(again.headers["content-range"]).toBeUndefined();
    expect(await send("PUT", "/pairs?a=eq.1&b=eq.2", { a: 1, b: 2, note: "z" })).toMatchObject({
      status: 204,
      text: "",
    });
  });

  it.each<readonly [string, unknown, number, string]>([
    ["/pairs?a=eq.1", { a: 1, b: 2 }, 405, "PGRST105"],
    ["/pairs?a=eq.1&b=gt.2", { a: 1, b: 2 }, 405, "PGRST105"],
    ["/pairs?a=eq.1&b=eq.2&note=eq.x", { a: 1, b: 2 }, 405, "PGRST105"],
    ["/pairs?a=eq.1&b=eq.2&limit=1", { a: 1, b: 2 }, 400, "PGRST114"],
    ["/pairs?a=eq.1&b=eq.2", { a: 1, b: 3 }, 400, "PGRST115"],
    ["/pairs?a=eq.1&b=eq.2", { a: 1 }, 400, "PGRST115"],
    ["/pairs?a=eq.1&b=eq.2", {}, 400, "PGRST115"],
    [
      "/pairs?a=eq.1&b=eq.2",
      [
        { a: 1, b: 2 },
        { a: 1, b: 2 },
      ],
      400,
      "PGRST102",
    ],
  ])("PUT %s %j is %i %s and changes nothing", async (path, body, status, code) => {
    const answer = await send("PUT", path, body);
    expect(answer.status).toBe(status);
    expect(answer.json()).toMatchObject({ code });
    expect((await data.request("GET", "/pairs")).json()).toEqual([]);
  });
});

describe("update and delete", () => {
  beforeEach(() =>
    send("POST", "/items", [
      { slug: "a", price: 1 },
      { slug: "b", price: 2 },
      { slug: "c", price: 3 },
    ]),
  );

  it("updates what the filters find", async () => {
    const answer = await send(
      "PATCH",
      "/items?price=gte.2",
      { name: "n", tags: ["x", "y"] },
      { prefer: "count=exact" },
    );
    expect(answer).toMatchObject({ status: 204, text: "", headers: { "content-range": "0-1/2" } });
    const shown = await send("PATCH", "/items?slug=eq.a&select=slug,name,tags", { tags: ["z"] }, full);
    expect(shown).toMatchObject({ status: 200, headers: { "content-range": "0-0/*" } });
    expect(shown.json()).toEqual([{ slug: "a", name: "unnamed", tags: ["z"] }]);
    expect(await send("PATCH", "/items?slug=eq.zz", { name: "n" })).toMatchObject({
      status: 204,
      headers: { "content-range": "*/*" },
    });
  });

  it("takes an empty update for no update", async () => {
    expect(await send("PATCH", "/items", {})).toMatchObject({ status: 204 });
    expect(await send("PATCH", "/items", {}, full)).toMatchObject({ status: 200, text: "[]" });
  });

  it("limits an update to columns", async () => {
    const answer = await send(
      "PATCH",
      "/items?slug=eq.a&columns=name&select=name,price",
      { name: "n", price: 9 },
      full,
    );
    expect(answer.json()).toEqual([{ name: "n", price: 1 }]);
  });

  it("deletes and shows what it deleted, in the order asked", async () => {
    const answer = await send("DELETE", "/items?price=gt.1&select=slug&order=slug.desc", undefined, full);
    expect(answer).toMatchObject({ status: 200, headers: { "content-range": "*/*" } });
    expect(answer.json()).toEqual([{ slug: "c" }, { slug: "b" }]);
    expect(await send("DELETE", "/items", undefined, { prefer: "count=exact" })).toMatchObject({
      status: 204,
      headers: { "content-range": "*/1" },
    });
  });

  it("undoes a write whose answer cannot be one object", async () => {
    const headers = { ...full, accept: "application/vnd.pgrst.object+json" };
    const refused = await send("PATCH", "/items", { name: "all" }, headers);
    expect(refused.status).toBe(406);
    expect(refused.json()).toMatchObject({ code: "PGRST116", details: "The result contains 3 rows" });
    expect((await send("DELETE", "/items?slug=eq.zz", undefined, headers)).json()).toMatchObject({
      details: "The result contains 0 rows",
    });
    expect((await send("POST", "/items", [{ slug: "x" }, { slug: "y" }], headers)).status).toBe(406);
    expect(await items()).toMatchObject([{ name: "unnamed" }, { name: "unnamed" }, { name: "unnamed" }]);
    expect((await send("PATCH", "/items?slug=eq.a&select=slug", { name: "one" }, headers)).json()).toEqual({
      slug: "a",
    });
  });

  it("undoes what affects more than max-affected, when strict", async () => {
    const prefer = "handling=strict,max-affected=2";
    const refused = await send("DELETE", "/items", undefined, { prefer });
    expect(refused.status).toBe(400);
    expect(refused.json()).toMatchObject({ code: "PGRST124", details: "The query affects 3 rows" });
    expect(await items()).toHaveLength(3);
    const done = await send("DELETE", "/items?price=gt.1", undefined, { prefer });
    expect(done).toMatchObject({ status: 204, headers: { "preference-applied": "handling=strict, max-affected=2" } });
    expect(await send("DELETE", "/items", undefined, { prefer: "max-affected=0" })).toMatchObject({ status: 204 });
  });

  it("refuses preferences it does not know, when strict", async () => {
    const answer = await send("DELETE", "/items", undefined, {
      prefer: "handling=strict, foo=bar, timezone=Nowhere/At_All",
    });
    expect(answer.json()).toMatchObject({
      code: "PGRST122",
      details: "Invalid preferences: foo=bar, timezone=Nowhere/At_All",
    });
    expect(await items()).toHaveLength(3);
  });

  it("rolls back and still answers, where that is allowed", async () => {
    const trial = data.withSettings({ txEnd: "commit-allow-override" });
    const answer = await trial.request("DELETE", "/items?select=slug&order=slug", {
      headers: { prefer: "return=representation,tx=rollback" },
    });
    expect(answer).toMatchObject({
      status: 200,
      headers: { "preference-applied": "return=representation, tx=rollback" },
    });
    expect(answer.json()).toEqual([{ slug: "a" }, { slug: "b" }, { slug: "c" }]);
    expect(await items()).toHaveLength(3);
    // A trial refuses what the real thing would: foreign keys are checked after the statement, deferred ones at the commit.
    const orphan = await trial.request("POST", "/parts", {
      body: '{"id":1,"item_id":999,"name":"x"}',
      headers: { prefer: "tx=rollback" },
    });
    expect(orphan).toMatchObject({ status: 409 });
    expect(orphan.json()).toMatchObject({ code: "23503" });
    await data.request("DELETE", "/items?slug=eq.a", { headers: { prefer: "tx=rollback" } });
    expect(await items()).toHaveLength(2);
  });
});

describe("values", () => {
  it("B14: numbers and texts come back as they went, or are refused", async () => {
    const kept =
      '{"id":1,"big":9223372036854775807,"price":12345678.90,"meta":{"n":1e400,"e":-0},"doc":{"b":1,"a":  2},"slug":"\\u00e9\\ud83d\\ude00\\"\\\\"}';
    const answer = await send("POST", "/items?select=big,price,doc,slug", kept, full);
    expect(answer.status).toBe(201);
    expect(answer.text).toContain('"big":9223372036854775807');
    expect(answer.text).toContain('"doc":{"b":1,"a":  2}');
    expect(answer.json()).toMatchObject([{ slug: 'é😀"\\' }]);
    for (const slug of ['"\\u0000"', '"\\ud800"', '"a\nb"', '"\\x"']) {
      expect(await send("POST", "/items", `{"slug":${slug}}`)).toMatchObject({ status: 400 });
    }
    for (const path of ["/items?slug=eq.%00", "/items?big=eq.9223372036854775808", "/items?slug=eq.%ff"]) {
      expect((await data.request("GET", path)).status).toBe(400);
    }
    const bytes = Buffer.concat([Buffer.from('{"slug":"'), Buffer.from([0xff]), Buffer.from('"}')]);
    expect((await data.request("POST", "/items", { body: bytes })).status).toBe(400);
  });

  it("B12: keys that mean something to JavaScript are only names", async () => {
    for (const key of ["__proto__", "constructor", "toString"]) {
      expect((await send("POST", "/items", `{"${key}":{"polluted":true}}`)).json()).toMatchObject({ code: "PGRST204" });
      expect((await send("POST", "/rpc/greet", `{"${key}":1}`)).json()).toMatchObject({ code: "PGRST202" });
      expect((await data.request("GET", `/items?${key}=eq.1`)).json()).toMatchObject({ code: "42703" });
    }
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  it.each([
    "text/plain",
    "application/json\t;x",
    "application/json;charset=utf-16",
    "application/json, text/csv",
    "json",
    "application/jsonp",
  ])("B13: %s is not a body we read", async (type) => {
    expect((await send("POST", "/items", { slug: "a" }, { "content-type": type })).json()).toMatchObject({
      code: "PGRST102",
    });
    expect(await items()).toEqual([]);
  });
});

describe("B02: the planner says nothing of rows one may not see", () => {
  it.each(["planned", "estimated"])("count=%s counts what the caller sees", async (kind) => {
    await data.database.query(sql`
      insert into notes select n, '22222222-2222-2222-2222-222222222222', 'alpha' from generate_series(100, 3099) n`);
    await data.database.query(sql`analyze notes`);
    const headers = { prefer: `count=${kind}` };
    const counted = async (path: string): Promise<string | undefined> =>
      (await data.request("HEAD", path, { who: alice, headers })).headers["content-range"];
    expect(await counted("/notes?body=eq.alpha")).toBe("*/0");
    expect(await counted("/notes?body=eq.none")).toBe("*/0");
    await data.database.query(sql`delete from notes where id between 100 and 3099`);
  });
});
