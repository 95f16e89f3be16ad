import type { ReadRights } from "../types.ts";
import { type Role, readAllDataOid } from "./roles.ts";
import type { PolicyFacts, TableFacts } from "./table.ts";

export const noRights: ReadRights = { columns: new Set(), isRowSecured: true, primaryKey: [] };

/** What a role may read of a table, by the rules of PostgreSQL's `aclmask` and `check_enable_rls`. */
export function rightsOf(table: TableFacts, role: Role): ReadRights {
  return {
    columns: new Set(selectableColumns(table, role)),
    isRowSecured: isRowSecured(table, role),
    primaryKey: table.primaryKey,
  };
}

function selectableColumns(table: TableFacts, role: Role): readonly string[] {
  const isGranted = (grantees: readonly number[]): boolean => grantees.some((grantee) => role.has(grantee));
  const readsAll = role.has(readAllDataOid);
  if (!readsAll && !role.isSuperuser && !isGranted(table.schemaUsers)) return [];
  const hasAll = readsAll || role.isSuperuser || isGranted(table.selectors);
  return table.columns.filter(({ selectors }) => hasAll || isGranted(selectors)).map(({ name }) => name);
}

/** BYPASSRLS is not inherited; ownership is. */
export function isRowSecured(table: TableFacts, role: Role): boolean {
  if (!table.hasRowSecurity || role.isSuperuser || role.bypassesRowSecurity) return false;
  return table.forcesRowSecurity || !role.has(table.owner);
}

export const policiesFor = (table: TableFacts, role: Role): readonly PolicyFacts[] =>
  table.policies.filter(({ roles }) => roles.some((oid) => role.has(oid)));
