import type {
  DatabaseModel,
  ModelColumn,
  ModelForeignKey,
  ModelFunction,
  ModelParameter,
  ModelRelation,
  ModelType,
} from "./model.ts";
import * as queries from "./queries.ts";
import { type ViewColumn, viewColumns } from "./view-columns.ts";

/** What of a database client is needed: `pg.Client` fits. */
export interface QueryClient {
  query(text: string): Promise<{ readonly rows: readonly unknown[] }>;
}

/** Reads the description of everything outside the system schemas. The views' origins may lie in schemas nobody asked for. */
export async function introspect(client: QueryClient): Promise<DatabaseModel> {
  const rows = async <T>(text: string): Promise<readonly T[]> => (await client.query(text)).rows as readonly T[];
  const relationRows = await rows<queries.RelationRow>(queries.relations);
  const typeRows = await rows<queries.TypeRow>(queries.types);
  const functionRows = await rows<queries.FunctionRow>(queries.functions);
  const keyRows = await rows<queries.ForeignKeyRow>(queries.foreignKeys);
  return {
    relations: resolveViews(relationRows),
    functions: functionRows.map(toFunction),
    foreignKeys: keyRows satisfies readonly ModelForeignKey[],
    types: new Map(typeRows.map((row) => [row.oid, toType(row)])),
  };
}

/** Follows each view column to the table it began in, through views over views. */
function resolveViews(rows: readonly queries.RelationRow[]): readonly ModelRelation[] {
  const byOid = new Map(rows.map((row) => [row.oid, row]));
  const rules = new Map<number, ReadonlyMap<number, ViewColumn>>();
  const ruleOf = (row: queries.RelationRow) => {
    const known = rules.get(row.oid);
    if (known !== undefined) return known;
    const rule = row.rule === null ? new Map<number, ViewColumn>() : viewColumns(row.rule);
    rules.set(row.oid, rule);
    return rule;
  };
  const resolve = (row: queries.RelationRow, column: queries.ColumnRow): ModelColumn => {
    if (row.rule === null) return { ...column, origin: null };
    const found = ruleOf(row).get(column.number);
    const from = found?.origin ? byOid.get(found.origin.relation) : undefined;
    const source = from?.columns.find((candidate) => candidate.number === found?.origin?.column);
    // Views cannot form a circle, so this ends.
    const origin = from && source ? resolve(from, source) : null;
    return {
      ...column,
      isNullable: !(found?.keepsNotNull && origin !== null && !origin.isNullable),
      origin: origin?.origin ?? (from && source ? { relation: from.oid, column: source.number } : null),
    };
  };
  return rows.map(({ rule: _, ...row }, index) => {
    const source = rows[index];
    return { ...row, columns: source ? row.columns.map((column) => resolve(source, column)) : [] };
  });
}

/** Modes of `pg_proc.proargmodes`: in, out, in-out, variadic, table. */
function toFunction(row: queries.FunctionRow): ModelFunction {
  const all = row.types.map((type, index) => ({
    type,
    name: row.names?.[index] ?? "",
    mode: row.modes?.[index] ?? "i",
  }));
  const inputs = all.filter(({ mode }) => mode === "i" || mode === "b" || mode === "v");
  const firstDefault = inputs.length - row.defaults;
  const parameters: ModelParameter[] = inputs.map(({ name, type }, index) => ({
    name,
    type,
    hasDefault: index >= firstDefault,
  }));
  const outputs = all.filter(({ mode }) => mode === "o" || mode === "b" || mode === "t");
  const hasRow = outputs.length > 1 || outputs.some(({ mode }) => mode === "t");
  return {
    schema: row.schema,
    name: row.name,
    parameters,
    outputs: hasRow ? outputs.map(({ name, type }) => ({ name, type })) : [],
    returns: row.returns,
    isSetReturning: row.isSetReturning,
    estimatedRows: row.estimatedRows,
  };
}

function toType(row: queries.TypeRow): ModelType {
  const named = { schema: row.schema, name: row.name };
  if (row.element !== 0) return { ...named, kind: "array", element: row.element };
  switch (row.kind) {
    case "d":
      return { ...named, kind: "domain", base: row.base };
    case "e":
      return { ...named, kind: "enum", values: row.values ?? [] };
    case "c":
      return row.relationKind === "c"
        ? { ...named, kind: "composite", attributes: row.attributes ?? [] }
        : { ...named, kind: "row", relation: row.relation };
    default:
      return { ...named, kind: "base" };
  }
}
