import { type SQL, sql } from "pg-sql2";
import type { Database } from "../../../platform/postgres/database.ts";
import { prepare } from "../../../platform/postgres/prepared.ts";
import { rfc3339 } from "../../../platform/postgres/sql-fragments.ts";
import type { Checksum, ChecksumName } from "./payload/checksums.ts";
import { checksumNamed } from "./payload/checksums.ts";

/** What a multipart upload has to remember from its beginning to its end: `mainstay.object_versions.upload`. */
export interface UploadMemo extends Readonly<Record<string, unknown>> {
  readonly protocol: "s3";
  readonly key: string;
  readonly contentType: string;
  readonly contentEncoding: string | null;
  readonly cacheControl: string;
  readonly userMetadata: Readonly<Record<string, string>> | null;
  /** Who began it: nobody else goes on, but for the service. */
  readonly role: string;
  readonly subject: string | null;
  /** Which checksum its parts come with; `null` for none. */
  readonly checksumName: ChecksumName | null;
  /** Whether the checksum of the object is that of its bytes, or of its parts' checksums. */
  readonly isWholeChecksum: boolean;
}

export interface FoundUpload {
  readonly memo: UploadMemo;
  /** Bytes of the parts that are there, without the one asked about. */
  readonly otherBytes: number;
}

export interface CompletedUpload {
  readonly memo: UploadMemo;
  /** Of the object, with its quotes. */
  readonly etag: string;
}

export interface ListedUpload {
  readonly id: string;
  readonly key: string;
  readonly subject: string | null;
  /** RFC 3339, UTC. */
  readonly createdAt: string;
}

export interface ListedPart {
  readonly number: number;
  readonly sizeBytes: number;
  /** Hexadecimal. */
  readonly md5: string;
  /** RFC 3339, UTC. */
  readonly uploadedAt: string | null;
  readonly checksum: Checksum | null;
}

interface PartRow {
  readonly position: number;
  readonly sizeBytes: number;
  readonly md5: string;
  readonly uploadedAt: string | null;
  readonly name: string | null;
  readonly checksum: string | null;
}

const find = prepare<{ version: string; bucket: string; position: number }>(
  [
    ["memo", "json"],
    ["otherBytes", "number"],
  ],
  (p) => sql`
    select v.upload as memo, (
      select coalesce(sum(s.size_bytes), 0)::bigint from mainstay.object_segments s
      where s.version_id = v.id and s.position <> ${p("position")}::integer and s.size_bytes is not null and not s.is_dead
    ) as "otherBytes"
    from mainstay.object_versions v
    where v.id = ${p("version")} and v.bucket_id = ${p("bucket")} and v.state = 'receiving' and v.upload ->> 'protocol' = 's3'
      and v.expires_at > clock_timestamp()`,
);

const findCompleted = prepare<{ version: string; bucket: string }>(
  [
    ["memo", "json"],
    ["etag", "text"],
  ],
  (p) => sql`
    select v.upload as memo, o.metadata ->> 'eTag' as etag
    from mainstay.object_versions v
    join storage.objects o on o.version = v.id and o.bucket_id = v.bucket_id and o.name = v.upload ->> 'key'
    where v.id = ${p("version")} and v.bucket_id = ${p("bucket")} and v.state = 'kept' and v.upload ->> 'protocol' = 's3'`,
);

const begin = prepare<{ version: string; counted: string; most: number }>(
  [["isBegun", "flag"]],
  (p) => sql`
    select mainstay.begin_s3_upload(${p("version")}, ${p("counted")}, ${p("most")}::integer) as "isBegun"`,
);

const parts = prepare<{ version: string; after: number; most: number }>(
  [
    ["position", "number"],
    ["sizeBytes", "number"],
    ["md5", "text"],
    ["uploadedAt", "time"],
    ["name", "text"],
    ["checksum", "text"],
  ],
  (p) => sql`
    select s.position, s.size_bytes as "sizeBytes", encode(s.md5, 'hex') as md5, p.uploaded_at at time zone 'UTC' as "uploadedAt",
      p.checksum_name as name, encode(p.checksum, 'hex') as checksum
    from mainstay.object_segments s
    left join mainstay.s3_parts p on p.version_id = s.version_id and p.part_number = s.position + 1 and p.md5 = s.md5
    where s.version_id = ${p("version")} and s.position >= ${p("after")}::integer and s.size_bytes is not null and not s.is_dead
    order by s.position limit ${p("most")}::integer`,
);

