import type { ChangedRelation } from "../../../kernel/change.ts";
import { type Asking, type CompiledCondition, compileCondition } from "../../../platform/changes/filters/conditions.ts";
import { FilterError, parseFilter } from "../../../platform/changes/filters/filter.ts";
import type { PublishedTable } from "../../../platform/changes/filters/published.ts";
import type { ChangeHandler, StoredHandler } from "./types.ts";

/** A handler whose filter knows the types of a table. */
export interface CompiledHandler {
  readonly handler: StoredHandler;
  readonly conditions: readonly CompiledCondition[];
}

/** Who wants changes of one table, or of one partition of it. */
export interface CompiledTable {
  readonly relation: ChangedRelation;
  readonly primaryKey: readonly string[];
  readonly handlers: readonly CompiledHandler[];
}

/** Rejects with FilterError: what cannot be read, a column that is not there, a value that its type does not know. */
export async function compileFilter(
  { filter, columns }: Pick<ChangeHandler, "filter" | "columns">,
  table: PublishedTable,
  asking: Asking,
): Promise<readonly CompiledCondition[]> {
  const conditions = parseFilter(filter, "&");
  const missing = [...conditions.map(({ column }) => column), ...(columns ?? [])].find(
    (name) => !table.columns.has(name),
  );
  if (missing !== undefined) throw new FilterError(`There is no column "${missing}".`);
  return Promise.all(
    conditions.map((condition) => compileCondition(condition, table.columns.get(condition.column)!, asking)),
  );
}
