import { sql } from "pg-sql2";
import type { Lsn } from "../../kernel/change.ts";
import type { Queryable } from "../postgres/database.ts";
import { formatLsn, parseLsn } from "./lsn.ts";

type Db = Pick<Queryable, "query">;

/** A type as `pg_type` has it, and the types it is made of. */
export interface TypeRow {
  readonly oid: number;
  readonly name: string;
  /** `pg_type.typtype`: `b`ase, `c`omposite, `d`omain, `e`num, `r`ange, `m`ultirange, `p`seudo. */
  readonly kind: string;
  /** Of an array, what it is of; otherwise 0. */
  readonly elementOid: number;
  readonly delimiter: string;
  /** Of a domain, what it is made from; otherwise 0. */
  readonly baseOid: number;
  /** Of a composite, in order; otherwise empty. */
  readonly fields: readonly { readonly name: string; readonly typeOid: number }[];
}

/** What publications readers are served from, where they exist. */
export const publicationNames = [
  "supabase_realtime",
  "supabase_realtime_messages_publication",
  "mainstay_policies",
  "mainstay_readers",
  "mainstay_webhooks",
] as const;

export const changesStore = {
  /** These types and all they are made of. A type that is no more is left out. */
  async types(db: Db, oids: readonly number[]): Promise<readonly TypeRow[]> {
    return db.query<TypeRow>(sql`
      with recursive needed (oid) as (
        select unnest(${sql.value(oids)}::bigint[])::oid
        union
        select part.oid
        from needed n join pg_catalog.pg_type t on t.oid = n.oid
        cross join lateral (
          select t.typelem as oid where t.typelem <> 0
          union all select t.typbasetype where t.typbasetype <> 0
          union all select a.atttypid from pg_catalog.pg_attribute a
            where a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped
        ) part
      )
      select t.oid, t.typname as name, t.typtype as kind, t.typdelim as delimiter,
        t.typbasetype as "baseOid",
        -- A point has elements, too, and is no array: what makes one is how it is subscripted.
        case when t.typsubscript = 'pg_catalog.array_subscript_handler'::regproc and t.typname not like '%vector'
          then t.typelem else 0::oid end as "elementOid",
        coalesce((
          select jsonb_agg(jsonb_build_object('name', a.attname, 'typeOid', a.atttypid::int8) order by a.attnum)
          from pg_catalog.pg_attribute a where a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped
        ), '[]') as fields
      from pg_catalog.pg_type t where t.oid in (select n.oid from needed n)`);
  },

  /** Which publications there are to read, and whether schema changes are written into the log. */
  async sources(db: Db): Promise<{ readonly publications: readonly string[]; readonly announcesSchema: boolean }> {
    const [row] = await db.query<{ publications: string[]; announcesSchema: boolean }>(sql`
      select array(
          select p.pubname::text from pg_catalog.pg_publication p
          where p.pubname = any(${sql.value([...publicationNames])}::text[]) order by 1
        ) as publications,
        exists (
          select from pg_catalog.pg_event_trigger t
          where t.evtname = 'mainstay_announce_ddl' and t.evtenabled <> 'D'
        ) as "announcesSchema"`);
    return row!;
  },

  /** Whether a transaction whose COMMIT is in the log is still its session's alone: until then it keeps its own number locked. */
  async isEnding(db: Db, xid: number): Promise<boolean> {
    const [row] = await db.query<{ isEnding: boolean }>(sql`
      select exists (
        select from pg_catalog.pg_locks l
        where l.locktype = 'transactionid' and l.mode = 'ExclusiveLock' and l.transactionid = ${sql.value(String(xid))}::xid
      ) as "isEnding"`);
    return row!.isEnding;
  },

  /** The word that news of the schema in the log come with (migration 0020); `null` where there is none, or we may not know it. */
  async schemaWord(db: Db): Promise<string | null> {
    const [table] = await db.query<{ isReadable: boolean }>(sql`
      select coalesce(pg_catalog.has_table_privilege(pg_catalog.to_regclass('mainstay.log_word'), 'select'), false) as "isReadable"`);
    if (!table!.isReadable) return null;
    const [row] = await db.query<{ word: string }>(sql`select word from mainstay.log_word`);
    return row?.word ?? null;
  },

  /** Everything that has committed stands before it. */
  async insertPosition(db: Db): Promise<Lsn> {
    const [row] = await db.query<{ lsn: string }>(sql`select pg_catalog.pg_current_wal_insert_lsn()::text as lsn`);
    return parseLsn(row!.lsn);
  },

  /** `server_version_num`: 180004. */
  async serverVersion(db: Db): Promise<number> {
    const [row] = await db.query<{ version: number }>(sql`
      select pg_catalog.current_setting('server_version_num')::int as version`);
    return row!.version;
  },

  /**
   * Writes messages into the log, in order. `content` is all of them one after the other, `lengths` how long each is. `durability`:
   * `flushed` by the function itself (PostgreSQL 17 and newer), by a `committed` transaction, or `later` by PostgreSQL's own writer.
   */
  async emit(
    db: Db,
    messages: { readonly prefixes: readonly string[]; readonly content: Buffer; readonly lengths: readonly number[] },
    durability: "flushed" | "committed" | "later",
  ): Promise<void> {
    const { prefixes, content, lengths } = messages;
    // The last one's flush is that of all before it.
    const flush = durability === "flushed" ? sql`, n = ${sql.value(prefixes.length)}::int` : sql``;
    await db.query(sql`
      with content as materialized (select decode(${sql.value(content.toString("base64"))}, 'base64') as bytes),
      parts as (
        select prefix, length, n, (sum(length) over (order by n) - length)::int + 1 as start
        from unnest(${sql.value(prefixes)}::text[], ${sql.value(lengths)}::int[]) with ordinality as m (prefix, length, n)
        order by n
      )
      select pg_catalog.pg_logical_emit_message(${sql.value(durability === "committed")}::boolean, p.prefix,
        substring(c.bytes from p.start for p.length)${flush})
      from parts p, content c order by p.n`);
  },
};

