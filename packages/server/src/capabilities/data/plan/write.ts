import type { Catalog, Column, Relation } from "../../../platform/postgres/catalog/types.ts";
import type { JsonBody } from "../body/json.ts";
import { ident, literal, qualified } from "../compile/sql.ts";
import { problems } from "../problems.ts";
import type { Condition, ParsedQuery, Preferences } from "../request.ts";
import { planCondition } from "./conditions.ts";
import { type PlanContext, planRead } from "./read.ts";
import { relationRows } from "./rows.ts";
import type { Level, ResolvedCondition, WrittenColumn } from "./types.ts";

/** How a body's values reach their columns. */
export type WriteSource =
  /** Every value is a parameter of its own: one object of plain values. */
  | { readonly kind: "values" }
  /** PostgreSQL takes the JSON apart. */
  | { readonly kind: "record"; readonly isArray: boolean }
  /** Nothing but defaults, so many times. */
  | { readonly kind: "defaults"; readonly count: number }
  /** No rows at all. */
  | { readonly kind: "nothing" };

export interface WritePlan {
  readonly operation: "insert" | "put" | "update" | "delete";
  readonly relation: Relation;
  readonly columns: readonly WrittenColumn[];
  readonly source: WriteSource;
  /** Rows an update or delete is about; of a put, what its body must say about itself. */
  readonly conditions: readonly ResolvedCondition[];
  readonly upsert: { readonly target: readonly string[]; readonly resolution: "merge" | "ignore" } | null;
  /** The affected rows shaped by `select`; `null` when no body is wanted. */
  readonly representation: Level | null;
  /** `return=headers-only`: the key columns for `Location`. */
  readonly locationKey: readonly string[] | null;
}

/** Settles an insert, upsert, put, update or delete. */
export function planWrite(
  context: PlanContext,
  relation: Relation,
  method: "POST" | "PUT" | "PATCH" | "DELETE",
  query: ParsedQuery,
  preferences: Preferences,
  body: JsonBody | null,
): WritePlan {
  const rows = relationRows(relation);
  const own = query.conditions.filter(({ path }) => path.length === 0).map(({ value }) => value);
  const conditions = method === "POST" ? [] : own.map((each) => planCondition(context.catalog, rows, [], each));
  const representation =
    preferences.return === "representation"
      ? planRead(context, rows, {
          select: query.select,
          // The relation's own filters choose what is written; the page of the answer is all of it.
          conditions: query.conditions.filter(({ path }) => path.length > 0),
          order: query.order,
          limits: query.limits.filter(({ path }) => path.length > 0),
          offsets: query.offsets.filter(({ path }) => path.length > 0),
        })
      : null;
  const locationKey =
    method === "POST" && preferences.return === "headers-only" && relation.primaryKey.length > 0
      ? relation.primaryKey
      : null;
  const operation = ({ POST: "insert", PUT: "put", PATCH: "update", DELETE: "delete" } as const)[method];
  const base = { operation, relation, conditions, representation, locationKey };
  if (body === null) return { ...base, columns: [], source: { kind: "nothing" }, upsert: null };
  if (body.kind === "list") throw problems.invalidBody("All elements of the array must be objects");
  if (method === "PUT") checkPut(relation, query, own, body);
  if (method === "PATCH" && body.kind === "array" && body.count !== 1) {
    throw problems.invalidBody("The body of an update must be one object");
  }
  const columns = planColumns(context.catalog, relation, method, query.columns, preferences.missing, body);
  if (method === "PUT" && columns.length === 0) throw problems.putMismatch();
  return {
    ...base,
    columns,
    source: chooseSource(columns, method, body),
    upsert: planUpsert(relation, method, query, preferences),
  };
}

