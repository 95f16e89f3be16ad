import { type TestDatabase, testDatabase } from "@mainstay/testing";
import fc from "fast-check";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readSettings } from "../../../kernel/settings.ts";
import { type Database, openDatabase } from "../../postgres/database.ts";
import { parseConnectionUrl } from "../../postgres/external/index.ts";
import { openSession } from "../../postgres/session/index.ts";
import type { Session } from "../../postgres/session/types.ts";
import { postgresSettings } from "../../postgres/settings.ts";
import { askConditions, askingFor } from "./asking.ts";
import { compileCondition } from "./conditions.ts";
import { type Condition, FilterError, type Operator } from "./filter.ts";
import type { PublishedColumn } from "./published.ts";
import { loadPublished } from "./store.ts";

/** Cases in which our answer and PostgreSQL's are compared; a longer run is asked for by the environment. */
const cases = Number(process.env.MAINSTAY_FILTER_CASES ?? 600);

/** Values of each type, the nasty ones first; also what values are compared with. */
const samples = {
  i2: ["0", "-32768", "32767", "1", "-1"],
  i4: ["0", "-2147483648", "2147483647", "7", "-7"],
  i8: ["0", "-9223372036854775808", "9223372036854775807", "9007199254740993", "9007199254740992"],
  n: [
    "0",
    "-0.0",
    "1.50",
    "1.5",
    "NaN",
    "Infinity",
    "-Infinity",
    "123456789012345678901234567890.1",
    "-1.5",
    "-1.49",
    "10",
    "9",
    "0.001",
  ],
  f8: ["0", "-0", "1.5", "NaN", "Infinity", "-Infinity", "0.1", "1e-320", "1.7976931348623157e308", "-2.5"],
  f4: ["0", "-0", "0.1", "0.3", "NaN", "-Infinity", "16777216", "3.4e38", "1e-40"],
  b: ["true", "false"],
  u: [
    "00000000-0000-0000-0000-000000000000",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
  ],
  t: [
    "",
    "a",
    "A",
    "ä",
    "Ä",
    "é",
    "z",
    "%",
    "a_c",
    "abc",
    "null",
    "\ud83d\ude00",
    "\uffee",
    "it's",
    '"q"',
    "\\",
    "a,b",
    " a ",
    "İ",
    "ß",
  ],
  v: ["", "a", "b ", "b", "Zz"],
  c: ["a", "a  ", "b", ""],
  d: ["2024-01-31", "infinity", "-infinity", "0044-03-15 BC", "12024-01-01", "0001-01-01"],
  ts: [
    "2024-01-31 12:00:00",
    "2024-01-31 12:00:00.5",
    "2024-01-31 12:00:00.45",
    "infinity",
    "0044-03-15 10:00:00 BC",
    "0044-03-15 10:00:00.5 BC",
    "12024-01-01 00:00:00",
  ],
  tz: [
    "2024-01-31 12:00:00+00",
    "2024-01-31 14:00:00+02",
    "2024-01-31 12:00:00.000001+00",
    "-infinity",
    "0044-03-15 10:00:00+00 BC",
  ],
  ti: ["00:00:00", "24:00:00", "12:00:00.5", "12:00:00"],
  tt: ["12:00:00+02", "10:00:00+00", "12:00:00+00"],
  iv: ["1 day", "24 hours", "1 mon", "30 days", "-1 day"],
  by: ["\\x", "\\x00", "\\xff", "\\x0001"],
  j: ['{"a": 1}', '{"a":1.0}', "null", "[1, 2]", '"x"'],
  ia: ["{1,2}", "{}", "{1,NULL}", "{2}"],
  ip: ["10.0.0.1", "10.0.0.1/32", "10.0.0.0/8", "::1"],
  e: ["small", "Large", "medium"],
  dom: ["5", "6", "-1"],
  r: ["[1,5)", "empty", "[1,4]"],
} as const;

const types: Readonly<Record<keyof typeof samples, string>> = {
  i2: "int2",
  i4: "int4",
  i8: "int8",
  n: "numeric",
  f8: "float8",
  f4: "float4",
  b: "bool",
  u: "uuid",
  t: "text",
  v: "varchar(20)",
  c: "char(3)",
  d: "date",
  ts: "timestamp",
  tz: "timestamptz",
  ti: "time",
  tt: "timetz",
  iv: "interval",
  by: "bytea",
  j: "jsonb",
  ia: "int4[]",
  ip: "inet",
  e: "public.size",
  dom: "public.positive_or_not",
  r: "int4range",
};

const sqlOperators: Readonly<Record<Exclude<Operator, "in" | "is" | "isdistinct">, string>> = {
  eq: "=",
  neq: "<>",
  lt: "<",
  lte: "<=",
  gt: ">",
  gte: ">=",
  like: "like",
  ilike: "ilike",
  match: "~",
  imatch: "~*",
};

let database: TestDatabase;
let client: pg.Client;
let db: Database;
let session: Session;
let columns: ReadonlyMap<string, PublishedColumn>;
const who = {
  role: "postgres",
  claims: {},
  claimsJson: "{}",
  subject: null,
  isAuthenticated: true,
  expiresAtMs: Number.POSITIVE_INFINITY,
};

