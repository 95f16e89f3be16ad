import type { Field, JsonStep } from "../request.ts";
import { code, isDigitCode } from "./characters.ts";
import type { Cursor } from "./cursor.ts";

/** `field json-path`. PostgREST docs, Tables and Views, JSON Columns. */
export function parseField(cursor: Cursor): Field {
  return { name: cursor.name(), path: parseJsonPath(cursor) };
}

/** `*(("->" | "->>") (int | json-key))` */
export function parseJsonPath(cursor: Cursor): readonly JsonStep[] {
  const path: JsonStep[] = [];
  while (cursor.startsWith("->")) {
    cursor.budget.node();
    cursor.at += 2;
    const arrow = cursor.take(">") ? "->>" : "->";
    const index = arrayIndex(cursor);
    path.push(index === null ? { arrow, key: jsonKey(cursor) } : { arrow, index });
  }
  return path;
}

/** Largest index PostgreSQL's `json -> integer` takes. */
const maxIndex = 2_147_483_647;

/** A whole number that ends the step: `1`, `-1`, but not the key `1-2` or `2nd`. */
function arrayIndex(cursor: Cursor): number | null {
  const start = cursor.at;
  let at = cursor.peek() === code.dash ? start + 1 : start;
  const digits = at;
  while (isDigitCode(cursor.text.charCodeAt(at))) at++;
  const isDashedKey = cursor.text.charCodeAt(at) === code.dash && cursor.text.charCodeAt(at + 1) !== code.greater;
  if (at === digits || isDashedKey || isJsonKeyCode(cursor.text.charCodeAt(at))) return null;
  const index = Number(cursor.text.slice(start, at));
  if (Math.abs(index) > maxIndex) cursor.fail("an array index within 32 bits");
  cursor.at = at;
  return index === 0 ? 0 : index;
}

/** No JSON of PostgreSQL's has a key with a NUL, and no statement can carry one. */
function jsonKey(cursor: Cursor): string {
  const key = anyJsonKey(cursor);
  if (key.includes("\0")) cursor.fail("a key without a NUL character");
  return key;
}

/** Quoted, or any characters but `( - : . , > )`, joined by single dashes. */
function anyJsonKey(cursor: Cursor): string {
  if (cursor.peek() === code.quote) return cursor.quoted();
  const start = cursor.at;
  for (;;) {
    const from = cursor.at;
    while (isJsonKeyCode(cursor.peek())) cursor.at++;
    if (cursor.at === from) cursor.fail("any non reserved character different from: ( - : . , > )");
    if (cursor.peek() !== code.dash || cursor.text.charCodeAt(cursor.at + 1) === code.greater) break;
    cursor.at++;
  }
  return cursor.text.slice(start, cursor.at).trim();
}

/** False for the reserved characters and for NaN, the end of the text. */
function isJsonKeyCode(at: number): boolean {
  switch (at) {
    case code.open:
    case code.dash:
    case code.colon:
    case code.dot:
    case code.comma:
    case code.greater:
    case code.close:
      return false;
    default:
      return !Number.isNaN(at);
  }
}

/** `[path "."] field [json-path]` up to the end: a key. */
export function parseKey(cursor: Cursor): { readonly path: readonly string[]; readonly field: Field } {
  const names = parseDottedNames(cursor);
  const path = parseJsonPath(cursor);
  cursor.expectEnd('".", "->" or end of input');
  const name = names.pop()!;
  return { path: names, field: { name, path } };
}

/** At least one name, joined by dots. */
export function parseDottedNames(cursor: Cursor): string[] {
  const names = [cursor.name()];
  while (cursor.take(".")) {
    cursor.budget.node();
    names.push(cursor.name());
  }
  return names;
}

/** Comma-separated names, blanks around them, each once: `columns` and `on_conflict`. */
export function parseNames(cursor: Cursor): readonly string[] {
  const names = new Set<string>();
  do {
    cursor.budget.node();
    cursor.skipBlanks();
    names.add(cursor.name());
    cursor.skipBlanks();
  } while (cursor.take(","));
  cursor.expectEnd('"," or end of input');
  return [...names];
}
