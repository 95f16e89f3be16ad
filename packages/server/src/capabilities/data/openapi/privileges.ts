import type { Row, Statement } from "../../../platform/postgres/session/types.ts";

/** What one role may use of one schema, by oid; and what the schema says about itself. */
export interface Visible {
  readonly relations: ReadonlySet<number>;
  readonly functions: ReadonlySet<number>;
  readonly comment: string | null;
}

/**
 * Asks what `role` may use of `schema`: relations with any privilege on the whole or on a column, functions it may execute,
 * nothing at all without the schema itself. One row of two columns for `readVisible`. May run as any role.
 */
export function visibleStatement(role: string, schema: string): Statement {
  return {
    text: `
      select
        json_build_object(
          'relations', coalesce((
            select json_agg(c.oid::int8)
            from pg_catalog.pg_class c
            where c.relnamespace = n.oid and c.relkind in ('r', 'p', 'v', 'm', 'f')
              and (pg_catalog.has_table_privilege($1::name, c.oid, 'select, insert, update, delete, truncate, references, trigger')
                or pg_catalog.has_any_column_privilege($1::name, c.oid, 'select, insert, update, references'))
          ), '[]'),
          'functions', coalesce((
            select json_agg(p.oid::int8)
            from pg_catalog.pg_proc p
            where p.pronamespace = n.oid and pg_catalog.has_function_privilege($1::name, p.oid, 'execute')
          ), '[]')
        )::text as visible,
        pg_catalog.obj_description(n.oid, 'pg_namespace') as comment
      from pg_catalog.pg_namespace n
      where n.nspname = $2::name and pg_catalog.has_schema_privilege($1::name, n.oid, 'usage')`,
    values: [role, schema],
  };
}

/** Reads what `visibleStatement` answered; no row means that nothing is visible. */
export function readVisible(rows: readonly Row[]): Visible {
  const [visible, comment] = rows[0] ?? [null, null];
  if (visible === null || visible === undefined) return { relations: new Set(), functions: new Set(), comment: null };
  const { relations, functions } = JSON.parse(visible.toString()) as {
    readonly relations: readonly number[];
    readonly functions: readonly number[];
  };
  return { relations: new Set(relations), functions: new Set(functions), comment: comment?.toString() ?? null };
}
