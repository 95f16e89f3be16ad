import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type App, type RequestOptions, startApp } from "../app.ts";

let app: App;
beforeAll(async () => {
  app = await startApp();
});
afterAll(() => app.stop());

const call = (name: string, body?: unknown, headers: RequestOptions["headers"] = {}) =>
  app.rest(`/rpc/${name}`, { method: "POST", ...(body === undefined ? {} : { body }), headers });
const get = (name: string) => app.rest(`/rpc/${name}`);

describe("rest: arguments of a call", () => {
  it("POST takes them from a JSON object, with defaults", async () => {
    expect(await call("add_them", { a: 1, b: 2 })).toMatchObject({ status: 200, json: 3 });
    expect(await call("add_them", { a: 1 })).toMatchObject({ status: 200, json: 11 });
  });

  it("GET takes them from the query", async () => {
    expect(await get("add_them?a=1&b=2")).toMatchObject({ status: 200, json: 3 });
    expect(await get("add_them?a=1")).toMatchObject({ status: 200, json: 11 });
  });

  it("HEAD calls and has no body", async () => {
    const answer = await app.rest("/rpc/all_films", { method: "HEAD", headers: { Prefer: "count=exact" } });
    expect(answer).toMatchObject({ status: 200, text: "" });
    expect(answer.headers.get("content-range")).toBe("0-4/5");
  });

  it.each([
    ["an empty body", ""],
    ["null", "null"],
    ["{}", "{}"],
  ])("%s is a call without arguments", async (_what, body) => {
    const headers = { "Content-Type": "application/json" };
    expect(await call("say_hello", body, headers)).toMatchObject({ status: 200, json: 'hello "world"' });
  });

  it("no body and no content type too", async () => {
    expect(await call("say_hello")).toMatchObject({ status: 200, json: 'hello "world"' });
  });

  it("takes a form", async () => {
    const headers = { "Content-Type": "application/x-www-form-urlencoded" };
    expect(await call("add_them", "a=3&b=4", headers)).toMatchObject({ status: 200, json: 7 });
  });

  it("columns= restricts the keys", async () => {
    expect(await call("add_them?columns=a", { a: 1, b: 2 })).toMatchObject({ status: 200, json: 11 });
  });

  it("arrays: JSON in a POST, {…} or repeated in a GET", async () => {
    expect((await call("total", { parts: [1, 2, 3] })).json).toBe(6);
    expect((await get(`total?parts=${encodeURIComponent("{1,2,3}")}`)).json).toBe(6);
  });

  it("variadic: JSON array in a POST, repeated in a GET", async () => {
    expect((await call("join_words", { separator: "-", words: ["a", "b"] })).json).toBe("a-b");
    expect((await get("join_words?separator=-&words=a&words=b")).json).toBe("a-b");
    expect((await get(`join_words?separator=-&words=${encodeURIComponent("{a,b}")}`)).json).toBe("a-b");
  });

  it("objects become json", async () => {
    expect((await call("keys_of", { doc: { b: 1, a: 2 } })).json).toEqual(["a", "b"]);
  });

  it("a single unnamed parameter takes the whole body", async () => {
    expect((await call("take_json", { any: ["thing"] })).json).toEqual({ any: ["thing"] });
    expect((await call("take_json", [1, 2])).json).toEqual([1, 2]);
    expect((await call("only_one", "four", { "Content-Type": "text/plain" })).json).toBe(4);
    expect(
      (await call("take_bytes", new Uint8Array([1, 0, 255]), { "Content-Type": "application/octet-stream" })).json,
    ).toBe(3);
    expect((await call("take_xml", "<a>hi</a>", { "Content-Type": "text/xml" })).json).toBe("hi");
  });

  it("in a GET what parses as an operator filters, the rest are arguments", async () => {
    expect((await get("films_since?first_year=1950&title=eq.Ikiru")).json).toEqual([
      { title: "Ikiru", released: 1952 },
    ]);
  });

  it("a bad argument is PostgreSQL's own error", async () => {
    expect(await call("add_them", { a: "one" })).toMatchObject({ status: 400, json: { code: "22P02" } });
    expect(await get("add_them?a=one")).toMatchObject({ status: 400, json: { code: "22P02" } });
  });

  it("broken JSON is PGRST102", async () => {
    expect(await call("add_them", "{", { "Content-Type": "application/json" })).toMatchObject({
      status: 400,
      json: { code: "PGRST102" },
    });
  });
});

