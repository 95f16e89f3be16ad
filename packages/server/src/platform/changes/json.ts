import type { ChangedColumn, JsonShape } from "../../kernel/change.ts";
import { builtInShape } from "./json-shape.ts";
import { type ArrayValue, parseArray, parseRow } from "./literals.ts";

/**
 * A column's value as `to_jsonb` would give it, made from PostgreSQL's text format: numbers digit by digit, whatever their size.
 * Equal to PostgreSQL's as JSON; `json` keeps the text it was given.
 */
export function jsonOf(column: Pick<ChangedColumn, "typeName" | "shape">, text: string | null): string {
  if (text === null) return "null";
  try {
    return write(column.shape ?? builtInShape(column.typeName), text);
  } catch (error) {
    // The catalogue is of now, and the value of then: a type may have got other parts since.
    if (error instanceof RangeError) return JSON.stringify(text);
    throw error;
  }
}

function write(shape: JsonShape, text: string): string {
  switch (shape.kind) {
    case "string":
      return JSON.stringify(text);
    case "number":
      return isJsonNumber.test(text) ? text : JSON.stringify(text);
    case "boolean":
      return text === "t" ? "true" : "false";
    case "json":
      return text;
    case "timestamp":
      return JSON.stringify(iso8601(text));
    case "vector":
      return text === ""
        ? "[]"
        : `[${text
            .split(" ")
            .map((one) => write(shape.element, one))
            .join(",")}]`;
    case "array":
      return list(parseArray(text, shape.delimiter), shape.element);
    case "composite": {
      const values = parseRow(text);
      const fields = shape.fields.map(({ name, shape: of }, at) => {
        const value = values[at] ?? null;
        return `${JSON.stringify(name)}:${value === null ? "null" : write(of, value)}`;
      });
      return `{${fields.join(",")}}`;
    }
  }
}

/** RFC 8259 §6. `NaN` and `Infinity` are none: PostgreSQL writes them as strings. */
const isJsonNumber = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

function list(values: readonly ArrayValue[], element: JsonShape): string {
  const parts = values.map((value) => {
    if (value === null) return "null";
    return typeof value === "string" ? write(element, value) : list(value, element);
  });
  return `[${parts.join(",")}]`;
}

/** `2024-05-01 12:00:00.5+00` → `2024-05-01T12:00:00.5+00:00`; `infinity` stays what it is. */
function iso8601(text: string): string {
  const match = /^(\d+-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?)(?:([+-]\d\d)(:\d\d(?::\d\d)?)?)?( BC)?$/.exec(text);
  if (match === null) return text;
  const [, date, time, hours, rest = ":00", era = ""] = match;
  return `${date}T${time}${hours === undefined ? "" : hours + rest}${era}`;
}
