import type { Catalog } from "../../../platform/postgres/catalog/types.ts";
import { problems } from "../problems.ts";
import type { Field } from "../request.ts";
import type { ResolvedField, Rows } from "./types.ts";

/**
 * Finds a field among the columns of `rows`, then among the functions that compute one.
 * @throws 42703 when there is neither, as PostgreSQL would.
 */
export function resolveField(catalog: Catalog, rows: Rows, field: Field): ResolvedField {
  const { name, path } = field;
  const column = rows.column(name);
  if (column !== null) return { source: { kind: "column", column }, path };
  const computed = rows.relation === null ? null : catalog.computedColumn(rows.relation, name);
  if (computed !== null) return { source: { kind: "computed", function: computed }, path };
  // `count` without parentheses is how apps have counted embeds since before there were aggregates (PostgREST docs,
  // Aggregate Functions).
  if (name === "count" && path.length === 0) return { source: { kind: "row-count" }, path };
  if (rows.isOpen) {
    const type = "unknown";
    return {
      source: { kind: "column", column: { name, type, baseType: type, isArray: false, isComposite: false } },
      path,
    };
  }
  throw problems.unknownColumn(rows.name, name);
}

/** The function that converts between a domain and `text` or `json`, for a plain column that has one. */
export function representation(
  catalog: Catalog,
  field: ResolvedField,
  direction: "to-json" | "from-text",
): string | null {
  if (field.source.kind !== "column" || field.path.length > 0 || catalog.representations.size === 0) return null;
  const { type } = field.source.column;
  return catalog.representations.get(direction === "to-json" ? `${type}>json` : `text>${type}`) ?? null;
}
