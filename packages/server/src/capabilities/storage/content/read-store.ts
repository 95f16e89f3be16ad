import { sql } from "pg-sql2";
import type { WrappedKey } from "../encryption/types.ts";
import { ask, type Db } from "./ask.ts";
import type { Segment } from "./types.ts";

/** Where a segment's bytes are, and how they are read. */
export interface StoredSegment {
  readonly blobId: string;
  readonly sizeBytes: number;
  /** `null` where bytes lie as they came. */
  readonly key: WrappedKey | null;
  /** The blob that the key was made for. */
  readonly keyBlobId: string;
}

interface SegmentRow {
  readonly blobId: string | null;
  readonly sizeBytes: number;
  readonly wrapped: string | null;
  readonly wrappingKeyId: string | null;
  readonly keyBlobId: string | null;
}

const segments = ask<{ position: number; sizeBytes: number; md5: string }, { version: string }>(
  [
    ["position", "number"],
    ["sizeBytes", "number"],
    ["md5", "text"],
  ],
  (p) => sql`
    select s.position, s.size_bytes as "sizeBytes", encode(s.md5, 'hex') as md5
    from mainstay.object_segments s
    where s.version_id = ${p("version")} and s.size_bytes is not null and not s.is_dead
    order by s.position`,
);

/** One row without a blob for a version without bytes. */
const manifest = ask<SegmentRow, { version: string; state: "kept" | "receiving" }>(
  [
    ["blobId", "text"],
    ["sizeBytes", "number"],
    ["wrapped", "text"],
    ["wrappingKeyId", "text"],
    ["keyBlobId", "text"],
  ],
  (p) => sql`
    select s.blob_id::text as "blobId", s.size_bytes as "sizeBytes", encode(s.wrapped_key, 'hex') as wrapped,
      s.wrapping_key_id as "wrappingKeyId", s.key_blob_id::text as "keyBlobId"
    from mainstay.object_versions v
    left join mainstay.object_segments s on s.version_id = v.id and s.size_bytes is not null and not s.is_dead
    where v.id = ${p("version")} and v.state = ${p("state")}
    order by s.position`,
);

/** All SQL that finds the bytes of a version. */
export function createReadStore(db: Db) {
  return {
    /** What is durable of a version, whatever its state, by position. */
    async segments(version: string): Promise<readonly Segment[]> {
      return (await segments(db, { version })).map(({ md5, ...segment }) => ({
        ...segment,
        md5: Buffer.from(md5, "hex"),
      }));
    },

    /** The bytes of a version in that state, in their order; `null` when there is no such version. */
    async manifest(version: string, state: "kept" | "receiving"): Promise<readonly StoredSegment[] | null> {
      const rows = await manifest(db, { version, state });
      if (rows.length === 0) return null;
      return rows.flatMap((row) => (row.blobId === null ? [] : [storedSegmentOf({ ...row, blobId: row.blobId })]));
    },
  };
}

export type ReadStore = ReturnType<typeof createReadStore>;

export function storedSegmentOf(row: SegmentRow & { readonly blobId: string }): StoredSegment {
  const { blobId, sizeBytes, wrapped, wrappingKeyId, keyBlobId } = row;
  return {
    blobId,
    sizeBytes,
    key: wrapped === null || wrappingKeyId === null ? null : { wrapped: Buffer.from(wrapped, "hex"), wrappingKeyId },
    keyBlobId: keyBlobId ?? blobId,
  };
}
