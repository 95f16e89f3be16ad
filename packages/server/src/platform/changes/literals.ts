/** An array's values in the order they stand in; `null` for NULL, an array for each inner dimension. */
export type ArrayValue = string | null | readonly ArrayValue[];

/**
 * Reads an array as PostgreSQL prints it: `{1,NULL,"a \"b\""}`, `[0:1]={…}` with bounds of its own.
 * https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO
 * @throws RangeError when it is none
 */
export function parseArray(text: string, delimiter = ","): readonly ArrayValue[] {
  const from = text.startsWith("[") ? text.indexOf("=") + 1 : 0;
  const open: ArrayValue[][] = [];
  let whole: readonly ArrayValue[] | null = null;
  let at = from;
  while (at < text.length) {
    const char = text[at]!;
    if (char === "{") {
      open.push([]);
      at++;
    } else if (char === "}") {
      const closed = open.pop();
      if (closed === undefined || whole !== null) break;
      if (open.length === 0) whole = closed;
      else open.at(-1)!.push(closed);
      at++;
    } else if (char === delimiter) {
      at++;
    } else {
      if (open.length === 0) break;
      const [value, next] = char === '"' ? quoted(text, at) : bare(text, at, delimiter);
      open.at(-1)!.push(value);
      at = next;
    }
  }
  if (whole === null || at !== text.length) throw new RangeError("What was given as an array is none.");
  return whole;
}

/**
 * Reads a composite value as PostgreSQL prints it: `(1,"a ""b""",)`, in which nothing is NULL.
 * https://www.postgresql.org/docs/current/rowtypes.html#ROWTYPES-IO-SYNTAX
 * @throws RangeError when it is none
 */
export function parseRow(text: string): readonly (string | null)[] {
  if (!text.startsWith("(") || !text.endsWith(")")) throw new RangeError("What was given as a row is none.");
  if (text === "()") return [];
  const values: (string | null)[] = [];
  let value: string | null = null;
  let at = 1;
  while (at < text.length) {
    const char = text[at]!;
    if (char === "," || at === text.length - 1) {
      values.push(value);
      value = null;
      at++;
    } else if (char === '"') {
      const [part, next] = quoted(text, at);
      value = (value ?? "") + part;
      at = next;
    } else {
      const escaped = char === "\\";
      value = (value ?? "") + (escaped ? (text[at + 1] ?? "") : char);
      at += escaped ? 2 : 1;
    }
  }
  return values;
}

/** From a quote to the one that ends it, in which both `\"` and `""` are a quote. @returns what it says, and where it ended */
function quoted(text: string, from: number): readonly [value: string, next: number] {
  let value = "";
  let at = from + 1;
  while (at < text.length) {
    const char = text[at]!;
    if (char === "\\") {
      value += text[at + 1] ?? "";
      at += 2;
    } else if (char === '"') {
      if (text[at + 1] !== '"') return [value, at + 1];
      value += '"';
      at += 2;
    } else {
      value += char;
      at++;
    }
  }
  throw new RangeError("A quoted value does not end.");
}

function bare(text: string, from: number, delimiter: string): readonly [value: string | null, next: number] {
  let at = from;
  while (at < text.length && text[at] !== delimiter && text[at] !== "}") at++;
  const value = text.slice(from, at);
  return [value.toUpperCase() === "NULL" ? null : value, at];
}
