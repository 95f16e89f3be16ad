import { sql } from "pg-sql2";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { alice, anon, type DataUnderTest, openDataUnderTest } from "./testing/data.ts";
import { shopSchema } from "./testing/shop.ts";

let data: DataUnderTest;
beforeAll(async () => {
  data = await openDataUnderTest(shopSchema);
  await data.database.query(sql`insert into items (slug, price) values ('a', 1), ('b', 2), ('c', 3)`);
  await data.database.query(sql`insert into parts values (1, 2, 'wheel')`);
});
afterAll(() => data.close());

const post = (name: string, body?: unknown, headers: Record<string, string> = {}) =>
  data.request("POST", `/rpc/${name}`, {
    headers,
    body: typeof body === "string" ? body : JSON.stringify(body ?? null),
  });
const get = (path: string, headers: Record<string, string> = {}) => data.request("GET", `/rpc/${path}`, { headers });

describe("calls", () => {
  it.each<readonly [string, unknown, unknown]>([
    ["add", { a: 1 }, 11],
    ["add", { a: 1, b: 2 }, 3],
    ["greet", { name: 'a "quote"' }, 'hi a "quote"'],
    ["numbers", { n: 3 }, [1, 2, 3]],
    ["pair", { a: 3 }, { sum: 6, product: 9 }],
    [
      "grid",
      {},
      [
        { x: 1, y: "a" },
        { x: 2, y: "b" },
      ],
    ],
    ["total", { v: [1, 2, 3] }, 6],
    ["echo_json", { any: ["thing"] }, { any: ["thing"] }],
    ["echo_json", [1, 2], [1, 2]],
    ["take", { doc: { a: 1 }, list: [1, 2] }, '{"a": 1}{1,2}'],
    ["one_item?select=slug", { wanted: 2 }, { slug: "b" }],
    ["null_item", {}, null],
    ["scalar_null", {}, null],
    [
      "items_over?select=slug,parts(name)&order=slug.desc&limit=1&slug=eq.b",
      { min: 0 },
      [{ slug: "b", parts: [{ name: "wheel" }] }],
    ],
    ["grid?x=eq.2&select=y", {}, [{ y: "b" }]],
  ])("POST %s %j", async (name, body, expected) => {
    const answer = await post(name, body);
    expect(answer.status).toBe(200);
    expect(answer.json()).toEqual(expected);
  });

  it.each<readonly [string, unknown]>([
    ["add?a=1&b=2", 3],
    ["greet?name=eq", "hi eq"],
    ["numbers?n=2", [1, 2]],
    ["total?v=1&v=2&v=3", 6],
    ["total?v={4,5}", 9],
    ["items_over?min=1&slug=eq.c&select=slug", [{ slug: "c" }]],
  ])("GET %s", async (path, expected) => {
    expect((await get(path)).json()).toEqual(expected);
  });

  it("answers 204 to void, whatever was sent as no arguments", async () => {
    for (const body of [Buffer.alloc(0), Buffer.from("null"), Buffer.from("{}")]) {
      const answer = await data.request("POST", "/rpc/nothing_at_all", { body });
      expect(answer).toMatchObject({ status: 204, text: "" });
    }
    expect(await data.database.query(sql`select count(*)::int as n from calls`)).toEqual([{ n: 3 }]);
  });

  it("hands a body as it came to a single unnamed parameter", async () => {
    expect((await post("echo_text", "plain", { "content-type": "text/plain" })).json()).toBe("plain");
    const bytes = Buffer.from([0, 255, 10]);
    const headers = { "content-type": "application/octet-stream", accept: "application/octet-stream" };
    const { body, status } = await data.reply("POST", "/rpc/echo_bytes", { body: bytes, headers });
    expect(status).toBe(200);
    expect(body).toEqual(bytes);
  });

  it("answers in the media type a function's domain names", async () => {
    const answer = await get("page", { accept: "text/html,*/*;q=0.8" });
    expect(answer).toMatchObject({ text: "<p>hi</p>", headers: { "content-type": "text/html; charset=utf-8" } });
  });

  it("pages and counts the rows of a set", async () => {
    const answer = await get("items_over?min=0&select=slug&limit=2&order=slug", { prefer: "count=exact" });
    expect(answer).toMatchObject({ status: 206, headers: { "content-range": "0-1/3" } });
    expect(answer.json()).toEqual([{ slug: "a" }, { slug: "b" }]);
    const numbers = await get("numbers?n=5&limit=2&offset=1", { prefer: "count=exact" });
    expect(numbers).toMatchObject({ status: 206, headers: { "content-range": "1-2/5" } });
  });

  it("refuses a volatile function that writes on GET, and names no row as one", async () => {
    expect(await get("write_something")).toMatchObject({ status: 405 });
    const single = await post("items_over", { min: 0 }, { accept: "application/vnd.pgrst.object+json" });
    expect(single).toMatchObject({ status: 406 });
    expect(single.json()).toMatchObject({ code: "PGRST116", details: "The result contains 3 rows" });
  });

  it("finds no function, or too many", async () => {
    expect((await post("add", { a: 1, c: 2 })).json()).toMatchObject({
      code: "PGRST202",
      message: "Could not find the function public.add(a, c) in the schema cache",
    });
    expect((await post("unknown")).status).toBe(404);
    const several = await post("over", { a: 1 });
    expect(several.status).toBe(300);
    expect(several.json()).toMatchObject({ code: "PGRST203" });
    expect((await post("over", { a: 1, b: 2 })).json()).toBe("two");
    expect((await post("add", { a: 1 }, { prefer: "handling=strict,max-affected=1" })).json()).toMatchObject({
      code: "PGRST128",
    });
  });
});

