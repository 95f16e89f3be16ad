import fc from "fast-check";

/** A request before it is put on the wire. Values carry `valueMark`, so that they can be looked for in what PostgreSQL was sent. */
export interface Draft {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS";
  readonly path: string;
  readonly query: readonly (readonly [key: string, value: string])[];
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
}

/** Stands in every generated value; never in a generated name. */
export const valueMark = "vZq7";

interface Table {
  readonly columns: readonly string[];
  readonly json: readonly string[];
  readonly embeds: readonly string[];
  readonly key: string;
  readonly isWritable: boolean;
}
const table = (columns: string, rest: Partial<Table> = {}): Table => ({
  columns: columns.split(" "),
  json: [],
  embeds: [],
  key: "id",
  isWritable: false,
  ...rest,
});

/** What of the fixture the generator speaks about. */
const tables: Readonly<Record<string, Table>> = {
  films: table(
    "id title year director_id genre length rating tags on_show frame details summary summary_tsv is_restored",
    {
      json: ["details", "frame", "tags"],
      embeds: [
        "directors",
        "technical_specs",
        "trailers",
        "actors",
        "roles",
        "quotes",
        "screenings",
        "director:directors",
        "directors!films_director_fkey",
      ],
    },
  ),
  directors: table("id first_name last_name full_name", { embeds: ["films", "filmography", "debut", "film_titles"] }),
  actors: table("id name", { embeds: ["films", "roles", "quotes"] }),
  screenings: table("id film_id hall seats price", { embeds: ["films"] }),
  employees: table("id name supervisor_id", { embeds: ["employees", "supervisor_id"] }),
  best_friends: table("id owner_id first_id second_id", {
    embeds: ["owner:users!best_friends_owner_fkey", "first_id", "users"],
  }),
  film_titles: table("id title director_id", { embeds: ["directors"] }),
  films_per_year: table("year films", { key: "year" }),
  types: table("id big exact float flag day moment uid bytes doc docb ints span document size kind duration", {
    json: ["doc", "docb", "ints", "size"],
  }),
  letters: table("id letter", { isWritable: true }),
  products: table("id sku name quantity attributes labels", {
    json: ["attributes", "labels"],
    embeds: ["orders"],
    isWritable: true,
  }),
  pair_key: table("a b note", { key: "a", isWritable: true }),
  no_key: table("a b", { key: "a", isWritable: true }),
  nullable_pair: table("id a b", { isWritable: true }),
  notes: table("id owner_id body", { isWritable: true }),
  drop_box: table("id body", { isWritable: true }),
  phrases: table("id text", { isWritable: true }),
  canary_rows: table("id label owner_id", { isWritable: true }),
  canary_column: table("id label secret"),
  canary_locked: table("id secret film_id", { embeds: ["films"] }),
  staff_only: table("id pay"),
  "Strange%20names": table('id "with%20space" "dot.ted" "a,b" "(paren)" "quo\\"te" naïve-col "order"', {
    isWritable: true,
  }),
};
const tableNames = Object.keys(tables);
/** Functions with their arguments; the last ones are not served, or nobody's. */
const functions: Readonly<Record<string, readonly string[]>> = {
  add_them: ["a", "b"],
  say_hello: [],
  no_answer: [],
  numbers: [],
  all_films: [],
  film_by_id: ["film"],
  films_since: ["first_year"],
  split_name: ["full_name"],
  twice: ["n"],
  join_words: ["separator", "words"],
  total: ["parts"],
  keys_of: ["doc"],
  take_json: [],
  overloaded: ["a", "b"],
  no_film: [],
  bump: ["step"],
  doc_of: ["film"],
  who_am_i: [],
  who_am_i_writing: [],
  uid: [],
  isolation: [],
  only_one: [],
  fail_plainly: [],
  undecided: ["a"],
  canary_sing: ["song"],
  canary_sleep: ["seconds"],
  pg_sleep: [],
  version: [],
};
/** A value an argument of this name can have. */
const argumentValue = (name: string): fc.Arbitrary<unknown> => {
  if (name === "words") return fc.array(marked, { minLength: 1, maxLength: 3 });
  if (name === "parts") return fc.array(fc.integer({ min: 0, max: 99 }), { minLength: 1, maxLength: 3 });
  if (name === "doc") return fc.record({ k: marked });
  if (name === "separator" || name === "full_name" || name === "song") return marked;
  return fc.oneof({ weight: 6, arbitrary: fc.integer({ min: 1, max: 2000 }) }, { weight: 1, arbitrary: marked });
};

