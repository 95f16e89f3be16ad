import { sql } from "pg-sql2";
import type { ReplicaIdentity } from "../../../kernel/change.ts";
import type { Principal } from "../../../kernel/principal.ts";
import { asCaller } from "../../postgres/caller.ts";
import type { Queryable } from "../../postgres/database.ts";
import type { Param, Session, Statement } from "../../postgres/session/types.ts";
import { type PublishedColumn, type PublishedTable, PublishedTables, relationOf } from "./published.ts";

const identities: Readonly<Record<string, ReplicaIdentity>> = { d: "default", n: "nothing", f: "full", i: "index" };

interface TableRow {
  readonly oid: string;
  readonly schema: string;
  readonly name: string;
  readonly identity: string;
  readonly insert: boolean;
  readonly update: boolean;
  readonly delete: boolean;
  readonly columns: readonly (Omit<PublishedColumn, "typeOid"> & { readonly typeOid: string })[];
}

/**
 * The tables in a publication with their published columns. Not the server's own, which a publication for all tables has too: it
 * writes there what clients have got, and to tell of that would never end. One statement whatever their number: it runs once, and again when the
 * schema changes. Domains are followed to their base types, whose operators compare them.
 */
export async function loadPublished(db: Pick<Queryable, "query">, publication: string): Promise<PublishedTables> {
  const rows = await db.query<TableRow>(sql`
    with recursive base (oid, base) as (
      select oid, oid from pg_catalog.pg_type where typtype <> 'd'
      union all
      select t.oid, b.base from base b join pg_catalog.pg_type t on t.typtype = 'd' and t.typbasetype = b.oid
    )
    select c.oid::text as "oid", p.schemaname as "schema", p.tablename as "name", c.relreplident as "identity",
      pub.pubinsert as "insert", pub.pubupdate as "update", pub.pubdelete as "delete", cols.list as "columns"
    from pg_catalog.pg_publication_tables p
    join pg_catalog.pg_publication pub on pub.pubname = p.pubname
    join pg_catalog.pg_namespace ns on ns.nspname = p.schemaname
    join pg_catalog.pg_class c on c.relnamespace = ns.oid and c.relname = p.tablename
    cross join lateral (
      select coalesce(json_agg(json_build_object(
        'name', a.attname,
        'typeOid', a.atttypid::text,
        'typeName', t.typname,
        'isKey', c.relreplident = 'f' or coalesce(a.attnum = any (key.indkey), false),
        'type', json_build_object(
          'name', bt.typname,
          'sql', quote_ident(bns.nspname) || '.' || quote_ident(bt.typname),
          'operatorSchema', case when bt.typtype = 'b' and bt.typcategory <> 'A' then quote_ident(bns.nspname) else 'pg_catalog' end,
          'isEnum', bt.typtype = 'e',
          'isText', bt.typcategory = 'S',
          'isDeterministic', coalesce(coll.collisdeterministic, true),
          'isBytewise', coalesce(
            case when coll.collprovider = 'd' then d.datlocprovider = 'b' or d.datlocprovider = 'c' and d.datcollate in ('C', 'POSIX')
            else coll.collprovider = 'b' or coll.collcollate in ('C', 'POSIX') end,
            false)
        )) order by a.attnum), '[]'::json) as list
      from pg_catalog.pg_attribute a
      join pg_catalog.pg_type t on t.oid = a.atttypid
      join base on base.oid = t.oid
      join pg_catalog.pg_type bt on bt.oid = base.base
      join pg_catalog.pg_namespace bns on bns.oid = bt.typnamespace
      left join pg_catalog.pg_collation coll on coll.oid = a.attcollation
      cross join (select * from pg_catalog.pg_database where datname = current_database()) d
      left join pg_catalog.pg_index key on key.indrelid = c.oid
        and case c.relreplident when 'd' then key.indisprimary when 'i' then key.indisreplident else false end
      where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attname = any (p.attnames)
    ) cols
    where p.pubname = ${sql.value(publication)} and p.schemaname <> 'mainstay'`);
  return new PublishedTables(rows.map(tableOf));
}

function tableOf(row: TableRow): PublishedTable {
  const columns = row.columns.map((column) => ({ ...column, typeOid: Number(column.typeOid) }));
  const { schema, name } = row;
  const replicaIdentity = identities[row.identity] ?? "default";
  return {
    relation: relationOf({ oid: Number(row.oid), schema, name, replicaIdentity, columns }),
    columns: new Map(columns.map((column) => [column.name, column])),
    operations: { insert: row.insert, update: row.update, delete: row.delete },
  };
}

/** The settings that the log's texts are written under. */
const settings: Statement = {
  text: `select set_config('datestyle', 'ISO, MDY', true), set_config('intervalstyle', 'postgres', true),
    set_config('timezone', 'UTC', true), set_config('extra_float_digits', '1', true), set_config('bytea_output', 'hex', true),
    set_config('statement_timeout', $1, true)`,
  values: [],
};

/**
 * Asks PostgreSQL what only it knows, as the role of whoever asks: so an operator or a type that an app has made itself runs with no
 * more rights than that one's own statements.
 */
export async function askAs(
  session: Session,
  who: Principal,
  statement: Statement,
  timeoutMs: number,
): Promise<readonly (readonly (string | null)[])[]> {
  const prologue = [{ ...settings, values: [String(timeoutMs)] }, ...asCaller(who)];
  const flight = { role: who.role, prologue, statement, lane: "read", isRetryable: true } as const;
  const { rows } = await session.fly(flight);
  return rows.map((row) => row.map((value) => value?.toString("utf8") ?? null));
}

/**
 * Values in the words that the log would have for them: what the type's output function says, which a cast to text is not for all of them
 * (`t` and `true`). `type` comes from the catalogue.
 */
export function canonicalStatement(type: string, values: readonly string[]): Statement {
  return {
    text: `select format('%s', v::${type}) from unnest($1::text[]) with ordinality as t (v, n) order by n`,
    values: [arrayOf(values)],
  };
}

/** A condition over many values at once: `expression` says `v` for the value, and `$2` for what it is compared with. */
export function conditionStatement(
  expression: string,
  operand: Param | undefined,
  values: readonly (string | null)[],
): Statement {
  return {
    text: `select coalesce(${expression}, false) from unnest($1::text[]) with ordinality as t (v, n) order by n`,
    values: operand === undefined ? [arrayOf(values)] : [arrayOf(values), operand],
  };
}

/** A `text[]` in PostgreSQL's text format (PostgreSQL manual: array input and output syntax). */
export function arrayOf(values: readonly (string | null)[]): string {
  return `{${values.map((value) => (value === null ? "null" : `"${value.replace(/[\\"]/g, "\\$&")}"`)).join(",")}}`;
}
