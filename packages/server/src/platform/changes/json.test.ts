import { describe, expect, it } from "vitest";
import { jsonOf } from "./json.ts";
import { parseArray, parseRow } from "./literals.ts";

describe("a value as JSON", () => {
  it.each([
    ["int8", "9223372036854775807", "9223372036854775807"],
    ["numeric", "0.10", "0.10"],
    ["numeric", "NaN", '"NaN"'],
    ["float8", "-Infinity", '"-Infinity"'],
    ["float8", "1e+20", "1e+20"],
    ["float8", "-0", "-0"],
    ["bool", "t", "true"],
    ["bool", "f", "false"],
    ["text", 'a"b\\c\n\u2028', JSON.stringify('a"b\\c\n\u2028')],
    ["json", '{"a": 1}', '{"a": 1}'],
    ["date", "2024-02-29", '"2024-02-29"'],
    ["timestamp", "2024-02-29 12:30:00.000001", '"2024-02-29T12:30:00.000001"'],
    ["timestamptz", "2024-02-29 12:30:00+00", '"2024-02-29T12:30:00+00:00"'],
    ["timestamptz", "infinity", '"infinity"'],
    ["timestamptz", "0044-03-15 00:00:00+00 BC", '"0044-03-15T00:00:00+00:00 BC"'],
    ["uuid", "6f1b", '"6f1b"'],
    ["oid", "7", '"7"'],
    ["bytea", "\\x00ff", '"\\\\x00ff"'],
    ["_int4", "{}", "[]"],
    ["_int4", "{1,NULL,3}", "[1,null,3]"],
    ["_int4", "[0:1]={1,2}", "[1,2]"],
    ["_text", '{"NULL",null,"a,b","\\"}{"}', '["NULL",null,"a,b","\\"}{"]'],
    ["_bool", "{{t},{f}}", "[[true],[false]]"],
    ["_box", "{(1,1),(0,0);(2,2),(1,1)}", '["(1,1),(0,0)","(2,2),(1,1)"]'],
    ["int2vector", "1 2", "[1,2]"],
    ["oidvector", "", "[]"],
  ])("%s %s", (typeName, text, json) => {
    expect(jsonOf({ typeName }, text)).toBe(json);
  });

  it("is null for NULL", () => {
    expect(jsonOf({ typeName: "jsonb" }, null)).toBe("null");
  });

  it("goes by what the catalogue says", () => {
    const shape = {
      kind: "composite",
      fields: [
        { name: "n", shape: { kind: "number" } },
        { name: 'a"b', shape: { kind: "array", element: { kind: "boolean" }, delimiter: "," } },
        { name: "none", shape: { kind: "string" } },
      ],
    } as const;
    expect(jsonOf({ typeName: "pair", shape }, '(1,"{t,f}",)')).toBe('{"n":1,"a\\"b":[true,false],"none":null}');
  });

  it("stays text where the catalogue is ahead of the log", () => {
    const shape = { kind: "array", element: { kind: "number" }, delimiter: "," } as const;
    expect(jsonOf({ typeName: "was_text", shape }, "no array")).toBe('"no array"');
  });

  it("is refused when the text is not of the type", () => {
    for (const text of ["", "{", "}", "{1}}", "{1}{2}", '{"a}', "1", "{1}x"]) {
      expect(() => parseArray(text), text).toThrow(RangeError);
    }
    for (const text of ["", "(", "1,2", '("a)']) expect(() => parseRow(text), text).toThrow(RangeError);
  });
});
