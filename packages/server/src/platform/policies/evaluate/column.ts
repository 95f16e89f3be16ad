import type { SqlType } from "../compile/expression.ts";
import { elementOf } from "../compile/sql-types.ts";
import { parseArray } from "./array-text.ts";
import { parseJson } from "./json.ts";
import { constantPart, type Part } from "./part.ts";
import { absent, failed, type Value } from "./values.ts";

/** @param at -1 when it is not published: then it is never known */
export function columnPart(at: number, type: SqlType): Part {
  if (at < 0) return constantPart(absent);
  const read = reader(type);
  return {
    isConstant: false,
    canFail: type === "json" || type === "jsonb" || elementOf(type) !== null,
    get(row) {
      const text = row[at];
      return text === undefined ? absent : text === null ? null : read(text);
    },
  };
}

export const constantValue = (value: string | boolean | null, type: SqlType): Value =>
  typeof value === "string" ? reader(type)(value) : value;

/** Text of PostgreSQL as a value of the type. */
function reader(type: SqlType): (text: string) => Value {
  const element = elementOf(type);
  if (element) {
    const isBoolean = element === "boolean";
    return (text) => {
      const items = parseArray(text);
      if (items === undefined || element === "json" || element === "jsonb") return failed;
      return isBoolean ? items.map((item) => (item === null ? null : item.startsWith("t"))) : items;
    };
  }
  switch (type) {
    case "boolean":
      return (text) => (text === "t" ? true : text === "f" ? false : failed);
    case "json":
    case "jsonb":
      return (text) => {
        const json = parseJson(text);
        return json === undefined ? failed : { json };
      };
    default:
      return (text) => text;
  }
}
