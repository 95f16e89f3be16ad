import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseAccept } from "./accept.ts";
import { parsePreferences } from "./preferences.ts";
import { profileOf } from "./profile.ts";
import { parseRange } from "./range.ts";

const nothing = {
  return: null,
  resolution: null,
  missing: null,
  count: null,
  handling: null,
  tx: null,
  timezone: null,
  maxAffected: null,
  unknown: [],
};

describe("Prefer", () => {
  it.each<[string, object]>([
    ["return=minimal", { return: "minimal" }],
    ["return=representation", { return: "representation" }],
    ["return=headers-only", { return: "headers-only" }],
    ["resolution=merge-duplicates", { resolution: "merge-duplicates" }],
    ["resolution=ignore-duplicates", { resolution: "ignore-duplicates" }],
    ["missing=default", { missing: "default" }],
    ["missing=null", { missing: "null" }],
    ["count=exact", { count: "exact" }],
    ["count=planned", { count: "planned" }],
    ["count=estimated", { count: "estimated" }],
    ["handling=strict,max-affected=10", { handling: "strict", maxAffected: 10 }],
    ["handling=lenient", { handling: "lenient" }],
    ["tx=commit", { tx: "commit" }],
    ["tx=rollback", { tx: "rollback" }],
    ["timezone=America/Los_Angeles", { timezone: "America/Los_Angeles" }],
    [" return=minimal ,  count=exact;", { return: "minimal", count: "exact" }],
    ["count=exact, count=planned", { count: "exact" }],
    ["max-affected=1, max-affected=2", { maxAffected: 1 }],
    ["", {}],
    [" , ;,", {}],
    ["return=stripped-nulls, count=exact", { count: "exact", unknown: ["return=stripped-nulls"] }],
    ["anything, x=1, max-affected=many, count=", { unknown: ["anything", "x=1", "max-affected=many", "count="] }],
    [
      "__proto__=exact, constructor=exact, unknown=x",
      { unknown: ["__proto__=exact", "constructor=exact", "unknown=x"] },
    ],
  ])("%s", (header, expected) => {
    expect(parsePreferences(header)).toEqual({ ...nothing, ...expected });
  });

  it("takes repeated headers, and none", () => {
    expect(parsePreferences(undefined)).toEqual(nothing);
    expect(parsePreferences(["return=minimal", "", "count=exact"])).toEqual({
      ...nothing,
      return: "minimal",
      count: "exact",
    });
  });

  it("never throws", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (header) => {
        expect(Object.keys(parsePreferences(header)).sort()).toEqual(Object.keys(nothing).sort());
      }),
    );
  });
});

describe("Accept", () => {
  const types = (header: string | undefined) => parseAccept(header).map(({ type }) => type);

  it.each([[undefined], [""], ["  "], ["*/*"]])("takes %j for anything", (header) => {
    expect(parseAccept(header)).toEqual([{ type: "*/*", parameters: {}, weight: 1 }]);
  });

  it("sorts by weight, then as written, without what weighs nothing", () => {
    expect(types("text/csv;q=0.5, application/json, text/html;q=0, text/plain;q=0.9, text/xml")).toEqual([
      "application/json",
      "text/xml",
      "text/plain",
      "text/csv",
    ]);
    expect(types("a/b;q=2, c/d;q=x, e/f;q=0.1234")).toEqual(["a/b", "c/d", "e/f"]);
  });

  it.each<[string, string, object]>([
    ["application/json;nulls=stripped", "application/json", { nulls: "stripped" }],
    ["application/geo+json;", "application/geo+json", {}],
    ["Application/VND.pgrst.Object+JSON ; Nulls=Stripped", "application/vnd.pgrst.object+json", { nulls: "stripped" }],
    [
      'application/vnd.pgrst.plan+text; for="application/json"; options=analyze|verbose;',
      "application/vnd.pgrst.plan+text",
      { for: "application/json", options: "analyze|verbose" },
    ],
    ['a/b; x="1,2;3"; y="say \\"hi\\""; x=2; flag', "a/b", { x: "1,2;3", y: 'say "hi"', flag: "" }],
    ['a/b; x="open', "a/b", { x: '"open' }],
  ])("%s", (header, type, parameters) => {
    const [first, ...more] = parseAccept(header);
    expect(more).toEqual([]);
    expect(first).toMatchObject({ type, weight: 1 });
    expect({ ...first!.parameters }).toEqual(parameters);
  });

  it("B12 keeps names of object members harmless", () => {
    const [first] = parseAccept("a/b; __proto__=x; constructor=y");
    expect(Object.keys(first!.parameters)).toEqual(["__proto__", "constructor"]);
    expect(({} as { x?: unknown }).x).toBeUndefined();
  });

  it("B08 looks at a bounded number of entries", () => {
    expect(parseAccept("a/b,".repeat(10_000)).length).toBeLessThanOrEqual(32);
  });

  it("never throws", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (header) => {
        for (const { weight } of parseAccept(header)) expect(weight).toBeGreaterThan(0);
      }),
    );
  });
});

describe("Range", () => {
  it.each<[string | undefined, unknown]>([
    ["0-24", { lower: 0, upper: 24 }],
    ["10-", { lower: 10, upper: null }],
    ["5-2", { lower: 5, upper: 2 }],
    ["0-0", { lower: 0, upper: 0 }],
    [undefined, null],
    ["", null],
    ["-5", null],
    ["a-b", null],
    ["0-1,3-4", null],
    ["items=0-1", null],
    ["bytes=0-1", null],
    [" 0-1", null],
    ["0-1 ", null],
    ["0-1\n", null],
    ["99999999999999999999-", null],
  ])("%j", (header, range) => {
    expect(parseRange(header)).toEqual(range);
  });
});

describe("profiles", () => {
  it("asks the header that fits the method", () => {
    const headers = { "accept-profile": "readers", "content-profile": "writers" };
    for (const method of ["GET", "HEAD"] as const) expect(profileOf(method, headers)).toBe("readers");
    for (const method of ["POST", "PUT", "PATCH", "DELETE"] as const)
      expect(profileOf(method, headers)).toBe("writers");
    expect(profileOf("GET", { "content-profile": "writers" })).toBeNull();
    expect(profileOf("GET", { "accept-profile": "  " })).toBeNull();
  });
});
