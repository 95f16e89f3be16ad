import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Problem } from "../../../kernel/problem.ts";
import { scanJson, unescapeString } from "./json.ts";

const scan = (text: string, maxKeys = 100) => scanJson(Buffer.from(text), maxKeys);

describe("scanJson", () => {
  it("finds the keys and values of an object without building it", () => {
    const text = ' { "a" : 1.50 , "b\\u0020c" : "x\\"y" , "d":[{"e":1}], "f":null,"g":true } ';
    const { kind, count, keys, values } = scan(text);
    expect({ kind, count, keys }).toEqual({ kind: "object", count: 1, keys: ["a", "b c", "d", "f", "g"] });
    const cut = [...values].map(([key, { kind: of, start, end }]) => [
      key,
      of,
      Buffer.from(text).toString("utf8", start, end),
    ]);
    expect(cut).toEqual([
      ["a", "number", "1.50"],
      ["b c", "string", '"x\\"y"'],
      ["d", "container", '[{"e":1}]'],
      ["f", "null", "null"],
      ["g", "boolean", "true"],
    ]);
  });

  it("tells which keys every element has, however often one repeats them", () => {
    const { keys, commonKeys, count } = scan('[{"a":1,"b":1,"a":2},{"b":1,"a":1},{"b":2,"c":1}]');
    expect({ keys, common: [...commonKeys], count }).toEqual({ keys: ["a", "b", "c"], common: ["b"], count: 3 });
  });

  it.each([
    ["[]", "array"],
    ["[1,{}]", "list"],
    ["5", "scalar"],
    ['"x"', "scalar"],
    ["null", "null"],
  ])("%s is a %s", (text, kind) => {
    expect(scan(text).kind).toBe(kind);
  });

  it.each([
    "",
    " ",
    "{",
    "[",
    '{"a"}',
    '{"a":}',
    '{"a":1,}',
    "[1,]",
    "{'a':1}",
    "01",
    "1.",
    "-",
    "tru",
    '"',
    '"\n"',
    "{} x",
    "[{}",
  ])("refuses %j", (text) => {
    expect(() => scan(text)).toThrow(expect.objectContaining({ code: "PGRST102" }));
  });

  it("accepts exactly what JSON.parse accepts", () => {
    const mutated = fc
      .tuple(fc.json(), fc.nat(), fc.constantFrom("", '"', "{", "]", ",", ":", "\\", "0", "e", " "))
      .map(([text, at, insert]) => {
        const place = at % (text.length + 1);
        return text.slice(0, place) + insert + text.slice(place);
      });
    fc.assert(
      fc.property(mutated, (text) => {
        let isJson = true;
        try {
          JSON.parse(text);
        } catch {
          isJson = false;
        }
        let isAccepted = true;
        try {
          scan(text, 10_000);
        } catch (error) {
          expect(error).toBeInstanceOf(Problem);
          isAccepted = false;
        }
        // Escapes in strings nobody reads are left to PostgreSQL, so more may pass here, never less.
        if (isJson) expect(isAccepted).toBe(true);
        else if (!text.includes("\\")) expect(isAccepted).toBe(false);
      }),
      { numRuns: 500 },
    );
  });

  it("B08: refuses nesting beyond its limit, and too many keys, before anything recurses further", () => {
    expect(() => scan(`{"a":${"[".repeat(10_000)}`)).toThrow(expect.objectContaining({ code: "PGRST102" }));
    const many = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`k${index}`, 1]));
    expect(() => scan(JSON.stringify(many), 10)).toThrow(expect.objectContaining({ code: "PGRST102" }));
    expect(() => scan(JSON.stringify([{ a: 1 }, many]), 10)).toThrow(expect.objectContaining({ code: "PGRST102" }));
  });

  it("B12: reads __proto__ as a key like any other", () => {
    expect(scan('{"__proto__":{"x":1},"constructor":2}').keys).toEqual(["__proto__", "constructor"]);
  });
});

describe("unescapeString", () => {
  it("B14: refuses half a surrogate pair", () => {
    const text = Buffer.from('"\\ud800"');
    expect(() => unescapeString(text, 0, text.length)).toThrow(expect.objectContaining({ code: "PGRST102" }));
  });
});