describe("the transaction", () => {
  it("tells SQL who asks, what, and how", async () => {
    const { json } = await data.request("GET", "/rpc/claims?select=", {
      who: alice,
      headers: { "X-Client-Info": 'a"b', cookie: "a=1; b=2", prefer: "timezone=America/Los_Angeles" },
    });
    expect(json()).toMatchObject({
      role: "authenticated",
      claims: { sub: alice.subject },
      path: "/rpc/claims",
      method: "GET",
      headers: { "x-client-info": 'a"b' },
      cookies: { a: "1", b: "2" },
      search_path: '"public", "extensions"',
      timezone: "America/Los_Angeles",
      read_only: "on",
    });
  });

  it("hoists a function's isolation level and timeout", async () => {
    expect((await post("serial", {})).json()).toBe("serializable 7s");
  });

  it("B04: nothing of one caller is left for the next", async () => {
    const callers = [alice, anon, alice, anon];
    for (let round = 0; round < 20; round++) {
      const answers = await Promise.all(
        callers.map((who, index) =>
          index % 2 === 0 || round % 3 !== 0
            ? data.request("GET", "/rpc/claims", { who })
            : data.request("GET", "/items?id=eq.broken", { who }),
        ),
      );
      for (const [index, answer] of answers.entries()) {
        if (answer.status === 200)
          expect(answer.json()).toMatchObject({ role: callers[index]!.role, claims: callers[index]!.claims });
      }
    }
  });

  it("calls the pre-request function first", async () => {
    await data.database.query(sql`create function check_in() returns void language plpgsql as $$ begin
      if current_setting('request.headers', true)::json ->> 'x-banned' is not null then raise sqlstate 'PT403' using message = 'Banned'; end if;
    end $$`);
    const guarded = data.withSettings({ preRequest: "public.check_in" });
    expect((await guarded.request("GET", "/items?select=id&id=eq.1")).status).toBe(200);
    expect(await guarded.request("GET", "/items", { headers: { "x-banned": "1" } })).toMatchObject({
      status: 403,
      statusText: "Banned",
    });
  });
});

describe("what SQL says over HTTP", () => {
  it("sets status and headers", async () => {
    expect(await post("teapot")).toMatchObject({
      status: 418,
      headers: { "x-tea": "green", "cache-control": "no-store" },
    });
    const bad = await post("bad_header");
    expect(bad.status).toBe(500);
    expect(bad.json()).toMatchObject({ code: "PGRST111" });
  });

  it("raises", async () => {
    expect((await post("raise_plain")).json()).toEqual({ code: "P0001", message: "no", details: "d", hint: "h" });
    expect(await post("raise_402")).toMatchObject({ status: 402, statusText: "Payment Required" });
    const raised = await post("raise_full");
    expect(raised).toMatchObject({ status: 332, statusText: "Own status", headers: { "x-powered-by": "Nerd Rage" } });
    expect(raised.json()).toEqual({ code: "123", message: "Own", details: "D", hint: "H" });
    expect((await post("raise_broken")).json()).toMatchObject({ code: "PGRST121" });
  });
});

describe("hints", () => {
  it("B07: an anonymous caller is not told what else there is", async () => {
    for (const path of ["/itemz", "/notez", "/rpc/gree"]) {
      const answer = await data.request("GET", path, { who: anon });
      expect(answer.status).toBe(404);
      expect(answer.json()).toMatchObject({ hint: null });
      expect(answer.text).not.toMatch(/items|notes|greet/);
    }
  });

  it("B07: others are told of what they may use, and of nothing else", async () => {
    const near = await data.request("GET", "/itemz", { who: alice });
    expect(near.json()).toMatchObject({ hint: "Perhaps you meant the table 'public.items'" });
    const hidden = await data.request("GET", "/drop_boxx", { who: alice });
    expect(hidden.json()).toMatchObject({ code: "PGRST205", hint: null });
  });
});

describe("OPTIONS", () => {
  it.each([
    ["/items", "OPTIONS,GET,HEAD,POST,PUT,PATCH,DELETE"],
    ["/rpc/add", "OPTIONS,GET,HEAD,POST"],
    ["/rpc/teapot", "OPTIONS,POST"],
  ])("%s allows %s", async (path, allow) => {
    expect(await data.request("OPTIONS", path)).toMatchObject({ status: 200, headers: { allow } });
  });

  it("refuses other methods on functions", async () => {
    expect(await data.request("PATCH", "/rpc/add")).toMatchObject({ status: 405 });
  });
});

describe("the root", () => {
  it("describes what is served, unless it is switched off or a function stands in", async () => {
    const answer = await data.request("GET", "/");
    expect(answer).toMatchObject({
      status: 200,
      headers: { "content-type": "application/openapi+json; charset=utf-8" },
    });
    expect(answer.json()).toMatchObject({ swagger: "2.0", paths: { "/items": {}, "/rpc/add": {} } });
    expect(await data.withSettings({ openApiMode: "disabled" }).request("GET", "/")).toMatchObject({ status: 404 });
    expect((await data.withSettings({ rootSpec: "public.pair" }).request("GET", "/?a=2")).json()).toEqual({
      sum: 4,
      product: 4,
    });
    expect(await data.request("POST", "/")).toMatchObject({ status: 405 });
  });
});
