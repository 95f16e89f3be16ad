import type { SchemaModel, TableModel } from "./model.ts";
import { comparedColumns, unwrappedCalls } from "./policy.ts";
import { type Finding, finding } from "./rules.ts";

/** What is wrong with a schema as it stands. `schemas` are those the API serves. */
export function judge(model: SchemaModel, schemas: readonly string[]): readonly Finding[] {
  const isExposed = (key: string) => schemas.includes(key.slice(0, key.indexOf(".")));
  const findings: (Finding | null)[] = [];
  for (const [key, table] of model.tables) {
    if (isExposed(key)) findings.push(...judgeAccess(key, table));
    for (const [name, policy] of table.policies) {
      const object = `${key}.${JSON.stringify(name)}`;
      const calls = new Set([...unwrappedCalls(policy.using), ...unwrappedCalls(policy.check)]);
      if (calls.size > 0) {
        const message = `Policy "${name}" calls ${[...calls].join(", ")} once per row.`;
        findings.push(finding("policy-call-not-wrapped", policy.place, object, message));
      }
      for (const column of unindexed(model, key, policy.using)) {
        const message = `Policy "${name}" looks rows up by ${column}, which begins no index.`;
        findings.push(finding("policy-column-not-indexed", policy.place, object, message));
      }
    }
  }
  for (const [key, view] of model.views) {
    if (!isExposed(key) || view.isInvoker) continue;
    const guarded = view.reads.filter((read) => model.tables.get(read)?.hasRowSecurity);
    if (guarded.length === 0) continue;
    const message = `The view reads ${guarded.join(", ")} as its owner.`;
    findings.push(finding("view-bypasses-rls", view.place, key, message));
  }
  for (const [key, { isDefiner, hasSearchPath, place }] of model.functions) {
    if (!isDefiner || hasSearchPath) continue;
    const message = "The function runs as its owner, with the caller's search_path.";
    findings.push(finding("definer-search-path", place, key, message));
  }
  return findings.filter((each) => each !== null);
}

function judgeAccess(key: string, table: TableModel): (Finding | null)[] {
  if (!table.hasRowSecurity) {
    return [finding("rls-disabled", table.place, key, "The table is served without row level security.")];
  }
  if (table.policies.size > 0) return [];
  return [finding("rls-without-policy", table.place, key, "Row level security is on and there is no policy.")];
}

/**
 * Columns without an index. Outside of sub-selects each counts; of a table in a sub-select one indexed column is enough.
 * Tables we know nothing of are left alone.
 */
function unindexed(model: SchemaModel, key: string, using: Parameters<typeof comparedColumns>[1]): ReadonlySet<string> {
  const columns = comparedColumns(key, using);
  const isIndexed = (table: string, column: string) =>
    [...(model.tables.get(table)?.indexes.values() ?? [])].includes(column);
  const reached = new Set(
    columns.filter(({ table, column, isInner }) => isInner && isIndexed(table, column)).map(({ table }) => table),
  );
  const missing = columns.filter(
    ({ table, column, isInner }) =>
      model.tables.has(table) && !isIndexed(table, column) && !(isInner && reached.has(table)),
  );
  return new Set(missing.map(({ table, column }) => `${table}.${column}`));
}
