import { type SQL, sql } from "pg-sql2";

/**
 * The questions one load asks of pg_catalog. Few and plain: each is one pass over a system table, and what takes thought
 * (views, relationships) is done in memory, where it is cheaper than a join. They run with an empty search_path, so that
 * every name PostgreSQL prints is qualified and safe in any statement.
 */

const inSchemas = (schemas: readonly string[]): SQL => sql`n.nspname = any (${sql.value(schemas)}::text[])`;

/** Domains resolved to the type they stand for, however deep, with the modifier that counts. */
const domains: SQL = sql`
  recursive_domains (oid, base, typmod) as (
    select t.oid, t.typbasetype, t.typtypmod from pg_type t where t.typtype = 'd'
    union all
    select d.oid, t.typbasetype, case when d.typmod = -1 then t.typtypmod else d.typmod end
    from recursive_domains d join pg_type t on t.oid = d.base
    where t.typtype = 'd'
  ),
  domains (oid, base, typmod) as (
    select d.oid, d.base, d.typmod from recursive_domains d join pg_type t on t.oid = d.base where t.typtype <> 'd'
  )`;

export function relationsQuery(schemas: readonly string[]): SQL {
  // Tables are writable by definition. Asking pg_relation_is_updatable for them would only take a lock on each, and wait
  // for whoever is altering one.
  return sql`
    select c.oid, n.nspname as schema, c.relname as name, c.relkind as kind, c.relrowsecurity as "hasRowSecurity",
      obj_description(c.oid, 'pg_class') as comment,
      case when c.relkind in ('r', 'p') then 28 when c.relkind = 'm' then 0 else pg_relation_is_updatable(c.oid, true) end as writes
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    where ${inSchemas(schemas)} and c.relkind in ('r', 'p', 'v', 'm', 'f')
    order by n.nspname, c.relname`;
}

export function columnsQuery(schemas: readonly string[]): SQL {
  return sql`
    with recursive ${domains}
    select a.attrelid as relation, a.attname as name, a.attnum as position,
      format_type(a.atttypid, a.atttypmod) as type,
      format_type(b.oid, case when d.oid is null then a.atttypmod else d.typmod end) as "baseType",
      b.typcategory = 'A' as "isArray",
      b.typtype = 'c' as "isComposite",
      not (a.attnotnull or t.typtype = 'd' and t.typnotnull) as "isNullable",
      a.attgenerated = '' and (f.oid is not null or a.attidentity <> '' or t.typdefault is not null) as "hasDefault",
      case when a.attgenerated = '' then coalesce(pg_get_expr(f.adbin, f.adrelid), t.typdefault) end as "defaultExpression",
      a.attgenerated <> '' or a.attidentity = 'a' as "isGenerated",
      a.attidentity <> '' as "isIdentity",
      case when b.typtype = 'e' then array(select e.enumlabel::text from pg_enum e where e.enumtypid = b.oid order by e.enumsortorder) end as "enumValues",
      -- The modifier of varchar and char counts its own header of four bytes.
      case when b.oid in (1042, 1043) then nullif(case when d.oid is null then a.atttypmod else d.typmod end, -1) - 4 end as "maxLength",
      col_description(a.attrelid, a.attnum) as comment
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    join pg_type t on t.oid = a.atttypid
    left join domains d on d.oid = a.atttypid
    join pg_type b on b.oid = coalesce(d.base, a.atttypid)
    left join pg_attrdef f on f.adrelid = a.attrelid and f.adnum = a.attnum
    where ${inSchemas(schemas)} and c.relkind in ('r', 'p', 'v', 'm', 'f')
    order by a.attrelid, a.attnum`;
}

/**
 * Keys of the whole database: a view of ours may show columns of a table in a schema nobody may see. `conparentid` leaves out
 * the copies PostgreSQL makes of a partitioned table's constraints for its partitions.
 */
export const constraintsQuery: SQL = sql`
  select k.conname as name, k.contype as type, k.conrelid as relation, k.conkey as columns, k.confrelid as target,
    k.confkey as "targetColumns"
  from pg_constraint k
  where k.contype in ('p', 'u', 'f') and k.conparentid = 0 and k.conrelid <> 0
    and k.connamespace not in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
  order by k.conrelid, k.conname`;

export function uniqueIndexesQuery(schemas: readonly string[]): SQL {
  return sql`
    select i.indrelid as relation,
      array(select k.number from unnest(i.indkey::int2[]) with ordinality k (number, place) where k.place <= i.indnkeyatts order by k.place) as columns
    from pg_index i
    join pg_class c on c.oid = i.indrelid
    join pg_namespace n on n.oid = c.relnamespace
    where ${inSchemas(schemas)} and i.indisunique and i.indisvalid and i.indpred is null and i.indexprs is null
    order by i.indrelid, i.indexrelid`;
}

