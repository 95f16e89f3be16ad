import { sql } from "pg-sql2";
import type { Lsn } from "../../../kernel/change.ts";
import type { Queryable } from "../../postgres/database.ts";
import { formatLsn, parseLsn } from "../lsn.ts";
import type { Cursor } from "./cursor.ts";

type Db = Pick<Queryable, "query">;

/** A cursor as it is remembered. */
export interface StoredCursor extends Cursor {
  readonly name: string;
  /** The log it is a place of. */
  readonly epoch: string;
}

/** How a reader stands, for whoever looks from outside of a server. */
export interface ReaderFacts {
  readonly name: string;
  /** Log that has been written and that it has not taken in. */
  readonly lagBytes: number;
  /** Since a node last read for it. */
  readonly unreadMs: number;
}

interface Row {
  readonly name: string;
  readonly epoch: string;
  readonly lsn: string;
  readonly changes: number;
  readonly messages: number;
}

/** Held by the node that reads, on the connection it reads over. */
export const leaderLock = "pg_catalog.hashtextextended('mainstay.log.readers', 0)";

const columns = sql`c.name, c.epoch, c.lsn::text as lsn, c.changes, c.messages`;

/** All SQL about how far durable readers have read. */
export const cursorStore = {
  /** Cursors of these readers. One that has none begins where the log ends now. */
  async enroll(db: Db, names: readonly string[], epoch: string): Promise<readonly StoredCursor[]> {
    const rows = await db.query<Row>(sql`
      insert into mainstay.log_cursors as c (name, epoch, lsn)
      select n, ${sql.value(epoch)}, pg_catalog.pg_current_wal_insert_lsn() from unnest(${sql.value([...names])}::text[]) n
      order by n
      on conflict (name) do update set read_at = now()
      returning ${columns}`);
    return rows.map(cursorOf);
  },

  async find(db: Db, name: string): Promise<StoredCursor | null> {
    const [row] = await db.query<Row>(sql`
      select ${columns} from mainstay.log_cursors c where c.name = ${sql.value(name)}`);
    return row === undefined ? null : cursorOf(row);
  },

  /** @returns false when it is not where it is thought to be: another node has moved it */
  async move(db: Db, from: StoredCursor, to: Cursor & { readonly epoch: string }): Promise<boolean> {
    const rows = await db.query(sql`
      update mainstay.log_cursors c
      set epoch = ${sql.value(to.epoch)}, lsn = ${sql.value(formatLsn(to.lsn))}::pg_lsn, changes = ${sql.value(to.changes)}::int,
        messages = ${sql.value(to.messages)}::int, moved_at = now(), read_at = now()
      where c.name = ${sql.value(from.name)} and c.epoch = ${sql.value(from.epoch)}
        and c.lsn = ${sql.value(formatLsn(from.lsn))}::pg_lsn
        and c.changes = ${sql.value(from.changes)}::int and c.messages = ${sql.value(from.messages)}::int
      returning 1`);
    return rows.length === 1;
  },

  /** Says that these are still read for. */
  async touch(db: Db, names: readonly string[]): Promise<void> {
    await db.query(sql`
      update mainstay.log_cursors set read_at = now() where name = any(${sql.value([...names])}::text[])`);
  },

  /** What readers still need begins here; `null` when nobody does. A reader nobody has read for in so long is not asked. */
  async floor(db: Db, forgetMs: number): Promise<Lsn | null> {
    const [row] = await db.query<{ lsn: string | null }>(sql`
      select min(c.lsn)::text as lsn from mainstay.log_cursors c
      where c.read_at > now() - ${sql.value(forgetMs)}::float8 * interval '1 ms'`);
    return row!.lsn === null ? null : parseLsn(row!.lsn);
  },

  async facts(db: Db): Promise<readonly ReaderFacts[]> {
    return db.query<ReaderFacts>(sql`
      select c.name, greatest(pg_catalog.pg_current_wal_insert_lsn() - c.lsn, 0)::float8 as "lagBytes",
        (extract(epoch from now() - c.read_at) * 1000)::float8 as "unreadMs"
      from mainstay.log_cursors c order by c.name`);
  },

  /** Whether a node reads. */
  async isLed(db: Db): Promise<boolean> {
    const [row] = await db.query<{ isLed: boolean }>(sql`
      select exists (
        select from pg_catalog.pg_locks l
        where l.locktype = 'advisory' and l.granted and l.objsubid = 1
          and l.database = (select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database())
          and ((l.classid::bigint << 32) | l.objid::bigint) = pg_catalog.hashtextextended('mainstay.log.readers', 0)
      ) as "isLed"`);
    return row!.isLed;
  },
};

function cursorOf({ name, epoch, lsn, changes, messages }: Row): StoredCursor {
  return { name, epoch, lsn: parseLsn(lsn), changes, messages };
}
