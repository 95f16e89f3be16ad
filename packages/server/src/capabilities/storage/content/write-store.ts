import { type SQL, sql } from "pg-sql2";
import { sqlStateOf } from "../../../platform/postgres/sql-state.ts";
import type { WrappedKey } from "../encryption/types.ts";
import { problems } from "../problems.ts";
import { arrayText, ask, type Db } from "./ask.ts";
import type { NewVersion } from "./types.ts";

export interface NewSegment {
  readonly blobId: string;
  readonly version: string;
  readonly position: number;
  /** How far it is to grow, for now. */
  readonly wantedBytes: number;
  readonly replaces: boolean;
  readonly key: WrappedKey | null;
}

const keyTexts = (key: WrappedKey | null) => ({
  key: key?.wrapped.toString("hex") ?? null,
  keyId: key?.wrappingKeyId ?? null,
});
const interval = (ms: SQL): SQL => sql`${ms}::float8 * interval '1 ms'`;
const clock = sql`clock_timestamp()`;
/** SQLSTATE lock_not_available: whoever holds the row takes long. */
const heldForTooLong = "55P03";

const begin = ask<
  { isThere: boolean },
  {
    id: string;
    bucket: string;
    owner: string | null;
    reservedBytes: number;
    leaseMs: number;
    upload: string | null;
    quotaBytes: number;
  }
>(
  [["isThere", "flag"]],
  (p) => sql`
    select mainstay.begin_object_version(${p("id")}, ${p("bucket")}, ${p("owner")}, ${p("reservedBytes")}::bigint,
      ${interval(p("leaseMs"))}, ${p("upload")}::jsonb, ${p("quotaBytes")}::bigint) as "isThere"`,
);

const openSegment = ask<
  { roomBytes: number | null },
  {
    blob: string;
    version: string;
    position: number;
    wantedBytes: number;
    replaces: boolean;
    leaseMs: number;
    quotaBytes: number;
    key: string | null;
    keyId: string | null;
  }
>(
  [["roomBytes", "number"]],
  (p) => sql`
    select mainstay.open_object_segment(${p("blob")}::uuid, ${p("version")}, ${p("position")}::integer,
      ${p("wantedBytes")}::bigint, ${p("replaces")}::boolean, ${interval(p("leaseMs"))}, ${p("quotaBytes")}::bigint,
      decode(${p("key")}, 'hex'), ${p("keyId")}) as "roomBytes"`,
);

const beginPlain = ask<
  { roomBytes: number | null },
  {
    id: string;
    bucket: string;
    owner: string | null;
    reservedBytes: number;
    versionLeaseMs: number;
    quotaBytes: number;
    blob: string;
    wantedBytes: number;
    leaseMs: number;
    key: string | null;
    keyId: string | null;
  }
>(
  [["roomBytes", "number"]],
  (p) => sql`
    select mainstay.begin_plain_upload(${p("id")}, ${p("bucket")}, ${p("owner")}, ${p("reservedBytes")}::bigint,
      ${interval(p("versionLeaseMs"))}, ${p("quotaBytes")}::bigint, ${p("blob")}::uuid, ${p("wantedBytes")}::bigint,
      ${interval(p("leaseMs"))}, decode(${p("key")}, 'hex'), ${p("keyId")}) as "roomBytes"`,
);

const growSegment = ask<{ roomBytes: number | null }, { blob: string; wantedBytes: number; quotaBytes: number }>(
  [["roomBytes", "number"]],
  (p) => sql`
    select mainstay.grow_object_segment(${p("blob")}::uuid, ${p("wantedBytes")}::bigint, ${p("quotaBytes")}::bigint)
      as "roomBytes"`,
);

type Outcome = "kept" | "gone" | "locked";

const finishSegment = ask<{ outcome: Outcome }, { blob: string; sizeBytes: number; md5: string; replaces: boolean }>(
  [["outcome", "text"]],
  (p) => sql`
    select mainstay.finish_object_segment(${p("blob")}::uuid, ${p("sizeBytes")}::bigint, decode(${p("md5")}, 'hex'),
      ${p("replaces")}::boolean) as outcome`,
);

