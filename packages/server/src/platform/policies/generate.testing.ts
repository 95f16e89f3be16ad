import type { Principal } from "../../kernel/principal.ts";
import { principal } from "./testing.ts";

/** Numbers that look random and are the same for the same seed (mulberry32). */
export interface Random {
  below(limit: number): number;
  pick<T>(items: readonly T[]): T;
  /** True once in so many. */
  once(inSoMany: number): boolean;
}

export function random(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
  const below = (limit: number): number => Math.floor(next() * limit);
  return { below, pick: (items) => items[below(items.length)]!, once: (inSoMany) => below(inSoMany) === 0 };
}

const literal = (text: string): string =>
  text.includes("\\") ? `E'${text.replaceAll("\\", "\\\\").replaceAll("'", "''")}'` : `'${text.replaceAll("'", "''")}'`;
const literals = (type: string, texts: readonly string[]): readonly string[] =>
  texts.map((text) => `${literal(text)}::${type}`);

export const uuids = [
  "00000000-0000-4000-8000-00000000000a",
  "ffffffff-ffff-ffff-ffff-ffffffffffff",
  "0190a1b2-c3d4-7e5f-8a9b-000000000001",
];
const texts = [
  "",
  " ",
  "a",
  "A",
  "b",
  "admin",
  "it's",
  'say "hi"',
  "back\\slash",
  "100%",
  "under_score",
  "Ünïcödé",
  "𝒳 astral",
  "ﬀ ligature",
  "ß",
  "İstanbul",
  "e\u0301",
  "é",
  "NULL",
  "null",
  "{}",
  "{a,b}",
  "a,b",
  "tab\there",
  "line\nbreak",
  "true",
  "1",
  "1.0",
  uuids[0]!,
  "acme",
  "x".repeat(300),
];
const moments = [
  "2024-05-01 12:00:00.123456+02",
  "2024-05-01 10:00:00.123456+00",
  "1999-12-31 23:59:59.999999-11:30",
  "infinity",
  "-infinity",
  "0044-03-15 12:00:00+00 BC",
  "12345-06-07 08:09:10+00",
  "2024-02-29 00:00:00+14",
  "1883-11-18 12:03:57+00",
  "2000-01-01 00:00:00+00",
];
const documents = [
  "{}",
  "[]",
  "null",
  "true",
  '"a"',
  "1",
  "1.0",
  "1.50",
  "-0.5",
  "1e3",
  "12345678901234567890",
  '{"a":1}',
  '{"a":null}',
  '{"a":"x","b":[1,2,{"c":true}]}',
  '["a","b"]',
  '["admin",1,null,["a"]]',
  '{"a":{"b":{"c":"deep"}}}',
  '{"__proto__":"p","constructor":1}',
  '{"owner":"00000000-0000-4000-8000-00000000000a"}',
  '{"":"empty"}',
  '{"a":true,"flag":"yes"}',
  '{"A":"1","a":["x"]}',
  "[[1,2],[3]]",
  '[{"a":1},{"a":2}]',
  '{"é":"ü"}',
  '{"a":"2","n":2}',
];

/** Values of each type, as SQL: nasty ones first of all. */
export const values: Readonly<Record<string, readonly string[]>> = {
  boolean: ["true", "false"],
  smallint: literals("smallint", ["0", "1", "-1", "2", "32767", "-32768", "18"]),
  integer: literals("integer", ["0", "1", "-1", "2", "18", "2147483647", "-2147483648", "1000000"]),
  bigint: literals("bigint", [
    "0",
    "1",
    "-1",
    "2",
    "18",
    "9007199254740993",
    "9223372036854775807",
    "-9223372036854775808",
    "2147483648",
  ]),
  numeric: literals("numeric", [
    "0",
    "-0.0",
    "1",
    "1.0",
    "1.00",
    "1.5",
    "-1.5",
    "0.1",
    "NaN",
    "Infinity",
    "-Infinity",
    "123456789012345678901234567890.123",
    "0.000000001",
    "-12.5",
    "-12.25",
    "18",
    "2",
  ]),
  text: literals("text", texts),
  "character varying": literals("varchar", texts),
  uuid: literals("uuid", uuids),
  timestamptz: literals("timestamptz", moments),
  timestamp: literals(
    "timestamp",
    moments.map((text) => text.replace(/[+-]\d\d(:\d\d)?(?= BC|$)/, "")),
  ),
  date: literals("date", [
    "2024-05-01",
    "2024-02-29",
    "infinity",
    "-infinity",
    "0044-03-15 BC",
    "12345-06-07",
    "1970-01-01",
  ]),
  jsonb: literals("jsonb", documents),
  json: literals("json", documents),
  mood: literals("mood", ["sad", "ok", "Very Happy", "it's"]),
  "text[]": literals("text[]", [
    "{}",
    "{a,b}",
    '{"a,b","c\\"d","e\\\\f",""}',
    "{NULL,a}",
    '{"NULL"}',
    "{{a,b},{c,d}}",
    "[0:1]={x,y}",
    '{" a ",é,𝒳}',
    "{admin,NULL,acme}",
  ]),
  "uuid[]": literals("uuid[]", ["{}", `{${uuids[0]}}`, `{${uuids.join()}}`, "{NULL}"]),
  "integer[]": literals("integer[]", ["{}", "{1,2}", "{NULL,18}", "{-1,2147483647}", "{{1,2},{3,4}}"]),
  "boolean[]": literals("boolean[]", ["{}", "{t,f}", "{NULL,t}"]),
  // Only ever asked whether they are NULL.
  "character(5)": literals("bpchar", ["a", "ab   ", ""]),
  "double precision": literals("float8", ["0", "-0", "NaN", "1e300", "0.1"]),
  bytea: literals("bytea", ["\\x00ff", ""]),
  interval: literals("interval", ["1 day", "24:00:00", "1 month"]),
  pair: ["row(null, null)::pair", "row(1, 'a')::pair"],
};

