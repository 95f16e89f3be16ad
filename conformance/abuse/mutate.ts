import fc from "fast-check";
import { type Draft, drafts } from "./grammar.ts";
import { encodeAny, type Request } from "./send.ts";
import { valueMark } from "./values.ts";

/** What values bear in a mutated request: a mutation may turn a value into a name, and names do reach PostgreSQL, quoted. */
export const mutatedMark = "mZq7";

/** What attackers write, and what breaks readers. */
const nasties = [
  "'",
  "''",
  '"',
  '""',
  "\\",
  "\\'",
  '\\"',
  "`",
  ";",
  "--",
  "/*",
  "*/",
  "#",
  "$$",
  "$1",
  "$$;",
  "%",
  "%%",
  "\0",
  "%00",
  "%2500",
  "%27",
  "%2527",
  "%C0%A7",
  "%ff",
  "%",
  "%u0027",
  "' or '1'='1",
  "'; drop table films; --",
  '"; drop table films; --',
  "); select pg_sleep(30); --",
  "1;select pg_sleep(30)",
  "pg_sleep(30)",
  "pg_sleep",
  "version()",
  "version",
  "current_setting('role')",
  "current_setting",
  "current_user",
  "pg_read_file('/etc/passwd')",
  "pg_catalog.pg_authid",
  "pg_authid",
  "pg_catalog",
  "information_schema.tables",
  "vault.canary_gold",
  "canary_gold",
  "canary_locked",
  "canary_sing",
  "vault",
  "secret",
  "public.films",
  "union select",
  "select",
  "set role postgres",
  "reset role",
  "copy films to program 'x'",
  "lo_import",
  "dblink",
  "regclass",
  "::regclass",
  "::regrole",
  "oid",
  "ctid",
  "xmin",
  "tableoid",
  "t0",
  "t0.*",
  "r",
  "w",
  "excluded",
  "mainstay row",
  "mainstay.reject",
  "query_to_xml",
  "row_to_json",
  "pg_typeof",
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "hasOwnProperty",
  "__proto__.x",
  "null",
  "undefined",
  "NaN",
  "-0",
  "1e309",
  "-1",
  "9223372036854775808",
  "99999999999999999999999999",
  "0x10",
  "1_000",
  "١",
  "½",
  "ʼ",
  "＇",
  "＂",
  "；",
  "（",
  "）",
  "．",
  "，",
  "\u202e",
  "\u200b",
  "\ufeff",
  "\u2028",
  "\ud800",
  "İ",
  "ß",
  "K",
  "é",
  "😀",
  "\r\n",
  "\n",
  "\t",
  "\u0001",
  "\u001b[31m",
  "\u007f",
  "\u0085",
  "(",
  ")",
  "((",
  "))",
  "(,)",
  "()",
  ",",
  ",,",
  ".",
  "..",
  "...",
  ":",
  "::",
  ":::",
  "->",
  "->>",
  "->>->",
  "!",
  "!!",
  "!inner!inner",
  "*",
  "**",
  "=",
  "==",
  "&",
  "&&",
  "?",
  "+",
  "{",
  "}",
  "{}",
  "{{",
  "[",
  "]",
  "(any)",
  "(all)",
  "not.",
  "not.not.",
  "or(",
  "and(",
  "in.(",
  "eq.",
  "is.null",
  "select=",
  "order=",
  "limit=",
  "offset=",
  "and=",
  "columns=",
  "on_conflict=",
  "apikey=x",
  "count()",
  "sum()",
  "..directors(*)",
  "...films(*)",
  "directors(*)",
  "a".repeat(80),
  "(".repeat(40),
  "or(".repeat(40),
  "x".repeat(3000),
] as const;

type Mutator = (text: string, at: number, length: number, other: number, nasty: string) => string;
const words = (text: string): string[] => text.split(/([^\p{L}\p{N}_]+)/u);

