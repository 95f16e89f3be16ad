import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Problem } from "../../../kernel/problem.ts";
import type { Condition, ParsedQuery } from "../request.ts";
import { generateTextWithoutControls, mutants, queries, valueText } from "./generate.testing.ts";
import { lex, type QueryTarget } from "./lex.ts";
import { readList } from "./list.ts";
import { parse } from "./parse.ts";
import { fillIn, print } from "./print.testing.ts";

/** As URLSearchParams writes, and as people type: both must mean the same. */
const encoders: readonly ((text: string) => string)[] = [
  (text) => encodeURIComponent(text).replaceAll("%20", "+"),
  (text) => text.replace(/[%&+=]|\p{Cc}/gu, encodeURIComponent),
];
const encoder = fc.constantFrom(...encoders);

const read = (query: string, target: QueryTarget = "relation"): ParsedQuery => {
  const { shape, values } = lex(query, target);
  return fillIn(parse(shape), values);
};

describe("reading what was written", () => {
  it("gives back every query of the grammar", () => {
    fc.assert(
      fc.property(queries(), encoder, (query, encode) => {
        expect(read(print(query, encode))).toEqual(query);
      }),
      { numRuns: 1_500 },
    );
  });

  it("means the same whether or not values were cut out", () => {
    fc.assert(
      fc.property(queries(), (query) => {
        const [encode] = encoders;
        const text = print(query, encode!);
        const { limits: _, offsets: __, ...uncut } = parse(text);
        const { limits: ___, offsets: ____, ...cut } = read(text);
        expect(uncut).toEqual(cut);
      }),
      { numRuns: 500 },
    );
  });

  it("gives equal shapes to queries that differ in values only, with the values in slot order", () => {
    fc.assert(
      fc.property(
        queries(generateTextWithoutControls),
        encoder,
        fc.array(valueText, { minLength: 40 }),
        (query, encode, texts) => {
          const given: string[] = [];
          const changed: ParsedQuery = {
            ...query,
            conditions: query.conditions.map(({ path, value }) => ({
              path,
              value: withValues(value, (kind) => take(texts, given, kind)),
            })),
            limits: [],
            offsets: [],
          };
          const one = lex(print({ ...query, limits: [], offsets: [] }, encode), "relation");
          const other = lex(print(changed, encode), "relation");
          expect(other.shape).toBe(one.shape);
          expect(other.values).toEqual(given);
        },
      ),
      { numRuns: 500 },
    );
  });
});

function take(texts: readonly string[], given: string[], kind: "text" | "list"): string {
  const text = texts[given.length % texts.length]!;
  const value = kind === "text" ? text : `("${text.replace(/[\\"]/g, "\\$&")}")`;
  given.push(value);
  return value;
}

/** The same condition with other values. */
function withValues(condition: Condition, next: (kind: "text" | "list") => string): Condition {
  switch (condition.kind) {
    case "logic":
      return { ...condition, conditions: condition.conditions.map((one) => withValues(one, next)) };
    case "is":
      return condition;
    case "in":
      return { ...condition, operand: { kind: "literal", text: next("list") } };
    default:
      return { ...condition, operand: { kind: "literal", text: next("text") } };
  }
}

describe("reading anything", () => {
  it.each<QueryTarget>(["relation", "function"])("B01 throws nothing but a 400 for a %s", (target) => {
    fc.assert(
      fc.property(fc.oneof(mutants, fc.string({ unit: "binary", maxLength: 60 })), (text) => {
        try {
          const { shape, values } = lex(text, target);
          const parsed = parse(shape);
          for (const index of slotsOf(parsed)) expect(values[index]).toBeTypeOf("string");
        } catch (error) {
          expect(error).toBeInstanceOf(Problem);
          expect(error).toMatchObject({ code: "PGRST100", status: 400 });
        }
      }),
      { numRuns: 20_000 },
    );
  });

  it("reads any list back, and nothing that is no list", () => {
    fc.assert(
      fc.property(fc.array(valueText), (elements) => {
        const quoted = elements.map((text) => `"${text.replace(/[\\"]/g, "\\$&")}"`).join(",");
        expect(readList(`(${quoted})`)).toEqual(elements);
        expect(readList(`(${quoted}`)).toBeNull();
        expect(readList(`(${quoted})x`)).toBeNull();
      }),
    );
  });
});

function slotsOf(value: unknown): number[] {
  if (typeof value !== "object" || value === null) return [];
  const { kind, index } = value as { kind?: unknown; index?: unknown };
  if (kind === "slot") return [index as number];
  return Object.values(value).flatMap(slotsOf);
}
