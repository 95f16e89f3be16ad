/** The catalogue, in four statements. */

const isUserSchema = `not (n.nspname like 'pg\\_%' or n.nspname = 'information_schema')`;

export interface ColumnRow {
  readonly name: string;
  readonly number: number;
  readonly type: number;
  readonly isNullable: boolean;
  readonly hasDefault: boolean;
  readonly isReadOnly: boolean;
}

export interface RelationRow {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  readonly isView: boolean;
  readonly isInsertable: boolean;
  readonly isUpdatable: boolean;
  readonly columns: readonly ColumnRow[];
  /** A view's query as a node tree; `null` for tables. */
  readonly rule: string | null;
}

// pg_relation_is_updatable gives one bit per command: 4 update, 8 insert (1 << CmdType).
export const relations = `
  select
    c.oid as oid, n.nspname as schema, c.relname as name, c.relkind in ('v', 'm') as "isView",
    pg_relation_is_updatable(c.oid, true) & 8 > 0 as "isInsertable",
    pg_relation_is_updatable(c.oid, true) & 4 > 0 as "isUpdatable",
    coalesce((
      select json_agg(json_build_object(
        'name', a.attname, 'number', a.attnum, 'type', a.atttypid::int8,
        'isNullable', not (a.attnotnull or t.typtype = 'd' and t.typnotnull),
        'hasDefault', a.atthasdef or a.attidentity <> '',
        'isReadOnly', a.attgenerated <> '' or a.attidentity = 'a'
      ) order by a.attname)
      from pg_attribute a join pg_type t on t.oid = a.atttypid
      where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    ), '[]') as columns,
    (select r.ev_action::text from pg_rewrite r where r.ev_class = c.oid and r.rulename = '_RETURN') as rule
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('r', 'p', 'v', 'm', 'f') and ${isUserSchema}
  order by n.nspname, c.relname`;

export interface TypeRow {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  /** `pg_type.typtype`. */
  readonly kind: string;
  /** 0 unless it is an array. */
  readonly element: number;
  readonly base: number;
  readonly relation: number;
  /** `pg_class.relkind` of a row type: `c` for a composite type of its own. */
  readonly relationKind: string | null;
  readonly values: readonly string[] | null;
  readonly attributes: readonly { readonly name: string; readonly type: number }[] | null;
}

// An array is what its element calls its array: name, oidvector and the like have an element type too, and are none.
export const types = `
  select
    t.oid as oid, n.nspname as schema, t.typname as name, t.typtype::text as kind,
    (case when element.typarray = t.oid then t.typelem else 0 end) as element,
    t.typbasetype as base, t.typrelid as relation, c.relkind::text as "relationKind",
    (select json_agg(e.enumlabel order by e.enumsortorder) from pg_enum e where e.enumtypid = t.oid) as values,
    (
      select json_agg(json_build_object('name', a.attname, 'type', a.atttypid::int8) order by a.attnum)
      from pg_attribute a
      where c.relkind = 'c' and a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    ) as attributes
  from pg_type t join pg_namespace n on n.oid = t.typnamespace left join pg_class c on c.oid = t.typrelid
    left join pg_type element on element.oid = t.typelem`;

export interface FunctionRow {
  readonly schema: string;
  readonly name: string;
  readonly types: readonly number[];
  readonly names: readonly string[] | null;
  readonly modes: readonly string[] | null;
  readonly defaults: number;
  readonly returns: number;
  readonly isSetReturning: boolean;
  readonly estimatedRows: number;
}

// Extensions bring hundreds of functions that no app calls by name over HTTP.
export const functions = `
  select
    n.nspname as schema, p.proname as name,
    to_json(coalesce(p.proallargtypes, p.proargtypes::oid[])::int8[]) as types,
    to_json(p.proargnames) as names, to_json(p.proargmodes) as modes,
    p.pronargdefaults as defaults, p.prorettype as returns, p.proretset as "isSetReturning",
    p.prorows::float8 as "estimatedRows"
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace
  where p.prokind = 'f' and p.prorettype not in ('trigger'::regtype, 'event_trigger'::regtype) and ${isUserSchema}
    and not exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e')
  order by n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)`;

export interface ForeignKeyRow {
  readonly name: string;
  readonly source: number;
  readonly target: number;
  readonly sourceColumns: readonly number[];
  readonly targetColumns: readonly number[];
  readonly isOneToOne: boolean;
}

// A key that points at a partitioned table has a clone per partition; only a clone on another source table is a key of its own.
export const foreignKeys = `
  select
    k.conname as name, k.conrelid as source, k.confrelid as target,
    to_json(k.conkey) as "sourceColumns", to_json(k.confkey) as "targetColumns",
    exists (
      select from pg_index i
      where i.indrelid = k.conrelid and i.indisunique and i.indpred is null and i.indexprs is null
        and (select array_agg(x order by x) from unnest(i.indkey[0:i.indnkeyatts - 1]) x)
          = (select array_agg(x order by x) from unnest(k.conkey) x)
    ) as "isOneToOne"
  from pg_constraint k left join pg_constraint parent on parent.oid = k.conparentid
  where k.contype = 'f' and (parent.oid is null or parent.conrelid <> k.conrelid)
  order by k.conname`;
