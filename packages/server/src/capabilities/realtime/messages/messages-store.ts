import { sql } from "pg-sql2";
import type { Database, Queryable } from "../../../platform/postgres/database.ts";

type Db = Pick<Queryable, "query">;

/** Longest wait for the table, in ms: whoever sends a message meanwhile waits as long. Another time will do. */
const lockTimeoutMs = 2_000;

/** What is to be done with the partitions of `realtime.messages`. Days are `YYYY-MM-DD`, in UTC by PostgreSQL's clock. */
export interface MessagesState {
  /** Without rows and days nobody uses it, and the default partition is enough for the first one. */
  readonly isUsed: boolean;
  readonly hasDefault: boolean;
  /** From today on, that have no partition. */
  readonly missingDays: readonly string[];
  /** Names of partitions all of whose rows are too old. */
  readonly expired: readonly string[];
  readonly hasExpiredRows: boolean;
}

export const messagesStore = {
  /** `null` when there is no such table. */
  async state(db: Db, keepDays: number, aheadDays: number): Promise<MessagesState | null> {
    const [row] = await db.query<MessagesState>(sql`
      with messages as (
        select c.oid from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where n.nspname = 'realtime' and c.relname = 'messages' and c.relkind = 'p'
      ), today as (
        select timezone('utc', now())::date as day
      ), partitions as (
        select c.relname as name, pg_catalog.pg_get_expr(c.relpartbound, c.oid) as bound
        from pg_catalog.pg_inherits i join messages m on m.oid = i.inhparent join pg_catalog.pg_class c on c.oid = i.inhrelid
      ), days as (
        -- As PostgreSQL prints a timestamp in ISO style, which is how this connection is set.
        select name, (regexp_match(bound, 'FROM [(]''([0-9-]{10})'))[1]::date as first,
          (regexp_match(bound, 'TO [(]''([0-9-]{10})'))[1]::date as past
        from partitions where bound <> 'DEFAULT'
      )
      select
        exists (select from days) or exists (select from realtime.messages) as "isUsed",
        exists (select from partitions where bound = 'DEFAULT') as "hasDefault",
        array(
          select (today.day + n)::text from today, generate_series(0, ${sql.value(aheadDays)}::int) as n
          where not exists (select from days where today.day + n >= first and today.day + n < past) order by n
        ) as "missingDays",
        array(
          select name::text from days, today where past <= today.day - ${sql.value(keepDays)}::int order by name
        ) as expired,
        exists (
          select from realtime.messages m, today where m.inserted_at < today.day - ${sql.value(keepDays)}::int
            and not exists (select from days where past <= today.day - ${sql.value(keepDays)}::int)
        ) as "hasExpiredRows"
      from messages`);
    return row ?? null;
  },

  /**
   * Makes room for the messages of a day. Rejects with a DatabaseError: 23514 when some are in the default partition already, where
   * that day then stays; 42P07 when another node was faster; 55P03 when the table is in use for too long.
   */
  addDay(db: Database, day: string): Promise<void> {
    const partition = sql.identifier("realtime", `messages_${day.replaceAll("-", "_")}`);
    return onTable(db, async (tx) => {
      // Put together first and attached then: to create it as a partition would lock out everybody who sends.
      await tx.query(sql`create table ${partition} (like realtime.messages including all)`);
      await tx.query(sql`alter table ${partition} enable row level security`);
      await tx.query(sql`
        alter table realtime.messages attach partition ${partition}
        for values from (${sql.literal(day)}) to (${sql.literal(dayAfter(day))})`);
    });
  },

  drop(db: Database, name: string): Promise<void> {
    return onTable(db, async (tx) => {
      await tx.query(sql`drop table ${sql.identifier("realtime", name)}`);
    });
  },

  async deleteExpired(db: Db, keepDays: number): Promise<void> {
    await db.query(sql`
      delete from realtime.messages where inserted_at < timezone('utc', now())::date - ${sql.value(keepDays)}::int`);
  },
};

/** One piece of work on the table's shape, by one node at a time, on a connection that is not kept for it. */
function onTable(db: Database, work: (tx: Queryable) => Promise<void>): Promise<void> {
  return db.transaction(
    async (tx) => {
      await tx.query(sql`
        select set_config('lock_timeout', ${sql.value(`${lockTimeoutMs}ms`)}, true),
          pg_advisory_xact_lock(hashtext('mainstay realtime.messages'))`);
      await work(tx);
    },
    { closesConnection: true },
  );
}

const dayAfter = (day: string): string =>
  new Date(Date.parse(`${day}T00:00:00Z`) + 86_400_000).toISOString().slice(0, 10);
