import type { Catalog, ColumnPairs, Relation, Relationship } from "../../../platform/postgres/catalog/types.ts";
import { problems } from "../problems.ts";

/**
 * The one relationship an embed means, by the rules of PostgREST docs, Resource Embedding. Only relations of the schema
 * being served are candidates.
 * @throws PGRST200 when there is none, PGRST201 when there are several.
 */
export function findRelationship(
  catalog: Catalog,
  origin: Relation,
  embed: { readonly target: string; readonly hint: string | null },
): Relationship {
  const found = catalog
    .relationships(origin)
    .filter((candidate) => isServed(candidate, origin.schema) && matches(candidate, embed.target, embed.hint));
  // A computed relationship replaces what was detected under the same name: that is what it is written for.
  const computed = found.filter((candidate) => candidate.kind === "computed");
  const candidates = computed.length > 0 ? computed : found;
  const [only] = candidates;
  if (only === undefined) {
    throw problems.noRelationship(origin.name, embed.target, origin.schema, embed.hint);
  }
  if (candidates.length > 1) {
    throw problems.ambiguousRelationship(
      origin.name,
      embed.target,
      candidates.map(describe),
      candidates.map((candidate) => `${candidate.target.name}!${choice(candidate)}`),
    );
  }
  return only;
}

/** One object rather than a list. */
export function isToOne(relationship: Relationship): boolean {
  switch (relationship.kind) {
    case "computed":
      return relationship.isToOne;
    case "many-to-one":
    case "one-to-one":
      return true;
    case "one-to-many":
    case "many-to-many":
      return false;
  }
}

function isServed(candidate: Relationship, schema: string): boolean {
  return candidate.kind === "computed" ? candidate.function.schema === schema : candidate.target.schema === schema;
}

function matches(candidate: Relationship, target: string, hint: string | null): boolean {
  if (candidate.kind === "computed") return hint === null && candidate.function.name === target;
  const isSelf = candidate.origin === candidate.target || candidate.origin.oid === candidate.target.oid;
  if (candidate.kind === "many-to-many") {
    if (candidate.target.name !== target) return false;
    return hint === null || hint === candidate.junction.name;
  }
  if (isSelf) return matchesSelf(candidate, target, hint);
  const isView = candidate.target.kind === "view" || candidate.target.kind === "materialized-view";
  const [originColumn, targetColumn] = singleColumn(candidate.columns);
  if (hint !== null) {
    return candidate.target.name === target && [candidate.constraint, originColumn, targetColumn].includes(hint);
  }
  if (candidate.target.name === target) return true;
  return !isView && (candidate.constraint === target || (candidate.isForeignKeyOnOrigin && originColumn === target));
}

/** Of a table that points to itself, its name means the children and the foreign key's column means the parent. */
function matchesSelf(
  candidate: Exclude<Relationship, { kind: "computed" | "many-to-many" }>,
  target: string,
  hint: string | null,
): boolean {
  const [originColumn, targetColumn] = singleColumn(candidate.columns);
  if (candidate.isForeignKeyOnOrigin) return hint === null && originColumn === target;
  return candidate.target.name === target && (hint === null || hint === targetColumn);
}

function singleColumn(columns: ColumnPairs): readonly [string | null, string | null] {
  return columns.length === 1 ? columns[0]! : [null, null];
}

function choice(relationship: Relationship): string {
  switch (relationship.kind) {
    case "computed":
      return relationship.function.name;
    case "many-to-many":
      return relationship.junction.name;
    default:
      return relationship.constraint;
  }
}

function describe(relationship: Relationship): Record<string, string> {
  const { kind, origin, target } = relationship;
  const embedding = `${origin.name} with ${target.name}`;
  const names = (columns: readonly string[]) => columns.join(", ");
  switch (relationship.kind) {
    case "computed":
      return {
        cardinality: relationship.isToOne ? "many-to-one" : "one-to-many",
        embedding,
        relationship: relationship.function.name,
      };
    case "many-to-many": {
      const { junction, originConstraint, targetConstraint, originColumns, targetColumns } = relationship;
      const first = `${originConstraint}(${names(originColumns.map(([, column]) => column))})`;
      const second = `${targetConstraint}(${names(targetColumns.map(([column]) => column))})`;
      return { cardinality: kind, embedding, relationship: `${junction.name} using ${first} and ${second}` };
    }
    default: {
      const { constraint, columns } = relationship;
      const first = `${origin.name}(${names(columns.map(([column]) => column))})`;
      const second = `${target.name}(${names(columns.map(([, column]) => column))})`;
      return { cardinality: kind, embedding, relationship: `${constraint} using ${first} and ${second}` };
    }
  }
}
