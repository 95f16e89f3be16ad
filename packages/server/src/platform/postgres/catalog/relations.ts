import { type Exposures, entry, newList } from "./exposures.ts";
import type { CatalogRows, ColumnRow, ConstraintRow, RelationRow } from "./rows.ts";
import type { Column, Relation, RelationKind } from "./types.ts";

/** Relations by oid, and names of their columns by number: what everything else is built on. */
export interface RelationIndex {
  readonly byOid: ReadonlyMap<number, Relation>;
  columnName(relation: number, position: number): string | null;
}

const kinds: { readonly [K in RelationRow["kind"]]: RelationKind } = {
  r: "table",
  p: "partitioned-table",
  v: "view",
  m: "materialized-view",
  f: "foreign-table",
};

export function buildRelations(rows: CatalogRows, exposures: Exposures): RelationIndex {
  const columns = new Map<number, ColumnRow[]>();
  for (const row of rows.columns) entry(columns, row.relation, newList<ColumnRow>).push(row);
  const names = new Map<number, Map<number, string>>();
  for (const [relation, list] of columns) names.set(relation, new Map(list.map((row) => [row.position, row.name])));
  const columnName = (relation: number, position: number) => names.get(relation)?.get(position) ?? null;
  const namesOf = (relation: number, positions: readonly number[]): readonly string[] | null => {
    const found = positions.map((position) => columnName(relation, position));
    return found.every((name) => name !== null) ? found : null;
  };

  const primaryKeys = new Map<number, readonly number[]>();
  const uniques = new Map<number, (readonly string[])[]>();
  for (const row of rows.constraints) if (row.type === "p") primaryKeys.set(row.relation, row.columns);
  for (const row of rows.uniqueIndexes) {
    const key = namesOf(row.relation, row.columns);
    if (key !== null) entry(uniques, row.relation, newList<readonly string[]>).push(key);
  }

  const byOid = new Map<number, Relation>();
  const intern = interner();
  for (const row of rows.relations) {
    const isView = row.kind === "v" || row.kind === "m";
    const own = primaryKeys.get(row.oid);
    const primaryKey = isView ? viewKey(row.oid) : ((own && namesOf(row.oid, own)) ?? []);
    const listed = uniques.get(row.oid) ?? [];
    const uniqueKeys = isView && listed.length === 0 && primaryKey.length > 0 ? [primaryKey] : listed;
    byOid.set(row.oid, relation(row, columns.get(row.oid) ?? [], primaryKey, uniqueKeys, intern));
  }
  return { byOid, columnName };

  /** Primary keys of the tables below, each as far as the view shows the whole of it. */
  function viewKey(view: number): readonly string[] {
    const key: string[] = [];
    for (const table of exposures.tablesOf(view)) {
      const shown = exposures.ofTable(table).get(view);
      const positions = primaryKeys.get(table)?.map((column) => shown?.get(column)?.[0]);
      if (positions === undefined || positions.some((position) => position === undefined)) continue;
      key.push(...(namesOf(view, positions as number[]) ?? []));
    }
    return key;
  }
}

function relation(
  row: RelationRow,
  columnRows: readonly ColumnRow[],
  primaryKey: readonly string[],
  uniqueKeys: readonly (readonly string[])[],
  intern: (text: string) => string,
): Relation {
  const columns: readonly Column[] = columnRows.map((column) => Object.freeze(buildColumn(column, intern)));
  // Made on first use: most relations of a large schema are never asked about.
  let byName: ReadonlyMap<string, Column> | null = null;
  return Object.freeze({
    oid: row.oid,
    schema: row.schema,
    name: row.name,
    kind: kinds[row.kind],
    comment: row.comment,
    columns,
    column(name: string) {
      byName ??= new Map(columns.map((column) => [column.name, column]));
      return byName.get(name) ?? null;
    },
    primaryKey,
    uniqueKeys,
    isInsertable: (row.writes & 8) !== 0,
    isUpdatable: (row.writes & 4) !== 0,
    isDeletable: (row.writes & 16) !== 0,
    hasRowSecurity: row.hasRowSecurity,
  });
}

/** Named one by one: a spread would carry the row along in a slower and larger object. */
function buildColumn(row: ColumnRow, intern: (text: string) => string): Column {
  return {
    name: intern(row.name),
    position: row.position,
    type: intern(row.type),
    baseType: intern(row.baseType),
    isArray: row.isArray,
    isComposite: row.isComposite,
    isNullable: row.isNullable,
    hasDefault: row.hasDefault,
    defaultExpression: row.defaultExpression,
    isGenerated: row.isGenerated,
    isIdentity: row.isIdentity,
    enumValues: row.enumValues,
    maxLength: row.maxLength,
    comment: row.comment,
  };
}

/** Gives equal texts one string: a schema repeats its types and names by the thousand. */
function interner(): (text: string) => string {
  const texts = new Map<string, string>();
  return (text) => entry(texts, text, () => text);
}

/** True when a primary key or unique constraint covers exactly these columns, in any order. */
export function coveredByUnique(
  constraints: readonly ConstraintRow[],
): (relation: number, columns: readonly number[]) => boolean {
  const keys = new Map<number, Set<string>>();
  for (const row of constraints) {
    if (row.type !== "f") entry(keys, row.relation, () => new Set<string>()).add(sorted(row.columns));
  }
  return (relation, columns) => keys.get(relation)?.has(sorted(columns)) ?? false;
}

function sorted(columns: readonly number[]): string {
  return [...columns].sort((a, b) => a - b).join();
}
