import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseMediaType } from "./media-type.ts";

describe("B13 parseMediaType", () => {
  test.each([
    ["application/json", "application/json", {}],
    ["Application/JSON", "application/json", {}],
    ["application/json; charset=utf-8", "application/json", { charset: "utf-8" }],
    ["application/json;charset=UTF-8", "application/json", { charset: "UTF-8" }],
    ['text/csv \t;\t Header="a \\"b\\" ;c"', "text/csv", { header: 'a "b" ;c' }],
    ["application/geo+json;", "application/geo+json", {}], // flutter sends it so
    ["application/vnd.pgrst.object+json;nulls=stripped", "application/vnd.pgrst.object+json", { nulls: "stripped" }],
    ["application/json ", "application/json", {}],
    ['a/b; x=""', "a/b", { x: "" }],
  ])("B13 reads %j", (header, type, parameters) => {
    const parsed = parseMediaType(header);
    expect(parsed?.type).toBe(type);
    expect({ ...parsed?.parameters }).toEqual(parameters);
  });

  test.each([
    undefined,
    "",
    "json",
    "application/",
    "/json",
    " application/json",
    "application/json\ta",
    "application/json a",
    "application /json",
    "application/ json",
    "application/json, text/plain",
    "application/json; charset=utf-8; charset=utf-7",
    "application/json; charset=utf-8; CHARSET=utf-8",
    "application/json; charset",
    "application/json; charset=",
    "application/json; charset =utf-8",
    "application/json; charset= utf-8",
    'application/json; charset="utf-8',
    "application/json; charset=utf-8 x",
    "application/json; charset=\u0000",
    "application/json\u0000",
    "application/json\r\nx: y",
    "application/jsön",
    `application/json; x=${"a".repeat(600)}`,
  ])("B13 refuses %j", (header) => {
    expect(parseMediaType(header)).toBeNull();
  });

  test("B12 parameters are not an object anybody can pollute", () => {
    const parsed = parseMediaType("a/b; __proto__=x; constructor=y");
    expect(Object.getPrototypeOf(parsed?.parameters)).toBeNull();
    expect(Object.keys(parsed?.parameters ?? {})).toEqual(["__proto__", "constructor"]);
  });

  test("B13 whatever is appended, the type is the whole type or the header is refused", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary-ascii" }), (tail) => {
        const parsed = parseMediaType(`application/json${tail}`);
        if (parsed === null || parsed.type === "application/json") return;
        expect(`application/json${tail}`.toLowerCase().startsWith(parsed.type)).toBe(true);
        expect(parsed.type).toMatch(/^application\/json[!#$%&'*+.^_`|~0-9a-z-]+$/);
      }),
    );
  });
});
