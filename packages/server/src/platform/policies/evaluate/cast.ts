import type { SqlType } from "../compile/expression.ts";
import { elementOf, isInteger, isTextual } from "../compile/sql-types.ts";
import { type Json, JsonNumber } from "./json.ts";
import { type ArrayValue, failed, type JsonValue, type Value } from "./values.ts";

const limits = {
  int2: [-32_768n, 32_767n],
  int4: [-2_147_483_648n, 2_147_483_647n],
  int8: [-9_223_372_036_854_775_808n, 9_223_372_036_854_775_807n],
} as const;

export const isInRange = (value: bigint, type: "int2" | "int4" | "int8"): boolean =>
  value >= limits[type][0] && value <= limits[type][1];

/** What PostgreSQL takes for a uuid is more; the rest we leave to it. */
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const integer = /^(?:0|-?[1-9]\d{0,18})$/;
const decimal = /^-?\d{1,400}(?:\.\d{1,400})?$/;

/** A value of one type as another. `failed` where PostgreSQL raises an error, and where its input is wider than what we read. */
export function castValue(from: SqlType, to: SqlType): (value: Exclude<Value, null | symbol>) => Value {
  const element = elementOf(to);
  if (element) {
    const each = castValue(elementOf(from) ?? from, element);
    return (value) => {
      const cast = (value as ArrayValue).map((item) => (item === null ? null : each(item)));
      return cast.includes(failed) ? failed : (cast as ArrayValue);
    };
  }
  if (from === "jsonb") return (value) => fromJson((value as JsonValue).json, to);
  if (to === "boolean") return (value) => (isTextual(from) ? booleanOf(String(value)) : value !== "0");
  if (from === "boolean") return (value) => (isInteger(to) ? (value ? "1" : "0") : String(value));
  if (to === "uuid") return (value) => (uuid.test(String(value)) ? String(value).toLowerCase() : failed);
  if (isInteger(to)) {
    return (value) =>
      integer.test(String(value)) && isInRange(BigInt(String(value)), to) ? (value as string) : failed;
  }
  if (to === "numeric" && isTextual(from)) return (value) => (decimal.test(String(value)) ? (value as string) : failed);
  // Text of a uuid, an integer, an enum; an integer as numeric.
  return (value) => value;
}

/** `boolin`: any beginning of the words, in any case, with blanks around it. */
function booleanOf(text: string): Value {
  const word = text.replace(/^[ \t\n\r\f\v]+|[ \t\n\r\f\v]+$/g, "").toLowerCase();
  if (word === "") return failed;
  if ("true".startsWith(word) || "yes".startsWith(word) || word === "on" || word === "1") return true;
  return "false".startsWith(word) || "no".startsWith(word) || word === "off" || word === "of" || word === "0"
    ? false
    : failed;
}

/** JSON's null is an error before PostgreSQL 18 and NULL since. */
function fromJson(json: Json, to: SqlType): Value {
  if (to === "boolean") return typeof json === "boolean" ? json : failed;
  if (!(json instanceof JsonNumber)) return failed;
  if (to === "numeric") return decimal.test(json.text) ? json.text : failed;
  return isInteger(to) && integer.test(json.text) && isInRange(BigInt(json.text), to) ? json.text : failed;
}
