import { sql } from "pg-sql2";
import type { Database, Queryable } from "../postgres/database.ts";

/** One thing that has ended before the tokens that speak of it. */
export interface RevocationRow {
  /** Of two about the same subject the greater is true. */
  readonly id: number;
  readonly kind: "session" | "ban" | "deletion" | "keys";
  readonly subject: string;
  /** Seconds until a ban ends, from now, by the database's clock; 0 or less when it is over or was lifted; `null` for what has no end. */
  readonly forSeconds: number | null;
  readonly ageSeconds: number;
}

export interface Read {
  readonly rows: readonly RevocationRow[];
  /** Where to go on: the oldest transaction that could still add something. */
  readonly next: string;
}

/** All SQL about revocations. Triggers write them (migration 0010): who ends a session need not know. */
export const revocationStore = {
  /**
   * What was added by `since` and later transactions, all with `null`, in order. Some of it may come twice: a row's transaction was
   * numbered before it was seen, so everything from the oldest one that was still running is read again.
   */
  async read(db: Pick<Queryable, "query">, since: string | null): Promise<Read> {
    const rows = await db.query<{ next: string; row: RevocationRow | null }>(sql`
      select pg_snapshot_xmin(pg_current_snapshot())::text as next, r.row
      from (values (1)) one (n) left join lateral (
        select json_build_object('id', r.id, 'kind', r.kind, 'subject', r.subject,
          'forSeconds', case
            when r.kind <> 'ban' then null
            when r.until is null then 0
            when not isfinite(r.until) then 1e12
            else extract(epoch from r.until - clock_timestamp())::float8 end,
          'ageSeconds', extract(epoch from clock_timestamp() - r.at)::float8) as row
        from mainstay.revocations r
        where r.xid >= coalesce(${sql.value(since)}::xid8, '0'::xid8)
        order by r.id
      ) r on true`);
    return { rows: rows.flatMap(({ row }) => (row === null ? [] : [row])), next: rows[0]!.next };
  },

  /** Forgets what no token can speak of any more. @returns how many */
  async sweep(db: Pick<Database, "query">, olderThanSeconds: number): Promise<number> {
    const rows = await db.query(sql`
      delete from mainstay.revocations
      where at < now() - make_interval(secs => ${sql.value(olderThanSeconds)})
        and (kind <> 'ban' or coalesce(until, now()) <= now()) returning 1`);
    return rows.length;
  },
};
