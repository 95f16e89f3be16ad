import { problems } from "../problems.ts";

/** A value of a top-level key, still in the body's bytes. */
export interface JsonValue {
  readonly kind: "string" | "number" | "boolean" | "null" | "container";
  readonly start: number;
  readonly end: number;
}

/** What a body says about itself; its bytes go to PostgreSQL untouched. */
export interface JsonBody {
  /** `list` is an array with an element that is no object. */
  readonly kind: "object" | "array" | "list" | "scalar" | "null";
  /** Of an array: how many elements. */
  readonly count: number;
  /** Every key of the object, or of any element, in the order first seen. */
  readonly keys: readonly string[];
  /** The keys that every element has. */
  readonly commonKeys: ReadonlySet<string>;
  /** The object's values; of an array nothing. */
  readonly values: ReadonlyMap<string, JsonValue>;
}

const maxDepth = 200;
const byte = {
  tab: 9,
  newline: 10,
  return: 13,
  space: 32,
  quote: 34,
  comma: 44,
  minus: 45,
  zero: 48,
  nine: 57,
} as const;
const [colon, openBracket, backslash, closeBracket, openBrace, closeBrace] = [58, 91, 92, 93, 123, 125];
const words: ReadonlyMap<number, readonly [text: string, kind: "boolean" | "null"]> = new Map([
  [116, ["true", "boolean"]],
  [102, ["false", "boolean"]],
  [110, ["null", "null"]],
] as const);

/**
 * Reads a body once, as RFC 8259 has it, for its keys alone: no value is built, so numbers keep their digits (threat B14),
 * no key can reach a prototype (threat B12), and a bulk insert costs one pass over its bytes.
 * @throws PGRST102 (400) for anything that is not JSON, or is nested too deeply.
 */
export function scanJson(body: Buffer, maxKeys: number): JsonBody {
  let at = 0;
  skipBlank();
  const first = body[at];
  const result = first === openBracket ? readRows() : first === openBrace ? readRow() : readScalar();
  skipBlank();
  if (at < body.length) fail();
  return result;

  function readScalar(): JsonBody {
    const { kind } = readValue(0);
    return { kind: kind === "null" ? "null" : "scalar", count: 0, keys: [], commonKeys: new Set(), values: new Map() };
  }

  function readRow(): JsonBody {
    const values = new Map<string, JsonValue>();
    readObject(0, (key, value) => {
      values.set(key, value);
      if (values.size > maxKeys) throw tooManyKeys();
    });
    const keys = [...values.keys()];
    return { kind: "object", count: 1, keys, commonKeys: new Set(keys), values };
  }

  function readRows(): JsonBody {
    const seen = new Map<string, number>();
    let count = 0;
    let isObjects = true;
    readArray(0, () => {
      skipBlank();
      if (body[at] !== openBrace) {
        isObjects = false;
        readValue(1);
        return;
      }
      const mine = count++;
      readObject(1, (key) => {
        const last = seen.get(key);
        // `mine + 1` elements have had it, counting each element once however often it repeats the key.
        if (last === undefined) {
          if (seen.size >= maxKeys) throw tooManyKeys();
          seen.set(key, mine === 0 ? 1 : -1);
        } else if (last === mine) seen.set(key, mine + 1);
      });
    });
    if (!isObjects) return { kind: "list", count, keys: [], commonKeys: new Set(), values: new Map() };
    const keys = [...seen.keys()];
    const commonKeys = new Set(keys.filter((key) => seen.get(key) === count));
    return { kind: "array", count, keys, commonKeys, values: new Map() };
  }

  function readObject(depth: number, visit: ((key: string, value: JsonValue) => void) | null): void {
    at++;
    skipBlank();
    if (body[at] === closeBrace) {
      at++;
      return;
    }
    for (;;) {
      skipBlank();
      if (body[at] !== byte.quote) fail();
      const start = at;
      const isEscaped = skipString();
      const key = visit === null ? "" : keyText(start, at, isEscaped);
      skipBlank();
      if (body[at] !== colon) fail();
      at++;
      skipBlank();
      const value = readValue(depth + 1);
      visit?.(key, value);
      skipBlank();
      const next = body[at++];
      if (next === closeBrace) return;
      if (next !== byte.comma) fail();
    }
  }

  function readArray(depth: number, element: (() => void) | null): void {
    at++;
    skipBlank();
    if (body[at] === closeBracket) {
      at++;
      return;
    }
    for (;;) {
      skipBlank();
      if (element === null) readValue(depth + 1);
      else element();
      skipBlank();
      const next = body[at++];
      if (next === closeBracket) return;
      if (next !== byte.comma) fail();
    }
  }

  function readValue(depth: number): JsonValue {
    if (depth > maxDepth) throw problems.invalidBody("The JSON is nested too deeply", `More than ${maxDepth} levels.`);
    const start = at;
    const found = body[at];
    if (found === byte.quote) {
      skipString();
      return { kind: "string", start, end: at };
    }
    if (found === openBrace) readObject(depth, null);
    else if (found === openBracket) readArray(depth, null);
    else return readToken(start);
    return { kind: "container", start, end: at };
  }

  function readToken(start: number): JsonValue {
    const word = words.get(body[at] ?? 0);
    if (word !== undefined) {
      at += word[0].length;
      if (at > body.length || body.toString("latin1", start, at) !== word[0]) fail();
      return { kind: word[1], start, end: at };
    }
    if (body[at] === byte.minus) at++;
    if (body[at] === byte.zero) at++;
    else skipDigits();
    if (body[at] === 46) {
      at++;
      skipDigits();
    }
    if (body[at] === 101 || body[at] === 69) {
      at++;
      if (body[at] === 43 || body[at] === byte.minus) at++;
      skipDigits();
    }
    return { kind: "number", start, end: at };
  }

  function skipDigits(): void {
    const start = at;
    while (body[at]! >= byte.zero && body[at]! <= byte.nine) at++;
    if (at === start) fail();
  }

  /** Passes a string and says whether it has escapes. */
  function skipString(): boolean {
    let isEscaped = false;
    for (at++; at < body.length; at++) {
      const found = body[at]!;
      if (found === byte.quote) {
        at++;
        return isEscaped;
      }
      if (found === backslash) {
        isEscaped = true;
        at++;
      } else if (found < byte.space) fail();
    }
    return fail();
  }

  function keyText(start: number, end: number, isEscaped: boolean): string {
    return isEscaped ? unescapeString(body, start, end) : body.toString("utf8", start + 1, end - 1);
  }

  function skipBlank(): void {
    for (; at < body.length; at++) {
      const found = body[at]!;
      if (found !== byte.space && found !== byte.newline && found !== byte.return && found !== byte.tab) return;
    }
  }

  function fail(): never {
    throw problems.invalidBody("Empty or invalid json", `Unexpected input at byte ${Math.min(at, body.length)}.`);
  }

  function tooManyKeys() {
    return problems.invalidBody("The objects have too many different keys", `At most ${maxKeys} are allowed.`);
  }
}

/**
 * The text of a JSON string with escapes.
 * @throws PGRST102 for a broken escape or half a surrogate pair, which no encoding could carry on.
 */
export function unescapeString(body: Buffer, start: number, end: number): string {
  let text: unknown;
  try {
    text = JSON.parse(body.toString("utf8", start, end));
  } catch {
    text = null;
  }
  if (typeof text !== "string" || !text.isWellFormed()) {
    throw problems.invalidBody(
      "Empty or invalid json",
      `A string at byte ${start} has an escape that means no character.`,
    );
  }
  return text;
}
