import { sql } from "pg-sql2";
import type { Queryable } from "../../../../platform/postgres/database.ts";
import { type Kept, sizeOf } from "./kept.ts";

interface Row {
  readonly status: number | null;
  readonly headers: string[] | null;
  readonly body: Buffer | null;
  readonly ageMs: number | null;
}

const keptOf = ({ ageMs, body, headers, status }: Row): Kept | null =>
  status === null || headers === null || body === null || ageMs === null
    ? null
    : { status, headers, body, givenAtMs: performance.now() - Math.max(0, ageMs) };

const bytea = (bytes: Buffer) => sql`decode(${sql.value(bytes.toString("base64"))}, 'base64')`;

const columns = sql`c.status, c.headers, c.body, (extract(epoch from clock_timestamp() - c.fetched_at) * 1000)::float8 as "ageMs"`;

/** `mainstay.http_cache`: answers for all nodes. Ages are by PostgreSQL's clock. */
export const cacheStore = {
  /** What is there. A row without an answer is one that is being fetched. */
  async find(db: Queryable, key: Buffer): Promise<{ readonly kept: Kept | null; readonly isFetching: boolean }> {
    const [row] = await db.query<Row & { readonly isFetching: boolean }>(sql`
      update mainstay.http_cache c set used_at = clock_timestamp() where c.key = ${bytea(key)}
      returning ${columns}, coalesce(c.fetching_until > clock_timestamp(), false) as "isFetching"`);
    return row === undefined ? { kept: null, isFetching: false } : { kept: keptOf(row), isFetching: row.isFetching };
  },

  /** Takes the lease to fetch what is older than `freshMs`, unless somebody has it. One that is over is anybody's. */
  async lease(
    db: Queryable,
    {
      by,
      freshMs,
      key,
      leaseMs,
    }: { readonly key: Buffer; readonly by: string; readonly leaseMs: number; readonly freshMs: number },
  ): Promise<boolean> {
    const until = sql`clock_timestamp() + make_interval(secs => ${sql.value(leaseMs / 1_000)}::float8)`;
    const rows = await db.query(sql`
      insert into mainstay.http_cache as c (key, kept_until, fetching_until, fetching_by)
      values (${bytea(key)}, ${until}, ${until}, ${sql.value(by)}::uuid)
      on conflict (key) do update set fetching_until = excluded.fetching_until, fetching_by = excluded.fetching_by,
        kept_until = greatest(c.kept_until, excluded.kept_until)
      where (c.fetching_until is null or c.fetching_until <= clock_timestamp())
        and (c.fetched_at is null or c.fetched_at < clock_timestamp() - make_interval(secs => ${sql.value(freshMs / 1_000)}::float8))
      returning 1`);
    return rows.length > 0;
  },

  /** Keeps an answer, and ends the lease. One that is newer stays: who was slow has nothing better. */
  async keep(db: Queryable, key: Buffer, by: string, kept: Kept, keepMs: number): Promise<void> {
    const ageMs = Math.max(0, performance.now() - kept.givenAtMs);
    const givenAt = sql`clock_timestamp() - make_interval(secs => ${sql.value(ageMs / 1_000)}::float8)`;
    await db.query(sql`
      insert into mainstay.http_cache as c (key, revision, status, headers, body, size_bytes, fetched_at, kept_until)
      values (${bytea(key)}, 1, ${sql.value(kept.status)}, ${sql.value(kept.headers)}::text[], ${bytea(kept.body)},
        ${sql.value(sizeOf(kept))}, ${givenAt}, clock_timestamp() + make_interval(secs => ${sql.value(keepMs / 1_000)}::float8))
      on conflict (key) do update set revision = c.revision + 1, status = excluded.status, headers = excluded.headers, body = excluded.body,
        size_bytes = excluded.size_bytes, fetched_at = excluded.fetched_at, kept_until = greatest(c.kept_until, excluded.kept_until),
        used_at = clock_timestamp(),
        fetching_until = case when c.fetching_by = ${sql.value(by)}::uuid then null else c.fetching_until end
      where c.fetched_at is null or c.fetched_at < excluded.fetched_at`);
  },

  /** Lets others fetch it: it did not come. */
  async release(db: Queryable, key: Buffer, by: string): Promise<void> {
    await db.query(sql`
      update mainstay.http_cache set fetching_until = null, fetching_by = null
      where key = ${bytea(key)} and fetching_by = ${sql.value(by)}::uuid`);
  },

  /** Removes what nobody wants any more, and of the rest what was used longest ago, until it is within the limits. */
  async sweep(db: Queryable, limits: { readonly entries: number; readonly bytes: number }): Promise<void> {
    await db.query(sql`
      delete from mainstay.http_cache
      where kept_until < clock_timestamp() and coalesce(fetching_until, '-infinity') < clock_timestamp()`);
    await db.query(sql`
      delete from mainstay.http_cache c using (
        select key, row_number() over (order by used_at desc) as place, sum(size_bytes) over (order by used_at desc, key) as bytes
        from mainstay.http_cache
      ) as ranked
      where c.key = ranked.key and (ranked.place > ${sql.value(limits.entries)}::bigint or ranked.bytes > ${sql.value(limits.bytes)}::bigint)`);
  },
};
