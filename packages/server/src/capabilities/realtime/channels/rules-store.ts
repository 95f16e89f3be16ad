import { sql } from "pg-sql2";
import type { Queryable } from "../../../platform/postgres/database.ts";

/** What rights on private channels follow from, each as a text that changes with it. */
export interface RulesPrint {
  /** Policies, the functions they call, privileges, roles and who is a member of which. */
  readonly rules: string;
  /** Rows of the tables that policies look into: how often any of them was written. */
  readonly rows: string;
  /** The tables that policies look into, by oid. */
  readonly tables: readonly number[];
}

/**
 * One cheap look. Roles have no event triggers, and somebody who is no superuser has none at all, so that looking is the only way to
 * know. Writes are counted by PostgreSQL's own statistics, of tables whether they are published or not, some seconds late where a
 * connection writes often; what only a function looks into is not among them.
 */
export async function readRules(db: Pick<Queryable, "query">): Promise<RulesPrint> {
  const [print] = await db.query<RulesPrint>(sql`
    with messages as (
      select c.oid, c.relacl, c.relrowsecurity, c.relforcerowsecurity, n.nspacl
      from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      where n.nspname = 'realtime' and c.relname = 'messages'
    ), policies as (
      select p.oid, p.xmin from pg_catalog.pg_policy p join messages on p.polrelid = messages.oid
    ), used as (
      select distinct d.refclassid as class, d.refobjid as oid
      from pg_catalog.pg_depend d join policies on d.objid = policies.oid
      where d.classid = 'pg_catalog.pg_policy'::regclass
    ), tables as (
      select oid from used where class = 'pg_catalog.pg_class'::regclass and oid not in (select oid from messages)
    )
    select
      concat_ws(' ',
        (select concat_ws(' ', oid, relacl, relrowsecurity, relforcerowsecurity, nspacl) from messages),
        (select string_agg(concat(oid, ':', xmin), ',' order by oid) from policies),
        (select string_agg(concat(c.oid, ':', c.xmin), ',' order by c.oid)
          from pg_catalog.pg_class c join tables using (oid)),
        (select string_agg(concat(f.oid, ':', f.xmin), ',' order by f.oid)
          from pg_catalog.pg_proc f join used on used.oid = f.oid and used.class = 'pg_catalog.pg_proc'::regclass),
        (select string_agg(concat(p.oid, ':', p.xmin), ',' order by p.oid)
          from pg_catalog.pg_policy p join tables on tables.oid = p.polrelid),
        (select concat(count(*), ':', sum(hashtext(concat(roleid, member, xmin)))) from pg_catalog.pg_auth_members),
        (select sum(hashtext(concat(oid, rolsuper, rolinherit, rolbypassrls))) from pg_catalog.pg_roles)
      ) as rules,
      coalesce((
        select string_agg(concat(
          oid, ':', pg_stat_get_tuples_inserted(oid), ':', pg_stat_get_tuples_updated(oid), ':', pg_stat_get_tuples_deleted(oid)
        ), ',' order by oid) from tables
      ), '') as rows,
      array(select oid::int8::float8 from tables order by oid) as tables
  `);
  return print ?? { rules: "", rows: "", tables: [] };
}
