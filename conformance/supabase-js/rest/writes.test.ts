import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type App, type RequestOptions, startApp } from "../app.ts";

let app: App;
beforeAll(async () => {
  app = await startApp();
});
afterAll(() => app.stop());

/** A write that answers with its rows. `prefer` joins `return=representation`. */
const write = (method: string, path: string, body?: unknown, prefer = "", headers: RequestOptions["headers"] = {}) =>
  app.rest(path, {
    method,
    ...(body === undefined ? {} : { body }),
    headers: { Prefer: prefer === "" ? "return=representation" : `return=representation,${prefer}`, ...headers },
  });
const rows = async (path: string) => (await app.rest(path)).json;

describe("rest: insert", () => {
  it("takes an object", async () => {
    expect(await write("POST", "/products?select=sku,name,quantity", { sku: "i-1", quantity: 3 })).toMatchObject({
      status: 201,
      json: [{ sku: "i-1", name: "unnamed", quantity: 3 }],
    });
  });

  it("takes an array of objects with the same keys", async () => {
    expect(await write("POST", "/products?select=sku", [{ sku: "i-2" }, { sku: "i-3" }])).toMatchObject({
      status: 201,
      json: [{ sku: "i-2" }, { sku: "i-3" }],
    });
  });

  it("refuses ragged keys with PGRST102, and inserts none", async () => {
    expect(await write("POST", "/nullable_pair", [{ a: 1 }, { b: 2 }])).toMatchObject({
      status: 400,
      json: { code: "PGRST102" },
    });
    expect(await rows("/nullable_pair")).toEqual([]);
  });

  it("takes ragged keys with columns=: what is missing becomes null, what is not listed is ignored", async () => {
    expect(await write("POST", "/nullable_pair?columns=a,b&select=a,b", [{ a: 1 }, { b: 2, c: 9 }])).toMatchObject({
      status: 201,
      json: [
        { a: 1, b: null },
        { a: null, b: 2 },
      ],
    });
  });

  it("missing=default takes the column's default instead of null", async () => {
    const answer = await write(
      "POST",
      '/nullable_pair?columns="a","b"&select=a,b',
      [{ a: 1 }, { b: 2 }],
      "missing=default",
    );
    expect(answer).toMatchObject({
      status: 201,
      json: [
        { a: 1, b: 8 },
        { a: 7, b: 2 },
      ],
    });
    expect(answer.headers.get("preference-applied")).toBe("missing=default, return=representation");
  });

  it("an unknown key is PGRST204, in the body and in columns", async () => {
    expect(await write("POST", "/products", { sku: "i-x", colour: "red" })).toMatchObject({
      status: 400,
      json: { code: "PGRST204" },
    });
    expect(await write("POST", "/products?columns=sku,colour", { sku: "i-x" })).toMatchObject({
      status: 400,
      json: { code: "PGRST204" },
    });
  });

  it("[] inserts nothing, {} one row of defaults", async () => {
    expect(await write("POST", "/nullable_pair", [])).toMatchObject({ status: 201, json: [] });
    expect(await write("POST", "/nullable_pair?select=a,b", {})).toMatchObject({ status: 201, json: [{ a: 7, b: 8 }] });
  });

  it.each([
    ["an empty body", ""],
    ["broken JSON", "{"],
    ["two documents", "{}{}"],
  ])("%s is PGRST102", async (_what, body) => {
    const headers = { "Content-Type": "application/json" };
    expect(await write("POST", "/products", body, "", headers)).toMatchObject({
      status: 400,
      json: { code: "PGRST102" },
    });
  });

  it("JSON is the default when no content type is given", async () => {
    const body = new TextEncoder().encode('{"sku":"i-untyped"}');
    expect(await write("POST", "/products?select=sku", body)).toMatchObject({
      status: 201,
      json: [{ sku: "i-untyped" }],
    });
  });

  it("takes CSV, with NULL for null", async () => {
    const body = 'sku,name,quantity\ncsv-1,"a, b",5\ncsv-2,NULL,6\n';
    expect(
      await write("POST", "/products?select=sku,name,quantity", body, "", { "Content-Type": "text/csv" }),
    ).toMatchObject({
      status: 201,
      json: [
        { sku: "csv-1", name: "a, b", quantity: 5 },
        { sku: "csv-2", name: null, quantity: 6 },
      ],
    });
  });

  it("takes a form", async () => {
    const headers = { "Content-Type": "application/x-www-form-urlencoded" };
    expect(await write("POST", "/products?select=sku,name", "sku=form-1&name=by+form", "", headers)).toMatchObject({
      status: 201,
      json: [{ sku: "form-1", name: "by form" }],
    });
  });

  it("refuses other content types with PGRST102", async () => {
    expect(await write("POST", "/products", "<sku/>", "", { "Content-Type": "text/xml" })).toMatchObject({
      status: 400,
      json: { code: "PGRST102" },
    });
  });

  it("converts as json_to_recordset does: text for any type, objects for json and composites, arrays for arrays", async () => {
    const row = {
      big: "9007199254740993",
      exact: "1.10",
      flag: "true",
      day: "2026-02-28",
      docb: { a: [1, null] },
      ints: [4, 5],
      span: "[1,5)",
      size: { width: 7, height: 8 },
      kind: "horror",
      duration: 12,
    };
    const answer = await write(
      "POST",
      "/types?select=big::text,exact::text,flag,day,docb,ints,span,size,kind,duration",
      { id: 50, ...row },
    );
    expect(answer).toMatchObject({ status: 201, json: [{ ...row, flag: true }] });
  });

  it("keeps the singular Accept", async () => {
    const accept = { Accept: "application/vnd.pgrst.object+json" };
    expect(await write("POST", "/products?select=sku", { sku: "i-one" }, "", accept)).toMatchObject({
      status: 201,
      json: { sku: "i-one" },
    });
    expect(
      await write("POST", "/products?select=sku", [{ sku: "i-two" }, { sku: "i-three" }], "", accept),
    ).toMatchObject({
      status: 406,
      json: { code: "PGRST116" },
    });
    expect(await rows("/products?sku=in.(i-two,i-three)")).toEqual([]);
  });

  it("into a view that can be written to", async () => {
    expect(await write("POST", "/product_names", { id: 60, sku: "by-view" })).toMatchObject({
      status: 201,
      json: [{ id: 60, sku: "by-view" }],
    });
    expect(await rows("/products?id=eq.60&select=sku,quantity")).toEqual([{ sku: "by-view", quantity: 1 }]);
  });
});