const one = (...choices: readonly string[]): fc.Arbitrary<string> => fc.constantFrom(...choices);
const list = (item: fc.Arbitrary<string>, max = 3, min = 1): fc.Arbitrary<string> =>
  fc.array(item, { minLength: min, maxLength: max }).map((items) => items.join(","));
const maybe = <T>(value: fc.Arbitrary<T>, otherwise: T, freq = 2): fc.Arbitrary<T> =>
  fc.oneof({ weight: freq, arbitrary: fc.constant(otherwise) }, { weight: 1, arbitrary: value });
const joined = (...parts: readonly fc.Arbitrary<string>[]): fc.Arbitrary<string> =>
  fc.tuple(...parts).map((texts) => texts.join(""));

const marked = fc.stringMatching(/^[a-z0-9]{0,4}$/).map((text) => `${valueMark}${text}`);
/** Values as an app sends them; half of them bear the mark. */
const plainValue = fc.oneof(
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
const element = fc.oneof(
  plainValue,
  marked.map((text) => `"${text}, (x)"`),
);
const arrayLiteral = list(plainValue).map((items) => `{${items}}`);

const simpleOperation = fc.oneof(
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
const anyOperation = joined(maybe(one("not."), "", 4), simpleOperation);

/** Columns by what their values look like: a filter mostly asks what can be answered. */
const numbers = new Set(
  "id year director_id length rating film_id seats price supervisor_id owner_id first_id second_id films quantity a b big exact float duration pay".split(
    " ",
  ),
);
const texts = new Set(
  'title summary first_name last_name full_name name hall letter sku note body text label "with%20space" "dot.ted" "a,b" "(paren)" "quo\\"te" naïve-col "order"'.split(
    " ",
  ),
);
const number = fc.integer({ min: -3, max: 2000 }).map(String);
const nulls = one("is.null", "is.not_null", "not.is.null");
const numberOperation = joined(
  maybe(one("not."), "", 4),
  fc.oneof(
    joined(one("eq.", "neq.", "gt.", "gte.", "lt.", "lte.", "isdistinct."), number),
    list(number, 4, 0).map((items) => `in.(${items})`),
    list(number).map((items) => `eq(any).{${items}}`),
    nulls,
  ),
);
const textOperation = joined(
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
const operationFor = (field: string): fc.Arbitrary<string> => {
  const suited = numbers.has(field)
    ? numberOperation
    : texts.has(field) || field.includes("->>")
      ? textOperation
      : fc.oneof(nulls, anyOperation);
  return fc.oneof({ weight: 12, arbitrary: suited }, { weight: 1, arbitrary: anyOperation });
};
const cast = one(
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
const alias = maybe(fc.stringMatching(/^[a-z][a-z_]{0,5}:$/), "", 3);

const fieldOf = (of: Table): fc.Arbitrary<string> => {
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

const selectOf = (of: Table, depth: number): fc.Arbitrary<string> => {
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

const conditionOf = (of: Table, depth: number): fc.Arbitrary<string> => {
  const leaf = fieldOf(of).chain((field) => operationFor(field).map((operation) => `${field}.${operation}`));
  if (depth === 0) return leaf;
  return fc.oneof(
    { weight: 3, arbitrary: leaf },
    joined(one("", "not."), one("and(", "or("), list(conditionOf(of, depth - 1)), one(")")),
  );
};

const orderOf = (of: Table): fc.Arbitrary<string> =>
  list(joined(fieldOf(of), one("", ".asc", ".desc"), one("", ".nullsfirst", ".nullslast")));

type Pair = readonly [string, string];
const pair = (key: fc.Arbitrary<string>, value: fc.Arbitrary<string>): fc.Arbitrary<Pair> => fc.tuple(key, value);

const filtersOf = (of: Table): fc.Arbitrary<Pair> =>
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
const pagesOf = (of: Table): fc.Arbitrary<readonly Pair[]> =>
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