/** Of the segments and of their versions: a version does not end under its writer. */
const prolong = ask<{ blob: string }, { blobs: string; leaseMs: number }>(
  [["blob", "text"]],
  (p) => sql`
    with versions as (
      update mainstay.object_versions v
      set expires_at = greatest(v.expires_at, ${clock} + ${interval(p("leaseMs"))})
      where v.state = 'receiving' and v.id in (
        select s.version_id from mainstay.object_segments s where s.blob_id = any (${p("blobs")}::uuid[])
      )
      returning v.id
    )
    update mainstay.object_segments s set expires_at = ${clock} + ${interval(p("leaseMs"))}
    where s.blob_id = any (${p("blobs")}::uuid[]) and s.version_id in (select id from versions)
      and s.size_bytes is null and not s.is_dead
    returning s.blob_id::text as blob`,
);

/** Of a writer that failed. One that is there and stays as it is was finished, though its writer may not have heard of it. */
const giveUp = ask<{ isMine: boolean; isThere: boolean }, { blobs: string; claimMs: number }>(
  [
    ["isMine", "flag"],
    ["isThere", "flag"],
  ],
  (p) => sql`
    with mine as (
      update mainstay.object_segments s set is_dead = true, expires_at = ${clock} + ${interval(p("claimMs"))}
      where s.blob_id = any (${p("blobs")}::uuid[]) and s.size_bytes is null
      returning s.blob_id
    )
    select exists (select from mine) as "isMine",
      exists (select from mainstay.object_segments s where s.blob_id = any (${p("blobs")}::uuid[])) as "isThere"`,
);

const forget = ask<Record<string, never>, { blobs: string }>(
  [],
  (p) => sql`
    delete from mainstay.object_segments s where s.blob_id = any (${p("blobs")}::uuid[]) and s.size_bytes is null`,
);

const complete = ask<{ isThere: boolean }, { version: string; positions: string | null }>(
  [["isThere", "flag"]],
  (p) => sql`
    select mainstay.complete_object_version(${p("version")}, ${p("positions")}::integer[]) as "isThere"`,
);

const concatenate = ask<{ isDone: boolean }, { version: string; parts: string }>(
  [["isDone", "flag"]],
  (p) => sql`select mainstay.concatenate_object_versions(${p("version")}, ${p("parts")}::text[]) as "isDone"`,
);

const extend = ask<{ id: string }, { version: string; leaseMs: number }>(
  [["id", "text"]],
  (p) => sql`
    update mainstay.object_versions v
    set expires_at = greatest(v.expires_at, ${clock} + ${interval(p("leaseMs"))})
    where v.id = ${p("version")} and v.state = 'receiving' and v.expires_at > ${clock}
    returning v.id`,
);

const abandon = ask<Record<string, never>, { version: string }>(
  [],
  (p) => sql`
    update mainstay.object_versions v set state = 'dead', expires_at = '-infinity'
    where v.id = ${p("version")} and v.state = 'receiving'`,
);

const beginCopy = ask<{ from: string; into: string }, { from: string; into: string; leaseMs: number }>(
  [
    ["from", "text"],
    ["into", "text"],
  ],
  (p) => sql`
    select c.from_blob::text as "from", c.into_blob::text as "into"
    from mainstay.begin_object_copy(${p("from")}, ${p("into")}, ${interval(p("leaseMs"))}) c`,
);

const finishCopy = ask<{ isDone: boolean }, { from: string; into: string }>(
  [["isDone", "flag"]],
  (p) => sql`select mainstay.finish_object_copy(${p("from")}, ${p("into")}) as "isDone"`,
);

