import { sql } from "pg-sql2";
import type { Lsn } from "../../../kernel/change.ts";
import { formatLsn, parseLsn } from "../../../platform/changes/index.ts";
import type { Queryable } from "../../../platform/postgres/database.ts";
import { type ChangeHandler, type Missed, readerName, type StoredHandler } from "./types.ts";

type Db = Pick<Queryable, "query">;

/** A table by its name, and how the log has it. */
export interface WantedTable {
  readonly schema: string;
  readonly name: string;
  /** `null`: there is no such table. */
  readonly oid: number | null;
}

/** What is asked of a table's rows besides the types of its columns. */
export interface TableFacts {
  readonly primaryKey: readonly string[];
  /** It, and the partitioned tables it is a part of, as `schema.table`. */
  readonly names: readonly string[];
}

/** Changes that a handler was not told of. */
export interface ChangeGap {
  readonly handler: string;
  readonly count: number;
  /** The last one's. */
  readonly reason: string;
  readonly detail: string | null;
}

/** Says that handlers have come or gone. */
export const handlersNews = "mainstay_change_handlers";

export const changeStore = {
  /** Until the transaction ends, no other node changes handlers or the publication. */
  async lock(tx: Db): Promise<void> {
    await tx.query(
      sql`select pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('mainstay.change_handlers', 0))`,
    );
  },

  /** These are wanted, as they are written now. One that looks into another table than before begins anew. */
  async put(tx: Db, handlers: readonly ChangeHandler[], node: string): Promise<void> {
    await tx.query(sql`
      insert into mainstay.change_handlers as h
        (name, table_schema, table_name, operations, filter, columns, order_by, max_attempts, wanted_by)
      select n.name, n."schema", n."table", n.operations, n.filter, n.columns, n."order", n."maxAttempts", ${sql.value(node)}::uuid
      from jsonb_to_recordset(${sql.json(handlers)}::jsonb) as n (name text, "schema" text, "table" text, operations text[],
        filter text, columns text[], "order" text, "maxAttempts" integer)
      on conflict (name) do update set
        since = case when (h.table_schema, h.table_name) = (excluded.table_schema, excluded.table_name) then h.since else excluded.since end,
        table_schema = excluded.table_schema, table_name = excluded.table_name, operations = excluded.operations,
        filter = excluded.filter, columns = excluded.columns, order_by = excluded.order_by,
        max_attempts = excluded.max_attempts, wanted_by = excluded.wanted_by, wanted_at = now()`);
  },

  /** These are still wanted, whatever a newer server has made of them. @returns how many are there */
  async keep(tx: Db, names: readonly string[]): Promise<number> {
    const rows = await tx.query(sql`
      update mainstay.change_handlers set wanted_at = now() where name = any(${sql.value([...names])}::text[]) returning 1`);
    return rows.length;
  },

  /** Takes out what this node was the last to want and does not any more. */
  async drop(tx: Db, node: string, names: readonly string[]): Promise<void> {
    await tx.query(sql`
      delete from mainstay.change_handlers
      where wanted_by = ${sql.value(node)}::uuid and name <> all(${sql.value([...names])}::text[])`);
  },

  async forget(tx: Db, forgetMs: number): Promise<void> {
    await tx.query(sql`
      delete from mainstay.change_handlers
      where wanted_at < now() - ${sql.value(forgetMs)}::float8 * interval '1 ms'`);
  },

  /** Stands for all handlers as they are. */
  async print(tx: Db): Promise<string> {
    const [row] = await tx.query<{ print: string }>(sql`
      select coalesce(md5(string_agg(row(name, table_schema, table_name, operations, filter, columns, order_by, max_attempts, since)::text,
        ',' order by name)), '') as print
      from mainstay.change_handlers`);
    return row!.print;
  },

  /** Handlers are others now: told when the transaction commits. */
  async changed(tx: Db): Promise<void> {
    await tx.query(sql`update mainstay.change_handlers_revision set revision = revision + 1`);
    await tx.query(sql`select pg_catalog.pg_notify(${sql.value(handlersNews)}, '')`);
  },

  async hasHandlers(db: Db): Promise<boolean> {
    const [row] = await db.query<{ any: boolean }>(sql`
      select exists (select from mainstay.change_handlers) as "any"`);
    return row!.any;
  },

  /** Which handlers count now, and which of these transactions are not over for everybody yet. */
  async look(
    tx: Db,
    xids: readonly number[],
  ): Promise<{ readonly revision: string; readonly ending: readonly number[] }> {
    const [row] = await tx.query<{ revision: string; ending: number[] }>(sql`
      select r.revision::text as revision, array(
        select distinct l.transactionid::text::int8::float8 from pg_catalog.pg_locks l
        where l.locktype = 'transactionid' and l.mode = 'ExclusiveLock'
          and l.transactionid::text = any(${sql.value(xids.map(String))}::text[])
      ) as ending
      from mainstay.change_handlers_revision r`);
    return row!;
  },

  async handlers(db: Db): Promise<readonly StoredHandler[]> {
    const rows = await db.query<Omit<StoredHandler, "since"> & { readonly since: string }>(sql`
      select h.name, h.table_schema as "schema", h.table_name as "table", h.operations, h.filter, h.columns,
        h.order_by as "order", h.max_attempts as "maxAttempts", h.since::text as since
      from mainstay.change_handlers h order by h.name`);
    return rows.map((row) => ({ ...row, since: parseLsn(row.since) }));
  },

  /** Tables that handlers want. */
  wanted(db: Db): Promise<readonly WantedTable[]> {
    return db.query<WantedTable>(sql`
      select h.table_schema as "schema", h.table_name as "name", c.oid::int8::float8 as "oid"
      from (select distinct table_schema, table_name from mainstay.change_handlers) h
      left join pg_catalog.pg_namespace n on n.nspname = h.table_schema
      left join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = h.table_name and c.relkind in ('r', 'p')
      order by 1, 2`);
  },

  /** Tables in our publication that no handler wants. */
  unwanted(db: Db): Promise<readonly { readonly schema: string; readonly name: string }[]> {
    return db.query(sql`
      select n.nspname as "schema", c.relname as "name"
      from pg_catalog.pg_publication p join pg_catalog.pg_publication_rel r on r.prpubid = p.oid
      join pg_catalog.pg_class c on c.oid = r.prrelid join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      where p.pubname = 'mainstay_readers' and not exists (
        select from mainstay.change_handlers h where h.table_schema = n.nspname and h.table_name = c.relname)`);
  },

  async facts(db: Db, oid: number): Promise<TableFacts> {
    const [row] = await db.query<TableFacts>(sql`
      with recursive above (oid) as (
        select ${sql.value(oid)}::oid
        union
        select i.inhparent from above a join pg_catalog.pg_inherits i on i.inhrelid = a.oid
      )
      select array(
          select a.attname::text from pg_catalog.pg_index i
          cross join lateral unnest(i.indkey::int2[]) with ordinality as k (attnum, n)
          join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
          where i.indrelid = ${sql.value(oid)}::oid and i.indisprimary order by k.n
        ) as "primaryKey",
        array(
          select n.nspname || '.' || c.relname
          from above a join pg_catalog.pg_class c on c.oid = a.oid join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        ) as names`);
    return row!;
  },

  /** Whether the reader has a place in the log: before, nothing is kept for it. */
  async isEnrolled(db: Db): Promise<boolean> {
    const [row] = await db.query<{ isEnrolled: boolean }>(sql`
      select exists (select from mainstay.log_cursors where name = ${sql.value(readerName)}) as "isEnrolled"`);
    return row!.isEnrolled;
  },

  async walLevel(db: Db): Promise<string> {
    const [row] = await db.query<{ level: string }>(sql`select pg_catalog.current_setting('wal_level') as level`);
    return row!.level;
  },

  /** Whether an old row has all its columns in the log. */
  async hasFullIdentity(db: Db, oid: number): Promise<boolean> {
    const [row] = await db.query<{ isFull: boolean }>(sql`
      select c.relreplident = 'f' as "isFull" from pg_catalog.pg_class c where c.oid = ${sql.value(oid)}::oid`);
    return row?.isFull ?? false;
  },

  async miss(db: Db, { handlers, reason, detail, upTo }: Missed): Promise<void> {
    await db.query(sql`
      insert into mainstay.change_gaps (handler, reason, detail, up_to)
      select h, ${sql.value(reason)}, ${sql.value(detail)}::text, ${sql.value(upTo === null ? null : formatLsn(upTo))}::pg_lsn
      from unnest(${sql.value([...handlers])}::text[]) h`);
  },

  /** In a reader's transaction, which has moved its cursor to where the log goes on: who was there before it, and where it is. */
  async behind(tx: Db): Promise<{ readonly handlers: readonly string[]; readonly upTo: Lsn | null }> {
    const [row] = await tx.query<{ handlers: string[]; upTo: string | null }>(sql`
      select array(select h.name from mainstay.change_handlers h where h.since < c.lsn order by 1) as handlers, c.lsn::text as "upTo"
      from mainstay.log_cursors c where c.name = ${sql.value(readerName)}`);
    return row === undefined
      ? { handlers: [], upTo: null }
      : { handlers: row.handlers, upTo: row.upTo === null ? null : parseLsn(row.upTo) };
  },

  /** What functions were not told of since then, by handler. */
  gaps(db: Db, sinceMs: number): Promise<readonly ChangeGap[]> {
    return db.query<ChangeGap>(sql`
      select g.handler, count(*)::int as count, (array_agg(g.reason order by g.id desc))[1] as reason,
        (array_agg(g.detail order by g.id desc))[1] as detail
      from mainstay.change_gaps g where g.noticed_at > now() - ${sql.value(sinceMs)}::float8 * interval '1 ms'
      group by g.handler order by g.handler`);
  },

  async sweepGaps(db: Db, keepMs: number): Promise<void> {
    await db.query(sql`
      delete from mainstay.change_gaps where noticed_at < now() - ${sql.value(keepMs)}::float8 * interval '1 ms'`);
  },
};
