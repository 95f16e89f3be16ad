import fc from "fast-check";
import type { Condition, Field, JsonStep, Operand, OrderTerm, ParsedQuery, Scoped, SelectItem } from "../request.ts";

/** Names: mostly plain words, sometimes keywords of the grammar, sometimes anything at all. */
export const name = (anything: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 4, arbitrary: fc.stringMatching(/^[a-z_][a-z0-9_]{0,6}(-[a-z]{1,3})?$/) },
    {
      weight: 2,
      arbitrary: fc.constantFrom("select", "or", "order", "count", "eq", "in", "is", "null", "any", "a.b", "x y"),
    },
    { weight: 1, arbitrary: anything.filter((text) => text !== "" && text !== "not") },
  );

const anyText = fc.string({ unit: "grapheme", maxLength: 12 });
const tricky = fc.constantFrom(
  "",
  "a,b",
  "(x)",
  '"',
  "\\",
  "a\\",
  '","',
  "{a,b}",
  "{",
  "eq.1",
  "not.null",
  "%",
  "&=+",
  "\u0001",
  "null",
  "100%",
  " a ",
);
/** Text that may stand in a shape as it is. */
export const generateTextWithoutControls = anyText.filter((text) => !/\p{Cc}/u.test(text));
export const valueText = fc.oneof(anyText, tricky);

const operand = valueText.map((text): Operand => ({ kind: "literal", text }));
const list = fc.array(valueText, { maxLength: 4 }).map((elements): Operand => {
  const quoted = elements.map((text) => `"${text.replace(/[\\"]/g, "\\$&")}"`);
  return { kind: "literal", text: `(${quoted.join(",")})` };
});
const cast = fc.option(fc.stringMatching(/^[a-z_][a-z0-9_$ ]{0,6}[a-z]$/), { freq: 3 });
const negated = fc.boolean();

/** Queries of the whole grammar. `anything` makes the odd names. */
export function queries(anything: fc.Arbitrary<string> = anyText): fc.Arbitrary<ParsedQuery> {
  const names = name(anything);
  const step: fc.Arbitrary<JsonStep> = fc.oneof(
    fc.record({ arrow: fc.constantFrom("->", "->>"), key: names }),
    fc.record({ arrow: fc.constantFrom("->", "->>"), index: fc.integer({ min: -99, max: 99 }).map((n) => n + 0) }),
  );
  const field: fc.Arbitrary<Field> = fc.record({ name: names, path: fc.array(step, { maxLength: 2 }) });
  const path = fc.array(names, { maxLength: 2 });
  const scope = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<Scoped<T>> => fc.record({ path, value });

  const { item } = fc.letrec<{ item: SelectItem; items: readonly SelectItem[] }>((tie) => {
    const head = {
      target: names,
      hint: fc.option(names, { freq: 3 }),
      join: fc.constantFrom("inner", "left", null),
      items: tie("items"),
    };
    return {
      items: fc.array(tie("item"), { maxLength: 3 }),
      item: fc.oneof(
        { depthSize: "small", withCrossShrink: true },
        fc.constant<SelectItem>({ kind: "star" }),
        fc.record({
          kind: fc.constant("column"),
          field,
          alias: fc.option(names, { freq: 3 }),
          cast,
          aggregate: fc.option(fc.record({ name: fc.constantFrom("sum", "avg", "min", "max", "count"), cast }), {
            freq: 4,
          }),
        }),
        fc.record({ kind: fc.constant("count"), alias: fc.option(names, { freq: 3 }), cast }),
        fc.record({ kind: fc.constant("embed"), alias: fc.option(names, { freq: 3 }), ...head }),
        fc.record({ kind: fc.constant("spread"), ...head }),
      ),
    };
  });

  const simple: fc.Arbitrary<Condition> = fc.oneof(
    fc.record({
      kind: fc.constant("compare"),
      field,
      negated,
      operator: fc.constantFrom("neq", "cs", "cd", "ov", "sl", "sr", "nxr", "nxl", "adj", "isdistinct"),
      quantifier: fc.constant(null),
      operand,
    }),
    fc.record({
      kind: fc.constant("compare"),
      field,
      negated,
      operator: fc.constantFrom("eq", "gt", "gte", "lt", "lte", "like", "ilike", "match", "imatch"),
      quantifier: fc.constantFrom("any", "all", null),
      operand,
    }),
    fc.record({ kind: fc.constant("in"), field, negated, operand: list }),
    fc.record({
      kind: fc.constant("is"),
      field,
      negated,
      test: fc.constantFrom("null", "not_null", "true", "false", "unknown"),
    }),
    fc.record({
      kind: fc.constant("fts"),
      field,
      negated,
      operator: fc.constantFrom("fts", "plfts", "phfts", "wfts"),
      config: fc.constantFrom("german", "simple", null),
      operand,
    }),
  );
  const { logic } = fc.letrec<{ logic: Condition; condition: Condition }>((tie) => ({
    condition: fc.oneof({ depthSize: "small", withCrossShrink: true }, simple, tie("logic")),
    logic: fc.record({
      kind: fc.constant("logic"),
      negated,
      operator: fc.constantFrom("and", "or"),
      conditions: fc.array(tie("condition"), { minLength: 1, maxLength: 3 }),
    }),
  }));

  const term: fc.Arbitrary<OrderTerm> = fc.record({
    embed: fc.option(names, { freq: 4 }),
    field,
    direction: fc.constantFrom("asc", "desc", null),
    nulls: fc.constantFrom("first", "last", null),
  });
  const pages = fc.uniqueArray(
    scope(fc.integer({ min: -5, max: 1e9 }).map((n): Operand => ({ kind: "literal", text: String(n) }))),
    {
      maxLength: 2,
      selector: ({ path: at }) => JSON.stringify(at),
    },
  );
  return fc.record({
    select: fc.array(item, { maxLength: 4 }),
    conditions: fc.array(scope(fc.oneof(simple, logic)), { maxLength: 4 }),
    order: fc.array(scope(fc.array(term, { minLength: 1, maxLength: 3 })), { maxLength: 2 }),
    limits: pages,
    offsets: pages,
    columns: fc.option(fc.uniqueArray(names, { minLength: 1, maxLength: 3 })),
    onConflict: fc.option(fc.uniqueArray(names, { minLength: 1, maxLength: 3 })),
    arguments: fc.constant([]),
  });
}

/** Texts that look like queries until one looks twice: words of the grammar in any order. */
export const mutants: fc.Arbitrary<string> = fc
  .array(
    fc.oneof(
      {
        weight: 6,
        arbitrary: fc.constantFrom(
          ...'select= select or= and= not.or= order= limit= offset= columns= on_conflict= a= a.b= & = . , ( ) : :: ! * ... -> ->> { } " \\ % %2 %zz %C3%28 %00 %01 %22 %28 %2E + eq. neq. in. in.( is. is.null not. like(any). fts(x). isdistinct. and( or( count() count sum() asc desc nullsfirst apikey=x 42 -1 é 🙂 \t'.split(
            " ",
          ),
        ),
      },
      { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 4 }) },
    ),
    { maxLength: 24 },
  )
  .map((parts) => parts.join(""));