describe("rest: update", () => {
  it("changes what the filters keep", async () => {
    expect(await write("PATCH", "/products?id=eq.1&select=id,name", { name: "Anvil II" })).toMatchObject({
      status: 200,
      json: [{ id: 1, name: "Anvil II" }],
    });
    expect(await rows("/products?select=name&id=eq.2")).toEqual([{ name: "Bell" }]);
  });

  it("is 204 without representation", async () => {
    expect(await app.rest("/products?id=eq.1", { method: "PATCH", body: { name: "Anvil" } })).toMatchObject({
      status: 204,
      text: "",
    });
  });

  it("of nothing is no error", async () => {
    expect(await write("PATCH", "/products?id=eq.999", { name: "x" })).toMatchObject({ status: 200, json: [] });
    expect((await app.rest("/products?id=eq.999", { method: "PATCH", body: { name: "x" } })).status).toBe(204);
  });

  it("{} changes nothing", async () => {
    expect(await write("PATCH", "/products?id=eq.1", {})).toMatchObject({ status: 200, json: [] });
    expect((await app.rest("/products?id=eq.1", { method: "PATCH", body: {} })).status).toBe(204);
  });

  it("columns= limits what is applied", async () => {
    expect(
      await write("PATCH", "/products?id=eq.1&columns=quantity&select=name,quantity", { name: "no", quantity: 11 }),
    ).toMatchObject({
      status: 200,
      json: [{ name: "Anvil", quantity: 11 }],
    });
  });

  it("without a filter changes all rows", async () => {
    expect((await write("PATCH", "/letters?select=id", { letter: "all" })).json).toHaveLength(5);
  });

  it("limit does not restrict it", async () => {
    await write("PATCH", "/letters?limit=1", { letter: "every" });
    expect(await rows("/letters?letter=eq.every&select=id")).toHaveLength(5);
  });

  it("an unknown key is PGRST204", async () => {
    expect(await write("PATCH", "/products?id=eq.1", { colour: "red" })).toMatchObject({
      status: 400,
      json: { code: "PGRST204" },
    });
  });

  it("singular with another number of rows is PGRST116 and changes nothing", async () => {
    const accept = { Accept: "application/vnd.pgrst.object+json" };
    expect(await write("PATCH", "/products?id=in.(1,2)", { name: "both" }, "", accept)).toMatchObject({
      status: 406,
      json: { code: "PGRST116", details: expect.stringContaining("2 rows") },
    });
    expect(await rows("/products?name=eq.both")).toEqual([]);
  });

  it("filters by logic and JSON paths as reads do", async () => {
    await write("PATCH", "/products?id=eq.3", { attributes: { tier: "gold" } });
    expect(
      (await write("PATCH", "/products?attributes->>tier=eq.gold&or=(id.eq.3,id.eq.1)&select=id", { quantity: 31 }))
        .json,
    ).toEqual([{ id: 3 }]);
  });
});

