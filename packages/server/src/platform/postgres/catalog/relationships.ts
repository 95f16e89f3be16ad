import { type Exposures, entry, newList } from "./exposures.ts";
import { coveredByUnique, type RelationIndex } from "./relations.ts";
import type { ConstraintRow } from "./rows.ts";
import type { ColumnPairs, DatabaseFunction, Relation, Relationship } from "./types.ts";

type Direct = Exclude<Relationship, { readonly kind: "many-to-many" | "computed" }>;
type ManyToMany = Extract<Relationship, { readonly kind: "many-to-many" }>;

/** A computed relationship before it is known whose it is: `function(origin) returns [setof] target`. */
export interface ComputedRelationship {
  readonly origin: Relation;
  readonly target: Relation;
  readonly function: DatabaseFunction;
}

/**
 * More ways than this to show one key in one view are ignored: each repeated column doubles them, and every way is a
 * candidate the caller would have to choose from.
 */
const maxShownKeys = 16;

/**
 * Answers which relationships start at a relation. Foreign keys are read once, for tables and for every view that shows all
 * columns of the key; inverses and many-to-many are made on the first question about a relation, because with many views
 * there are far more of them than anybody asks for. PostgREST docs, Resource Embedding.
 */
export function findRelationships(
  constraints: readonly ConstraintRow[],
  relations: RelationIndex,
  exposures: Exposures,
  computed: readonly ComputedRelationship[],
): (origin: Relation) => readonly Relationship[] {
  const byOrigin = new Map<number, Direct[]>();
  const byTarget = new Map<number, Direct[]>();
  for (const relationship of foreignKeys(constraints, relations, exposures)) {
    entry(byOrigin, relationship.origin.oid, newList<Direct>).push(relationship);
    entry(byTarget, relationship.target.oid, newList<Direct>).push(relationship);
  }
  const computedByOrigin = new Map<number, ComputedRelationship[]>();
  for (const one of computed) entry(computedByOrigin, one.origin.oid, newList<ComputedRelationship>).push(one);

  const known = new Map<number, readonly Relationship[]>();
  return (origin) => entry(known, origin.oid, () => from(origin));

  function from(origin: Relation): readonly Relationship[] {
    const own = computedByOrigin.get(origin.oid) ?? [];
    const incoming = byTarget.get(origin.oid) ?? [];
    const detected: Relationship[] = [
      ...(byOrigin.get(origin.oid) ?? []),
      ...incoming.map(inverse),
      ...incoming.flatMap((first) => throughJunction(first, byOrigin.get(first.origin.oid) ?? [])),
    ];
    // A function named like a related table takes its place.
    const isReplaced = ({ target }: Relationship) =>
      own.some((one) => one.function.name === target.name && one.function.schema === target.schema);
    return [
      ...detected.filter((relationship) => !isReplaced(relationship)),
      ...own.map((one): Relationship => {
        const isToOne = !one.function.isSetReturning || one.function.estimatedRows === 1;
        return { kind: "computed", ...one, isToOne };
      }),
    ];
  }
}

function* foreignKeys(
  constraints: readonly ConstraintRow[],
  relations: RelationIndex,
  exposures: Exposures,
): Generator<Direct> {
  const isUnique = coveredByUnique(constraints);
  for (const row of constraints) {
    if (row.type !== "f" || row.targetColumns === null) continue;
    const kind = isUnique(row.relation, row.columns) ? "one-to-one" : "many-to-one";
    const targets = shownKeys(row.target, row.targetColumns, relations, exposures);
    if (targets.length === 0) continue;
    for (const origin of shownKeys(row.relation, row.columns, relations, exposures)) {
      for (const target of targets) {
        yield {
          kind,
          origin: origin.relation,
          target: target.relation,
          constraint: row.name,
          columns: origin.columns.map((name, at) => [name, target.columns[at]!] as const),
          isForeignKeyOnOrigin: true,
        };
      }
    }
  }
}

interface ShownKey {
  readonly relation: Relation;
  readonly columns: readonly string[];
}

/** A key where it can be seen: in its table, when that is ours, and in every view of ours that shows all of it. */
function shownKeys(
  table: number,
  positions: readonly number[],
  relations: RelationIndex,
  exposures: Exposures,
): readonly ShownKey[] {
  const shown: ShownKey[] = [];
  const add = (oid: number, ways: readonly (readonly number[])[]) => {
    const relation = relations.byOid.get(oid);
    if (relation === undefined) return;
    for (const way of ways.slice(0, maxShownKeys))
      shown.push({ relation, columns: way.map((position) => relations.columnName(oid, position)!) });
  };
  add(table, [positions]);
  for (const [view, columns] of exposures.ofTable(table))
    add(view, choices(positions.map((p) => columns.get(p) ?? [])));
  return shown;
}

/** One of each: `[[1, 2], [3]]` → `[[1, 3], [2, 3]]`; nothing when one is empty. */
function choices(lists: readonly (readonly number[])[]): readonly (readonly number[])[] {
  let ways: (readonly number[])[] = [[]];
  for (const list of lists) ways = ways.slice(0, maxShownKeys).flatMap((way) => list.map((one) => [...way, one]));
  return ways;
}

function inverse(direct: Direct): Direct {
  return {
    kind: direct.kind === "many-to-one" ? "one-to-many" : "one-to-one",
    origin: direct.target,
    target: direct.origin,
    constraint: direct.constraint,
    columns: swap(direct.columns),
    isForeignKeyOnOrigin: false,
  };
}

/**
 * Many-to-many from `first.target` through the relation that holds `first`: every other foreign key of it leads to a
 * target, provided that both keys are part of the junction's primary key.
 */
function throughJunction(first: Direct, others: readonly Direct[]): readonly ManyToMany[] {
  const junction = first.origin;
  const isKeyed = (direct: Direct) => direct.columns.every(([column]) => junction.primaryKey.includes(column));
  if (first.kind !== "many-to-one" || !isKeyed(first)) return [];
  return others
    .filter((second) => second.kind === "many-to-one" && second.constraint !== first.constraint && isKeyed(second))
    .map((second) => ({
      kind: "many-to-many",
      origin: first.target,
      target: second.target,
      junction,
      originConstraint: first.constraint,
      targetConstraint: second.constraint,
      originColumns: swap(first.columns),
      targetColumns: second.columns,
    }));
}

function swap(columns: ColumnPairs): ColumnPairs {
  return columns.map(([a, b]) => [b, a] as const);
}