beforeAll(async () => {
  database = await testDatabase();
  client = new pg.Client({ connectionString: database.url });
  await client.connect();
  await client.query(`
    create type public.size as enum ('small', 'medium', 'Large');
    create domain public.positive_or_not as int4;
    create table public.all_types (id int primary key, ${Object.entries(types)
      .map(([name, type]) => `${name} ${type}`)
      .join(", ")});
    create publication supabase_realtime for table public.all_types;
    set timezone = 'UTC'`);
  const { rows } = await client.query<{ user: string }>("select current_user as user");
  who.role = rows[0]!.user;
  db = openDatabase({ connectionString: database.url });
  const settings = readSettings(postgresSettings, { env: {} }).values;
  session = await openSession({ target: parseConnectionUrl(database.url), settings, observe: () => {} });
  columns = (await loadPublished(db, "supabase_realtime")).get("public", "all_types")!.columns;
});
afterAll(async () => {
  await session.close(AbortSignal.timeout(2_000));
  await db.close();
  await client.end();
  await database.drop();
});

type Name = keyof typeof samples;

/** What PostgreSQL says of the condition, of each value; `null` when it refuses to be asked. */
async function expected(
  name: Name,
  { operator, isNegated, values }: Condition,
  rows: readonly (string | null)[],
): Promise<boolean[] | null> {
  const type = types[name].replace(/\(.*\)/, "");
  const bare = type === "char" ? "bpchar" : type;
  const column = `(v::${bare})`;
  const text = (() => {
    switch (operator) {
      case "in":
        return `${column} in (${values.map((_, at) => `$${at + 2}::${bare}`).join()})`;
      case "is":
        return `${column} is ${values[0]}`;
      case "isdistinct":
        return values[0] === null ? `${column} is not null` : `${column} is distinct from $2::${bare}`;
      case "like":
      case "ilike":
      case "match":
      case "imatch":
        return `${column} ${sqlOperators[operator]} $2::text`;
      default:
        return `${column} ${sqlOperators[operator]} $2::${bare}`;
    }
  })();
  const parameters = operator === "is" || values[0] === null ? [] : values;
  try {
    const { rows: answers } = await client.query<{ is: boolean }>(
      `select coalesce(${isNegated ? `not (${text})` : text}, false) as is from unnest($1::text[]) with ordinality as t (v, n) order by n`,
      [rows, ...parameters],
    );
    return answers.map(({ is }) => is);
  } catch {
    return null;
  }
}

/** The same values as the log would have them. */
async function logged(name: Name, values: readonly (string | null)[]): Promise<(string | null)[]> {
  const { rows } = await client.query<{ v: string | null }>(
    `select case when v is not null then format('%s', v::${types[name]}) end as v from unnest($1::text[]) with ordinality as t (v, n) order by n`,
    [values],
  );
  return rows.map(({ v }) => v);
}

test(`R03 filters say what PostgreSQL says, of every type and operator (${cases} cases)`, async () => {
  const ask = askConditions(session, 5_000);
  const asking = askingFor(session, who, 5_000);
  const operators = [...Object.keys(sqlOperators), "in", "is", "isdistinct"] as Operator[];
  let decided = 0;
  let inMemory = 0;
  const condition = fc.constantFrom(...(Object.keys(samples) as Name[])).chain((name) => {
    const value = fc.constantFrom<string>(...samples[name]);
    return fc.constantFrom(...operators).chain((operator) => {
      const one =
        operator === "is"
          ? fc.constantFrom("null", "true", "false", "unknown")
          : operator === "like" || operator === "ilike"
            ? fc.oneof(value, fc.constantFrom("%", "_", "a%", "%c", "%\\%%", "a\\_c", "_b%", "%a%b%"))
            : value;
      return fc.record({
        name: fc.constant(name),
        condition: fc.record({
          column: fc.constant<string>(name),
          operator: fc.constant(operator),
          isNegated: fc.boolean(),
          values:
            operator === "in"
              ? fc.array(value, { minLength: 1, maxLength: 4 })
              : operator === "isdistinct"
                ? fc.tuple(fc.option(value))
                : fc.tuple(one),
        }),
      });
    });
  });
  await fc.assert(
    fc.asyncProperty(condition, async ({ name, condition }) => {
      const given: (string | null)[] = [...samples[name], null];
      const texts = await logged(name, given);
      const truth = await expected(name, condition, texts);
      let compiled: Awaited<ReturnType<typeof compileCondition>>;
      try {
        compiled = await compileCondition(condition, columns.get(name)!, asking);
      } catch (error) {
        expect(error).toBeInstanceOf(FilterError);
        // Texts match patterns; PostgreSQL would also match what it can turn into text.
        expect(
          truth === null || (["like", "ilike", "match", "imatch"].includes(condition.operator) && name !== "t"),
        ).toBe(true);
        return;
      }
      const { decide, only } = compiled;
      const answers = decide === null ? await ask(compiled, who, texts) : texts.map(decide);
      expect({ name, condition, answers }).toEqual({ name, condition, answers: truth });
      if (only !== null) {
        expect(texts.map((text) => text !== null && only.keys.includes(only.keyOf(text)))).toEqual(truth);
      }
      decided++;
      if (decide !== null) inMemory++;
    }),
    { numRuns: cases },
  );
  expect(decided).toBeGreaterThan(cases / 3);
  expect(inMemory).toBeGreaterThan(decided / 2);
}, 600_000);
