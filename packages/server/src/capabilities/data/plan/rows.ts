import type { DatabaseFunction, Relation } from "../../../platform/postgres/catalog/types.ts";
import type { ColumnType, Rows } from "./types.ts";

/** The rows of a table or view. */
export function relationRows(relation: Relation): Rows {
  return {
    name: relation.name,
    schema: relation.schema,
    relation,
    columns: relation.columns,
    column: (name) => relation.column(name),
    isOpen: false,
  };
}

/** The rows of a function: its table's, its OUT parameters', or the single unnamed value of a scalar. */
export function functionRows(fn: DatabaseFunction): Rows {
  const { returns } = fn;
  if (returns.kind === "relation") return relationRows(returns.relation);
  const columns = returns.kind === "composite" ? returns.columns.map(columnType) : [];
  const byName = new Map(columns.map((column) => [column.name, column]));
  return {
    name: fn.name,
    schema: fn.schema,
    relation: null,
    columns,
    column: (name) => byName.get(name) ?? null,
    isOpen: columns.length === 0,
  };
}

/** A column about which the catalogue only says name and type. */
export function columnType({ name, type }: { readonly name: string; readonly type: string }): ColumnType {
  return { name, type, baseType: type, isArray: type.endsWith("[]"), isComposite: false };
}
