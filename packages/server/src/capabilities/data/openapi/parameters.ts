import type { Parameter, Relation } from "../../../platform/postgres/catalog/types.ts";
import { type Json, type JsonObject, ref } from "./json.ts";
import { described, formatOf, jsonType } from "./schemas.ts";

function prefer(values: readonly string[]): JsonObject {
  const choice = values.length === 0 ? {} : { enum: values };
  return { name: "Prefer", description: "Preference", required: false, in: "header", type: "string", ...choice };
}

function textParameter(
  name: string,
  where: "query" | "header",
  description: string,
  more: JsonObject = {},
): JsonObject {
  return { name, description, required: false, in: where, type: "string", ...more };
}

const returns = ["return=representation", "return=minimal", "return=none"];
const resolutions = ["resolution=ignore-duplicates", "resolution=merge-duplicates"];

/** Parameters every relation shares, by the names operations refer to. */
export const sharedParameters: readonly (readonly [name: string, value: Json])[] = [
  ["preferParams", prefer([])],
  ["preferReturn", prefer(returns)],
  ["preferCount", prefer(["count=none"])],
  ["preferPost", prefer([...returns, ...resolutions])],
  ["select", textParameter("select", "query", "Filtering Columns")],
  ["on_conflict", textParameter("on_conflict", "query", "On Conflict")],
  ["order", textParameter("order", "query", "Ordering")],
  ["range", textParameter("Range", "header", "Limiting and Pagination")],
  ["rangeUnit", textParameter("Range-Unit", "header", "Limiting and Pagination", { default: "items" })],
  ["offset", textParameter("offset", "query", "Limiting and Pagination")],
  ["limit", textParameter("limit", "query", "Limiting and Pagination")],
];

export const bodyName = (relation: Relation) => `body.${relation.name}`;
export const filterName = (relation: Relation, column: string) => `rowFilter.${relation.name}.${column}`;

/** A relation's row as a body, and one filter per column. */
export function relationParameters(relation: Relation): readonly (readonly [name: string, value: Json])[] {
  const { name } = relation;
  const body = { name, description: name, required: false, in: "body", schema: ref("definitions", name) };
  return [
    [bodyName(relation), body],
    ...relation.columns.map(
      (column) =>
        [
          filterName(relation, column.name),
          { name: column.name, ...described(column.comment), required: false, in: "query", type: "string" },
        ] as const,
    ),
  ];
}

/** An argument in the query string. Arrays are written `{a,b}`, variadic ones by repeating the name. */
export function argumentParameter({ name, type, isRequired, isVariadic }: Parameter): JsonObject {
  const named = jsonType(type);
  if (isVariadic) {
    const element = type.replace(/\[\]$/, "");
    return {
      name,
      required: isRequired,
      in: "query",
      type: "array",
      collectionFormat: "multi",
      items: { type: jsonType(element) ?? "string", format: formatOf(element) },
    };
  }
  const flat = named === null || named === "array" ? "string" : named;
  return { name, required: isRequired, in: "query", type: flat, format: formatOf(type) };
}