/** All SQL of versions that are being received; the statements in migration 0022 say how they exclude each other. Times are PostgreSQL's. */
export function createWriteStore(
  db: Db,
  { quotaBytes, leaseMs }: { readonly quotaBytes: number; readonly leaseMs: number },
) {
  return {
    /** False: the owner's quota has no room. */
    async begin(id: string, version: NewVersion): Promise<boolean> {
      const [row] = await orLocked(
        begin(db, {
          id,
          bucket: version.bucketId,
          owner: version.ownerId,
          reservedBytes: version.reservedBytes,
          leaseMs: version.leaseMs,
          upload: version.upload === undefined ? null : JSON.stringify(version.upload),
          quotaBytes,
        }),
      );
      return row!.isThere;
    },

    /** @returns how far it may grow until more is asked for, in bytes @throws Problem `NoSuchUpload`, `ResourceLocked` */
    async openSegment({ blobId, key, ...segment }: NewSegment): Promise<number> {
      const [row] = await orLocked(
        openSegment(db, {
          ...segment,
          blob: blobId,
          leaseMs,
          quotaBytes,
          ...keyTexts(key),
        }),
      );
      const { roomBytes } = row!;
      if (roomBytes === null) throw problems.noSuchUpload();
      if (roomBytes < 0) throw problems.resourceLocked();
      return roomBytes;
    },

    /** A version and its only segment. @returns how far it may grow for now, in bytes; `null`: the owner's quota has no room */
    async beginPlain(
      id: string,
      version: Omit<NewVersion, "upload">,
      { blobId, wantedBytes, key }: Pick<NewSegment, "blobId" | "wantedBytes" | "key">,
    ): Promise<number | null> {
      const [row] = await orLocked(
        beginPlain(db, {
          id,
          bucket: version.bucketId,
          owner: version.ownerId,
          reservedBytes: version.reservedBytes,
          versionLeaseMs: version.leaseMs,
          quotaBytes,
          blob: blobId,
          wantedBytes,
          leaseMs,
          ...keyTexts(key),
        }),
      );
      return row!.roomBytes;
    },

    /** @returns how far it may grow now, in bytes @throws Problem `NoSuchUpload` */
    async growSegment(blobId: string, wantedBytes: number): Promise<number> {
      const [row] = await orLocked(growSegment(db, { blob: blobId, wantedBytes, quotaBytes }));
      if (row!.roomBytes === null) throw problems.noSuchUpload();
      return row!.roomBytes;
    },

    /** @throws Problem `NoSuchUpload` when it was given up meanwhile, `ResourceLocked` when another is there that is to stay */
    async finishSegment(blobId: string, sizeBytes: number, md5: Buffer, replaces: boolean): Promise<void> {
      const [row] = await orLocked(finishSegment(db, { blob: blobId, sizeBytes, md5: md5.toString("hex"), replaces }));
      if (row!.outcome === "gone") throw problems.noSuchUpload();
      if (row!.outcome === "locked") throw problems.resourceLocked();
    },

    /** More time for whoever writes these. @returns which of them may go on */
    async prolong(blobIds: readonly string[]): Promise<ReadonlySet<string>> {
      return new Set((await prolong(db, { blobs: arrayText(blobIds), leaseMs })).map(({ blob }) => blob));
    },

    /**
     * The writer of this blob has failed, and goes. False: it is finished all the same, and must stay. Otherwise nobody reads or sweeps it for
     * the time of a lease.
     */
    async giveUp(blobId: string): Promise<boolean> {
      const [row] = await giveUp(db, { blobs: arrayText([blobId]), claimMs: leaseMs });
      return row!.isMine || !row!.isThere;
    },

    /** Their bytes are gone, and nobody writes them any more. */
    async forget(blobIds: readonly string[]): Promise<void> {
      await forget(db, { blobs: arrayText(blobIds) });
    },

    /** False: no such upload. */
    async complete(version: string, positions?: readonly number[]): Promise<boolean> {
      const [row] = await orLocked(
        complete(db, { version, positions: positions === undefined ? null : arrayText(positions) }),
      );
      return row!.isThere;
    },

    /** False: one of them is not being received. `parts` are UUIDs. */
    async concatenate(version: string, parts: readonly string[]): Promise<boolean> {
      return (await orLocked(concatenate(db, { version, parts: arrayText(parts) })))[0]!.isDone;
    },

    /** False: no such upload. */
    async extend(version: string, moreMs: number): Promise<boolean> {
      return (await orLocked(extend(db, { version, leaseMs: moreMs }))).length > 0;
    },

    async abandon(version: string): Promise<void> {
      await orLocked(abandon(db, { version }));
    },

    /** Which blobs are to be copied to which; empty when the one has no bytes or is not kept. */
    async beginCopy(from: string, into: string): Promise<readonly { readonly from: string; readonly into: string }[]> {
      return orLocked(beginCopy(db, { from, into, leaseMs }));
    },

    /** False: they were not waited for, or the one they are of has gone. */
    async finishCopy(from: string, into: string): Promise<boolean> {
      return (await orLocked(finishCopy(db, { from, into })))[0]!.isDone;
    },
  };
}

export type WriteStore = ReturnType<typeof createWriteStore>;

async function orLocked<T>(statement: Promise<T>): Promise<T> {
  try {
    return await statement;
  } catch (error) {
    throw sqlStateOf(error) === heldForTooLong ? problems.resourceLocked() : error;
  }
}
