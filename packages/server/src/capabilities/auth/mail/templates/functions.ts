import { printf } from "./printf.ts";
import { EncodedText, entriesOf, isTrue, memberOf, plainOf, textOf } from "./values.ts";

/** `isHtml`: whether what comes out is escaped for its place anyway. */
type Builtin = (args: readonly unknown[], isHtml: boolean) => unknown;

/**
 * Go's predefined functions (pkg.go.dev/text/template#hdr-Functions). None throws: what makes no sense is nothing, since the
 * data is not the author's. `and` and `or` are `run.ts`'s, which does not compute what they do not need.
 */
const functions: Readonly<Record<string, Builtin>> = {
  not: ([value]) => !isTrue(value),
  eq: ([first, ...rest]) => rest.some((other) => isEqual(first, other)),
  ne: ([a, b]) => !isEqual(a, b),
  lt: ([a, b]) => order(a, b) < 0,
  le: ([a, b]) => order(a, b) <= 0,
  gt: ([a, b]) => order(a, b) > 0,
  ge: ([a, b]) => order(a, b) >= 0,
  len: ([value]) => lengthOf(value),
  index: ([value, ...keys]) => keys.reduce(itemOf, value),
  slice: ([value, ...bounds]) => sliceOf(value, bounds),
  print: (args) => args.map((value) => textOf(value)).join(""),
  println: (args) => `${args.map((value) => textOf(value)).join(" ")}\n`,
  printf: ([format, ...args]) => printf(textOf(format), args),
  // Escaped for its place afterwards, as html/template does: twice would show.
  html: (args, isHtml) => (isHtml ? joined(args) : escapeHtml(joined(args))),
  js: (args) => escapeJs(joined(args)),
  urlquery: (args) => new EncodedText(queryEscape(joined(args))),
};

export const isFunction = (name: string): boolean => Object.hasOwn(functions, name) || name === "and" || name === "or";

export const callFunction = (name: string, args: readonly unknown[], isHtml: boolean): unknown =>
  functions[name]!(args, isHtml);

const joined = (args: readonly unknown[]): string => args.map((value) => textOf(value)).join("");

/** Missing and nil are equal; so are the same text and the same number. Lists and maps cannot be compared in Go. */
function isEqual(a: unknown, b: unknown): boolean {
  const [x, y] = [plainOf(a) ?? null, plainOf(b) ?? null];
  return typeof x !== "object" || x === null ? x === y : false;
}

/** `NaN` when there is no order between them: every comparison is false then. */
function order(a: unknown, b: unknown): number {
  const [x, y] = [plainOf(a), plainOf(b)];
  if (typeof x === "number" && typeof y === "number") return x - y;
  if (typeof x === "string" && typeof y === "string") return x < y ? -1 : x > y ? 1 : 0;
  return Number.NaN;
}

/** In bytes of UTF-8 for text, as in Go. */
function lengthOf(value: unknown): number {
  const plain = plainOf(value);
  if (typeof plain === "string") return Buffer.byteLength(plain);
  if (typeof plain !== "object" || plain === null) return 0;
  return Array.isArray(plain) ? plain.length : entriesOf(plain).length;
}

function itemOf(value: unknown, key: unknown): unknown {
  const at = plainOf(key);
  if (Array.isArray(value)) return typeof at === "number" ? value[at] : undefined;
  return typeof at === "string" ? memberOf(value, at) : undefined;
}

function sliceOf(value: unknown, bounds: readonly unknown[]): unknown {
  const [from = 0, to] = bounds.filter((bound) => typeof bound === "number");
  const plain = plainOf(value);
  if (from < 0 || (to !== undefined && to < from)) return undefined;
  return typeof plain === "string" || Array.isArray(plain) ? plain.slice(from, to) : undefined;
}

export const escapeHtml = (text: string): string => text.replace(/[\0"&'+<>]/g, (character) => htmlEscapes[character]!);

const htmlEscapes: Readonly<Record<string, string>> = {
  "\0": "\ufffd",
  '"': "&#34;",
  "&": "&amp;",
  "'": "&#39;",
  "+": "&#43;",
  "<": "&lt;",
  ">": "&gt;",
};

const escapeJs = (text: string): string =>
  text.replace(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
    /[\\'"<>&=\u0000-\u001f\u007f\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0").toUpperCase()}`,
  );

/** Go's `url.QueryEscape`. Half of a pair of surrogates is no character and cannot be encoded. */
export const queryEscape = (text: string): string =>
  encodeURIComponent(text.toWellFormed())
    .replaceAll("%20", "+")
    .replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
