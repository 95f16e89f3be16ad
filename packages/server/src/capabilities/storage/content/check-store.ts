import { type SQL, sql } from "pg-sql2";
import type { Database, Queryable } from "../../../platform/postgres/database.ts";
import { type StoredSegment, storedSegmentOf } from "./read-store.ts";

type Query = Pick<Queryable, "query">;

/** An object, and what is known of the bytes it names. */
export interface CheckedObject {
  readonly id: string;
  readonly bucketId: string;
  readonly name: string;
  readonly version: string;
  /** `null` when there is no such version. */
  readonly state: "receiving" | "kept" | "dead" | null;
  /** As the object says. */
  readonly sizeBytes: number;
  /** As its segments are. */
  readonly segmentBytes: number;
}

/** A segment that somebody may read. */
export interface CheckedSegment extends StoredSegment {
  readonly version: string;
  /** In hexadecimal. */
  readonly md5: string;
  /** One that has these bytes; `null` when none has. */
  readonly object: { readonly bucketId: string; readonly name: string } | null;
}

const live = sql`s.size_bytes is not null and not s.is_dead`;
const interval = (ms: number): SQL => sql`${sql.value(ms)}::float8 * interval '1 ms'`;

/** All SQL that compares facts with bytes, page by page, and sets right what nobody would miss. */
export const checkStore = {
  async objects(db: Query, after: string, most: number): Promise<readonly CheckedObject[]> {
    return db.query<CheckedObject>(sql`
      select o.id, o.bucket_id as "bucketId", o.name, o.version, v.state,
        mainstay.object_bytes(o.metadata)::float8 as "sizeBytes",
        (
          select coalesce(sum(s.size_bytes), 0)::float8 from mainstay.object_segments s
          where s.version_id = o.version and ${live}
        ) as "segmentBytes"
      from storage.objects o left join mainstay.object_versions v on v.id = o.version
      where o.version is not null and o.id > ${sql.value(after)}::uuid
      order by o.id limit ${sql.value(most)}`);
  },

  async segments(db: Query, after: string, most: number): Promise<readonly CheckedSegment[]> {
    interface Row extends Omit<Parameters<typeof storedSegmentOf>[0], never> {
      readonly version: string;
      readonly md5: string;
      readonly bucketId: string | null;
      readonly name: string | null;
    }
    const rows = await db.query<Row>(sql`
      select s.blob_id as "blobId", s.size_bytes::float8 as "sizeBytes", encode(s.md5, 'hex') as md5,
        encode(s.wrapped_key, 'hex') as wrapped, s.wrapping_key_id as "wrappingKeyId", s.key_blob_id as "keyBlobId",
        s.version_id as version, o.bucket_id as "bucketId", o.name
      from mainstay.object_segments s
      join mainstay.object_versions v on v.id = s.version_id and v.state = 'kept'
      left join lateral (
        select o.bucket_id, o.name from storage.objects o where o.version = v.id limit 1
      ) o on true
      where s.blob_id > ${sql.value(after)}::uuid and ${live}
      order by s.blob_id limit ${sql.value(most)}`);
    return rows.map((row) => ({
      ...storedSegmentOf(row),
      version: row.version,
      md5: row.md5,
      object: row.bucketId === null || row.name === null ? null : { bucketId: row.bucketId, name: row.name },
    }));
  },

  /** Whether somebody may still read it. */
  async isRead(db: Query, blobId: string): Promise<boolean> {
    const rows = await db.query(sql`
      select from mainstay.object_segments s
      join mainstay.object_versions v on v.id = s.version_id and v.state = 'kept'
      where s.blob_id = ${sql.value(blobId)}::uuid and ${live}`);
    return rows.length > 0;
  },

  /** Which of these have a row, whatever it says. */
  async known(db: Query, blobIds: readonly string[]): Promise<ReadonlySet<string>> {
    const rows = await db.query<{ blobId: string }>(sql`
      select s.blob_id as "blobId" from mainstay.object_segments s
      where s.blob_id = any (${sql.value([...blobIds])}::uuid[])`);
    return new Set(rows.map(({ blobId }) => blobId));
  },

  /** Versions that are kept though no object names them. */
  async unnamed(db: Query, after: string, most: number): Promise<readonly { id: string; sizeBytes: number }[]> {
    return db.query<{ id: string; sizeBytes: number }>(sql`
      select v.id, (
          select coalesce(sum(s.size_bytes), 0)::float8 from mainstay.object_segments s
          where s.version_id = v.id and ${live}
        ) as "sizeBytes"
      from mainstay.object_versions v
      where v.state = 'kept' and v.id > ${sql.value(after)}
        and not exists (select from storage.objects o where o.version = v.id)
      order by v.id limit ${sql.value(most)}`);
  },

  async end(db: Query, version: string): Promise<void> {
    await db.query(sql`
      update mainstay.object_versions v set state = 'dead', expires_at = now()
      where v.id = ${sql.value(version)} and v.state = 'kept'
        and not exists (select from storage.objects o where o.version = v.id)`);
  },

  /** How much should have been swept so long ago. */
  async unswept(db: Query, sinceMs: number): Promise<{ readonly uploads: number; readonly blobs: number }> {
    const [row] = await db.query<{ uploads: number; blobs: number }>(sql`
      select
        (
          select count(*)::int from mainstay.object_versions v
          where v.state = 'receiving' and v.expires_at < clock_timestamp() - ${interval(sinceMs)}
        ) as uploads,
        (
          select count(*)::int from mainstay.object_segments s join mainstay.object_versions v on v.id = s.version_id
          where s.expires_at > '-infinity' and s.expires_at < clock_timestamp() - ${interval(sinceMs)}
            or v.state = 'dead' and v.expires_at > '-infinity' and v.expires_at < clock_timestamp() - ${interval(sinceMs)}
        ) as blobs`);
    return row!;
  },

  /** Owners of whom something else is counted than they have. */
  async miscounted(db: Query): Promise<readonly { owner: string; countedBytes: number; actualBytes: number }[]> {
    return db.query<{ owner: string; countedBytes: number; actualBytes: number }>(sql`
      select coalesce(u.owner_id, o.owner_id) as owner, coalesce(u.used_bytes, 0)::float8 as "countedBytes",
        coalesce(o.bytes, 0)::float8 as "actualBytes"
      from mainstay.object_usage u
      full join (
        select o.owner_id, sum(mainstay.object_bytes(o.metadata)) as bytes, count(*) as objects
        from storage.objects o where o.owner_id is not null group by o.owner_id
      ) o on o.owner_id = u.owner_id
      where coalesce(u.used_bytes, 0) <> coalesce(o.bytes, 0) or coalesce(u.object_count, 0) <> coalesce(o.objects, 0)
      order by 1`);
  },

  /** Counts anew. Whoever has changed objects and not yet committed is waited for; whoever comes meanwhile waits. */
  async recount(db: Database): Promise<void> {
    await db.transaction(async (tx) => {
      await tx.query(sql`lock table mainstay.object_usage in share row exclusive mode`);
      await tx.query(sql`delete from mainstay.object_usage`);
      await tx.query(sql`
        insert into mainstay.object_usage (owner_id, used_bytes, object_count)
        select o.owner_id, sum(mainstay.object_bytes(o.metadata)), count(*)
        from storage.objects o where o.owner_id is not null group by o.owner_id`);
    });
  },

  /** Segments whose key is encrypted by another key of the server than this one. */
  async wrappedByOthers(
    db: Query,
    keyId: string,
    after: string,
    most: number,
  ): Promise<readonly { blobId: string; wrapped: string; wrappingKeyId: string }[]> {
    return db.query<{ blobId: string; wrapped: string; wrappingKeyId: string }>(sql`
      select s.blob_id as "blobId", encode(s.wrapped_key, 'hex') as wrapped, s.wrapping_key_id as "wrappingKeyId"
      from mainstay.object_segments s
      where s.wrapping_key_id <> ${sql.value(keyId)} and s.blob_id > ${sql.value(after)}::uuid
      order by s.blob_id limit ${sql.value(most)}`);
  },

  async rewrap(
    db: Query,
    keyId: string,
    keys: readonly { readonly blobId: string; readonly wrapped: string }[],
  ): Promise<void> {
    await db.query(sql`
      update mainstay.object_segments s set wrapped_key = decode(k.wrapped, 'hex'), wrapping_key_id = ${sql.value(keyId)}
      from unnest(${sql.value(keys.map(({ blobId }) => blobId))}::uuid[], ${sql.value(keys.map(({ wrapped }) => wrapped))}::text[])
        as k (blob_id, wrapped)
      where s.blob_id = k.blob_id`);
  },
};
