import { sql } from "pg-sql2";
import type { Queryable } from "../../../platform/postgres/database.ts";

/** What rights on private channels follow from, each as a text that changes with it. */
export interface RulesPrint {
  /** Policies, the functions they call, privileges, roles and who is a member of which. */
  readonly rules: string;
  /** Rows of the tables that policies look into: how often any of them was written. */
  readonly rows: string;
  /** The tables that policies look into, by oid: themselves, through views, through other tables' policies, through functions. */
  readonly tables: readonly number[];
  /** They, their partitions, and what they are a partition of: the log may announce changes under any of these. */
  readonly parts: readonly number[];
}

/**
 * One cheap look. Roles have no event triggers, and somebody who is no superuser has none at all, so that looking is the only way to
 * know. Writes are counted by PostgreSQL's own statistics, of tables whether they are published or not, some seconds late where a
 * connection writes often.
 *
 * PostgreSQL does not say what a function looks into whose body is text, and most memberships are looked up by such a function, since a
 * policy that asks its own table would never end. So whatever is named like a word of its body counts: too much does little harm, rights
 * are asked for once more. What is put together at run time is not seen.
 */
export async function readRules(db: Pick<Queryable, "query">): Promise<RulesPrint> {
  const [print] = await db.query<RulesPrint>(sql`
    with recursive messages as (
      select c.oid, c.relacl, c.relrowsecurity, c.relforcerowsecurity, n.nspacl
      from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      where n.nspname = 'realtime' and c.relname = 'messages'
    ), policies as (
      select p.oid, p.xmin from pg_catalog.pg_policy p join messages on p.polrelid = messages.oid
    ), used (class, oid) as (
      select d.refclassid, d.refobjid
      from pg_catalog.pg_depend d join policies on d.objid = policies.oid
      where d.classid = 'pg_catalog.pg_policy'::regclass
      union
      select next.class, next.oid from used cross join lateral (
        -- A view's rule, a table's policies, and a function whose body is parsed say what they use.
        select d.refclassid as class, d.refobjid as oid
        from pg_catalog.pg_depend d
        where used.class = 'pg_catalog.pg_class'::regclass and used.oid >= 16384
          and (d.classid, d.objid) in (
            select 'pg_catalog.pg_rewrite'::regclass::oid, r.oid from pg_catalog.pg_rewrite r where r.ev_class = used.oid
            union all
            select 'pg_catalog.pg_policy'::regclass::oid, p.oid from pg_catalog.pg_policy p where p.polrelid = used.oid
          )
          or used.class = 'pg_catalog.pg_proc'::regclass and d.classid = used.class and d.objid = used.oid
        union all
        select named.class, named.oid
        from pg_catalog.pg_proc f
        cross join lateral (
          select distinct spelled.word
          from regexp_matches(f.prosrc, '[[:alpha:]_][[:alnum:]_$]*', 'g') as found (words)
          cross join lateral (values (found.words[1]), (lower(found.words[1]))) as spelled (word)
        ) as body
        cross join lateral (
          select 'pg_catalog.pg_class'::regclass::oid as class, c.oid from pg_catalog.pg_class c
          where c.relname = body.word and c.relkind in ('r', 'p', 'v', 'm')
          union all
          select 'pg_catalog.pg_proc'::regclass::oid, p.oid from pg_catalog.pg_proc p where p.proname = body.word
        ) as named
        where used.class = 'pg_catalog.pg_proc'::regclass and used.oid >= 16384
          and f.oid = used.oid and f.prosqlbody is null and named.oid >= 16384
      ) as next
      where next.oid >= 16384
        and next.class in ('pg_catalog.pg_class'::regclass, 'pg_catalog.pg_proc'::regclass)
    ), relations as (
      select c.oid, c.xmin, c.relkind from pg_catalog.pg_class c
      join used on used.oid = c.oid and used.class = 'pg_catalog.pg_class'::regclass
      where c.relkind in ('r', 'p', 'v', 'm') and c.oid not in (select oid from messages)
    ), tables as (
      select oid from relations where relkind in ('r', 'p')
    ), below (oid) as (
      select oid from tables
      union
      select i.inhrelid from below join pg_catalog.pg_inherits i on i.inhparent = below.oid
    ), above (oid) as (
      select oid from tables
      union
      select i.inhparent from above join pg_catalog.pg_inherits i on i.inhrelid = above.oid
    )
    select
      concat_ws(' ',
        (select concat_ws(' ', oid, relacl, relrowsecurity, relforcerowsecurity, nspacl) from messages),
        (select string_agg(concat(oid, ':', xmin), ',' order by oid) from policies),
        (select string_agg(concat(oid, ':', xmin), ',' order by oid) from relations),
        (select string_agg(concat(f.oid, ':', f.xmin), ',' order by f.oid)
          from pg_catalog.pg_proc f join used on used.oid = f.oid and used.class = 'pg_catalog.pg_proc'::regclass),
        (select string_agg(concat(p.oid, ':', p.xmin), ',' order by p.oid)
          from pg_catalog.pg_policy p join relations on relations.oid = p.polrelid),
        (select concat(count(*), ':', sum(hashtext(concat(roleid, member, xmin)))) from pg_catalog.pg_auth_members),
        (select sum(hashtext(concat(oid, rolsuper, rolinherit, rolbypassrls))) from pg_catalog.pg_roles)
      ) as rules,
      coalesce((
        select string_agg(concat(
          oid, ':', pg_stat_get_tuples_inserted(oid), ':', pg_stat_get_tuples_updated(oid), ':', pg_stat_get_tuples_deleted(oid)
        ), ',' order by oid) from below
      ), '') as rows,
      array(select oid::int8::float8 from tables order by oid) as tables,
      array(select oid::int8::float8 from below union select oid::int8::float8 from above) as parts
  `);
  return print ?? { rules: "", rows: "", tables: [], parts: [] };
}