function planColumns(
  catalog: Catalog,
  relation: Relation,
  method: string,
  wanted: readonly string[] | null,
  missing: Preferences["missing"],
  body: JsonBody,
): readonly WrittenColumn[] {
  if (wanted === null && body.kind === "array" && body.commonKeys.size < body.keys.length) {
    throw problems.invalidBody("All object keys must match");
  }
  const names = [...new Set(wanted ?? body.keys)];
  const usesDefaults = missing === "default";
  return names.flatMap((name): WrittenColumn[] => {
    const column = relation.column(name);
    if (column === null) throw problems.unknownBodyColumn(name, relation.name);
    // A key that no object has is left to PostgreSQL, which knows its defaults better than any expression of ours.
    if (usesDefaults && !body.keys.includes(name)) return [];
    const fallback =
      usesDefaults && !body.commonKeys.has(name) && method === "POST" ? defaultSql(relation, column) : null;
    return [{ column, representation: catalog.representations.get(`json>${column.type}`) ?? null, fallback }];
  });
}

function defaultSql(relation: Relation, column: Column): string | null {
  if (column.isIdentity) {
    return `nextval(pg_get_serial_sequence(${literal(qualified(relation))}, ${literal(column.name)}))`;
  }
  return column.defaultExpression;
}

function chooseSource(columns: readonly WrittenColumn[], method: string, body: JsonBody): WriteSource {
  const isEmpty = body.kind === "array" ? body.count === 0 : body.kind !== "object";
  if (isEmpty || (columns.length === 0 && method === "PATCH")) return { kind: "nothing" };
  if (columns.length === 0 && method === "POST") return { kind: "defaults", count: body.count };
  const isPlain = columns.every(({ column, representation }) => {
    const value = body.values.get(column.name);
    return representation === null && (value?.kind !== "container" || isJsonType(column.baseType));
  });
  if (body.kind === "object" && method !== "PUT" && isPlain) return { kind: "values" };
  return { kind: "record", isArray: body.kind === "array" };
}

export function isJsonType(type: string): boolean {
  return type === "json" || type === "jsonb";
}

function planUpsert(
  relation: Relation,
  method: string,
  query: ParsedQuery,
  { resolution }: Preferences,
): WritePlan["upsert"] {
  if (method === "PUT") return { target: relation.primaryKey, resolution: "merge" };
  if (method !== "POST" || resolution === null) return null;
  const target = query.onConflict ?? relation.primaryKey;
  for (const name of target) {
    if (relation.column(name) === null) throw problems.unknownColumn(relation.name, name);
  }
  if (target.length === 0) return null;
  return { target, resolution: resolution === "merge-duplicates" ? "merge" : "ignore" };
}

/** PUT is about exactly the row its URL names by primary key (PostgREST docs, Tables and Views, Upsert). */
function checkPut(relation: Relation, query: ParsedQuery, own: readonly Condition[], body: JsonBody): void {
  if (query.limits.length > 0 || query.offsets.length > 0) throw problems.putPage();
  const named = own.map((condition) =>
    condition.kind === "compare" &&
    condition.operator === "eq" &&
    !condition.negated &&
    condition.quantifier === null &&
    condition.field.path.length === 0
      ? condition.field.name
      : null,
  );
  const isKey =
    relation.primaryKey.length > 0 &&
    named.length === relation.primaryKey.length &&
    relation.primaryKey.every((name) => named.includes(name));
  if (!isKey) throw problems.putFilters();
  if (body.count !== 1) throw problems.invalidBody("The body of a PUT must be one object");
}

/** The columns of the written rows that the representation reads; `whole` when a function needs the row itself. */
export function returnedColumns(level: Level): { readonly names: readonly string[]; readonly whole: boolean } {
  const names = new Set<string>();
  let whole = false;
  const read = (field: Level["order"][number]["field"]) => {
    if (field.source.kind === "column") names.add(field.source.column.name);
    else if (field.source.kind === "computed") whole = true;
  };
  for (const output of level.outputs) {
    if (output.kind === "star") for (const column of level.rows.columns) names.add(column.name);
    if (output.kind === "value") read(output.field);
  }
  for (const term of level.order) if (term.embed === null) read(term.field);
  for (const { relationship } of level.embeds) {
    if (relationship.kind === "computed") whole = true;
    else {
      const pairs = relationship.kind === "many-to-many" ? relationship.originColumns : relationship.columns;
      for (const [column] of pairs) names.add(column);
    }
  }
  return { names: [...names], whole };
}

/** `"a", "b"` */
export function identList(names: readonly string[]): string {
  return names.map(ident).join(", ");
}