/** What PostgreSQL says of a slot, and of the log at that moment. */
export interface SlotState {
  readonly exists: boolean;
  /** PostgreSQL has thrown away what it would need. */
  readonly isLost: boolean;
  /** Why, where PostgreSQL (17 and newer) says so: `wal_removed`, `idle_timeout` … */
  readonly lostBecause: string | null;
  readonly isActive: boolean;
  /** Everything before it has been given up. */
  readonly confirmed: Lsn | null;
  /** Where PostgreSQL would have to begin to read, and what it keeps the log from. */
  readonly restart: Lsn | null;
  readonly current: Lsn;
}

export const slotStore = {
  /** The number of this database, by which its slots are named: slots belong to the whole server. */
  async databaseOid(db: Db): Promise<number> {
    const [row] = await db.query<{ oid: number }>(sql`
      select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database()`);
    return row!.oid;
  },

  /** What PostgreSQL says of it, and of the log. */
  async state(db: Db, name: string): Promise<SlotState> {
    const [row] = await db.query<{
      isLost: boolean | null;
      lostBecause: string | null;
      isActive: boolean | null;
      confirmed: string | null;
      restart: string | null;
      current: string;
    }>(sql`
      select s.wal_status = 'lost' as "isLost", to_jsonb(s) ->> 'invalidation_reason' as "lostBecause", s.active as "isActive", s.confirmed_flush_lsn::text as confirmed,
        s.restart_lsn::text as restart, pg_catalog.pg_current_wal_insert_lsn()::text as current
      from (select) as one
      left join pg_catalog.pg_replication_slots s on s.slot_name = ${sql.value(name)}`);
    const { isLost, lostBecause, isActive, confirmed, restart, current } = row!;
    return {
      exists: isActive !== null,
      isLost: isLost ?? false,
      lostBecause,
      isActive: isActive ?? false,
      confirmed: confirmed === null ? null : parseLsn(confirmed),
      restart: restart === null ? null : parseLsn(restart),
      current: parseLsn(current),
    };
  },

  /** For the transaction it is called in. */
  async unlimited(tx: Db): Promise<void> {
    await tx.query(sql`
      select pg_catalog.set_config('statement_timeout', '0', true), pg_catalog.set_config('lock_timeout', '0', true)`);
  },

  /** Gives up what stands before `to`; nothing when another node is at it, or it has been done. In a transaction. */
  async advance(tx: Db, name: string, to: Lsn): Promise<void> {
    const [lock] = await tx.query<{ isMine: boolean }>(sql`
      select pg_catalog.pg_try_advisory_xact_lock(pg_catalog.hashtextextended(${sql.value(name)}, 1)) as "isMine"`);
    if (!lock!.isMine) return;
    await tx.query(sql`
      select pg_catalog.pg_replication_slot_advance(s.slot_name, ${sql.value(formatLsn(to))}::pg_lsn)
      from pg_catalog.pg_replication_slots s
      where s.slot_name = ${sql.value(name)} and not s.active and s.confirmed_flush_lsn <= ${sql.value(formatLsn(to))}::pg_lsn`);
  },

  async markFollowed(db: Db, name: string): Promise<void> {
    await db.query(sql`
      insert into mainstay.log_slots (name) values (${sql.value(name)})
      on conflict (name) do update set followed_at = now()`);
  },

  /** Drops the slot when nobody has followed for so long: since it was seen first, if nobody ever has. @returns whether it is gone */
  async dropUnfollowed(db: Db, name: string, idleMs: number): Promise<boolean> {
    await db.query(sql`
      insert into mainstay.log_slots (name)
      select s.slot_name from pg_catalog.pg_replication_slots s where s.slot_name = ${sql.value(name)}
      on conflict (name) do nothing`);
    const rows = await db.query(sql`
      select pg_catalog.pg_drop_replication_slot(s.slot_name)
      from pg_catalog.pg_replication_slots s
      where s.slot_name = ${sql.value(name)} and not s.active and not exists (
        select from mainstay.log_slots l
        where l.name = s.slot_name::text and l.followed_at > now() - ${sql.value(idleMs)}::float8 * interval '1 ms'
      )`);
    return rows.length > 0;
  },
};
