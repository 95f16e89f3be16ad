import type { AggregateName, EmbedHead, SelectItem } from "../request.ts";
import { code, isNameCode } from "./characters.ts";
import type { Cursor } from "./cursor.ts";
import { parseJsonPath } from "./parse-field.ts";

const aggregates: readonly AggregateName[] = ["sum", "avg", "min", "max", "count"];

/** The whole `select` parameter; nothing for the empty text. PostgREST docs, Tables and Views, Vertical Filtering. */
export function parseSelect(cursor: Cursor): readonly SelectItem[] {
  const items = parseItems(cursor);
  cursor.expectEnd('"," or end of input');
  return items;
}

function parseItems(cursor: Cursor): readonly SelectItem[] {
  cursor.skipBlanks();
  if (cursor.isAtEnd || cursor.peek() === code.close) return [];
  const items: SelectItem[] = [];
  do {
    cursor.skipBlanks();
    cursor.budget.node();
    items.push(parseItem(cursor));
    cursor.skipBlanks();
  } while (cursor.take(","));
  return items;
}

function parseItem(cursor: Cursor): SelectItem {
  if (cursor.take("...")) return { kind: "spread", ...parseEmbed(cursor, cursor.name()) };
  if (cursor.take("*")) return endItem(cursor, { kind: "star" });
  let alias: string | null = null;
  let quoted = cursor.peek() === code.quote;
  let name = startsCount(cursor) ? null : cursor.name();
  if (name !== null && cursor.peek() === code.colon && !cursor.startsWith("::")) {
    cursor.at++;
    alias = name;
    cursor.skipBlanks();
    quoted = cursor.peek() === code.quote;
    name = startsCount(cursor) ? null : cursor.name();
  }
  if (name === null) {
    cursor.at += "count()".length;
    return endItem(cursor, { kind: "count", alias, cast: parseCast(cursor) });
  }
  if (cursor.startsWith("!") || cursor.startsWith("(")) {
    // `count(…)` could only be the aggregate, misspelt; a relation of that name is reached by quoting it.
    if (name === "count" && !quoted) cursor.fail('"()"');
    return { kind: "embed", alias, ...parseEmbed(cursor, name) };
  }
  const field = { name, path: parseJsonPath(cursor) };
  const cast = parseCast(cursor);
  return endItem(cursor, { kind: "column", field, alias, cast, aggregate: parseAggregate(cursor) });
}

function startsCount(cursor: Cursor): boolean {
  return cursor.startsWith("count()");
}

/** Stops at the character that may not follow an item, while it is still known what could. */
function endItem(cursor: Cursor, item: SelectItem): SelectItem {
  cursor.skipBlanks();
  if (!cursor.isAtEnd && cursor.peek() !== code.comma && cursor.peek() !== code.close)
    cursor.fail('"->", "::", ".", ")", "," or end of input');
  return item;
}

/** `["::" cast]`: letters, digits, `_`, `$` and spaces, so that no cast can be more than the name of a type. */
function parseCast(cursor: Cursor): string | null {
  if (!cursor.take("::")) return null;
  const start = cursor.at;
  while (isNameCode(cursor.peek())) cursor.at++;
  const cast = cursor.text.slice(start, cursor.at).trim();
  if (cast === "") cursor.fail("the name of a type");
  return cast;
}

/** `["." agg "()" ["::" cast]]` */
function parseAggregate(cursor: Cursor): { readonly name: AggregateName; readonly cast: string | null } | null {
  if (!cursor.take(".")) return null;
  for (const name of aggregates) {
    if (cursor.take(`${name}()`)) return { name, cast: parseCast(cursor) };
  }
  return cursor.fail("an aggregate: sum(), avg(), min(), max() or count()");
}

/** `[modifiers] "(" [items] ")"` behind the name of the target. */
function parseEmbed(cursor: Cursor, target: string): EmbedHead {
  let hint: string | null = null;
  let join: "inner" | "left" | null = null;
  while (cursor.peek() === code.exclamation) {
    const start = cursor.at++;
    const isQuoted = cursor.peek() === code.quote;
    const word = cursor.name();
    const isJoin = !isQuoted && (word === "inner" || word === "left");
    if (isJoin ? join !== null : hint !== null) {
      cursor.at = start;
      cursor.fail('"("');
    }
    if (isJoin) join = word as "inner" | "left";
    else hint = word;
  }
  cursor.expect("(");
  const items = cursor.nested(() => parseItems(cursor));
  cursor.expect(")");
  cursor.skipBlanks();
  return { target, hint, join, items };
}