describe("rest: upsert", () => {
  const merge = "resolution=merge-duplicates";
  const ignore = "resolution=ignore-duplicates";

  it("merges by primary key: 200 when nothing was inserted, 201 when something was", async () => {
    const path = "/products?select=id,quantity";
    expect(await write("POST", path, [{ id: 1, sku: "A-1", quantity: 12 }], merge)).toMatchObject({
      status: 200,
      json: [{ id: 1, quantity: 12 }],
    });
    const mixed = await write(
      "POST",
      path,
      [
        { id: 1, sku: "A-1", quantity: 13 },
        { id: 70, sku: "u-70", quantity: 1 },
      ],
      merge,
    );
    expect(mixed).toMatchObject({
      status: 201,
      json: [
        { id: 1, quantity: 13 },
        { id: 70, quantity: 1 },
      ],
    });
    expect(mixed.headers.get("preference-applied")).toBe(`${merge}, return=representation`);
  });

  it("merges by on_conflict, and leaves columns alone that were not given", async () => {
    expect(
      await write("POST", "/products?on_conflict=sku&select=id,name,quantity", { sku: "B-2", quantity: 21 }, merge),
    ).toMatchObject({
      status: 200,
      json: [{ id: 2, name: "Bell", quantity: 21 }],
    });
  });

  it("ignores duplicates, and leaves them out of the answer", async () => {
    const answer = await write(
      "POST",
      "/products?on_conflict=sku&select=sku",
      [
        { sku: "B-2", quantity: 99 },
        { sku: "u-new", quantity: 1 },
      ],
      ignore,
    );
    expect(answer).toMatchObject({ status: 201, json: [{ sku: "u-new" }] });
    expect(await rows("/products?sku=eq.B-2&select=quantity")).toEqual([{ quantity: 21 }]);
  });

  it("by a composite key", async () => {
    expect(await write("POST", "/pair_key", { a: 1, b: 1, note: "uno" }, merge)).toMatchObject({
      status: 200,
      json: [{ a: 1, b: 1, note: "uno" }],
    });
    expect((await write("POST", "/pair_key?on_conflict=a,b", { a: 1, b: 2, note: "due" }, merge)).status).toBe(200);
  });

  it("into a table without a key is an insert", async () => {
    const answer = await write("POST", "/no_key", { a: 1, b: "x" }, merge);
    expect(answer).toMatchObject({ status: 201, json: [{ a: 1, b: "x" }] });
    expect(answer.headers.get("preference-applied")).toBe("return=representation");
  });

  it("on columns without a unique index is 42P10", async () => {
    expect(await write("POST", "/products?on_conflict=name", { sku: "u-y", name: "y" }, merge)).toMatchObject({
      status: 400,
      json: { code: "42P10" },
    });
  });

  it("PUT inserts one row, then replaces it", async () => {
    const put = (body: unknown, query = "a=eq.5&b=eq.5") => write("PUT", `/pair_key?${query}`, body);
    expect(await put({ a: 5, b: 5, note: "new" })).toMatchObject({ status: 201, json: [{ a: 5, b: 5, note: "new" }] });
    expect(await put({ a: 5, b: 5, note: "newer" })).toMatchObject({
      status: 200,
      json: [{ a: 5, b: 5, note: "newer" }],
    });
    expect(
      await app.rest("/pair_key?a=eq.5&b=eq.5", { method: "PUT", body: { a: 5, b: 5, note: "newest" } }),
    ).toMatchObject({
      status: 204,
      text: "",
    });
    expect(await rows("/pair_key?a=eq.5&select=note")).toEqual([{ note: "newest" }]);
  });

  it.each([
    ["another key in the body is PGRST115", "a=eq.5&b=eq.5", { a: 5, b: 6 }, 400, "PGRST115"],
    ["part of the key is PGRST105", "a=eq.5", { a: 5, b: 5 }, 405, "PGRST105"],
    ["another operator is PGRST105", "a=eq.5&b=gt.5", { a: 5, b: 5 }, 405, "PGRST105"],
    ["another column is PGRST105", "a=eq.5&b=eq.5&note=eq.x", { a: 5, b: 5 }, 405, "PGRST105"],
    ["no filter is PGRST105", "select=a", { a: 5, b: 5 }, 405, "PGRST105"],
    ["limit is PGRST114", "a=eq.5&b=eq.5&limit=1", { a: 5, b: 5 }, 400, "PGRST114"],
    ["offset is PGRST114", "a=eq.5&b=eq.5&offset=1", { a: 5, b: 5 }, 400, "PGRST114"],
  ])("PUT: %s", async (_what, query, body, status, code) => {
    expect(await write("PUT", `/pair_key?${query}`, body)).toMatchObject({ status, json: { code } });
  });
});

