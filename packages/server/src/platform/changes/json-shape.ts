import type { JsonShape } from "../../kernel/change.ts";

export const string: JsonShape = { kind: "string" };
const number: JsonShape = { kind: "number" };

/**
 * How `to_jsonb` writes PostgreSQL's own types, by `pg_type.typname`; all others are strings (`json_categorize_type` in PostgreSQL's
 * source). `oid` and `money` are strings there, too.
 */
const builtIn: ReadonlyMap<string, JsonShape> = new Map<string, JsonShape>([
  ["bool", { kind: "boolean" }],
  ["int2", number],
  ["int4", number],
  ["int8", number],
  ["float4", number],
  ["float8", number],
  ["numeric", number],
  ["json", { kind: "json" }],
  ["jsonb", { kind: "json" }],
  ["timestamp", { kind: "timestamp" }],
  ["timestamptz", { kind: "timestamp" }],
  // Arrays by their type, though printed like nothing else: `1 2 3`.
  ["int2vector", { kind: "vector", element: number }],
  ["oidvector", { kind: "vector", element: string }],
]);

/** The shape of one of PostgreSQL's own types; of `_name` as an array of `name`. */
export function builtInShape(typeName: string): JsonShape {
  const shape = builtIn.get(typeName);
  if (shape !== undefined) return shape;
  if (!typeName.startsWith("_")) return string;
  const element = builtInShape(typeName.slice(1));
  return { kind: "array", element, delimiter: typeName === "_box" ? ";" : "," };
}