describe("rest: choice of the function", () => {
  it("is by the names given", async () => {
    expect((await call("overloaded", { a: 1 })).json).toBe("one");
    expect((await call("overloaded", { a: 1, b: 2 })).json).toBe("two");
  });

  it.each([
    ["an unknown function", "unknown", {}],
    ["an argument too few", "overloaded", {}],
    ["an argument too many", "add_them", { a: 1, c: 3 }],
    ["a function of another schema", "greet", { name: "x" }],
  ])("%s is 404 PGRST202", async (_what, name, body) => {
    expect(await call(name, body)).toMatchObject({ status: 404, json: { code: "PGRST202" } });
  });

  it("several are 300 PGRST203", async () => {
    expect(await call("undecided", { a: 1 })).toMatchObject({ status: 300, json: { code: "PGRST203" } });
  });
});

describe("rest: transaction of a call", () => {
  it("GET of a function that writes is 25006, 405", async () => {
    expect(await get("add_letter?letter_id=77")).toMatchObject({ status: 405, json: { code: "25006" } });
    expect((await app.rest("/letters?id=eq.77")).json).toEqual([]);
  });

  it("POST is read-write for volatile functions, read-only for others", async () => {
    expect((await call("add_letter", { letter_id: 78 })).json).toBe(78);
    expect((await app.rest("/letters?id=eq.78&select=letter")).json).toEqual([{ letter: "x" }]);
    expect((await call("who_am_i")).json).toMatchObject({ read_only: "on" });
    expect((await call("who_am_i_writing")).json).toMatchObject({ read_only: "off" });
  });

  it("takes isolation level and statement_timeout from the function", async () => {
    expect((await call("isolation")).json).toBe("serializable");
    expect((await call("patient")).json).toBe("7s");
  });
});

describe("rest: result of a call", () => {
  it.each([
    ["a scalar is bare", "add_them?a=1&b=1", 2],
    ["text is quoted", "say_hello", 'hello "world"'],
    ["a set of scalars is an array", "numbers", [1, 2, 3]],
    [
      "TABLE is an array of objects",
      "films_since?first_year=1962",
      [
        { title: "Cléo from 5 to 7", released: 1962 },
        { title: "Vagabond", released: 1985 },
      ],
    ],
    ["OUT parameters are an object", "split_name?full_name=Ada%20Lovelace", { first: "Ada", last: "Lovelace" }],
    ["a single OUT parameter is an object too, as PostgREST has it", "twice?n=4", { doubled: 8 }],
    ["json is itself", "doc_of?film=3", { film: 3, list: [1, 2] }],
    ["a null composite is null", "no_film", null],
  ])("%s", async (_what, path, expected) => {
    const answer = await get(path);
    expect(answer.status).toBe(200);
    expect(answer.json).toEqual(expected);
    expect(answer.headers.get("content-type")).toBe("application/json; charset=utf-8");
  });

  it("a row is an object", async () => {
    expect((await get("film_by_id?film=4&select=id,title")).json).toEqual({ id: 4, title: "Ikiru" });
  });

  it("void is 204 without a body", async () => {
    expect(await call("no_answer", {})).toMatchObject({ status: 204, text: "" });
  });

  it("of a table type takes select, filters, order, limit and embeds", async () => {
    const answer = await call(
      "all_films?select=title,directors(last_name),actors(name)&year=lt.1960&order=year&limit=1&offset=1",
      {},
    );
    expect(answer.json).toEqual([
      { title: "Ikiru", directors: { last_name: "Kurosawa" }, actors: [{ name: "Takashi Shimura" }] },
    ]);
  });

  it("of other columns takes select, filters and order on them", async () => {
    expect((await call("films_since?select=title&released=gt.1970", { first_year: 1900 })).json).toEqual([
      { title: "Vagabond" },
    ]);
    expect((await call("films_since?select=released&order=released.desc&limit=1", { first_year: 1900 })).json).toEqual([
      { released: 1985 },
    ]);
  });

  it("with the singular Accept is one object or PGRST116", async () => {
    const accept = { Accept: "application/vnd.pgrst.object+json" };
    expect((await call("all_films?id=eq.1&select=id", {}, accept)).json).toEqual({ id: 1 });
    expect(await call("all_films", {}, accept)).toMatchObject({ status: 406, json: { code: "PGRST116" } });
    expect(await call("bump", {}, accept)).toMatchObject({ status: 406, json: { code: "PGRST116" } });
    expect((await app.rest("/products?id=eq.1&select=quantity")).json).toEqual([{ quantity: 10 }]);
  });

  it("as CSV", async () => {
    const answer = await app.rest("/rpc/films_since?first_year=1985", { headers: { Accept: "text/csv" } });
    expect(answer.text.trim()).toBe("title,released\nVagabond,1985");
  });

  it("of a matching scalar type as plain text", async () => {
    const answer = await app.rest("/rpc/say_hello", { headers: { Accept: "text/plain" } });
    expect(answer).toMatchObject({ status: 200, text: 'hello "world"' });
    expect(answer.headers.get("content-type")).toBe("text/plain; charset=utf-8");
  });
});
