import fc from "fast-check";

/** Stands in every generated value; never in a generated name. */
export const valueMark = "vZq7";

export const one = (...choices: readonly string[]): fc.Arbitrary<string> => fc.constantFrom(...choices);
export const list = (item: fc.Arbitrary<string>, max = 3, min = 1): fc.Arbitrary<string> =>
  fc.array(item, { minLength: min, maxLength: max }).map((items) => items.join(","));
export const maybe = <T>(value: fc.Arbitrary<T>, otherwise: T, freq = 2): fc.Arbitrary<T> =>
  fc.oneof({ weight: freq, arbitrary: fc.constant(otherwise) }, { weight: 1, arbitrary: value });
export const joined = (...parts: readonly fc.Arbitrary<string>[]): fc.Arbitrary<string> =>
  fc.tuple(...parts).map((texts) => texts.join(""));

export const marked = fc.stringMatching(/^[a-z0-9]{0,4}$/).map((text) => `${valueMark}${text}`);
/** Values as an app sends them; half of them bear the mark. */
export const plainValue = fc.oneof(
  { weight: 3, arbitrary: marked },
  { weight: 2, arbitrary: fc.integer({ min: -3, max: 2000 }).map(String) },
  {
    weight: 1,
    arbitrary: one(
      "1.5",
      "true",
      "null",
      "drama",
      "2026-01-15",
      "6f0c8d2e-0000-4000-8000-000000000001",
      "Infinity",
      "NaN",
      "9223372036854775807",
    ),
  },
);
export const element = fc.oneof(
  plainValue,
  marked.map((text) => `"${text}, (x)"`),
);
export const arrayLiteral = list(plainValue).map((items) => `{${items}}`);

export const simpleOperation = fc.oneof(
  joined(one("eq.", "neq.", "gt.", "gte.", "lt.", "lte.", "isdistinct."), plainValue),
  joined(
    one("like.", "ilike."),
    marked.map((text) => `*${text}*`),
  ),
  joined(
    one("match.", "imatch."),
    marked.map((text) => `^${text}.+$`),
  ),
  list(element, 4, 0).map((items) => `in.(${items})`),
  one("is.null", "is.not_null", "is.true", "is.unknown"),
  joined(
    one("fts", "plfts", "phfts", "wfts"),
    one("", "(english)", "(simple)"),
    marked.map((text) => `.${text}`),
  ),
  joined(one("cs.", "cd.", "ov."), fc.oneof(arrayLiteral, one("[1,5)", '{"lang":"fr"}'))),
  joined(one("sl.", "sr.", "nxr.", "nxl.", "adj."), one("[2026-01-01,2026-03-01)", "[1,9]", "(1,2)")),
  joined(one("eq", "gt", "like", "ilike", "match"), one("(any).", "(all)."), arrayLiteral),
);
export const anyOperation = joined(maybe(one("not."), "", 4), simpleOperation);

/** Columns by what their values look like: a filter mostly asks what can be answered. */
export const numbers = new Set(
  "id year director_id length rating film_id seats price supervisor_id owner_id first_id second_id films quantity a b big exact float duration pay".split(
    " ",
  ),
);
export const texts = new Set(
  'title summary first_name last_name full_name name hall letter sku note body text label "with%20space" "dot.ted" "a,b" "(paren)" "quo\\"te" naïve-col "order"'.split(
    " ",
  ),
);
export const number = fc.integer({ min: -3, max: 2000 }).map(String);
export const nulls = one("is.null", "is.not_null", "not.is.null");
export const numberOperation = joined(
  maybe(one("not."), "", 4),
  fc.oneof(
    joined(one("eq.", "neq.", "gt.", "gte.", "lt.", "lte.", "isdistinct."), number),
    list(number, 4, 0).map((items) => `in.(${items})`),
    list(number).map((items) => `eq(any).{${items}}`),
    nulls,
  ),
);
export const textOperation = joined(
  maybe(one("not."), "", 4),
  fc.oneof(
    joined(one("eq.", "neq.", "gt.", "lte.", "isdistinct."), marked),
    joined(
      one("like.", "ilike.", "match.", "imatch."),
      marked.map((text) => `*${text}*`.replace(/^\*/, "a*")),
    ),
    joined(
      one("fts", "plfts", "phfts", "wfts"),
      one("", "(english)", "(simple)"),
      marked.map((text) => `.${text}`),
    ),
    list(element, 4, 0).map((items) => `in.(${items})`),
    joined(
      one("like", "ilike", "eq"),
      one("(any).", "(all)."),
      list(marked).map((items) => `{${items}}`),
    ),
    nulls,
  ),
);

/** An operation that suits the column, or now and then any. */
export const operationFor = (field: string): fc.Arbitrary<string> => {
  const suited = numbers.has(field)
    ? numberOperation
    : texts.has(field) || field.includes("->>")
      ? textOperation
      : fc.oneof(nulls, anyOperation);
  return fc.oneof({ weight: 12, arbitrary: suited }, { weight: 1, arbitrary: anyOperation });
};
