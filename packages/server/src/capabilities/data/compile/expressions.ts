import type { ResolvedField, SpreadColumn } from "../plan/types.ts";
import { ident, jsonPath, qualified } from "./sql.ts";

/** How a level's row is written: its columns by `alias`, and the whole row where a function wants one. */
export interface RowReference {
  readonly alias: string;
  /** An expression of the relation's row type: the alias itself, or the whole-row column a write returns. */
  readonly row: string;
  /** What `*` stands for, where it is not simply every column under the alias. */
  readonly star?: string;
}

/** A field as an SQL expression. */
export function fieldSql(row: RowReference, field: ResolvedField): string {
  const { source, path } = field;
  switch (source.kind) {
    case "row-count":
      return `count(${row.alias})`;
    case "computed":
      return withPath(`${qualified(source.function)}(${row.row})`, field, "");
    case "column":
      return path.length === 0
        ? `${row.alias}.${ident(source.column.name)}`
        : withPath(`${row.alias}.${ident(source.column.name)}`, field, source.column.baseType);
  }
}

/** `jsonb` and `json` columns are walked as they are, so that an index on the expression serves; anything else is converted. */
function withPath(sql: string, field: ResolvedField, baseType: string): string {
  if (field.path.length === 0) return sql;
  return `(${baseType === "jsonb" || baseType === "json" ? sql : `to_jsonb(${sql})`}${jsonPath(field.path)})`;
}

/** A field where it is compared: `json` has no operators, so what `->` finds in it is compared as `jsonb`. */
export function comparableSql(row: RowReference, field: ResolvedField): string {
  const sql = fieldSql(row, field);
  const isJson = field.source.kind === "column" && field.source.column.baseType === "json";
  return isJson && field.path.at(-1)?.arrow === "->" ? `${sql}::jsonb` : sql;
}

/** `sum(x)::int` */
export function aggregateSql(inner: string, aggregate: NonNullable<SpreadColumn["aggregate"]>): string {
  const sql = `${aggregate.name}(${inner})`;
  return aggregate.cast === null ? sql : `cast(${sql} as ${aggregate.cast})`;
}
