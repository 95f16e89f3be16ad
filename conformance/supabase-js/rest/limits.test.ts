import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type App, startApp } from "../app.ts";

let app: App;
beforeAll(async () => {
  app = await startApp();
});
afterAll(() => app.stop());

/** A refusal in the dialect's own shape, with nothing in it that only the server should know. */
async function refused(path: string): Promise<void> {
  const answer = await app.rest(path);
  expect(answer.status).toBeGreaterThanOrEqual(400);
  expect(answer.status).toBeLessThan(500);
  expect(answer.text).not.toMatch(/node_modules|\.ts:\d+|RangeError|pgrst_source/);
}

describe("B08 deep and wide requests", () => {
  const nested = (depth: number) => `${"and(".repeat(depth)}id.eq.1${")".repeat(depth)}`;

  it.each([
    ["logic 2,000 deep", `/letters?or=(${nested(2000)})`],
    ["unclosed parentheses", `/letters?or=${"(".repeat(5000)}`],
    ["embeds 500 deep", `/employees?select=${"employees(".repeat(500)}id${")".repeat(500)}`],
    ["a JSON path of 3,000 steps", `/films?select=details${"->a".repeat(3000)}`],
  ])("%s are refused", async (_what, path) => {
    await refused(path);
  });

  it("and the server is well afterwards", async () => {
    expect((await app.rest("/letters?id=eq.1")).status).toBe(200);
  });
});

describe("B12 keys that are more than names in JavaScript", () => {
  it.each(["__proto__", "constructor", "prototype", "toString", "hasOwnProperty"])(
    "%s is an unknown column everywhere",
    async (name) => {
      expect((await app.rest(`/letters?${name}=eq.1`)).json).toMatchObject({ code: "42703" });
      expect((await app.rest(`/letters?select=${name}`)).json).toMatchObject({ code: "42703" });
      expect((await app.rest(`/letters?order=${name}`)).json).toMatchObject({ code: "42703" });
      expect((await app.rest(`/${name}`)).json).toMatchObject({ code: "PGRST205" });
      expect((await app.rest(`/rpc/${name}`, { method: "POST", body: {} })).json).toMatchObject({ code: "PGRST202" });
      expect(
        (
          await app.rest("/products", {
            method: "POST",
            body: `{"${name}": 1}`,
            headers: { "Content-Type": "application/json" },
          })
        ).json,
      ).toMatchObject({ code: "PGRST204" });
    },
  );
});

describe("B13 content types", () => {
  it.each(["application/json\t; charset=utf-8", "application/json;charset=utf-8", "Application/JSON"])(
    "%s is JSON",
    async (type) => {
      const answer = await app.rest("/products", {
        method: "POST",
        body: JSON.stringify({ sku: `ct-${type}` }),
        headers: { "Content-Type": type },
      });
      expect(answer.status).toBe(201);
    },
  );

  it.each(["application/jsonp", "text/json", "application/json, text/csv", "json", "multipart/form-data; boundary=x"])(
    "%s is not",
    async (type) => {
      const answer = await app.rest("/products", {
        method: "POST",
        body: '{"sku":"ct-no"}',
        headers: { "Content-Type": type },
      });
      expect([400, 415]).toContain(answer.status);
      expect((await app.rest("/products?sku=eq.ct-no")).json).toEqual([]);
    },
  );
});

describe("B14 edges of numbers and text", () => {
  it("round-trip unchanged, or are refused", async () => {
    const write = (body: string) =>
      app.rest("/types?select=big,exact,float::text,moment", {
        method: "POST",
        body,
        headers: { "Content-Type": "application/json", Prefer: "return=representation" },
      });
    const exact = await write('{"id": 200, "big": 9223372036854775807, "exact": 12345678901234567890.123456789}');
    expect(exact.text).toContain("9223372036854775807");
    expect(exact.text).toContain("12345678901234567890.123456789");
    expect((await write('{"id": 201, "float": "-0"}')).json).toMatchObject([{ float: "-0" }]);
    expect((await write('{"id": 202, "float": "Infinity", "exact": "NaN"}')).json).toMatchObject([
      { float: "Infinity", exact: "NaN" },
    ]);
    expect((await write('{"id": 203, "moment": "0044-03-15 12:00:00+00 BC"}')).text).toContain("BC");
    expect((await write('{"id": 204, "moment": "infinity"}')).json).toMatchObject([{ moment: "infinity" }]);
    for (const bad of [
      '{"id": 205, "big": 9223372036854775808}',
      '{"id": 206, "doc": "\\u0000"}',
      '{"id": 207, "kind": "a\\u0000b"}',
    ]) {
      const answer = await write(bad);
      expect([201, 400]).toContain(answer.status);
    }
    expect((await write('{"id": 205, "big": 9223372036854775808}')).status).toBe(400);
  });

  it("a NUL in a value or a name is refused", async () => {
    for (const query of ["letter=eq.a%00b", "select=%00", "%00=eq.1", "order=id%00"])
      await refused(`/letters?${query}`);
  });

  it("bytes that are no UTF-8 are refused", async () => {
    await refused("/letters?letter=eq.%ff%fe");
    const answer = await app.rest("/phrases", {
      method: "POST",
      body: new Uint8Array([...Buffer.from('{"id": 50, "text": "'), 0xff, 0xfe, ...Buffer.from('"}')]),
      headers: { "Content-Type": "application/json" },
    });
    expect([201, 400]).toContain(answer.status);
    // Whatever was decided, nothing that is not text may have got in.
    expect((await app.rest("/phrases?id=eq.50")).status).toBe(200);
  });
});

describe("B02 what may not be read may not be used", () => {
  it("column privileges hold in filters, order, counts and embeds", async () => {
    for (const query of [
      "secret=eq.hidden",
      "secret=like.h*",
      "or=(secret.eq.hidden,id.eq.1)",
      "order=secret",
      "secret=not.is.null",
    ]) {
      for (const headers of [{}, { Prefer: "count=exact" }]) {
        expect(await app.rest(`/partly_open?select=id&${query}`, { headers })).toMatchObject({
          status: 401,
          json: { code: "42501" },
        });
      }
    }
    const body = { name: "x" };
    expect(await app.rest("/partly_open?secret=eq.hidden", { method: "PATCH", body })).toMatchObject({ status: 401 });
    expect(await app.rest("/partly_open?secret=eq.hidden", { method: "DELETE" })).toMatchObject({ status: 401 });
  });
});
