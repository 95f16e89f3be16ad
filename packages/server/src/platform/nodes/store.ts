import { sql } from "pg-sql2";
import type { Queryable } from "../postgres/database.ts";

type Db = Pick<Queryable, "query">;

/** Told to all nodes when one comes or goes, with its id. */
export const nodesChannel = "mainstay_nodes";

/** Another node that has not said goodbye, as its row has it. Times by PostgreSQL's clock. */
export interface NodeRow {
  readonly id: string;
  /** For how long it has said nothing. */
  readonly silentMs: number;
  /** For how long it wants to be able to say nothing. */
  readonly patienceMs: number;
  /** Whether the connection it spoke over last is still there. Where that cannot be known: yes. */
  readonly isConnected: boolean;
}

/** What a node says of itself. */
export interface Beat {
  readonly id: string;
  readonly keysFingerprint: string;
  readonly patienceMs: number;
  /** Others are to look at once. */
  readonly isNews: boolean;
}

export interface Look {
  /** PostgreSQL's clock, in Unix ms. */
  readonly nowMs: number;
  readonly rows: readonly NodeRow[];
}

/** Rows older than that are of nodes whatever they have promised; in s. */
const longestPatienceSeconds = 7_200;

/** Asked by number, which is a look-up; the view would read all connections. Who may not see a connection's age takes it for the same. */
const isConnected = sql`(n.backend_pid is null or exists (
  select from pg_catalog.pg_stat_get_activity(n.backend_pid) a
  where a.backend_start is null or a.backend_start = n.backend_start))`;

const silentMs = sql`(extract(epoch from clock_timestamp() - n.seen_at) * 1000)::float8`;

/** All SQL about who serves this database. */
export const nodesStore = {
  /** Says that this node lives, and looks who else does: one statement, which waits for no disk. May run twice. */
  async beat(db: Db, { id, keysFingerprint, patienceMs, isNews }: Beat): Promise<Look> {
    const rows = await db.query<{ nowMs: number } & NodeRow>(sql`
      with spoken as (
        insert into mainstay.nodes (id, keys_fingerprint, patience_ms, seen_at, backend_pid, backend_start)
        select ${sql.value(id)}::uuid, ${sql.value(keysFingerprint)}, ${sql.value(patienceMs)}::int, clock_timestamp(),
          a.pid, a.backend_start
        from pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid()) a
        on conflict (id) do update set keys_fingerprint = excluded.keys_fingerprint, patience_ms = excluded.patience_ms,
          seen_at = excluded.seen_at, backend_pid = excluded.backend_pid, backend_start = excluded.backend_start, left_at = null
      )
      select n.id, ${silentMs} as "silentMs", n.patience_ms as "patienceMs", ${isConnected} as "isConnected",
        (extract(epoch from clock_timestamp()) * 1000)::float8 as "nowMs",
        one.relaxed, one.told
      from (
        select pg_catalog.set_config('synchronous_commit', 'off', true) as relaxed,
          case when ${sql.value(isNews)}::boolean then pg_catalog.pg_notify(${sql.value(nodesChannel)}, ${sql.value(id)})::text end as told
      ) one
      left join mainstay.nodes n on n.id <> ${sql.value(id)}::uuid and n.left_at is null
        and n.seen_at > now() - make_interval(secs => ${sql.value(longestPatienceSeconds)})`);
    return { nowMs: rows[0]!.nowMs, rows: rows.filter(({ id: other }) => other !== null) };
  },

  /** Remembers the node, and that it is not here any more. */
  async leave(db: Db, id: string): Promise<void> {
    await db.query(sql`
      with gone as (
        update mainstay.nodes set left_at = clock_timestamp() where id = ${sql.value(id)}::uuid returning id
      )
      select pg_catalog.pg_notify(${sql.value(nodesChannel)}, id::text) from gone`);
  },

  /** What other nodes have said of their keys, last seen first. */
  async keys(
    db: Db,
    id: string,
  ): Promise<readonly (NodeRow & { readonly fingerprint: string; readonly hasLeft: boolean })[]> {
    return db.query(sql`
      select n.id, n.keys_fingerprint as fingerprint, n.left_at is not null as "hasLeft", ${silentMs} as "silentMs",
        n.patience_ms as "patienceMs", ${isConnected} as "isConnected"
      from mainstay.nodes n
      where n.id <> ${sql.value(id)}::uuid and n.keys_fingerprint <> ''
      order by n.seen_at desc limit 1000`);
  },

  async sweep(db: Db, olderThanSeconds: number): Promise<void> {
    await db.query(sql`
      delete from mainstay.nodes where seen_at < now() - make_interval(secs => ${sql.value(olderThanSeconds)})`);
  },
};
