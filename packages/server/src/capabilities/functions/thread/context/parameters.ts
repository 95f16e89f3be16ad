import { types } from "node:util";

/**
 * A value of `${}` as the text that PostgreSQL reads as whatever type the parameter has: its input functions are the one language all types
 * have. Objects are JSON; a list of plain values is an array (`any(${ids})`), and one that has objects is JSON.
 * @throws TypeError for what means nothing to a database
 */
export function parameterOf(value: unknown): string | null {
  switch (typeof value) {
    case "string":
      return textOf(value);
    case "number":
    case "bigint":
    case "boolean":
      return String(value);
    case "undefined":
      throw new TypeError("A parameter is undefined: say `null` where that is meant.");
    case "object":
      return value === null ? null : objectOf(value);
    default:
      throw new TypeError(`A ${typeof value} is no parameter.`);
  }
}

function objectOf(value: object): string {
  if (types.isDate(value)) return dateOf(value);
  if (ArrayBuffer.isView(value)) return hexOf(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
  if (types.isAnyArrayBuffer(value)) return hexOf(new Uint8Array(value));
  if (Array.isArray(value) && value.every(isElement)) return arrayOf(value);
  return jsonOf(value);
}

const isElement = (value: unknown): boolean =>
  value === null ||
  ["string", "number", "bigint", "boolean"].includes(typeof value) ||
  types.isDate(value) ||
  ArrayBuffer.isView(value) ||
  (Array.isArray(value) && value.every(isElement));

/** PostgreSQL docs, Arrays, "Array Input and Output Syntax": everything but NULL in quotes. */
const arrayOf = (values: readonly unknown[]): string =>
  `{${values.map((value) => (value === null ? "NULL" : Array.isArray(value) ? arrayOf(value) : quoted(parameterOf(value)!))).join(",")}}`;

const quoted = (text: string): string => `"${text.replace(/["\\]/g, "\\$&")}"`;

function dateOf(date: Date): string {
  if (Number.isNaN(date.getTime())) throw new TypeError("A parameter is an invalid Date.");
  return date.toISOString();
}

const hexOf = (bytes: Uint8Array): string =>
  `\\x${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex")}`;

/** A `bigint` within JSON is written as its digits: PostgreSQL's numbers have no limit where JavaScript's have one. */
const jsonOf = (value: object): string =>
  textOf(JSON.stringify(value, (_key, inner) => (typeof inner === "bigint" ? rawNumber(inner) : inner)));

// ES2026 has it; its types do not.
const rawNumber = (value: bigint): unknown =>
  (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(String(value));

function textOf(text: string): string {
  if (text.includes("\0")) throw new TypeError("A parameter has a NUL in it, which PostgreSQL's texts cannot have.");
  return text;
}
