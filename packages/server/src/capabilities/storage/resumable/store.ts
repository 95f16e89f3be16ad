import { sql } from "pg-sql2";
import type { Queryable } from "../../../platform/postgres/database.ts";
import { prepare } from "../../../platform/postgres/prepared.ts";
import type { Memo } from "./memo.ts";

/** Told the version of an upload that whoever has it is to let go of. */
export const resumableChannel = "mainstay_resumable";

type Db = Pick<Queryable, "execute">;

/** What there is of an upload. */
export interface UploadRow {
  readonly version: string;
  readonly bucketId: string;
  readonly memo: Memo;
  /** The object is there. */
  readonly isKept: boolean;
  /** When it is given up, in Unix ms; `null` when it is kept. */
  readonly expiresAtMs: number | null;
  /** Bytes; `null` when it was not announced yet. Of one that is kept: what it has. */
  readonly lengthBytes: number | null;
  readonly isPartial: boolean;
  /** Somebody writes. */
  readonly isHeld: boolean;
  /** Bytes that are durable. */
  readonly receivedBytes: number;
  /** Where the next segment goes, which is how many there are. */
  readonly nextPosition: number;
  /** The first bytes, where they are kept for a look, in base64. */
  readonly head: string;
}

const find = prepare<{ version: string }>(
  [
    ["version", "text"],
    ["bucketId", "text"],
    ["memo", "json"],
    ["isKept", "flag"],
    ["expiresAtMs", "number"],
    ["lengthBytes", "number"],
    ["isPartial", "flag"],
    ["isHeld", "flag"],
    ["receivedBytes", "number"],
    ["nextPosition", "number"],
    ["head", "text"],
  ],
  (parameter) => sql`
    select v.id as version, v.bucket_id as "bucketId", v.upload as memo, v.state = 'kept' as "isKept",
      case when v.state <> 'kept' then (extract(epoch from v.expires_at) * 1000)::float8 end as "expiresAtMs",
      case when v.state = 'kept' then s.bytes else r.length_bytes end as "lengthBytes",
      coalesce(r.is_partial, false) as "isPartial",
      coalesce(r.held_until > clock_timestamp(), false) as "isHeld",
      s.bytes as "receivedBytes", s.next_position as "nextPosition",
      coalesce(encode(r.head, 'base64'), '') as head
    from mainstay.object_versions v
    left join mainstay.resumable_uploads r on r.version_id = v.id
    cross join lateral (
      select coalesce(sum(s.size_bytes), 0)::bigint as bytes, coalesce(max(s.position) + 1, 0) as next_position
      from mainstay.object_segments s
      where s.version_id = v.id and s.size_bytes is not null and not s.is_dead
    ) s
    where v.id = ${parameter("version")}::text and v.upload ->> 'kind' = 'resumable'
      and (v.state = 'kept' or (v.state = 'receiving' and v.expires_at > clock_timestamp() and r.version_id is not null))`,
);

const begin = prepare<{
  version: string;
  countedFor: string | null;
  most: number;
  lengthBytes: number | null;
  isPartial: boolean;
}>(
  [["isBegun", "flag"]],
  (parameter) => sql`
    select mainstay.begin_resumable(${parameter("version")}::text, ${parameter("countedFor")}::text, ${parameter("most")}::int,
      ${parameter("lengthBytes")}::bigint, ${parameter("isPartial")}::boolean) as "isBegun"`,
);

const take = prepare<{ version: string; writer: string; leaseMs: number }>(
  [["isTaken", "flag"]],
  (parameter) => sql`
    select mainstay.take_resumable(${parameter("version")}::text, ${parameter("writer")}::uuid,
      ${parameter("leaseMs")}::float8 * interval '1 millisecond') as "isTaken"`,
);

const renew = prepare<{ version: string; writer: string; leaseMs: number }>(
  [["version", "text"]],
  (parameter) => sql`
    update mainstay.resumable_uploads
    set held_until = clock_timestamp() + ${parameter("leaseMs")}::float8 * interval '1 millisecond'
    where version_id = ${parameter("version")}::text and holder = ${parameter("writer")}::uuid
    returning version_id as version`,
);

const release = prepare<{ version: string; writer: string }>(
  [],
  (parameter) => sql`
    update mainstay.resumable_uploads set holder = null, held_until = null
    where version_id = ${parameter("version")}::text and holder = ${parameter("writer")}::uuid`,
);

const interrupt = prepare<{ channel: string; version: string }>(
  [],
  (parameter) => sql`select pg_notify(${parameter("channel")}::text, ${parameter("version")}::text)`,
);

const setLength = prepare<{ version: string; lengthBytes: number }>(
  [],
  (parameter) => sql`
    update mainstay.resumable_uploads set length_bytes = ${parameter("lengthBytes")}::bigint
    where version_id = ${parameter("version")}::text and length_bytes is null`,
);

const setHead = prepare<{ version: string; head: string }>(
  [],
  (parameter) => sql`
    update mainstay.resumable_uploads set head = decode(${parameter("head")}::text, 'base64')
    where version_id = ${parameter("version")}::text`,
);

const forget = prepare<{ version: string }>(
  [],
  (parameter) => sql`delete from mainstay.resumable_uploads where version_id = ${parameter("version")}::text`,
);

/** All SQL about resumable uploads. Times are the database's. What the functions promise stands with them (`0024_resumable.sql`). */
export const resumableStore = {
  /** `null` for what was given up, has expired, or never was. */
  async find(db: Db, version: string): Promise<UploadRow | null> {
    const [row] = await db.execute<UploadRow, { version: string }>(find, { version });
    return row ?? null;
  },

  /** False when its owner has as many unfinished ones as may be. */
  async begin(
    db: Db,
    upload: {
      readonly version: string;
      readonly countedFor: string | null;
      readonly most: number;
      readonly lengthBytes: number | null;
      readonly isPartial: boolean;
    },
  ): Promise<boolean> {
    const [row] = await db.execute<{ isBegun: boolean }, typeof upload>(begin, upload);
    return row?.isBegun === true;
  },

  /** False while another has it, who is told to let go; `null` when there is no such upload. */
  async take(db: Db, version: string, writer: string, leaseMs: number): Promise<boolean | null> {
    const values = { version, writer, leaseMs };
    const [row] = await db.execute<{ isTaken: boolean | null }, typeof values>(take, values);
    return row?.isTaken ?? null;
  },

  /** False when another has it by now. */
  async renew(db: Db, version: string, writer: string, leaseMs: number): Promise<boolean> {
    const values = { version, writer, leaseMs };
    return (await db.execute<{ version: string }, typeof values>(renew, values)).length > 0;
  },

  async release(db: Db, version: string, writer: string): Promise<void> {
    await db.execute(release, { version, writer });
  },

  /** Tells whoever has it to let go. */
  async interrupt(db: Db, version: string): Promise<void> {
    await db.execute(interrupt, { channel: resumableChannel, version });
  },

  /** How long it will be, where that was not announced. */
  async setLength(db: Db, version: string, lengthBytes: number): Promise<void> {
    await db.execute(setLength, { version, lengthBytes });
  },

  async setHead(db: Db, version: string, head: Buffer): Promise<void> {
    await db.execute(setHead, { version, head: head.toString("base64") });
  },

  /** It is finished, or has ended. */
  async forget(db: Db, version: string): Promise<void> {
    await db.execute(forget, { version });
  },
};
