import { sql } from "pg-sql2";
import type { Database, Queryable } from "../postgres/database.ts";
import { publicationNames } from "./store.ts";

type Db = Pick<Queryable, "query">;

/** Longest wait for a table's lock, in ms: whoever else wants it waits behind us. */
const lockTimeoutMs = 1_000;

/** How a table, and all that is read with it, is in the log. */
export interface PublishedState {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  /** Numbers of the relations that its changes may be announced under: it, its partitions and those it is one of. */
  readonly parts: readonly number[];
  /** Every change of every row is in the log. */
  readonly isFollowed: boolean;
  /** By this publication alone. */
  readonly isOwn: boolean;
  /** Why it must not be put there; `null` when it may be. */
  readonly obstacle: string | null;
}

/** Tables of a publication that is the server's own to fill. */
export const publicationStoreOf = (ownPublication: "mainstay_policies" | "mainstay_readers") => ({
  look(db: Db, oids: readonly number[]): Promise<readonly PublishedState[]> {
    return db.query<PublishedState>(sql`
      with recursive family (root, part) as (
        select oid, oid from unnest(${sql.value(oids)}::oid[]) as t (oid)
        union
        select f.root, i.inhrelid from family f join pg_catalog.pg_inherits i on i.inhparent = f.part
      ), above (part, ancestor) as (
        select distinct part, part from family
        union
        select a.part, i.inhparent from above a join pg_catalog.pg_inherits i on i.inhrelid = a.ancestor
      ), publications as (
        select p.* from pg_catalog.pg_publication p where p.pubname = any(${sql.value([...publicationNames])}::text[])
      ), published as (
        select p.pubname, g.relid from publications p cross join lateral pg_catalog.pg_get_publication_tables(p.pubname) g
        where p.pubinsert and p.pubupdate and p.pubdelete and p.pubtruncate and g.qual is null
      ), leaves as (
        select f.root, c.oid, c.relkind, c.relpersistence, c.relispartition,
          exists (
            select from above a join published p on p.relid = a.ancestor where a.part = c.oid
          ) as is_published,
          exists (
            select from above a join published p on p.relid = a.ancestor
            where a.part = c.oid and p.pubname = ${sql.value(ownPublication)}
          ) as is_own,
          -- Otherwise PostgreSQL would refuse the app's own UPDATE and DELETE.
          c.relreplident = 'f' or exists (
            select from pg_catalog.pg_index i where i.indrelid = c.oid and i.indisvalid and i.indimmediate
              and case c.relreplident when 'd' then i.indisprimary when 'i' then i.indisreplident else false end
          ) as has_identity,
          -- PostgreSQL does not decode a table that two publications publish different columns of, and of rows it publishes those that
          -- any of them wants: what the app has left out must stay out.
          exists (
            select from above a join pg_catalog.pg_publication_rel r on r.prrelid = a.ancestor
            join publications p on p.oid = r.prpubid where a.part = c.oid and (r.prattrs is not null or r.prqual is not null)
          ) as is_partial
        from family f join pg_catalog.pg_class c on c.oid = f.part where c.relkind <> 'p'
      )
      select c.oid, n.nspname as schema, c.relname as name,
        array(
          select f.part::int8::float8 from family f where f.root = c.oid
          union select a.ancestor::int8::float8 from above a join family f on f.part = a.part where f.root = c.oid
        ) as parts,
        not exists (select from leaves l where l.root = c.oid and not l.is_published) as "isFollowed",
        not exists (select from leaves l where l.root = c.oid and not l.is_own) as "isOwn",
        case
          when not exists (select from publications where pubname = ${sql.value(ownPublication)})
            then 'there is no publication ' || ${sql.value(ownPublication)}
          when c.oid < 16384 then 'it is PostgreSQL''s own'
          when exists (select from leaves l where l.root = c.oid and (l.relkind <> 'r' or l.relpersistence <> 'p'))
            then 'not all of it is written into the log'
          when exists (select from leaves l where l.root = c.oid and l.oid <> c.oid and not l.relispartition)
            then 'other tables inherit from it'
          when exists (select from leaves l where l.root = c.oid and not l.has_identity)
            then 'it has neither a primary key nor another replica identity'
          when exists (select from leaves l where l.root = c.oid and l.is_partial)
            then 'a publication has only some of its columns or rows'
        end as obstacle
      from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      where c.oid = any(${sql.value(oids)}::oid[])`);
  },

  /** Puts a table into the log. Rejects as the database does: when it is not ours to do, or somebody else holds the table. */
  add(database: Database, { schema, name }: Pick<PublishedState, "schema" | "name">): Promise<void> {
    return database.transaction(async (tx) => {
      await tx.query(sql`select pg_catalog.set_config('lock_timeout', ${sql.value(String(lockTimeoutMs))}, true)`);
      await tx.query(sql`
        alter publication ${sql.identifier(ownPublication)} add table only ${sql.identifier(schema, name)}`);
    });
  },

  /** Takes a table out of it, in a transaction. Rejects as `add` does. */
  async remove(tx: Db, { schema, name }: Pick<PublishedState, "schema" | "name">): Promise<void> {
    await tx.query(sql`select pg_catalog.set_config('lock_timeout', ${sql.value(String(lockTimeoutMs))}, true)`);
    await tx.query(sql`
      alter publication ${sql.identifier(ownPublication)} drop table only ${sql.identifier(schema, name)}`);
  },

  /**
   * Takes tables out again that must not be there any more: without a replica identity PostgreSQL refuses the app's own writes, and with
   * columns or rows left out elsewhere, nothing could be decoded or too much would be. @returns their names
   */
  async removeUnfit(database: Database): Promise<readonly string[]> {
    const unfit = await database.query<{ schema: string; name: string }>(sql`
      select n.nspname as schema, c.relname as name
      from pg_catalog.pg_publication p join pg_catalog.pg_publication_rel r on r.prpubid = p.oid
      join pg_catalog.pg_class c on c.oid = r.prrelid join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      where p.pubname = ${sql.value(ownPublication)} and (
        exists (
          select from pg_catalog.pg_publication_rel o join pg_catalog.pg_publication q on q.oid = o.prpubid
          where o.prrelid = c.oid and (o.prattrs is not null or o.prqual is not null)
            and q.pubname = any(${sql.value([...publicationNames])}::text[])
        ) or c.relkind = 'r' and c.relreplident <> 'f' and not exists (
          select from pg_catalog.pg_index i where i.indrelid = c.oid and i.indisvalid and i.indimmediate
            and case c.relreplident when 'd' then i.indisprimary when 'i' then i.indisreplident else false end
        ))`);
    for (const table of unfit) await database.transaction((tx) => this.remove(tx, table));
    return unfit.map(({ schema, name }) => `${schema}.${name}`);
  },

  /** Transactions that have written to one of these and are not over for everybody yet. They hold its lock until they are. */
  async writers(db: Db, parts: readonly number[]): Promise<ReadonlySet<string>> {
    const rows = await db.query<{ holder: string }>(sql`
      select distinct l.virtualtransaction as holder from pg_catalog.pg_locks l
      where l.locktype = 'relation' and l.granted and l.relation = any(${sql.value(parts)}::oid[])
        and l.database = (select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database())
        and l.mode in ('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')`);
    return new Set(rows.map(({ holder }) => holder));
  },
});
