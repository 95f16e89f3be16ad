import { type SQL, sql } from "pg-sql2";
import type { Database, Queryable } from "../../postgres/database.ts";
import type { AuthFunctionRow } from "./auth-functions.ts";
import type { CollationRow } from "./collations.ts";
import type { MembershipRow, RoleRow } from "./roles.ts";
import type { ColumnFacts, TableFacts } from "./table.ts";

export type TableRow = Omit<TableFacts, "columns"> & {
  readonly columns: readonly (Omit<ColumnFacts, "collation"> & { readonly collation: CollationRow | null })[];
};

/** Everything that says who may read what, of some tables and of those that their policies look into, at one moment. */
export interface RulesRows {
  readonly tables: readonly TableRow[];
  readonly roles: readonly RoleRow[];
  readonly memberships: readonly MembershipRow[];
  readonly functions: readonly AuthFunctionRow[];
  readonly database: { readonly owner: number; readonly collation: CollationRow };
  /** `pg_current_snapshot()`. */
  readonly snapshot: string;
  readonly fingerprint: string;
}

export interface Look {
  /** Changes with everything that `RulesRows` holds. */
  readonly fingerprint: string;
  /** PostgreSQL's clock, in Unix microseconds. */
  readonly nowUs: string;
}

export const rulesStore = {
  /** Reads in one transaction. Rejects as the database does. */
  read(database: Database, oids: readonly number[]): Promise<RulesRows> {
    return database.transaction(async (tx) => {
      await tx.query(sql`set transaction isolation level repeatable read read only`);
      // So that what is printed names the schema of all that is not PostgreSQL's own.
      await tx.query(sql`select pg_catalog.set_config('search_path', '', true)`);
      const [one] = await tx.query<Omit<RulesRows, "tables" | "fingerprint">>(globals);
      const tables = await tx.query<{ table: TableRow }>(tablesQuery(oids));
      const { fingerprint } = await rulesStore.look(
        tx,
        tables.map(({ table }) => table.oid),
      );
      return { ...one!, tables: tables.map(({ table }) => table), fingerprint };
    });
  },

  /** One cheap look. Of these tables, and of what is the same for all. */
  async look(db: Pick<Queryable, "query">, oids: readonly number[]): Promise<Look> {
    const [look] = await db.query<Look>(sql`
      select pg_catalog.concat_ws(' ',
          (select sum(hashtext(concat_ws(' ', oid, rolname, rolsuper, rolinherit, rolbypassrls))) from pg_catalog.pg_roles),
          (select concat(count(*), ' ', sum(hashtext(concat_ws(' ', roleid, member, xmin)))) from pg_catalog.pg_auth_members),
          (select sum(hashtext(concat_ws(' ', oid, datdba))) from pg_catalog.pg_database),
          (select concat(count(*), ' ', sum(hashtext(concat_ws(' ', oid, xmin)))) from pg_catalog.pg_class
            where oid = any(${oidArray(oids)})),
          (select concat(count(*), ' ', sum(hashtext(concat_ws(' ', attrelid, attnum, xmin)))) from pg_catalog.pg_attribute
            where attrelid = any(${oidArray(oids)})),
          (select concat(count(*), ' ', sum(hashtext(concat_ws(' ', oid, xmin)))) from pg_catalog.pg_policy
            where polrelid = any(${oidArray(oids)})),
          (select sum(hashtext(concat_ws(' ', oid, xmin))) from pg_catalog.pg_namespace),
          (select concat(count(*), ' ', sum(hashtext(concat_ws(' ', oid, xmin)))) from pg_catalog.pg_proc
            where pronamespace = (select oid from pg_catalog.pg_namespace where nspname = 'auth'))
        ) as fingerprint,
        (extract(epoch from clock_timestamp()) * 1000000)::int8::text as "nowUs"`);
    return look!;
  },
};

const oidArray = (oids: readonly number[]): SQL => sql`${sql.value(oids)}::oid[]`;

/** Roles that an access list grants something to. `column` is null where nobody ever granted: then its kind's default counts. */
const grantees = (list: SQL, privilege: "SELECT" | "USAGE" | "EXECUTE"): SQL => sql`coalesce((
  select json_agg(distinct x.grantee::int8 order by x.grantee::int8) from pg_catalog.aclexplode(${list}) x
  where x.privilege_type = ${sql.value(privilege)}), '[]'::json)`;

const collation = (of: SQL): SQL => sql`(
  select json_build_object('isDeterministic', l.collisdeterministic, 'provider', l.collprovider,
    'collate', l.collcollate, 'ctype', l.collctype,
    -- One column, of another name in each of PostgreSQL's 15 and 17.
    'locale', coalesce(to_jsonb(l) ->> 'colllocale', to_jsonb(l) ->> 'colliculocale'))
  from pg_catalog.pg_collation l where l.oid = ${of} and l.collname <> 'default')`;

