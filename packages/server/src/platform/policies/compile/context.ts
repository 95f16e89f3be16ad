import type { Expression } from "./expression.ts";
import { typeOfColumn } from "./sql-types.ts";
import { beyond } from "./tree.ts";
import type { ColumnShape, PolicyInput, SetQuery } from "./types.ts";

/** A policy has no business with more sub-selects: each is a query per group. */
const maxSets = 16;

/** What the parts of one compilation share. */
export interface Context {
  readonly input: PolicyInput;
  readonly columns: ReadonlyMap<string, ColumnShape>;
  readonly sets: SetQuery[];
  /** Reasons of parts that only PostgreSQL decides. */
  readonly reasons: string[];
}

export function contextOf(input: PolicyInput): Context {
  return {
    input,
    columns: new Map(input.relation.columns.map((column) => [column.name, column])),
    sets: [],
    reasons: [],
  };
}

export function column(context: Context, name: string): Expression {
  const shape = context.columns.get(name) ?? beyond(`the column ${name}`);
  return { node: "column", type: typeOfColumn(shape), name, collation: shape.collation };
}

/** Its number; equal questions are asked once. */
export function addSet(context: Context, set: SetQuery): number {
  const at = context.sets.findIndex((other) => other.sql === set.sql && other.isScalar === set.isScalar);
  const kinds = (of: SetQuery): string => [...of.correlates, of.value ?? ""].join();
  if (at >= 0 && kinds(context.sets[at]!) === kinds(set)) return at;
  if (context.sets.length === maxSets) beyond("more sub-selects than are kept");
  return context.sets.push(set) - 1;
}
