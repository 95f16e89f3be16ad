import fc from "fast-check";
import { filtersOf, type Pair, pagesOf, selectOf } from "./clauses.ts";
import { list, marked, maybe, one, operationFor, plainValue } from "./values.ts";
import { functions, type Table, tableNames, tables } from "./vocabulary.ts";

/** A request before it is put on the wire. Values carry `valueMark`, so that they can be looked for in what PostgreSQL was sent. */
export interface Draft {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS";
  readonly path: string;
  readonly query: readonly (readonly [key: string, value: string])[];
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
}

/** A value an argument of this name can have. */
const argumentValue = (name: string): fc.Arbitrary<unknown> => {
  if (name === "words") return fc.array(marked, { minLength: 1, maxLength: 3 });
  if (name === "parts") return fc.array(fc.integer({ min: 0, max: 99 }), { minLength: 1, maxLength: 3 });
  if (name === "doc") return fc.record({ k: marked });
  if (name === "separator" || name === "full_name" || name === "song") return marked;
  return fc.oneof({ weight: 6, arbitrary: fc.integer({ min: 1, max: 2000 }) }, { weight: 1, arbitrary: marked });
};

const readPrefer = one(
  "",
  "",
  "count=exact",
  "count=planned",
  "count=estimated",
  "handling=strict, count=exact",
  "timezone=Europe/Paris",
  "tx=rollback",
);
const writePrefer = list(
  one(
    "return=representation",
    "return=minimal",
    "return=headers-only",
    "resolution=merge-duplicates",
    "resolution=ignore-duplicates",
    "missing=default",
    "missing=null",
    "count=exact",
    "handling=strict",
    "max-affected=2",
  ),
  4,
).chain((tokens) => one(`${tokens},tx=rollback`, `${tokens},tx=rollback`, `${tokens},tx=rollback`, tokens));
const accept = one(
  ...Array<string>(9).fill(""),
  "application/json",
  "*/*",
  "text/csv",
  "application/vnd.pgrst.object+json",
  "application/vnd.pgrst.array+json;nulls=stripped",
  "application/vnd.pgrst.plan+json",
  "application/vnd.pgrst.plan+text; options=analyze|verbose",
  "application/geo+json",
  "text/plain;q=0.5, application/json;q=0.1",
  "application/octet-stream",
);
const profile = maybe(one("public", "public", "public", "extra", "vault", "pg_catalog", "auth"), "", 8);
const headersOf = (prefer: fc.Arbitrary<string>, profileHeader: string): fc.Arbitrary<Record<string, string>> =>
  fc
    .tuple(prefer, accept, profile, maybe(one("0-1", "1-", "5-2", "0-0"), "", 8), maybe(marked, "", 8))
    .map(([preferred, accepted, schema, range, trace]) => ({
      ...(preferred === "" ? {} : { prefer: preferred }),
      ...(accepted === "" ? {} : { accept: accepted }),
      ...(schema === "" ? {} : { [profileHeader]: schema }),
      ...(range === "" ? {} : { range, "range-unit": "items" }),
      ...(trace === "" ? {} : { "x-client-info": trace, cookie: `session=${trace}` }),
    }));

const read: fc.Arbitrary<Draft> = fc.constantFrom(...tableNames).chain((name) => {
  const of = tables[name]!;
  return fc
    .tuple(
      one("GET", "GET", "GET", "HEAD"),
      maybe(
        selectOf(of, 2).map((value): Pair => ["select", value]),
        null,
        1,
      ),
      fc.array(filtersOf(of), { maxLength: 3 }),
      pagesOf(of),
      headersOf(readPrefer, "accept-profile"),
    )
    .map(([method, select, filters, pages, headers]) => ({
      method: method as Draft["method"],
      path: `/${name}`,
      query: [...(select === null ? [] : [select]), ...filters, ...pages],
      headers,
      body: null,
    }));
});

const jsonValue = fc.oneof(
  marked,
  fc.integer({ min: -5, max: 5000 }),
  fc.boolean(),
  fc.constant(null),
  fc.array(marked, { maxLength: 2 }),
  fc.record({ k: marked }),
);
const objectOf = (names: readonly string[], min = 1): fc.Arbitrary<Record<string, unknown>> =>
  fc
    .uniqueArray(fc.constantFrom(...names), { minLength: Math.min(min, names.length), maxLength: names.length })
    .chain((keys) =>
      fc
        .tuple(...keys.map(() => jsonValue))
        .map((values) => Object.fromEntries(keys.map((key, at) => [key, values[at]]))),
    );
const plainNames = (of: Table): readonly string[] =>
  of.columns.map((column) => decodeURIComponent(column).replace(/^"|"$/g, "").replaceAll('\\"', '"'));
const csvOf = (of: Table): fc.Arbitrary<string> =>
  fc
    .array(fc.array(plainValue, { minLength: of.columns.length, maxLength: of.columns.length }), { maxLength: 3 })
    .map((rows) =>
      [plainNames(of).map((cell) => `"${cell.replaceAll('"', '""')}"`), ...rows]
        .map((cells) => cells.join(","))
        .join("\n"),
    );
