import type { DatabaseModel, ModelForeignKey, ModelRelation } from "./model.ts";

/** One way from a relation to another of its schema: what supabase-js needs to type an embed. */
export interface RelationshipEntry {
  readonly foreignKeyName: string;
  readonly columns: readonly string[];
  readonly isOneToOne: boolean;
  readonly referencedRelation: string;
  readonly referencedColumns: readonly string[];
}

/**
 * Every relationship that starts at each relation. A view has the keys of the tables its columns come from, on either side. Those
 * into other schemas are left out: supabase-js looks for the target in the schema it was asked for.
 */
export function relationships(model: DatabaseModel): (relation: ModelRelation) => readonly RelationshipEntry[] {
  const bySource = new Map<number, RelationshipEntry[]>();
  for (const key of model.foreignKeys) {
    const targets = ends(model, key.target, key.targetColumns);
    for (const source of ends(model, key.source, key.sourceColumns)) {
      const entries = targets
        .filter((target) => target.relation.schema === source.relation.schema)
        .map((target) => entry(key, source.columns, target));
      bySource.set(source.relation.oid, [...(bySource.get(source.relation.oid) ?? []), ...entries]);
    }
  }
  return (relation) => (bySource.get(relation.oid) ?? []).sort(inOrder);
}

interface End {
  readonly relation: ModelRelation;
  readonly columns: readonly string[];
}

/** The table itself, and every view that shows all of these columns: once for each way it shows them. */
function ends(model: DatabaseModel, table: number, columns: readonly number[]): End[] {
  return model.relations.flatMap((relation) => {
    const shown = columns.map((number) =>
      relation.columns
        .filter(({ origin, ...column }) =>
          relation.oid === table ? column.number === number : origin?.relation === table && origin.column === number,
        )
        .map(({ name }) => name),
    );
    return combinations(shown).map((names) => ({ relation, columns: names }));
  });
}

/** `[[a, b], [c]]` → `[[a, c], [b, c]]`; none when one of the lists is empty. */
function combinations(lists: readonly (readonly string[])[]): string[][] {
  return lists.reduce<string[][]>(
    (found, list) => found.flatMap((names) => list.map((name) => [...names, name])),
    [[]],
  );
}

const entry = (key: ModelForeignKey, columns: readonly string[], target: End): RelationshipEntry => ({
  foreignKeyName: key.name,
  columns,
  isOneToOne: key.isOneToOne,
  referencedRelation: target.relation.name,
  referencedColumns: target.columns,
});

const orderKey = (entry: RelationshipEntry): string =>
  [entry.foreignKeyName, entry.referencedRelation, ...entry.referencedColumns, ...entry.columns].join("\0");
const inOrder = (a: RelationshipEntry, b: RelationshipEntry): number => (orderKey(a) < orderKey(b) ? -1 : 1);
