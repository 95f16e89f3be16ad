import type { Principal } from "../../../kernel/principal.ts";
import { type Asking, type CompiledCondition, compileCondition } from "../../../platform/changes/filters/conditions.ts";
import { FilterError } from "../../../platform/changes/filters/filter.ts";
import type { PublishedColumn, PublishedTable, PublishedTables } from "../../../platform/changes/filters/published.ts";
import type { Policies } from "../../../platform/policies/types.ts";
import type { ChangeEvent, NumberedBinding } from "./bindings.ts";

/** A binding on one table that exists, with a filter that can be decided. */
export interface ResolvedBinding {
  readonly id: number;
  readonly event: ChangeEvent | "*";
  readonly table: PublishedTable;
  readonly select: readonly string[] | null;
  readonly conditions: readonly CompiledCondition[];
}

/**
 * Finds the tables of bindings and settles their filters, all or none of them. At once unless PostgreSQL must be asked. A binding on all
 * tables is one on those the caller may read: in a publication for all tables are also those of the sign-ins of others, whose names and
 * moments are nobody's business (threat B07).
 * @throws FilterError, or rejects with one: a table that is not published; a column that is not there, which is said of one that the
 * caller may not select in the same words (threat R03); a value that its type does not know
 */
export function resolveBindings(
  bindings: readonly NumberedBinding[],
  who: Principal,
  needs: { readonly tables: PublishedTables; readonly policies: Policies; readonly asking: Asking },
): readonly ResolvedBinding[] | Promise<readonly ResolvedBinding[]> {
  const resolved: (ResolvedBinding | Promise<ResolvedBinding>)[] = [];
  for (const binding of bindings) {
    const tables = needs.tables.matching(binding.schema, binding.table);
    if (tables.length === 0) throw notPublished(binding);
    const isOnOne = binding.schema !== null && binding.table !== null;
    for (const table of tables) if (isOnOne || isReadable(table)) resolved.push(resolveOn(table, binding));
  }
  return isSettled(resolved) ? resolved : Promise.all(resolved);

  function isReadable(table: PublishedTable): boolean {
    const { columns } = needs.policies.groupOf(table.relation, who).rights;
    return [...table.columns.keys()].some((name) => columns.has(name));
  }

  function resolveOn(
    table: PublishedTable,
    { id, event, select, conditions }: NumberedBinding,
  ): ResolvedBinding | Promise<ResolvedBinding> {
    if (select === null && conditions.length === 0) return { id, event, table, select, conditions: [] };
    const { columns } = needs.policies.groupOf(table.relation, who).rights;
    const usable = (name: string): PublishedColumn => {
      const column = table.columns.get(name);
      if (column === undefined || !columns.has(name)) throw new FilterError(`invalid column "${name}".`);
      return column;
    };
    for (const name of select ?? []) usable(name);
    const compiled = conditions.map((condition) => compileCondition(condition, usable(condition.column), needs.asking));
    const done = (settled: readonly CompiledCondition[]): ResolvedBinding => {
      return { id, event, table, select, conditions: settled };
    };
    return isSettled(compiled) ? done(compiled) : Promise.all(compiled).then(done);
  }
}

function isSettled<T>(values: readonly (T | Promise<T>)[]): values is readonly T[] {
  return !values.some((value) => value instanceof Promise);
}

function notPublished({ schema, table }: NumberedBinding): FilterError {
  return new FilterError(
    `the publication supabase_realtime has no table [schema: ${schema ?? "*"}, table: ${table ?? "*"}]. Is Realtime enabled for it?`,
  );
}
