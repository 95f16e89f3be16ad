import { afterAll, beforeAll, expect, it } from "vitest";
import { jsonOf } from "./json.ts";
import { LogBench, Witness } from "./testing.ts";

let bench: LogBench;
beforeAll(async () => {
  bench = await LogBench.open();
});
afterAll(() => bench.close());

const texts = [
  `''`,
  `'a'`,
  `'NULL'`,
  `'null'`,
  `'a"b\\c''d'`,
  `E'tab\\tline\\nbell\\x07del\\x7f'`,
  `'{1,2}'`,
  `'(a,b)'`,
  `'ünï 👋 \u2028'`,
  `' , '`,
];
const times = [
  "2024-02-29 12:30:00.000001",
  "1999-12-31 23:59:59",
  "0044-03-15 00:00:00 BC",
  "infinity",
  "-infinity",
  "12024-01-01 00:00:00",
];
const quoted = (values: readonly string[]) => values.map((value) => `'${value}'`);

/** Values of every family of built-in types, and of types an app makes of them, as SQL. */
const families: Readonly<Record<string, readonly string[]>> = {
  bool: ["true", "false"],
  int2: quoted(["-32768", "0"]),
  int4: ["2147483647"],
  int8: quoted(["9223372036854775807", "-9223372036854775808"]),
  float4: quoted(["0", "-0", "1.5", "1e20", "1.4e-45", "NaN", "Infinity", "-Infinity"]),
  float8: quoted(["0.1", "1e300", "5e-324", "NaN", "-Infinity", "123456789012345680"]),
  numeric: quoted(["0.10", "-0.000000000000000000001", "123456789012345678901234567890.5", "NaN", "Infinity", "1e-10"]),
  "numeric(6,2)": ["1.5"],
  money: ["12.5"],
  oid: ["4294967295"],
  text: texts,
  varchar: texts,
  "char(8)": [`'a"b'`, `''`],
  '"char"': ["'a'", "''"],
  name: [`'a"b'`],
  citext: [`'Aa'`],
  bytea: [`'\\x00ff22'`, `''`],
  date: quoted(["2024-02-29", "0044-03-15 BC", "infinity", "12024-01-01"]),
  time: quoted(["12:30:00.5", "24:00:00"]),
  timetz: quoted(["12:30:00+02", "12:30:00-03:30"]),
  timestamp: quoted(times),
  timestamptz: quoted(times.map((time) => (time.endsWith("BC") ? time : time.replace(/(\d)$/, "$1+05:30")))),
  interval: quoted(["1 year 2 mons -3 days 04:05:06.789", "0"]),
  json: [`'{"b": 1, "a": [1, 2.50, null]}'`, `'"x"'`, "'null'", "'[]'"],
  jsonb: [`'{"b": 1, "a": [1, 2.50, null]}'`, `'1.0'`, "'null'", `'"\\u00e9\\"\\\\"'`],
  uuid: ["'6f1b4e9c-1234-4abc-8def-001122334455'"],
  inet: quoted(["10.0.0.1/8", "::1"]),
  cidr: quoted(["10.0.0.0/8"]),
  macaddr: quoted(["08:00:2b:01:02:03"]),
  "bit(3)": ["b'101'"],
  varbit: ["b''", "b'1'"],
  xml: ["'<a>b</a>'"],
  tsvector: [`'fat:1 cat:2'`],
  tsquery: [`'fat & cat'`],
  point: quoted(["(1,2.5)"]),
  box: quoted(["(1,1),(0,0)"]),
  path: quoted(["[(0,0),(1,1)]"]),
  circle: quoted(["<(0,0),1>"]),
  int4range: quoted(["[1,5)", "empty"]),
  tstzmultirange: [`'{["2024-01-01 00:00+00","2024-01-02 00:00+00"]}'`],
  pg_lsn: quoted(["16/B374D848"]),
  int2vector: quoted(["1 2 3", ""]),
  oidvector: quoted(["1 2"]),
  mood: quoted(["so so", 'very "good"']),
  email: quoted(["a@b"]),
  scores: quoted(["{1,2}"]),
  pair: [`row(1, 'a,"b" (c)\\', null, array['x,y', null])`, "row(null, null, null, null)", `row(1, '', true, '{}')`],
  nested: [`row(row(1, 'x', true, array['"']), array[row(2, 'y', false, null)::pair])`],
};
const arrays = [
  "bool",
  "int8",
  "float8",
  "numeric",
  "text",
  "date",
  "timestamptz",
  "json",
  "jsonb",
  "uuid",
  "box",
  "mood",
  "email",
  "pair",
  "bytea",
  "interval",
];

it("a value's JSON is what PostgreSQL makes of it, for every family of types", async () => {
  await bench.sql(`create extension citext; create type mood as enum ('so so', 'very "good"');
    create domain email as text check (value ~ '@'); create domain scores as int[];
    create type pair as (a int, "b ""c""" text, d bool, e text[]); create type nested as (p pair, ps pair[])`);
  const columns = [
    ...Object.entries(families).map(([type, values]) => ({ type, values })),
    ...arrays.map((type) => {
      const typed = families[type]!.map((value) => `${value}::${type}`).join(", ");
      return {
        type: `${type}[]`,
        values: [
          `array[${typed}]::${type}[]`,
          `'{}'`,
          `array[null]::${type}[]`,
          `array[array[${typed}], array[${typed}]]::${type}[]`,
        ],
      };
    }),
    { type: "int[]", values: [`'[-1:1]={1,2,3}'`, `'[1:1][0:1]={{1,2}}'`] },
  ];
  await bench.sql(`create table valued (id serial primary key, ${columns.map(({ type }, at) => `c${at} ${type}`).join(", ")});
    alter publication supabase_realtime add table valued`);
  const log = bench.log();
  const witness = new Witness();
  await log.follow(witness);
  for (const [at, { type, values }] of columns.entries()) {
    for (const value of values) await bench.sql(`insert into valued (c${at}) values (${value}::${type})`);
  }
  await bench.sql("set timezone = 'UTC'");
  const names = columns.map((_, at) => `to_json(c${at})::text as c${at}, to_jsonb(c${at})::text as b${at}`);
  const expected = await bench.sql(`select id, ${names.join(", ")} from valued order by id`);
  await expect.poll(() => witness.changes.length).toBe(expected.length);
  for (const [index, { relation, new: row }] of witness.changes.entries()) {
    for (const [at, { type }] of columns.entries()) {
      const place = relation.indexOf(`c${at}`);
      const theirs = expected[index]![`c${at}`] as string | null;
      const ours = jsonOf(relation.columns[place]!, row![place]!);
      // Digit by digit what to_json says, apart from blanks it puts between fields and lines it breaks arrays into.
      expect(withoutBlanks(ours), `${type} ${row![place]}`).toBe(withoutBlanks(theirs ?? "null"));
      expect(parse(ours), type).toEqual(parse((expected[index]![`b${at}`] as string | null) ?? "null"));
    }
  }
});

/** Outside of strings. */
const withoutBlanks = (json: string): string => json.replace(/("(?:[^"\\]|\\.)*")|\s+/g, "$1");

/** `jsonb` knows no negative nought. */
const parse = (json: string): unknown => JSON.parse(json, (_, value: unknown) => (value === 0 ? 0 : value));