/** Our views and every view they read from, whatever its schema: pg_depend says what a rewrite rule refers to. */
export function viewsQuery(schemas: readonly string[]): SQL {
  return sql`
    with recursive views (oid) as (
      select c.oid from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where ${inSchemas(schemas)} and c.relkind in ('v', 'm')
      union
      select c.oid
      from views v
      join pg_rewrite r on r.ev_class = v.oid
      join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid and d.refclassid = 'pg_class'::regclass
      join pg_class c on c.oid = d.refobjid and c.relkind in ('v', 'm')
    )
    select r.ev_class as view, r.ev_action::text as action
    from views v
    join pg_rewrite r on r.ev_class = v.oid and r.rulename = '_RETURN'`;
}

export function functionsQuery(schemas: readonly string[]): SQL {
  return sql`
    with recursive ${domains}
    select p.oid, n.nspname as schema, p.proname as name,
      coalesce(p.proargnames, '{}') as "argumentNames",
      p.proargmodes::text[] as "argumentModes",
      array(
        select case a.type
            -- These two cut a value to length 1 when they stand without a modifier.
            when 'bit'::regtype then 'bit varying' when 'bit[]'::regtype then 'bit varying[]'
            when 'character'::regtype then 'character varying' when 'character[]'::regtype then 'character varying[]'
            else format_type(a.type, null) end
        from unnest(coalesce(p.proallargtypes, p.proargtypes::oid[])) with ordinality a (type, place) order by a.place
      ) as "argumentTypes",
      p.pronargs as inputs, p.pronargdefaults as "inputDefaults",
      case when p.pronargs = 1 then (select nullif(t.typrelid, 0) from pg_type t where t.oid = p.proargtypes[0]) end as "rowInput",
      -- Nothing outside the server can pass these: index support, type input, statistics and the like.
      exists (select from unnest(p.proargtypes::oid[]) a (type) where a.type in ('internal'::regtype, 'cstring'::regtype)) as "hasInternalType",
      format_type(p.prorettype, null) as "returnType",
      case when b.oid = 'void'::regtype then 'void' when b.oid = 'record'::regtype then 'record'
        when b.typtype = 'c' then 'composite' else 'scalar' end as "returnKind",
      b.typrelid as "returnRelation",
      case when b.typtype = 'c' then (
        select json_agg(json_build_array(a.attname, format_type(a.atttypid, a.atttypmod)) order by a.attnum)
        from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        where c.oid = b.typrelid and (c.relkind = 'c' or not exists (
          select from pg_namespace n where n.oid = c.relnamespace and ${inSchemas(schemas)}))
      ) end as "returnColumns",
      p.proretset as "isSetReturning", p.prorows as "estimatedRows", p.provolatile as volatility, p.proconfig as settings,
      obj_description(p.oid, 'pg_proc') as comment
    from pg_proc p
    join pg_namespace n on n.oid = p.pronamespace
    left join domains d on d.oid = p.prorettype
    join pg_type b on b.oid = coalesce(d.base, p.prorettype)
    where ${inSchemas(schemas)} and p.prokind = 'f'
      and p.prorettype not in ('trigger'::regtype, 'event_trigger'::regtype, 'internal'::regtype, 'cstring'::regtype,
        'language_handler'::regtype, 'fdw_handler'::regtype, 'index_am_handler'::regtype, 'table_am_handler'::regtype, 'tsm_handler'::regtype)
    order by n.nspname, p.proname, p.oid`;
}

/** Aggregates over a row type or `anyelement` whose result is a domain named like a media type (`"text/html"`). */
export function mediaHandlersQuery(schemas: readonly string[]): SQL {
  return sql`
    select lower(t.typname) as "mediaType", a.typrelid as relation,
      quote_ident(n.nspname) || '.' || quote_ident(p.proname) as function
    from pg_proc p
    join pg_namespace n on n.oid = p.pronamespace
    join pg_type t on t.oid = p.prorettype and t.typtype = 'd'
    join pg_type a on a.oid = p.proargtypes[0] and (a.typrelid <> 0 or a.oid = 'anyelement'::regtype)
    where ${inSchemas(schemas)} and p.prokind = 'a' and p.pronargs = 1
      and (t.typname ~* '^[a-z0-9.-]+/[a-z0-9.+-]+$' or t.typname = '*/*')
    order by 1, 3`;
}

/** Implicit casts by function between a domain and json or text: how an owner says what a type looks like outside. */
export const representationsQuery: SQL = sql`
  select format_type(k.castsource, null) || '>' || format_type(k.casttarget, null) as cast,
    quote_ident(n.nspname) || '.' || quote_ident(p.proname) as function
  from pg_cast k
  join pg_type s on s.oid = k.castsource
  join pg_type t on t.oid = k.casttarget
  join pg_proc p on p.oid = k.castfunc
  join pg_namespace n on n.oid = p.pronamespace
  where k.castcontext = 'i' and k.castmethod = 'f'
    and (s.typtype = 'd' and k.casttarget in ('json'::regtype, 'text'::regtype)
      or t.typtype = 'd' and k.castsource in ('json'::regtype, 'text'::regtype))`;

