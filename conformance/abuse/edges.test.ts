import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fixture, mint, startWatched, type WatchedApp } from "./app.ts";
import { type AskOptions, ask, expectRefusedUnseen } from "./ask.ts";
import { inParallel } from "./send.ts";

const numbers = `
  create table public.numbers (
    id integer primary key, big bigint, exact numeric, float double precision, small real, day date, moment timestamptz, word text, doc jsonb
  );
  grant all on public.numbers to anon, authenticated, service_role;
  create function public.claims() returns json language sql stable as $$ select auth.jwt()::json $$;
`;

let app: WatchedApp;
beforeAll(async () => {
  app = await startWatched(fixture + numbers);
});
afterAll(() => app.stop());

const rest = (path: string, options?: AskOptions) => ask(app, path, options);
const refusedUnseen = (...[path, options, statuses]: [path: string, options?: AskOptions, statuses?: number[]]) =>
  expectRefusedUnseen(app, path, options, statuses);

describe("B12: no key of a caller's reaches a prototype", () => {
  const keys = ["__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "__defineGetter__"];

  test.each(keys)("%s in bodies, queries, forms, CSV, profiles and preferences", async (key) => {
    const inBody = (body: string, type = "application/json") =>
      rest("/letters", { method: "POST", body, headers: { "content-type": type, prefer: "tx=rollback" } });
    for (const answer of [
      await inBody(`{"${key}": {"isAdmin": true}, "id": 90, "letter": "x"}`),
      await inBody(`[{"${key}": {"isAdmin": true}}]`),
      await inBody(`${key},id\n1,2`, "text/csv"),
      await inBody(`${key}[isAdmin]=1&${key}.isAdmin=1`, "application/x-www-form-urlencoded"),
      await rest(`/letters?columns=${key}`, { method: "POST", body: "{}" }),
      await rest(`/letters?${key}=eq.1`),
      await rest(`/letters?${key}[isAdmin]=eq.1`),
      await rest(`/letters?select=${key}(*)`),
      await rest(`/${key}`),
      await rest(`/rpc/${key}`, { method: "POST", body: "{}" }),
      await rest("/letters", { headers: { "accept-profile": key } }),
    ]) {
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(answer.status).toBeLessThan(500);
    }
    expect(
      (await rest("/letters?id=eq.1", { headers: { prefer: `${key}=x`, accept: `application/json;${key}=x` } })).status,
    ).toBe(200);
    expect({}).not.toHaveProperty("isAdmin");
    expect(Object.prototype).not.toHaveProperty("isAdmin");
  });

  test("in values they are values", async () => {
    const doc = '{"__proto__": {"isAdmin": true}, "constructor": {"prototype": {"isAdmin": true}}}';
    const answer = await rest("/numbers?select=doc", {
      method: "POST",
      body: `{"id": 1, "doc": ${doc}}`,
      headers: { prefer: "return=representation" },
    });
    expect(JSON.parse(answer.text)).toEqual([{ doc: JSON.parse(doc) as unknown }]);
    const claims = JSON.parse(
      '{"role": "authenticated", "__proto__": {"role": "service_role"}, "constructor": {"x": 1}}',
    ) as Record<string, unknown>;
    const seen = await rest("/rpc/claims", { method: "POST", body: "{}", as: mint(claims) });
    expect(JSON.parse(seen.text)).toMatchObject({ role: "authenticated", constructor: { x: 1 } });
    expect({}).not.toHaveProperty("isAdmin");
  });
});

describe("B13: the media type is read one way only", () => {
  test.each([
    "application/json\t; charset=utf-16",
    "application/json ,text/csv",
    "application/json;charset=utf-7",
    "application/jsonx",
    "application/json/x",
    "applicationjson",
    " ;application/json",
    "text/html",
    "multipart/form-data; boundary=x",
    "application/vnd.api+json",
  ])("%s is refused", (type) =>
    refusedUnseen(
      "/letters",
      { method: "POST", body: '{"id": 91, "letter": "x"}', headers: { "content-type": type } },
      [400, 415],
    ),
  );

  test.each([
    "APPLICATION/JSON",
    "application/json; charset=UTF-8",
    'application/json;charset="utf-8"',
    "application/json ;charset=utf-8",
  ])("%s is JSON", async (type) => {
    const answer = await rest("/letters?columns=id,letter", {
      method: "POST",
      body: '{"id": 1, "letter": "x"}',
      headers: { "content-type": type },
    });
    // It was read, or the key could not have been found to be taken.
    expect(answer.status).toBe(409);
  });
});

describe("B14: numbers, times and texts come back as they went, or are refused", () => {
  // Column, JSON as sent, what SQL must say it is; `null` when it must be refused.
  const edges: readonly (readonly [column: string, sent: string, stored: string | null])[] = [
    ["big", "9223372036854775807", "9223372036854775807"],
    ["big", "-9223372036854775808", "-9223372036854775808"],
    ["big", "9223372036854775808", null],
    ["big", "9007199254740993", "9007199254740993"],
    ["big", '"9007199254740993"', "9007199254740993"],
    ["big", "1.5", null],
    ["big", '"0x10"', "16"],
    ["big", "1e3", null],
    ["exact", "0.1000000000000000055511151231257827", "0.1000000000000000055511151231257827"],
    ["exact", "1e400", `1${"0".repeat(400)}`],
    ["exact", '"NaN"', "NaN"],
    ["exact", '"-Infinity"', "-Infinity"],
    ["exact", "12345678901234567890.123456789", "12345678901234567890.123456789"],
    ["float", "1.7976931348623157e308", "1.7976931348623157e+308"],
    ["float", "5e-324", "5e-324"],
    ["float", "1e309", null],
    ["float", "1e-400", null],
    ["float", '"-0"', "-0"],
    ["float", "-0.0", "-0"],
    ["float", '"-Infinity"', "-Infinity"],
    ["float", "0.1", "0.1"],
    ["float", "NaN", null],
    ["small", "3.4028235e38", "3.4028235e+38"],
    ["small", "3.5e38", null],
    ["day", '"0044-03-15 BC"', "0044-03-15 BC"],
    ["day", '"infinity"', "infinity"],
    ["day", '"5874897-12-31"', "5874897-12-31"],
    ["day", '"5874898-01-01"', null],
    ["day", '"2026-02-29"', null],
    ["moment", '"294276-12-31T23:59:59Z"', "294276-12-31 23:59:59+00"],
    ["moment", '"294277-01-01T00:00:00Z"', null],
    ["moment", '"2026-03-29T02:30:00.1234567+02:00"', "2026-03-29 00:30:00.123457+00"],
    ["moment", '"-infinity"', "-infinity"],
    ["word", '"\\u0000"', null],
    ["word", '"\\ud800"', null],
    ["word", '"\\udc00\\ud800"', null],
    ["word", '"\\ud83d\\ude00"', "😀"],
    ["word", '"\\u202e\\ufeff\\u2028"', "\u202e\ufeff\u2028"],
    ["word", '"e\\u0301"', "e\u0301"],
    ["word", '""', ""],
    ["doc", '{"a": 1e400}', `{"a": 1${"0".repeat(400)}}`],
    ["doc", "9007199254740993", "9007199254740993"],
    ["doc", '"\\u0000"', null],
  ];

  /** By every way a body comes in: one object, several, an update. */
  test.each(edges)("%s %s", async (column, sent, stored) => {
    const write = {
      one: () => rest("/numbers", { method: "POST", body: `{"id": 100, "${column}": ${sent}}` }),
      many: () =>
        rest("/numbers", {
          method: "POST",
          body: `[{"id": 100, "${column}": ${sent}}, {"id": 101, "${column}": null}]`,
        }),
      upsert: () =>
        rest("/numbers", {
          method: "POST",
          body: `{"id": 100, "${column}": ${sent}}`,
          headers: { prefer: "resolution=merge-duplicates" },
        }),
      update: async () => {
        await app.sql("insert into public.numbers (id) values (100)");
        return rest("/numbers?id=eq.100", { method: "PATCH", body: `{"${column}": ${sent}}` });
      },
    };
    const seen: Record<string, unknown> = {};
    for (const [way, go] of Object.entries(write)) {
      await app.sql("delete from public.numbers");
      const answer = await go();
      const [row] = await app.sql<{ v: string | null }>(
        `set timezone = 'UTC'; select "${column}"::text as v from public.numbers where id = 100`,
      );
      seen[way] =
        answer.status < 300 ? row?.v : answer.status === 400 ? null : `status ${answer.status}: ${answer.text}`;
    }
    expect(seen).toEqual({ one: stored, many: stored, upsert: stored, update: stored });
  });

  test.each(edges.filter(([column, , stored]) => stored !== null && column !== "doc"))(
    "%s %s is found again by a filter",
    async (column, sent, stored) => {
      await app.sql("delete from public.numbers");
      await app.sql(`insert into public.numbers (id, "${column}") values (100, $1)`, [stored]);
      const value = encodeURIComponent(stored!);
      expect((await rest(`/numbers?select=id&${column}=eq.${value}`)).text).toBe('[{"id":100}]');
      expect((await rest(`/numbers?select=id&${column}=in.(${encodeURIComponent(`"${stored}"`)})`)).text).toBe(
        '[{"id":100}]',
      );
      expect(sent).not.toBe("");
    },
  );

  test.each([
    "select=details->%00",
    "select=details->>a%00b",
    'select=details->"%00"',
    "select=id::%00",
    "select=id::%22a%00%22",
    "select=%00:id",
    'select="a%00":id',
    "select=%00",
    "select=directors(%00)",
    "select=%00(id)",
    "select=directors!%00(id)",
    "select=...%00(id)",
    "select=id.%00()",
    "order=%00",
    "order=details->%00",
    "order=details->>%20%00->0",
    "order=directors(%00)&select=directors(id)",
    "order=id.%00",
    "details->%00=eq.1",
    "details->>%00=eq.1",
    "%00=eq.1",
    "id=%00",
    "title=eq.%00",
    "title=in.(%00)",
    'title=in.("%00")',
    "title=like(any).{%00}",
    "summary=fts(%00).a",
    "summary=fts(a%00).a",
    "summary=fts.%00",
    "or=(details->%00.eq.1)",
    "or=(summary.fts(%00).a)",
    "or=(title.eq.%00)",
    'or=(title.eq."%00")',
    "or=(id.%00.1)",
    "id=is.%00",
    "%00.id=eq.1",
    "limit=%00",
    "offset=1%00",
    "columns=%00",
    "on_conflict=%00",
  ])("a NUL in %s", async (query) => {
    for (const [method, path] of [
      ["GET", "/films"],
      ["GET", "/rpc/all_films"],
      ["POST", "/products"],
      ["PATCH", "/products"],
    ] as const) {
      const answer = await rest(`${path}?${query}`, {
        method,
        ...(method === "GET" ? {} : { body: '{"sku": "NUL"}' }),
      });
      expect([200, 201, 204, 400, 403, 404, 409]).toContain(answer.status);
    }
  });

  test.each([
    ["the name of a table", "/films%00"],
    ["the name of a function", "/rpc/twice%00"],
    ["the name of an argument", "/rpc/twice?n%00=1"],
    ["an argument", "/rpc/twice?n=%00"],
  ])("a NUL in %s", async (_what, path) => {
    const { status } = await rest(path);
    expect([400, 404]).toContain(status);
  });

  test("numbers of the page are bounded like any other", async () => {
    for (const limit of [
      "9223372036854775808",
      "1e3",
      "0x10",
      "1.5",
      "-0",
      "NaN",
      "Infinity",
      "٣",
      "99999999999999999999999999",
    ]) {
      const answer = await rest(
        `/letters?select=id&limit=${encodeURIComponent(limit)}&offset=${encodeURIComponent(limit)}`,
      );
      expect(answer.status).toBeLessThan(500);
    }
    for (const range of ["0-99999999999999999999", "99999999999999999999-", "-5", "0-0,2-2", "a-b"]) {
      expect((await rest("/letters?select=id", { headers: { range } })).status).toBeLessThan(500);
    }
  });

  test("many at once of all of this leave nothing behind", async () => {
    await inParallel(edges, 8, async ([column, sent]) => {
      const answer = await rest("/numbers", {
        method: "POST",
        as: app.serviceRoleKey,
        body: `{"id": 100, "${column}": ${sent}}`,
        headers: { prefer: "resolution=merge-duplicates" },
      });
      expect(answer.status).toBeLessThan(500);
    });
    expect((await rest("/letters?id=eq.1")).status).toBe(200);
  });
});
