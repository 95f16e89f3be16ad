import type { Catalog, Column, DatabaseFunction, Relation } from "../../../platform/postgres/catalog/types.ts";
import { type Json, type JsonObject, object } from "./json.ts";

const types: { readonly [type: string]: string | null } = {
  boolean: "boolean",
  smallint: "integer",
  integer: "integer",
  bigint: "integer",
  numeric: "number",
  real: "number",
  "double precision": "number",
  // Any JSON at all: no type says that.
  json: null,
  jsonb: null,
};
const integerFormats: { readonly [type: string]: string } = { smallint: "int32", integer: "int32", bigint: "int64" };

/** The type a value has in JSON; `null` when it may have any. */
export function jsonType(type: string): string | null {
  if (Object.hasOwn(types, type)) return types[type]!;
  return type.endsWith("[]") ? "array" : "string";
}

/** PostgreSQL's name of the type, except for integers, where OpenAPI has its own. */
export function formatOf(type: string): string {
  return Object.hasOwn(integerFormats, type) ? integerFormats[type]! : type;
}

/** `type`, `format` and `items` of a PostgreSQL type. */
export function typeSchema(type: string): JsonObject {
  const named = jsonType(type);
  const element = named === "array" ? jsonType(type.slice(0, -2)) : null;
  return {
    format: formatOf(type),
    ...(named === null ? {} : { type: named }),
    ...(named === "array" ? { items: element === null ? {} : { type: element } } : {}),
  };
}

/** A relation's row as a definition. */
export function relationSchema(catalog: Catalog, relation: Relation): JsonObject {
  const required = relation.columns.filter((column) => !column.isNullable).map((column) => column.name);
  return {
    ...described(relation.comment),
    ...(required.length === 0 ? {} : { required }),
    properties: object(
      relation.columns.map((column) => [column.name, columnSchema(catalog, relation, column)] as const),
    ),
    type: "object",
  };
}

/** The arguments of a call as one object. */
export function argumentsSchema(called: DatabaseFunction): JsonObject {
  const named = called.parameters.filter(({ name }) => name !== "");
  const required = named.filter(({ isRequired }) => isRequired).map(({ name }) => name);
  return {
    ...described(called.comment),
    ...(required.length === 0 ? {} : { required }),
    properties: object(named.map(({ name, type }) => [name, typeSchema(type)] as const)),
    type: "object",
  };
}

function columnSchema(catalog: Catalog, relation: Relation, column: Column): JsonObject {
  const type = withoutModifier(column.baseType);
  const value = defaultOf(type, column.defaultExpression);
  return {
    ...(value === undefined ? {} : { default: value }),
    ...described(columnNote(catalog, relation, column)),
    ...(column.enumValues === null ? {} : { enum: column.enumValues }),
    ...(column.maxLength === null ? {} : { maxLength: column.maxLength }),
    ...typeSchema(type),
  };
}

/** The comment, and what generators of clients read keys from: their form is PostgREST's, to the letter. */
function columnNote(catalog: Catalog, relation: Relation, column: Column): string | null {
  const notes: string[] = [];
  if (relation.primaryKey.includes(column.name)) notes.push("This is a Primary Key.<pk/>");
  const target = foreignKeyTarget(catalog, relation, column.name);
  if (target !== null) {
    const { table, name } = target;
    notes.push(`This is a Foreign Key to \`${table}.${name}\`.<fk table='${table}' column='${name}'/>`);
  }
  if (notes.length === 0) return column.comment;
  return `${column.comment === null ? "" : `${column.comment}\n\n`}Note:\n${notes.join("\n")}`;
}

/** Where a foreign key of this column alone leads: to a table rather than to a view of it. */
function foreignKeyTarget(catalog: Catalog, relation: Relation, column: string) {
  const keys = catalog.relationships(relation).flatMap((one) => {
    const isKey = (one.kind === "many-to-one" || one.kind === "one-to-one") && one.isForeignKeyOnOrigin;
    return isKey && one.columns.length === 1 && one.columns[0]![0] === column && one.target.schema === relation.schema
      ? [{ table: one.target.name, name: one.columns[0]![1], isView: one.target.kind.endsWith("view") }]
      : [];
  });
  return keys.find(({ isView }) => !isView) ?? keys[0] ?? null;
}

/** `numeric(10,2)` → `numeric`, `timestamp(3) with time zone` → `timestamp with time zone`. */
function withoutModifier(type: string): string {
  return type.replace(/\(\d+(,-?\d+)?\)/, "");
}

/** A default as a value where its text is one; expressions of text types are shown as text; others are left out. */
function defaultOf(type: string, expression: string | null): Json | undefined {
  if (expression === null) return undefined;
  if (jsonType(type) === "string") {
    const plain = expression.endsWith(`::${type}`) ? expression.slice(0, -type.length - 2) : expression;
    return plain.startsWith("'") && plain.endsWith("'") ? plain.slice(1, -1).replaceAll("''", "'") : plain;
  }
  try {
    return JSON.parse(expression) as Json;
  } catch {
    return undefined;
  }
}

export function described(text: string | null): { readonly description?: string } {
  return text === null || text === "" ? {} : { description: text };
}
