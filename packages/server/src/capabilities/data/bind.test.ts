import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { arrayLiteral, bind, readPage } from "./bind.ts";
import { readBody } from "./body/read.ts";
import type { ParameterSource } from "./compile/sql.ts";

const slot = (index: number) => ({ kind: "slot", index }) as const;
const bindOne = (source: ParameterSource, values: readonly string[], json = "{}") =>
  bind(
    { text: "", parameters: [source], answers: "row" },
    { values, body: readBody(Buffer.from(json), "application/json", 10, true), page: { limit: 5, offset: 2 } },
  )[0];

describe("bind", () => {
  it.each<readonly [ParameterSource, readonly string[], unknown]>([
    [{ kind: "operand", operand: slot(1) }, ["a", "b"], "b"],
    [{ kind: "operand", operand: { kind: "literal", text: "x" } }, [], "x"],
    [{ kind: "pattern", operand: slot(0) }, ["*a*b\\*"], "%a%b\\%"],
    [{ kind: "list", operand: slot(0) }, ['(1,"a,b","c\\"d")'], '{"1","a,b","c\\"d"}'],
    [{ kind: "list", operand: slot(0) }, ["()"], "{}"],
    [{ kind: "limit", operand: slot(0), max: 10 }, ["99"], "10"],
    [{ kind: "page-limit" }, [], "5"],
    [{ kind: "page-offset" }, [], "2"],
    [{ kind: "array", operand: slot(0), operands: [slot(0)] }, ["{1,2}"], "{1,2}"],
    [{ kind: "array", operand: slot(0), operands: [slot(0)] }, ["1"], '{"1"}'],
    [{ kind: "array", operand: slot(0), operands: [slot(0), slot(1)] }, ["1", "NULL"], '{"1","NULL"}'],
  ])("%o of %j", (source, values, expected) => {
    expect(bindOne(source, values)).toBe(expected);
  });

  it.each([
    ['{"a":1.500}', "1.500"],
    ['{"a":"x"}', "x"],
    ['{"a":"\\u00e9\\n"}', "é\n"],
    ['{"a":true}', "true"],
  ])("takes a value out of %s as text", (json, expected) => {
    expect(String(bindOne({ kind: "argument", name: "a", isJson: false }, [], json))).toBe(expected);
  });

  it("takes JSON as it is, and null as NULL", () => {
    expect(String(bindOne({ kind: "argument", name: "a", isJson: true }, [], '{"a":"x"}'))).toBe('"x"');
    expect(bindOne({ kind: "argument", name: "a", isJson: true }, [], '{"a":null}')).toBeNull();
    expect(bindOne({ kind: "argument", name: "b", isJson: false }, [], '{"a":1}')).toBeNull();
  });
});

describe("readPage", () => {
  const rule = { limit: slot(0), offset: slot(1), maxRows: 100 };
  it.each<readonly [readonly string[], { lower: number; upper: number | null } | null, unknown]>([
    [["10", "5"], null, { limit: 10, offset: 5 }],
    [["1000", "0"], null, { limit: 100, offset: 0 }],
    [["10", "0"], { lower: 2, upper: 20 }, { limit: 8, offset: 2 }],
    [["99999999999999999999", "0"], { lower: 3, upper: null }, { limit: 100, offset: 3 }],
    [["2", "0"], { lower: 5, upper: 9 }, { limit: 0, offset: 5 }],
  ])("limit and offset %j with Range %j", (values, range, expected) => {
    expect(readPage(rule, values, range)).toEqual(expected);
  });

  it("has no page without a rule, and no end without a cap", () => {
    expect(readPage(null, [], null)).toEqual({ limit: null, offset: 0 });
    expect(readPage({ limit: null, offset: null, maxRows: null }, [], { lower: 4, upper: null })).toEqual({
      limit: null,
      offset: 4,
    });
  });
});

it("B01: no element can end an array literal or become NULL", () => {
  fc.assert(
    fc.property(fc.array(fc.string()), (elements) => {
      const text = arrayLiteral(elements);
      const read = [...text.slice(1, -1).matchAll(/"((?:[^"\\]|\\.)*)"(?:,|$)/gs)].map((match) =>
        match[1]!.replace(/\\(.)/gs, "$1"),
      );
      expect(read).toEqual(elements);
    }),
  );
});