/** What columns are declared as, and the type their expressions have. */
export const columnTypes: readonly (readonly [declared: string, type: string])[] = [
  ...Object.keys(values).map((type) => [type, type] as const),
  ["numeric(12,3)", "numeric"],
  ["varchar(400)", "character varying"],
  ['text collate "C"', "text"],
  ["positive", "integer"],
  ["label", "text"],
  ["owner_id", "uuid"],
  ["text collate nocase", "text"],
  ["uuid", "uuid"],
  ["text", "text"],
  ["boolean", "boolean"],
  ["bigint", "bigint"],
  ["jsonb", "jsonb"],
  ["timestamptz", "timestamptz"],
  ["integer", "integer"],
];

export const prelude = `
create type mood as enum ('sad', 'ok', 'Very Happy', 'it''s');
create type pair as (x int, y text);
create domain positive as int;
create domain label as text check (value is null or length(value) < 1000);
create domain owner_id as uuid;
create function is_odd(n bigint) returns boolean language sql stable as 'select n % 2 = 1';
create function "upper"(t text) returns text language sql immutable as 'select ''mine''::text';
create table links (a integer, b bigint, who uuid, label text, kind mood, ok boolean, at timestamptz, n numeric, v varchar(400), "Weird ""name" integer);
create table secured (a integer, who uuid, label text);
alter table secured enable row level security;
create policy own on secured using (who = auth.uid());
create table refused (a integer, who uuid, label text);
create table pairs (a integer, who uuid, label text);
create collation nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
create view seen_links as select * from links;
grant select on links, secured, pairs, seen_links to anon, authenticated;
`;

/** Rows of the tables that sub-selects read. */
export function innerRows(r: Random): string {
  const maybe = (type: string): string => (r.once(6) ? "null" : r.pick(values[type]!));
  const rows = (n: number, make: () => string): string => Array.from({ length: n }, make).join(", ");
  const plain = (): string => `(${maybe("integer")}, ${maybe("uuid")}, ${maybe("text")})`;
  return `truncate links, secured, refused, pairs;
    insert into links values ${rows(25, () => `(${maybe("integer")}, ${maybe("bigint")}, ${maybe("uuid")}, ${maybe("text")}, ${maybe("mood")}, ${maybe("boolean")}, ${maybe("timestamptz")}, ${maybe("numeric")}, ${maybe("character varying")}, ${maybe("integer")})`)};
    insert into secured values ${rows(12, plain)};
    insert into refused values ${rows(3, plain)};
    insert into pairs values ${rows(r.below(3) + 1, () => `(${r.pick(values.integer!)}, '${r.pick(uuids)}', ${maybe("text")})`)};`;
}

/** A caller whose claims are missing, odd, nested, huge or simply right. */
export function caller(r: Random): Principal {
  const odd: readonly unknown[] = [
    null,
    true,
    false,
    0,
    1,
    1.5,
    -1,
    1e21,
    1e-7,
    "",
    "a",
    "admin",
    "yes",
    " TRUE ",
    "on",
    "2",
    "maybe",
    [],
    ["admin", "a"],
    {},
    { a: "x" },
    uuids[0],
    "user_1",
    "é",
    "it's",
    18,
    "18",
    "acme",
    9007199254740991,
    "x".repeat(20_000),
  ];
  const claims: Record<string, unknown> = {};
  const sub = r.pick([
    ...uuids,
    ...uuids,
    ...uuids,
    ...uuids,
    "user_1",
    "",
    5,
    null,
    uuids[0]!.toUpperCase(),
    undefined,
  ]);
  if (sub !== undefined) claims.sub = sub;
  if (!r.once(4)) claims.role = r.pick(["authenticated", "anon", "admin"]);
  if (!r.once(3)) claims.email = r.pick(["a", "admin", "it's", "É@x", 5]);
  for (const key of ["tenant", "level", "flag", "roles"]) if (!r.once(3)) claims[key] = r.pick(odd);
  if (!r.once(4)) {
    claims.app_metadata = r.once(6)
      ? r.pick(odd)
      : Object.fromEntries(
          ["tenant", "level", "flag", "roles", "a"].filter(() => !r.once(3)).map((key) => [key, r.pick(odd)]),
        );
  }
  if (r.once(25)) claims.tenant = r.pick(["nul\u0000", "half \ud800", "\\u0000"]);
  const who = principal(
    r.pick(["authenticated", "authenticated", "anon"]),
    claims,
    typeof sub === "string" && !r.once(8) ? sub : null,
  );
  // A token's own text has its own blanks and numbers, and may say a thing twice.
  if (r.once(8))
    return {
      ...who,
      claimsJson: who.claimsJson
        .replace("{", '{ "level" : 1.50, "tenant":"first", "tenant" : "acme" ,"n":1e2,')
        .replace(/,}/, "}"),
    };
  return who;
}
