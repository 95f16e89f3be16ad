import fc from "fast-check";
import { anyOperation, joined, list, maybe, one, operationFor } from "./values.ts";
import { type Table, table, tables } from "./vocabulary.ts";

export const cast = one(
  "",
  "",
  "",
  "",
  "",
  "",
  "",
  "",
  "::text",
  "::text",
  "::int",
  "::numeric",
  "::jsonb",
  "::double precision",
  "::genre",
);
export const alias = maybe(fc.stringMatching(/^[a-z][a-z_]{0,5}:$/), "", 3);

export const fieldOf = (of: Table): fc.Arbitrary<string> => {
  const column = one(...of.columns);
  if (of.json.length === 0) return column;
  return fc.oneof(
    { weight: 4, arbitrary: column },
    joined(
      one(...of.json),
      one("->", "->>"),
      one("lang", "score", "cast->lead", "awards->0", "0", "-1", "width", '"k e y"'),
    ),
  );
};

export const selectOf = (of: Table, depth: number): fc.Arbitrary<string> => {
  const column = joined(alias, fieldOf(of), cast);
  const aggregate = joined(
    alias,
    fc.oneof(one("count()"), joined(one(...of.columns), one(".count()", ".sum()", ".avg()", ".min()", ".max()::text"))),
  );
  const items: fc.Arbitrary<string>[] = [one("*"), column, column, column, column, column, maybe(aggregate, "*", 3)];
  if (depth > 0 && of.embeds.length > 0) {
    items.push(
      fc.constantFrom(...of.embeds).chain((embed) => {
        const name = embed.replace(/^\w+:|!.*$/g, "");
        const inner = fc.oneof(one("", "*", "count"), selectOf(tables[name] ?? table("id"), depth - 1));
        return fc
          .tuple(one("", "", "..."), one("", "", "!inner", "!left"), inner)
          .map(
            ([spread, join, content]) =>
              `${spread}${spread === "" ? embed : embed.replace(/^\w+:/, "")}${join}(${content})`,
          );
      }),
    );
  }
  return list(fc.oneof(...items), 4);
};

export const conditionOf = (of: Table, depth: number): fc.Arbitrary<string> => {
  const leaf = fieldOf(of).chain((field) => operationFor(field).map((operation) => `${field}.${operation}`));
  if (depth === 0) return leaf;
  return fc.oneof(
    { weight: 3, arbitrary: leaf },
    joined(one("", "not."), one("and(", "or("), list(conditionOf(of, depth - 1)), one(")")),
  );
};

export const orderOf = (of: Table): fc.Arbitrary<string> =>
  list(joined(fieldOf(of), one("", ".asc", ".desc"), one("", ".nullsfirst", ".nullslast")));

export type Pair = readonly [string, string];
export const pair = (key: fc.Arbitrary<string>, value: fc.Arbitrary<string>): fc.Arbitrary<Pair> =>
  fc.tuple(key, value);

export const filtersOf = (of: Table): fc.Arbitrary<Pair> =>
  fc.oneof(
    {
      weight: 4,
      arbitrary: fieldOf(of).chain((field) => operationFor(field).map((operation): Pair => [field, operation])),
    },
    {
      weight: 1,
      arbitrary: pair(
        one("or", "and", "not.or", "not.and"),
        list(conditionOf(of, 2)).map((items) => `(${items})`),
      ),
    },
    ...(of.embeds.length === 0
      ? []
      : [
          {
            weight: 1,
            arbitrary: pair(
              joined(
                one(...of.embeds.map((embed) => embed.replace(/:.*|!.*/g, ""))),
                one(".id", ".name", ".order", ".limit", ".or", ""),
              ),
              fc.oneof(anyOperation, one("1", "id.desc", "is.null", "not.is.null")),
            ),
          },
        ]),
  );
export const pagesOf = (of: Table): fc.Arbitrary<readonly Pair[]> =>
  fc
    .tuple(
      maybe(
        orderOf(of).map((value): Pair => ["order", value]),
        null,
        1,
      ),
      maybe(
        one("0", "1", "2", "100").map((value): Pair => ["limit", value]),
        null,
      ),
      maybe(
        one("0", "1", "3").map((value): Pair => ["offset", value]),
        null,
        4,
      ),
    )
    .map((pairs) => pairs.filter((each) => each !== null));