const addPart = prepare<{
  version: string;
  number: number;
  md5: string;
  name: string | null;
  checksum: string | null;
}>(
  [],
  (p) => sql`
    insert into mainstay.s3_parts as known (version_id, part_number, md5, checksum_name, checksum)
    values (${p("version")}, ${p("number")}::integer, decode(${p("md5")}, 'hex'), ${p("name")}, decode(${p("checksum")}, 'hex'))
    on conflict (version_id, part_number) do update
      set md5 = excluded.md5, checksum_name = excluded.checksum_name, checksum = excluded.checksum, uploaded_at = now()`,
);

/** All SQL about multipart uploads, as the server: who may is settled before. A part's position is its number less one. */
export function multipartStore(db: Database) {
  return {
    /** `null` when there is none that goes on. `partNumber`: the part that is about to come. */
    async find(version: string, bucket: string, partNumber = 0): Promise<FoundUpload | null> {
      const [row] = await db.execute<FoundUpload, { version: string; bucket: string; position: number }>(find, {
        version,
        bucket,
        position: partNumber - 1,
      });
      return row ?? null;
    },

    /** False when its owner has as many unfinished ones as may be. */
    async begin(version: string, counted: string, most: number): Promise<boolean> {
      const order = { version, counted, most };
      return (await db.execute<{ isBegun: boolean }, typeof order>(begin, order))[0]!.isBegun;
    },

    /** One that is complete; `null` when the object that came of it has other bytes by now, or another name. */
    async findCompleted(version: string, bucket: string): Promise<CompletedUpload | null> {
      const [row] = await db.execute<CompletedUpload, { version: string; bucket: string }>(findCompleted, {
        version,
        bucket,
      });
      return row ?? null;
    },

    async addPart(version: string, number: number, md5: Buffer, checksum: Checksum | null): Promise<void> {
      await db.execute(addPart, {
        version,
        number,
        md5: md5.toString("hex"),
        name: checksum?.name ?? null,
        checksum: checksum?.digest.toString("hex") ?? null,
      });
    },

    /** Parts that are durable, by number, behind `after`. */
    async parts(version: string, after: number, limit: number): Promise<readonly ListedPart[]> {
      const order = { version, after, most: limit };
      const rows = await db.execute<PartRow, { version: string; after: number; most: number }>(parts, order);
      return rows.map(({ position, sizeBytes, md5, uploadedAt, name, checksum }) => {
        const known = checksumNamed(name ?? "");
        return {
          number: position + 1,
          sizeBytes,
          md5,
          uploadedAt,
          checksum: known === null || checksum === null ? null : { name: known, digest: Buffer.from(checksum, "hex") },
        };
      });
    },

    /** Uploads that go on, by key and beginning. `subject`: whose, `undefined` for everybody's. */
    async uploads(order: {
      readonly bucket: string;
      readonly prefix: string;
      readonly afterKey: string;
      readonly afterId: string;
      readonly limit: number;
      readonly subject: string | null | undefined;
    }): Promise<readonly ListedUpload[]> {
      const key = sql`(v.upload ->> 'key') collate "C"`;
      const after: SQL =
        order.afterId === ""
          ? sql`${key} > ${sql.value(order.afterKey)}`
          : sql`(${key}, v.id collate "C") > (${sql.value(order.afterKey)}, ${sql.value(order.afterId)})`;
      const whose: SQL =
        order.subject === undefined
          ? sql`true`
          : sql`v.upload ->> 'subject' is not distinct from ${sql.value(order.subject)}::text`;
      return db.query<ListedUpload>(sql`
        select v.id, v.upload ->> 'key' as key, v.upload ->> 'subject' as subject, ${rfc3339(sql`v.created_at`)} as "createdAt"
        from mainstay.object_versions v
        where v.bucket_id = ${sql.value(order.bucket)} and v.state = 'receiving' and v.upload ->> 'protocol' = 's3'
          and v.expires_at > clock_timestamp() and starts_with(v.upload ->> 'key', ${sql.value(order.prefix)})
          and (${after}) and (${whose})
        order by ${key}, v.id collate "C" limit ${sql.value(order.limit)}::integer`);
    },
  };
}

export type Multipart = ReturnType<typeof multipartStore>;
