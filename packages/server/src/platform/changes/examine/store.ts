import { sql } from "pg-sql2";
import type { Queryable } from "../../postgres/database.ts";
import { publicationNames } from "../store.ts";

type Db = Pick<Queryable, "query">;

/** A replication slot of ours, of this database. */
export interface SlotFacts {
  readonly name: string;
  /** Somebody streams from it. */
  readonly isActive: boolean;
  /** PostgreSQL has given it up. */
  readonly isLost: boolean;
  /** Log that PostgreSQL keeps because of it. */
  readonly retainedBytes: number;
}

/** A table that a publication of ours publishes. */
export interface PublishedFacts {
  readonly publication: string;
  /** Qualified, as SQL writes it. */
  readonly table: string;
  readonly oid: number;
  /** PostgreSQL can tell which row an UPDATE or DELETE was about; otherwise it refuses them. */
  readonly hasIdentity: boolean;
  readonly hasPrimaryKey: boolean;
  /** Another publication of ours has other columns of it: then PostgreSQL decodes nothing that was written to it. */
  readonly isAmbiguous: boolean;
}

export const examineStore = {
  /** Those whose names are ours, on whichever node. */
  slots(db: Db): Promise<readonly SlotFacts[]> {
    return db.query<SlotFacts>(sql`
      select s.slot_name::text as name, s.active as "isActive", coalesce(s.wal_status = 'lost', false) as "isLost",
        coalesce(pg_catalog.pg_current_wal_insert_lsn() - s.restart_lsn, 0)::float8 as "retainedBytes"
      from pg_catalog.pg_replication_slots s
      where s.database = pg_catalog.current_database() and s.slot_name::text ~ '^mainstay_(log|live)_' order by 1`);
  },

  /** Names of those of our publications that are there. */
  async publications(db: Db): Promise<readonly string[]> {
    const rows = await db.query<{ name: string }>(sql`
      select p.pubname::text as name from pg_catalog.pg_publication p
      where p.pubname = any(${sql.value([...publicationNames])}::text[]) order by 1`);
    return rows.map(({ name }) => name);
  },

  published(db: Db): Promise<readonly PublishedFacts[]> {
    return db.query<PublishedFacts>(sql`
      with published as (
        select p.pubname::text as publication, c.oid, c.relkind, c.relreplident, p.pubupdate or p.pubdelete as "tells changes",
          quote_ident(n.nspname) || '.' || quote_ident(c.relname) as name,
          case when r.prattrs is not null then g.attrs::text end as columns
        from pg_catalog.pg_publication p cross join lateral pg_catalog.pg_get_publication_tables(p.pubname) g
        join pg_catalog.pg_class c on c.oid = g.relid join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        left join pg_catalog.pg_publication_rel r on r.prpubid = p.oid and r.prrelid = c.oid
        where p.pubname = any(${sql.value([...publicationNames])}::text[])
      )
      select publication, name as "table", oid::int8::float8 as oid,
        not "tells changes" or relreplident = 'f' or exists (
          select from pg_catalog.pg_index i where i.indrelid = p.oid and i.indisvalid and i.indimmediate
            and case p.relreplident when 'd' then i.indisprimary when 'i' then i.indisreplident else false end
        ) as "hasIdentity",
        exists (select from pg_catalog.pg_index i where i.indrelid = p.oid and i.indisprimary) as "hasPrimaryKey",
        exists (select from published o where o.oid = p.oid and o.columns is distinct from p.columns) as "isAmbiguous"
      from published p order by 1, 2`);
  },
};
