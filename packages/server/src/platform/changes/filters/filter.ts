/**
 * The grammar of filters on changes (protocols: bindings): conditions, all of which must hold.
 * `title=like.%tea%,owner=eq.5,status=not.in.(done,"a,b")`. Knows no tables.
 */

export const operators = [
  "eq",
  "neq",
  "lt",
  "lte",
  "gt",
  "gte",
  "in",
  "like",
  "ilike",
  "is",
  "match",
  "imatch",
  "isdistinct",
] as const;

export type Operator = (typeof operators)[number];

/** One condition as it was written. */
export interface Condition {
  readonly column: string;
  readonly isNegated: boolean;
  readonly operator: Operator;
  /** One, or for `in` its list. `null` is the word null where an operator knows it (`is`, `isdistinct`). */
  readonly values: readonly (string | null)[];
}

/** Why changes cannot be picked as they were asked for, in words for the app's developer. */
export class FilterError extends Error {
  override readonly name = "FilterError";
}

/** Of an `in` list (protocols: bindings). */
const valuesInList = 100;
/** In the REST API's URLs `*` stands for `%`, which would have to be escaped there. */
const patterns = new Set<Operator>(["like", "ilike"]);
const isValues = new Set(["null", "true", "false", "unknown"]);

/**
 * @param separator between conditions: `,` as in realtime's bindings, `&` as in the REST API's URLs
 * @throws FilterError
 */
export function parseFilter(text: string, separator: "," | "&" = ","): readonly Condition[] {
  if (text.includes("\u0000")) throw new FilterError("A filter cannot contain the character U+0000.");
  if (text.trim() === "") return [];
  const reader = new Reader(text, separator);
  const conditions = [condition(reader)];
  while (!reader.isAtEnd) {
    reader.expect(separator);
    conditions.push(condition(reader));
  }
  return conditions;
}

function condition(reader: Reader): Condition {
  const column = reader.until("=", reader.separator).trim();
  if (column === "" || !reader.isAt("=")) {
    throw new FilterError(`A filter is written as column=operator.value, with "${reader.separator}" between several.`);
  }
  reader.expect("=");
  let word = reader.until(".").trim();
  const isNegated = word === "not";
  if (isNegated) {
    reader.expect(".");
    word = reader.until(".").trim();
  }
  const operator = operators.find((known) => known === word);
  if (operator === undefined) throw new FilterError(`The filter on "${column}" has an unknown operator.`);
  reader.expect(".");
  return { column, isNegated, operator, values: valuesOf(reader, operator, column) };
}

function valuesOf(reader: Reader, operator: Operator, column: string): readonly (string | null)[] {
  if (operator === "in") return listOf(reader, column);
  const isQuoted = reader.isAt('"');
  const value = isQuoted ? reader.quoted() : reader.raw();
  reader.skipSpaces();
  if (!reader.isAtEnd && !reader.isAt(reader.separator)) {
    throw new FilterError(`The filter on "${column}" goes on after its quoted value.`);
  }
  const word = value.toLowerCase();
  if (operator === "is") {
    if (!isValues.has(word)) throw new FilterError(`The filter on "${column}": is takes null, true, false or unknown.`);
    return [word];
  }
  return operator === "isdistinct" && !isQuoted && word === "null"
    ? [null]
    : [reader.separator === "&" && patterns.has(operator) ? value.replaceAll("*", "%") : value];
}

function listOf(reader: Reader, column: string): readonly string[] {
  reader.expect("(");
  const values: string[] = [];
  reader.skipSpaces();
  if (reader.isAt(")")) throw new FilterError(`The filter on "${column}" has an empty list.`);
  for (;;) {
    reader.skipSpaces();
    values.push(reader.isAt('"') ? reader.quoted() : reader.until(",", ")").trim());
    reader.skipSpaces();
    if (reader.isAt(")")) break;
    if (reader.isAtEnd)
      throw new FilterError(`The filter on "${column}" has a list that does not end: it lacks a ")".`);
    reader.expect(",");
  }
  reader.expect(")");
  reader.skipSpaces();
  if (values.length > valuesInList) {
    throw new FilterError(`The filter on "${column}" has more than ${valuesInList} values.`);
  }
  return values;
}

class Reader {
  readonly separator: "," | "&";
  readonly #text: string;
  #at = 0;

  constructor(text: string, separator: "," | "&") {
    this.#text = text;
    this.separator = separator;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#text.length;
  }

  isAt(character: string): boolean {
    return this.#text[this.#at] === character;
  }

  expect(character: string): void {
    if (!this.isAt(character)) throw new FilterError(`The filter lacks a "${character}" at character ${this.#at + 1}.`);
    this.#at += 1;
  }

  skipSpaces(): void {
    while (this.isAt(" ")) this.#at += 1;
  }

  /** What stands before the first of these characters, or before the end. */
  until(...stops: readonly string[]): string {
    const from = this.#at;
    while (!this.isAtEnd && !stops.includes(this.#text[this.#at]!)) this.#at += 1;
    return this.#text.slice(from, this.#at);
  }

  /** Up to the separator outside parentheses. Without the spaces around it: SDKs quote values that need theirs. */
  raw(): string {
    const from = this.#at;
    let depth = 0;
    for (; !this.isAtEnd; this.#at += 1) {
      const character = this.#text[this.#at];
      if (character === "(") depth += 1;
      else if (character === ")") depth = Math.max(0, depth - 1);
      else if (character === this.separator && depth === 0) break;
    }
    return this.#text.slice(from, this.#at).trim();
  }

  /** A string in double quotes, in which a backslash stands before what is meant literally. */
  quoted(): string {
    this.expect('"');
    let value = "";
    while (!this.isAtEnd) {
      const character = this.#text[this.#at++]!;
      if (character === '"') return value;
      if (character !== "\\") value += character;
      else if (!this.isAtEnd) value += this.#text[this.#at++];
    }
    throw new FilterError("The filter has a quote that does not end.");
  }
}
