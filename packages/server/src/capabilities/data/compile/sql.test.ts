import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { castType } from "../plan/names.ts";
import { ident, jsonPath, literal, Parameters } from "./sql.ts";

describe("B01: quoting", () => {
  it("keeps an identifier one identifier", () => {
    fc.assert(
      fc.property(
        fc.string().filter((text) => !text.includes("\0")),
        (name) => {
          const quoted = ident(name);
          expect(quoted).toMatch(/^"(?:[^"]|"")*"$/s);
          expect(quoted.slice(1, -1).replaceAll('""', '"')).toBe(name);
        },
      ),
    );
  });

  it("keeps a constant one constant, whatever standard_conforming_strings says", () => {
    fc.assert(
      fc.property(
        fc.string().filter((text) => !text.includes("\0")),
        (text) => {
          const quoted = literal(text);
          if (text.includes("\\")) {
            expect(quoted).toMatch(/^ E'(?:[^'\\]|''|\\\\)*'$/s);
            expect(quoted.slice(3, -1).replaceAll("''", "'").replaceAll("\\\\", "\\")).toBe(text);
          } else {
            expect(quoted).toMatch(/^'(?:[^'\\]|'')*'$/s);
            expect(quoted.slice(1, -1).replaceAll("''", "'")).toBe(text);
          }
        },
      ),
    );
  });

  it("refuses NUL, which would end the statement on the wire", () => {
    expect(() => ident("a\0b")).toThrow();
    expect(() => literal("a\0b")).toThrow();
  });

  it("writes JSON paths of constants and numbers only", () => {
    expect(
      jsonPath([
        { arrow: "->", key: "it's" },
        { arrow: "->>", index: -1 },
      ]),
    ).toBe("->'it''s'->>-1");
  });

  it.each([
    ["int", "int"],
    ["Timestamp  with time zone", "timestamp with time zone"],
    ["my_type", '"my_type"'],
    ["int) from secrets", '"int) from secrets"'],
    ["int collate", '"int collate"'],
  ])("casts to %s as %s", (name, sql) => {
    expect(castType(name)).toBe(sql);
  });

  it.each(["regclass", "REGPROC", "regrole", " "])("B07: has no cast to %j, which would look names up", (name) => {
    expect(() => castType(name)).toThrow(expect.objectContaining({ code: "42704" }));
  });
});

describe("Parameters", () => {
  it("numbers an operand once, and equal texts apart", () => {
    const parameters = new Parameters();
    const one = { kind: "literal", text: "x" } as const;
    const other = { kind: "literal", text: "x" } as const;
    expect(parameters.bind({ kind: "operand", operand: one })).toBe("$1");
    expect(parameters.bind({ kind: "operand", operand: other })).toBe("$2");
    expect(parameters.bind({ kind: "operand", operand: one })).toBe("$1");
    expect(parameters.sources).toHaveLength(2);
  });
});
