import type { OrderTerm } from "../request.ts";
import type { Cursor } from "./cursor.ts";
import { parseField } from "./parse-field.ts";

/**
 * `order=term,term`, a term being `field[json-path]` or `rel(field[json-path])`, a direction and a place for nulls.
 * PostgREST docs, Tables and Views, Ordering.
 */
export function parseOrder(cursor: Cursor): readonly OrderTerm[] {
  const terms: OrderTerm[] = [];
  do {
    cursor.skipBlanks();
    cursor.budget.node();
    terms.push(parseTerm(cursor));
    cursor.skipBlanks();
  } while (cursor.take(","));
  cursor.expectEnd('"," or end of input');
  return terms;
}

function parseTerm(cursor: Cursor): OrderTerm {
  let field = parseField(cursor);
  let embed: string | null = null;
  if (field.path.length === 0 && cursor.take("(")) {
    embed = field.name;
    field = parseField(cursor);
    cursor.expect(")");
  }
  let direction: OrderTerm["direction"] = null;
  if (cursor.take(".asc")) direction = "asc";
  else if (cursor.take(".desc")) direction = "desc";
  let nulls: OrderTerm["nulls"] = null;
  if (cursor.take(".nullsfirst")) nulls = "first";
  else if (cursor.take(".nullslast")) nulls = "last";
  cursor.skipBlanks();
  if (!cursor.isAtEnd && !cursor.startsWith(",")) cursor.fail(expectedAfter(direction, nulls));
  return { embed, field, direction, nulls };
}

function expectedAfter(direction: OrderTerm["direction"], nulls: OrderTerm["nulls"]): string {
  if (nulls !== null) return '"," or end of input';
  if (direction !== null) return '".nullsfirst", ".nullslast", "," or end of input';
  return '".asc", ".desc", ".nullsfirst", ".nullslast", "," or end of input';
}
