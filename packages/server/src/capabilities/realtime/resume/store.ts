import { sql } from "pg-sql2";
import type { Lsn } from "../../../kernel/change.ts";
import { formatLsn, parseLsn } from "../../../platform/changes/lsn.ts";
import type { Database, Queryable } from "../../../platform/postgres/database.ts";

/** What the database is to know of a channel. */
export interface ChannelRecord {
  readonly id: string;
  /** 32 hexadecimal digits. */
  readonly key: string;
  readonly lastRef: number;
  /** `null` while it is live. */
  readonly cursor: Lsn | null;
}

/** A channel of another node, alive or not. */
export interface FoundChannel {
  readonly id: string;
  readonly key: string;
  readonly nodeId: string;
  readonly lastRef: number;
  /** Its own, or its node's. */
  readonly cursor: Lsn;
  readonly isDeparted: boolean;
  /** Away for too long to be sent what it missed: it is only told. */
  readonly isLate: boolean;
}

/** For how long a channel that was lost is sent what it missed, and for how long it is told, at least, that it missed something. */
export interface Kept {
  readonly resumeMs: number;
  readonly tellMs: number;
}

/** All SQL of what clients come back for. */
export const resumeStore = {
  /** Where the log is written to at this moment. */
  async currentPosition(db: Pick<Queryable, "query">): Promise<Lsn> {
    const [row] = await db.query<{ lsn: string }>(sql`select pg_catalog.pg_current_wal_insert_lsn()::text as lsn`);
    return parseLsn(row!.lsn);
  },

  /** Channels under any of these keys that this node does not know itself: another's, and its own that have long been lost. */
  async find(
    db: Pick<Queryable, "query">,
    keys: readonly string[],
    nodeId: string,
    { resumeMs, tellMs }: Kept,
  ): Promise<readonly FoundChannel[]> {
    const before = (ms: number) => sql`clock_timestamp() - make_interval(secs => ${sql.value(ms / 1_000)}::float8)`;
    const rows = await db.query<Omit<FoundChannel, "cursor" | "lastRef"> & { cursor: string; lastRef: string }>(sql`
      select c.id::text as "id", encode(c.key, 'hex') as "key", c.node_id::text as "nodeId", c.last_ref::text as "lastRef",
        coalesce(c.cursor, p.position)::text as "cursor", c.left_at is not null as "isDeparted",
        coalesce(c.left_at, p.at) <= ${before(resumeMs)} as "isLate"
      from mainstay.realtime_channels c
      left join mainstay.realtime_positions p on p.node_id = c.node_id
      where c.key = any (select decode(k, 'hex') from unnest(${sql.value([...keys])}::text[]) k)
        and (c.node_id <> ${sql.value(nodeId)}::uuid or c.left_at <= ${before(resumeMs)})
        and coalesce(c.left_at, p.at) > ${before(tellMs)}`);
    return rows.map((row) => ({ ...row, cursor: parseLsn(row.cursor), lastRef: Number(row.lastRef) }));
  },

  /**
   * Writes what has changed since the last time, together. It does not wait for the disk: what a crash of PostgreSQL takes with it makes
   * positions older, and so repeats messages.
   * @param written channels to be kept as they are here. @param gone channels nobody comes back for
   * @param position all clients of this node have come here; `null`: as it was
   */
  async write(
    db: Pick<Database, "transaction">,
    nodeId: string,
    written: readonly ChannelRecord[],
    gone: readonly string[],
    position: Lsn | null,
  ): Promise<void> {
    const node = sql`${sql.value(nodeId)}::uuid`;
    await db.transaction(async (tx) => {
      await tx.query(sql`set local synchronous_commit = off`);
      if (position !== null) {
        await tx.query(sql`
          insert into mainstay.realtime_positions (node_id, position) values (${node}, ${sql.value(formatLsn(position))}::pg_lsn)
          on conflict (node_id) do update set position = excluded.position, at = clock_timestamp()`);
      }
      if (written.length > 0) {
        await tx.query(sql`
          insert into mainstay.realtime_channels (id, node_id, key, last_ref, cursor, left_at)
          select id, ${node}, decode(key, 'hex'), last_ref, cursor, case when cursor is not null then clock_timestamp() end
          from unnest(${sql.value(written.map(({ id }) => id))}::uuid[], ${sql.value(written.map(({ key }) => key))}::text[],
            ${sql.value(written.map(({ lastRef }) => String(lastRef)))}::bigint[],
            ${sql.value(written.map(({ cursor }) => (cursor === null ? null : formatLsn(cursor))))}::pg_lsn[])
            as w (id, key, last_ref, cursor)
          on conflict (id) do update set last_ref = excluded.last_ref, cursor = excluded.cursor, left_at = excluded.left_at`);
      }
      if (gone.length > 0) {
        await tx.query(sql`delete from mainstay.realtime_channels where id = any (${sql.value([...gone])}::uuid[])`);
      }
    });
  },

  /** Another node's lost channels go on from here. */
  async lower(db: Pick<Queryable, "query">, ids: readonly string[], cursor: Lsn): Promise<void> {
    await db.query(sql`
      update mainstay.realtime_channels set cursor = least(cursor, ${sql.value(formatLsn(cursor))}::pg_lsn)
      where id = any (${sql.value([...ids])}::uuid[])`);
  },

  /** Forgets what nobody may come back for any more, of all nodes. */
  async sweep(db: Pick<Queryable, "query">, keepMs: number): Promise<void> {
    const since = sql`clock_timestamp() - make_interval(secs => ${sql.value(keepMs / 1_000)}::float8)`;
    await db.query(sql`
      with gone as (delete from mainstay.realtime_positions where at < ${since} returning node_id)
      delete from mainstay.realtime_channels c
      where c.left_at < ${since} or c.left_at is null and c.node_id in (select node_id from gone)`);
  },
};
