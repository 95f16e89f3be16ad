import type pg from "pg";
import type { Node } from "../parser.ts";
import { emptyModel, newTable, type SchemaModel } from "./model.ts";
import { nowhere } from "./rules.ts";

/** Reads the same model from a database: what is there, whoever made it. Schemas of the system are left out. */
export async function readModel(client: pg.ClientBase): Promise<SchemaModel> {
  const model = emptyModel();
  const tables = await client.query<{ key: string; hasRowSecurity: boolean; firstColumns: string[] }>(`
    select n.nspname || '.' || c.relname as key, c.relrowsecurity as "hasRowSecurity",
      array(
        select a.attname::text from pg_catalog.pg_index i
        join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
        where i.indrelid = c.oid and i.indisvalid
      ) as "firstColumns"
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p') and n.nspname !~ '^(pg_|information_schema$)'
      and not exists (
        select from pg_catalog.pg_depend d where d.objid = c.oid and d.classid = 'pg_class'::regclass and d.deptype = 'e'
      )`);
  for (const { key, hasRowSecurity, firstColumns } of tables.rows) {
    const table = newTable(nowhere);
    table.hasRowSecurity = hasRowSecurity;
    for (const [index, column] of firstColumns.entries()) table.indexes.set(String(index), column);
    model.tables.set(key, table);
  }
  const policies = await client.query<{ key: string; name: string; using: string | null; check: string | null }>(`
    select n.nspname || '.' || c.relname as key, p.polname as name,
      pg_get_expr(p.polqual, p.polrelid) as using, pg_get_expr(p.polwithcheck, p.polrelid) as check
    from pg_catalog.pg_policy p
    join pg_catalog.pg_class c on c.oid = p.polrelid
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace`);
  for (const { key, name, using, check } of policies.rows) {
    const policy = { place: nowhere, using: await expression(using), check: await expression(check) };
    model.tables.get(key)?.policies.set(name, policy);
  }
  const views = await client.query<{ key: string; isInvoker: boolean; reads: string[] }>(`
    select n.nspname || '.' || c.relname as key,
      coalesce((
        select lower(o.option_value) in ('true', 'on', 'yes', '1') from pg_catalog.pg_options_to_table(c.reloptions) o
        where o.option_name = 'security_invoker'
      ), false) as "isInvoker",
      array(
        select distinct tn.nspname || '.' || t.relname from pg_catalog.pg_rewrite r
        join pg_catalog.pg_depend d on d.objid = r.oid and d.classid = 'pg_rewrite'::regclass
          and d.refclassid = 'pg_class'::regclass and d.refobjid <> c.oid
        join pg_catalog.pg_class t on t.oid = d.refobjid
        join pg_catalog.pg_namespace tn on tn.oid = t.relnamespace
        where r.ev_class = c.oid
      ) as reads
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where c.relkind = 'v' and n.nspname !~ '^(pg_|information_schema$)'
      and not exists (
        select from pg_catalog.pg_depend d where d.objid = c.oid and d.classid = 'pg_class'::regclass and d.deptype = 'e'
      )`);
  for (const { key, isInvoker, reads } of views.rows) model.views.set(key, { place: nowhere, isInvoker, reads });
  const functions = await client.query<{ key: string; hasSearchPath: boolean }>(`
    select n.nspname || '.' || p.proname as key,
      exists (select from unnest(p.proconfig) s where s like 'search_path=%') as "hasSearchPath"
    from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    where p.prosecdef and n.nspname !~ '^(pg_|information_schema$)'
      and not exists (
        select from pg_catalog.pg_depend d where d.objid = p.oid and d.classid = 'pg_proc'::regclass and d.deptype = 'e'
      )
    order by key, "hasSearchPath" desc`);
  for (const { key, hasSearchPath } of functions.rows) {
    model.functions.set(key, { place: nowhere, isDefiner: true, hasSearchPath });
  }
  return model;
}

/** The catalogue prints a policy's expression as SQL; the parser reads it back. */
async function expression(text: string | null): Promise<Node | null> {
  if (text === null) return null;
  const { parse } = await import("libpg-query");
  const statement = (await parse(`select ${text}`)).stmts?.[0]?.stmt;
  const target = statement && "SelectStmt" in statement ? statement.SelectStmt.targetList?.[0] : undefined;
  return target && "ResTarget" in target ? (target.ResTarget.val ?? null) : null;
}