/**
 * `alter role … [in database …] set …`, the database's own over the general one. Only what a transaction may set: a setting
 * such as `session_preload_libraries` on a role would otherwise fail every request of that role.
 */
export const roleSettingsQuery: SQL = sql`
  select r.rolname as role, lower(split_part(e.entry, '=', 1)) as name, substr(e.entry, strpos(e.entry, '=') + 1) as value
  from pg_db_role_setting s
  join pg_roles r on r.oid = s.setrole
  cross join unnest(s.setconfig) e (entry)
  left join pg_settings g on lower(g.name) = lower(split_part(e.entry, '=', 1))
  where s.setdatabase in (0, (select d.oid from pg_database d where d.datname = current_database()))
    and (
      g.context is null and strpos(split_part(e.entry, '=', 1), '.') > 0
      or g.context = 'user'
      or g.context = 'superuser' and has_parameter_privilege(r.oid, g.name, 'set')
    )
  order by s.setdatabase`;

/**
 * Source texts that may ask for settings: functions of the app (and of what it installed in SQL), policies, views, defaults and checks. Expression
 * trees name functions by number: 2077 and 3294 are current_setting, 2078 is set_config. Only what has one is printed.
 */
export const settingSourcesQuery: SQL = sql`
  with asks (pattern) as (values (':funcid (2077|3294|2078) '))
  select coalesce(pg_get_function_sqlbody(p.oid), p.prosrc) as source
  from pg_proc p
  join pg_language l on l.oid = p.prolang and l.lanname not in ('internal', 'c')
  where p.pronamespace not in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
    and coalesce(pg_get_function_sqlbody(p.oid), p.prosrc) ~* '(current_setting|set_config|request|response|pg_settings|show|set[[:space:]]|execute[[:space:]])'
  union all
  select concat_ws(' ', pg_get_expr(y.polqual, y.polrelid), pg_get_expr(y.polwithcheck, y.polrelid))
  from pg_policy y, asks
  where y.polqual::text ~ asks.pattern or y.polwithcheck::text ~ asks.pattern
  union all
  select pg_get_viewdef(r.ev_class)
  from pg_rewrite r, asks
  where r.oid >= 16384 and r.ev_action::text ~ asks.pattern
    and exists (select from pg_class c where c.oid = r.ev_class and c.relkind in ('v', 'm'))
  union all
  select pg_get_expr(f.adbin, f.adrelid) from pg_attrdef f, asks where f.adbin::text ~ asks.pattern
  union all
  select pg_get_constraintdef(k.oid) from pg_constraint k, asks where k.conbin::text ~ asks.pattern
  union all
  select pg_get_triggerdef(t.oid) from pg_trigger t, asks where t.tgqual::text ~ asks.pattern`;

/** Reads a directory of files in the server: some 30 ms, so it is asked once and not with every load. */
export const timezonesQuery: SQL = sql`select distinct lower(name) as name from pg_timezone_names`;

/** Whether an event trigger tells us of DDL. Looked for in the function's text: the trigger may be another product's. */
export const announcerQuery: SQL = sql`
  select exists (
    select from pg_event_trigger e join pg_proc p on p.oid = e.evtfoid
    where e.evtenabled in ('O', 'A') and e.evtevent = 'ddl_command_end' and p.prosrc ~* 'notify\\s+"?(mainstay_catalog|pgrst)\\M|pg_notify\\s*\\(\\s*''(mainstay_catalog|pgrst)'''
  ) as exists`;

/**
 * A number that changes with any definition: row counts and inserting transactions of the system tables that matter. Every
 * DDL inserts or deletes a row version there; data changes, vacuum and statistics do not.
 */
export const fingerprintQuery: SQL = sql`
  select concat_ws(' ',
    (select concat_ws('/', count(*), sum(xmin::text::int8)) from pg_class),
    (select concat_ws('/', count(*), sum(xmin::text::int8)) from pg_attribute where attrelid >= 16384),
    (select concat_ws('/', count(*), sum(xmin::text::int8)) from pg_constraint),
    (select concat_ws('/', count(*), sum(xmin::text::int8)) from pg_proc where oid >= 16384),
    (select concat_ws('/', count(*), sum(xmin::text::int8)) from pg_type where oid >= 16384),
    (select concat_ws('/', count(*), sum(xmin::text::int8)) from pg_enum),
    (select concat_ws('/', count(*), sum(xmin::text::int8)) from pg_index where indrelid >= 16384),
    (select concat_ws('/', count(*), sum(xmin::text::int8)) from pg_rewrite where oid >= 16384),
    (select concat_ws('/', count(*), sum(xmin::text::int8)) from pg_attrdef),
    (select concat_ws('/', count(*), sum(xmin::text::int8)) from pg_cast where oid >= 16384),
    (select concat_ws('/', count(*), sum(xmin::text::int8)) from pg_namespace),
    (select concat_ws('/', count(*), sum(xmin::text::int8)) from pg_description where objoid >= 16384),
    (select concat_ws('/', count(*), sum(xmin::text::int8)) from pg_db_role_setting)
  ) as fingerprint`;