const globals = sql`
  select
    coalesce((
      select json_agg(json_build_object('oid', oid::int8, 'name', rolname, 'isSuperuser', rolsuper,
        'bypassesRowSecurity', rolbypassrls) order by oid)
      from pg_catalog.pg_roles), '[]'::json) as roles,
    coalesce((
      select json_agg(json_build_object('roleOid', m.roleid::int8, 'memberOid', m.member::int8,
        -- Since PostgreSQL 16 each membership says so itself.
        'inherits', coalesce((to_jsonb(m) ->> 'inherit_option')::boolean, r.rolinherit)) order by m.roleid, m.member, m.grantor)
      from pg_catalog.pg_auth_members m join pg_catalog.pg_roles r on r.oid = m.member), '[]'::json) as memberships,
    coalesce((
      select json_agg(json_build_object('name', p.proname, 'body', p.prosrc,
        'isPlain', l.lanname = 'sql' and not p.prosecdef and p.proconfig is null and p.prokind = 'f' and not p.proretset,
        'returns', p.prorettype::regtype::text,
        'callers', ${grantees(sql`coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner))`, "EXECUTE")}) order by p.oid)
      from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace
      join pg_catalog.pg_language l on l.oid = p.prolang
      where n.nspname = 'auth' and p.proname in ('uid', 'role', 'email', 'jwt') and p.pronargs = 0), '[]'::json) as functions,
    (
      select json_build_object('owner', d.datdba::int8, 'collation', json_build_object('isDeterministic', true,
        'provider', d.datlocprovider, 'collate', d.datcollate, 'ctype', d.datctype,
        'locale', coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale')))
      from pg_catalog.pg_database d where d.datname = current_database()) as database,
    pg_catalog.pg_current_snapshot()::text as snapshot`;

/** The tables, and all relations that their policies depend on, and so on. */
const tablesQuery = (oids: readonly number[]): SQL => sql`
  with recursive needed (oid) as (
    select unnest(${oidArray(oids)})
    union
    select d.refobjid from needed n
    join pg_catalog.pg_policy p on p.polrelid = n.oid
    join pg_catalog.pg_depend d on d.classid = 'pg_catalog.pg_policy'::regclass and d.objid = p.oid
    where d.refclassid = 'pg_catalog.pg_class'::regclass
  ), base (oid, base) as (
    select oid, oid from pg_catalog.pg_type where typtype <> 'd'
    union all
    select t.oid, b.base from base b join pg_catalog.pg_type t on t.typtype = 'd' and t.typbasetype = b.oid
  )
  select json_build_object(
    'oid', c.oid::int8, 'schema', n.nspname, 'name', c.relname, 'kind', c.relkind, 'owner', c.relowner::int8,
    'hasRowSecurity', c.relrowsecurity, 'forcesRowSecurity', c.relforcerowsecurity,
    'selectors', ${grantees(sql`coalesce(c.relacl, pg_catalog.acldefault('r', c.relowner))`, "SELECT")},
    'schemaUsers', ${grantees(sql`coalesce(n.nspacl, pg_catalog.acldefault('n', n.nspowner))`, "USAGE")},
    'primaryKey', coalesce((
      select json_agg(a.attname order by k.place)
      from pg_catalog.pg_index i cross join lateral unnest(i.indkey) with ordinality as k (number, place)
      join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.number
      where i.indrelid = c.oid and i.indisprimary), '[]'::json),
    'columns', coalesce((
      select json_agg(json_build_object('name', a.attname, 'number', a.attnum, 'typeOid', t.oid::int8,
        'enumName', case when t.typtype = 'e' then json_build_object('schema', tn.nspname, 'name', t.typname) end,
        'collation', ${collation(sql`a.attcollation`)},
        'generation', case when a.attgenerated <> '' then pg_catalog.pg_get_expr(ad.adbin, ad.adrelid) end,
        'selectors', ${grantees(sql`a.attacl`, "SELECT")}) order by a.attnum)
      from pg_catalog.pg_attribute a join base b on b.oid = a.atttypid
      join pg_catalog.pg_type t on t.oid = b.base join pg_catalog.pg_namespace tn on tn.oid = t.typnamespace
      left join pg_catalog.pg_attrdef ad on ad.adrelid = a.attrelid and ad.adnum = a.attnum
      where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped), '[]'::json),
    'policies', coalesce((
      select json_agg(json_build_object('name', p.polname, 'sql', coalesce(pg_catalog.pg_get_expr(p.polqual, p.polrelid), 'true'),
        'isPermissive', p.polpermissive, 'roles', p.polroles::int8[],
        'columns', array(
          select distinct d.refobjsubid from pg_catalog.pg_depend d
          where d.classid = 'pg_catalog.pg_policy'::regclass and d.objid = p.oid
            and d.refclassid = 'pg_catalog.pg_class'::regclass and d.refobjid = c.oid and d.refobjsubid > 0
          order by 1)) order by p.polname)
      from pg_catalog.pg_policy p where p.polrelid = c.oid and p.polcmd in ('r', '*')), '[]'::json)
  ) as "table"
  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where c.oid in (select oid from needed) order by c.oid`;