const bodyOf = (of: Table): fc.Arbitrary<readonly [type: string, body: string]> =>
  fc.oneof(
    {
      weight: 3,
      arbitrary: objectOf(plainNames(of)).map((value) => ["application/json", JSON.stringify(value)] as const),
    },
    {
      weight: 2,
      arbitrary: fc
        .tuple(objectOf(plainNames(of)), fc.integer({ min: 0, max: 3 }))
        .map(([value, count]) => ["application/json", JSON.stringify(Array(count).fill(value))] as const),
    },
    // Objects that differ: right only together with `columns`.
    {
      weight: 1,
      arbitrary: fc
        .array(objectOf(plainNames(of)), { minLength: 2, maxLength: 3 })
        .map((values) => ["application/json", JSON.stringify(values)] as const),
    },
    { weight: 1, arbitrary: csvOf(of).map((text) => ["text/csv", text] as const) },
    {
      weight: 1,
      arbitrary: fc
        .array(fc.tuple(one(...of.columns), plainValue), { maxLength: 4 })
        .map((pairs) => ["application/x-www-form-urlencoded", pairs.map((each) => each.join("=")).join("&")] as const),
    },
  );

const writable = tableNames.filter((name) => tables[name]!.isWritable || name === "films");
const write: fc.Arbitrary<Draft> = fc.constantFrom(...writable).chain((name) => {
  const of = tables[name]!;
  const shaping = fc.tuple(
    maybe(
      selectOf(of, 1).map((value): Pair => ["select", value]),
      null,
    ),
    maybe(
      list(one(...of.columns)).map((value): Pair => ["columns", value]),
      null,
      4,
    ),
    maybe(
      list(one(...of.columns), 2).map((value): Pair => ["on_conflict", value]),
      null,
      4,
    ),
  );
  return fc
    .tuple(
      one("POST", "POST", "PATCH", "PATCH", "DELETE", "PUT"),
      operationFor(of.key).map((operation): Pair => [of.key, operation]),
      fc.array(filtersOf(of), { maxLength: 2 }),
      shaping,
      bodyOf(of),
      headersOf(writePrefer, "content-profile"),
    )
    .map(
      ([method, own, filters, shape, [type, body], headers]): Draft => ({
        method: method as Draft["method"],
        path: `/${name}`,
        query: [
          ...shape.filter((each) => each !== null),
          ...(method === "POST" ? [] : [method === "PUT" ? ([of.key, "eq.1"] as const) : own]),
          ...(method === "PUT" ? [] : filters),
        ],
        headers: { ...headers, "content-type": type },
        body: method === "DELETE" ? null : body,
      }),
    );
});

const bareBodies = fc.constantFrom(
  ["text/plain", "x"],
  ["application/octet-stream", "\u0001"],
  ["text/xml", "<a>b</a>"],
  ["application/json", "null"],
);
const call: fc.Arbitrary<Draft> = fc.constantFrom(...Object.keys(functions)).chain((name) => {
  const names = functions[name]!;
  const isFilms = name.includes("film") && name !== "films_since";
  return fc
    .tuple(
      one("GET", "POST", "POST", "HEAD"),
      fc.tuple(...names.map(argumentValue)),
      isFilms ? maybe(selectOf(tables.films!, 1), null) : fc.constant(null),
      isFilms ? maybe(filtersOf(tables.films!), null) : fc.constant(null),
      names.length > 0 ? fc.constant(null) : maybe(bareBodies, null),
      headersOf(fc.oneof(readPrefer, writePrefer), "content-profile"),
    )
    .map(([method, values, select, filter, bare, headers]): Draft => {
      const shaping: Pair[] = [
        ...(select === null ? [] : [["select", select] as const]),
        ...(filter === null ? [] : [filter]),
      ];
      if (method === "POST") {
        const [type, body] = bare ?? [
          "application/json",
          JSON.stringify(Object.fromEntries(names.map((each, at) => [each, values[at]]))),
        ];
        return {
          method,
          path: `/rpc/${name}`,
          query: shaping,
          headers: { ...headers, "content-type": type! },
          body: body!,
        };
      }
      const args = names.map((each, at): Pair => [each, argumentText(values[at])]);
      return {
        method: method as "GET" | "HEAD",
        path: `/rpc/${name}`,
        query: [...args, ...shaping],
        headers,
        body: null,
      };
    });
});

/** As supabase-js writes arguments into a query string. */
function argumentText(value: unknown): string {
  if (Array.isArray(value)) return `{${value.join(",")}}`;
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** Requests of the whole dialect over the fixture's schema; most of them are answered 2xx. */
export const drafts: fc.Arbitrary<Draft> = fc.oneof(
  { weight: 6, arbitrary: read },
  { weight: 3, arbitrary: write },
  { weight: 2, arbitrary: call },
  {
    weight: 1,
    arbitrary: fc
      .tuple(one("OPTIONS", "GET"), one("/", ...tableNames.map((name) => `/${name}`), "/rpc/twice"))
      .map(
        ([method, path]): Draft => ({ method: method as Draft["method"], path, query: [], headers: {}, body: null }),
      ),
  },
);
