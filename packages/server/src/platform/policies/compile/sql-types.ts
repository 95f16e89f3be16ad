import type { Comparison, ScalarType, SqlType } from "./expression.ts";
import type { ColumnShape, KeyKind } from "./types.ts";

/** Types by number, not by name: a name may be anybody's, the numbers of built-in types are fixed (`pg_type.dat`). */
const scalars: ReadonlyMap<number, ScalarType> = new Map([
  [16, "boolean"],
  [21, "int2"],
  [23, "int4"],
  [20, "int8"],
  [1700, "numeric"],
  [25, "text"],
  [1043, "varchar"],
  [19, "name"],
  [2950, "uuid"],
  [1184, "timestamptz"],
  [1114, "timestamp"],
  [1082, "date"],
  [114, "json"],
  [3802, "jsonb"],
]);

const arrays: ReadonlyMap<number, `${ScalarType}[]`> = new Map([
  [1000, "boolean[]"],
  [1005, "int2[]"],
  [1007, "int4[]"],
  [1016, "int8[]"],
  [1231, "numeric[]"],
  [1009, "text[]"],
  [1015, "varchar[]"],
  [2951, "uuid[]"],
]);

/** Built-in base types that are only ever asked whether they are NULL: bytea, char, oid, floats, bpchar, times, addresses, bits, xml … */
const others = new Set([
  17, 18, 26, 142, 600, 601, 602, 603, 604, 628, 650, 700, 701, 718, 790, 829, 869, 774, 1042, 1083, 1186, 1266, 1560,
  1562, 3614, 3615, 1001, 1014, 1021, 1022, 1028, 1115, 1182, 1185, 199, 3807, 1041, 651,
]);

/** Names as the parser gives them, of types in `pg_catalog`. */
const names: ReadonlyMap<string, ScalarType> = new Map([
  ["bool", "boolean"],
  ["int2", "int2"],
  ["int4", "int4"],
  ["int8", "int8"],
  ["numeric", "numeric"],
  ["text", "text"],
  ["varchar", "varchar"],
  ["name", "name"],
  ["uuid", "uuid"],
  ["timestamptz", "timestamptz"],
  ["timestamp", "timestamp"],
  ["date", "date"],
  ["json", "json"],
  ["jsonb", "jsonb"],
]);

export function typeOfColumn({ typeOid, enumName }: ColumnShape): SqlType {
  if (enumName) return enumType(enumName.schema, enumName.name);
  return scalars.get(typeOid) ?? arrays.get(typeOid) ?? (others.has(typeOid) ? "other" : "opaque");
}

export const typeNamed = (name: string): ScalarType | null => names.get(name) ?? null;

/** Quoted, so that no two names give one text. */
export const enumType = (schema: string, name: string): `enum ${string}` => `enum ${JSON.stringify([schema, name])}`;

export const isInteger = (type: SqlType): type is "int2" | "int4" | "int8" =>
  type === "int2" || type === "int4" || type === "int8";

/** The types that compare as text does: a `varchar` is shown with its cast, but its arrays and sub-selects are not. */
export const isTextual = (type: SqlType): boolean => type === "text" || type === "varchar" || type === "name";

export const elementOf = (type: SqlType): ScalarType | null =>
  type.endsWith("[]") ? (type.slice(0, -2) as ScalarType) : null;

export function keyKind(type: SqlType): KeyKind | null {
  if (isInteger(type)) return "integer";
  if (isTextual(type)) return "text";
  if (type.startsWith("enum ")) return type.endsWith("[]") ? null : "enum";
  switch (type) {
    case "boolean":
    case "numeric":
    case "uuid":
    case "timestamptz":
    case "timestamp":
    case "date":
      return type;
    default:
      return null;
  }
}

/**
 * How `left = right` compares; `null` when we do not know it exactly. Different types meet only where PostgreSQL has an operator for
 * them that needs no setting of the session.
 */
export function comparisonOf(left: SqlType, right: SqlType): Comparison | null {
  const [a, b] = [keyKind(left), keyKind(right)];
  if (left === "jsonb" && right === "jsonb") return "jsonb";
  if (a === null || b === null) return null;
  if (a === "enum" || b === "enum") return left === right ? "enum" : null;
  if (a === b) return a;
  // An integer's text is a numeric's.
  return (a === "integer" && b === "numeric") || (a === "numeric" && b === "integer") ? "numeric" : null;
}