const mutators: readonly Mutator[] = [
  // Insert, replace, delete, double, cut off.
  (text, at, _length, _other, nasty) => text.slice(0, at) + nasty + text.slice(at),
  (text, at, length, _other, nasty) => text.slice(0, at) + nasty + text.slice(at + length),
  (text, at, length) => text.slice(0, at) + text.slice(at + length),
  (text, at, length) => text.slice(0, at + length) + text.slice(at),
  (text, at) => text.slice(0, at),
  // A whole word becomes something else, or trades places with another.
  (text, at, _length, _other, nasty) => {
    const all = words(text);
    const index = (at % Math.max(1, Math.ceil(all.length / 2))) * 2;
    return all.map((word, position) => (position === index ? nasty : word)).join("");
  },
  (text, at, _length, other) => {
    const all = words(text);
    const a = at % all.length;
    const b = other % all.length;
    return all.map((word, position) => (position === a ? all[b]! : position === b ? all[a]! : word)).join("");
  },
  // A parameter twice; the case of letters; percent-encoding, once and twice.
  (text, at) => {
    const all = text.split("&");
    return [...all, all[at % all.length]!].join("&");
  },
  (text, at, length) => text.slice(0, at) + text.slice(at, at + length).toUpperCase() + text.slice(at + length),
  (text, at, length) => text.slice(0, at) + encodeAny(text.slice(at, at + length)) + text.slice(at + length),
  (text, at, length) =>
    text.slice(0, at) + encodeAny(text.slice(at, at + length)).replaceAll("%", "%25") + text.slice(at + length),
];

const mutation = fc.record({
  part: fc.oneof(
    { weight: 12, arbitrary: fc.constant("target") },
    { weight: 3, arbitrary: fc.constant("body") },
    { weight: 3, arbitrary: fc.constant("header") },
    { weight: 1, arbitrary: fc.constant("method") },
  ),
  mutator: fc.constantFrom(...mutators),
  at: fc.nat(),
  length: fc.integer({ min: 1, max: 12 }),
  other: fc.nat(),
  nasty: fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...nasties) },
    { weight: 1, arbitrary: fc.string({ unit: "binary", maxLength: 6 }) },
  ),
  encodes: fc.boolean(),
});
type Mutation = typeof mutation extends fc.Arbitrary<infer T> ? T : never;

const reserved = /[%&#+\s]/g;

/** A draft on the wire, with nothing changed. */
export function written(draft: Draft): Request {
  const query = draft.query.map(([key, value]) => `${encodeName(key)}=${value.replace(reserved, encodeAny)}`).join("&");
  return {
    method: draft.method,
    target: `/rest/v1${draft.path}${query === "" ? "" : `?${query}`}`,
    headers: draft.headers,
    body: draft.body,
  };
}

function encodeName(key: string): string {
  return key.replace(/[&#+\s=]/g, encodeAny);
}

function mutated(request: Request, { part, mutator, at, length, other, nasty, encodes }: Mutation): Request {
  const apply = (text: string, thing: string): string =>
    mutator(text, text.length === 0 ? 0 : at % (text.length + 1), length, other, thing);
  switch (part) {
    case "target": {
      const prefix = "/rest/v1/";
      const rest = apply(
        request.target.slice(prefix.length),
        encodes ? encodeAny(nasty) : nasty.replaceAll("#", "%23"),
      );
      return { ...request, target: prefix + rest };
    }
    case "body":
      return request.body === null ? request : { ...request, body: apply(String(request.body), nasty) };
    case "header": {
      const names = Object.keys(request.headers);
      const name = names[at % Math.max(1, names.length)];
      if (name === undefined) return { ...request, headers: { prefer: clean(nasty) } };
      return { ...request, headers: { ...request.headers, [name]: clean(apply(request.headers[name]!, nasty)) } };
    }
    default:
      return { ...request, method: ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"][at % 7]! };
  }
}

/** What an HTTP client can put into a header at all (RFC 9110 §5.5). */
function clean(text: string): string {
  return text.replace(/[^\t\x20-\x7e\x80-\xff]/gu, "?").trim();
}

export interface Attempt {
  readonly request: Request;
  readonly isMutated: boolean;
  readonly as: "anon" | "user" | "service" | "nobody";
}

/** A quarter as the grammar has it; the rest with one to four things done to it. */
export const attempts: fc.Arbitrary<Attempt> = fc
  .tuple(
    drafts,
    fc.oneof(
      { weight: 1, arbitrary: fc.constant([]) },
      { weight: 3, arbitrary: fc.array(mutation, { minLength: 1, maxLength: 4 }) },
    ),
    fc.constantFrom("anon", "anon", "user", "user", "service", "nobody"),
  )
  .map(([draft, changes, as]) => {
    const isMutated = changes.length > 0;
    let request = written(draft);
    if (isMutated) request = JSON.parse(JSON.stringify(request).replaceAll(valueMark, mutatedMark)) as Request;
    for (const change of changes) request = mutated(request, change);
    return { request, isMutated, as };
  });