describe("rest: delete", () => {
  it("deletes what the filters keep, and can return it", async () => {
    await write("POST", "/letters", [
      { id: 91, letter: "p" },
      { id: 92, letter: "q" },
    ]);
    expect(await write("DELETE", "/letters?id=eq.91")).toMatchObject({ status: 200, json: [{ id: 91, letter: "p" }] });
    expect(await app.rest("/letters?id=eq.92", { method: "DELETE" })).toMatchObject({ status: 204, text: "" });
    expect(await rows("/letters?id=gt.90")).toEqual([]);
  });

  it("of nothing is no error", async () => {
    expect(await write("DELETE", "/letters?id=eq.999")).toMatchObject({ status: 200, json: [] });
  });

  it("singular with another number of rows is PGRST116 and deletes nothing", async () => {
    expect(
      await write("DELETE", "/letters", undefined, "", { Accept: "application/vnd.pgrst.object+json" }),
    ).toMatchObject({
      status: 406,
      json: { code: "PGRST116" },
    });
    expect(await rows("/letters?select=id")).toHaveLength(5);
  });
});

describe("rest: all writes", () => {
  it("order and filters on embeds apply to the answer", async () => {
    const answer = await write(
      "PATCH",
      "/films?director_id=eq.2&select=id,actors(name)&actors.name=like.Tosh*&order=id.desc",
      { is_restored: true },
    );
    expect(answer.json).toEqual([
      { id: 4, actors: [] },
      { id: 3, actors: [{ name: "Toshiro Mifune" }] },
    ]);
  });

  it("return=minimal needs no right to read", async () => {
    expect(await app.rest("/drop_box", { method: "POST", body: { body: "hi" } })).toMatchObject({
      status: 201,
      text: "",
    });
    expect(await write("POST", "/drop_box", { body: "hi" })).toMatchObject({ status: 401, json: { code: "42501" } });
    expect(await app.sql("select count(*)::int as n from drop_box")).toEqual([{ n: 1 }]);
  });
});
