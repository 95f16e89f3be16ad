import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Condition, FilterError, operators, parseFilter } from "./filter.ts";

const one = (text: string): Condition => {
  const conditions = parseFilter(text);
  expect(conditions).toHaveLength(1);
  return conditions[0]!;
};

describe("the grammar of filters", () => {
  test.each([
    ["id=eq.5", { column: "id", isNegated: false, operator: "eq", values: ["5"] }],
    ["name=neq.a b", { column: "name", isNegated: false, operator: "neq", values: ["a b"] }],
    [
      "status=in.(active,pending)",
      { column: "status", isNegated: false, operator: "in", values: ["active", "pending"] },
    ],
    ['tag=in.("a,b",c,"d\\"e")', { column: "tag", isNegated: false, operator: "in", values: ["a,b", "c", 'd"e'] }],
    ["status=not.in.(x)", { column: "status", isNegated: true, operator: "in", values: ["x"] }],
    ["deleted_at=is.null", { column: "deleted_at", isNegated: false, operator: "is", values: ["null"] }],
    ["done=not.is.TRUE", { column: "done", isNegated: true, operator: "is", values: ["true"] }],
    ["parent=isdistinct.null", { column: "parent", isNegated: false, operator: "isdistinct", values: [null] }],
    ['parent=isdistinct."null"', { column: "parent", isNegated: false, operator: "isdistinct", values: ["null"] }],
    ["title=like.%a.b%", { column: "title", isNegated: false, operator: "like", values: ["%a.b%"] }],
    ["title=match.^(a,b)$", { column: "title", isNegated: false, operator: "match", values: ["^(a,b)$"] }],
    ['title=eq."a,b"', { column: "title", isNegated: false, operator: "eq", values: ["a,b"] }],
    ['title=eq.5" pipe', { column: "title", isNegated: false, operator: "eq", values: ['5" pipe'] }],
    ["title=eq.", { column: "title", isNegated: false, operator: "eq", values: [""] }],
    [
      "at=gt.2024-01-01 00:00:00+02",
      { column: "at", isNegated: false, operator: "gt", values: ["2024-01-01 00:00:00+02"] },
    ],
  ] satisfies [string, Condition][])("%s", (text, condition) => {
    expect(one(text)).toEqual(condition);
  });

  test("conditions are joined by commas outside parentheses and quotes", () => {
    expect(parseFilter('id=gte.5, name=like.%x%,tag=in.(a,b),note=eq."c,d"').map(({ column }) => column)).toEqual([
      "id",
      "name",
      "tag",
      "note",
    ]);
  });

  test.each(["", "   "])("a blank one is none: %j", (text) => expect(parseFilter(text)).toEqual([]));

  test.each([
    "id",
    "id=",
    "id=5",
    "id=eq",
    "=eq.5",
    "id=between.5",
    "id=not.5",
    "id=not.not.eq.5",
    "id=eq.5,",
    ",id=eq.5",
    "id=eq.5,,id=eq.6",
    "id=in.()",
    "id=in.5",
    "id=in.(5",
    'id=in.("5)',
    'id=in.("5"6)',
    'id=eq."5',
    'id=eq."5"6',
    "id=is.5",
    "id=EQ.5",
    "id=eq.a\u0000b",
    `id=in.(${Array.from({ length: 101 }, (_, at) => at).join()})`,
  ])("is refused: %j", (text) => {
    expect(() => parseFilter(text)).toThrow(FilterError);
  });

  test("of a list that does not end, what it lacks is said", () => {
    expect(() => parseFilter("id=in.(5,6")).toThrow('The filter on "id" has a list that does not end: it lacks a ")".');
  });

  test("a hundred values are allowed", () => {
    expect(one(`id=in.(${Array.from({ length: 100 }, (_, at) => at).join()})`).values).toHaveLength(100);
  });

  test("whatever SDKs quote comes out as it went in", () => {
    const quote = (value: string): string => `"${value.replace(/[\\"]/g, "\\$&")}"`;
    const value = fc.string({ unit: "grapheme" }).filter((text) => !text.includes("\u0000"));
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 5 }), (values) => {
        expect(one(`a=in.(${values.map(quote).join()})`).values).toEqual(values);
        expect(parseFilter(values.map((each) => `a=eq.${quote(each)}`).join()).map((each) => each.values[0])).toEqual(
          values,
        );
      }),
    );
  });

  test("no text does anything but be read or be refused", () => {
    const piece = fc.constantFrom("a", "=", ".", ",", "(", ")", '"', "\\", " ", "not", "is", "null", ...operators);
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 24 }), (pieces) => {
        try {
          for (const { column, values } of parseFilter(pieces.join(""))) {
            expect(column).not.toBe("");
            expect(values.length).toBeGreaterThan(0);
          }
        } catch (error) {
          expect(error).toBeInstanceOf(FilterError);
        }
      }),
      { numRuns: 5_000 },
    );
  });
});

test("in the words of the REST API's URLs, conditions are joined by an ampersand and a star is any text", () => {
  expect(parseFilter('title=ilike.*a,b*&id=in.(1,"2&3")&done=is.false', "&")).toEqual([
    { column: "title", isNegated: false, operator: "ilike", values: ["%a,b%"] },
    { column: "id", isNegated: false, operator: "in", values: ["1", "2&3"] },
    { column: "done", isNegated: false, operator: "is", values: ["false"] },
  ]);
  expect(() => parseFilter("id=eq.1&", "&")).toThrow(FilterError);
  expect(() => parseFilter("or=(a.eq.1,b.eq.2)", "&")).toThrow(FilterError);
});
