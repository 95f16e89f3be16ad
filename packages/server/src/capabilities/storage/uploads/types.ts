import type { WriteOrder } from "../objects/types.ts";
import type { Bucket, StoredObject } from "../types.ts";

/** An upload that may go on: rights and rules have been asked, room was made, and nothing is visible. */
export interface OpenUpload {
  readonly version: string;
  readonly bucket: Bucket;
  /** Most bytes it may have, by server and bucket. */
  readonly limitBytes: number;
}

export interface OpenOptions {
  /** How long it may stay unfinished, in ms. */
  readonly leaseMs: number;
  /** What a resumable or multipart upload has to remember. */
  readonly upload?: Readonly<Record<string, unknown>>;
}

/**
 * How bytes become an object, whichever way they come: plain, by a signed URL, resumable, or over S3. Each of them asks the same rights and rules at
 * the same moments: before the first byte, and again in the transaction that makes the object visible.
 */
export interface Uploads {
  /** Name, rights, size, type and quota, in this order. @throws Problem for each of them; nothing is stored then */
  open(order: WriteOrder, options?: OpenOptions): Promise<OpenUpload>;
  /** Bytes to a version; `position` is their order, the first is 0. What the first segment begins with is checked against the type. */
  append(
    upload: OpenUpload,
    order: WriteOrder,
    segment: {
      readonly position: number;
      readonly source: AsyncIterable<Uint8Array>;
      readonly limitBytes?: number;
      readonly signal?: AbortSignal | undefined;
      readonly keepsPart?: boolean;
    },
  ): Promise<{ readonly sizeBytes: number; readonly md5: Buffer }>;
  /** Makes it visible. `positions`: which segments, in their order; all of them when left out. @throws Problem; the version is given up then */
  finish(upload: OpenUpload, order: WriteOrder, positions?: readonly number[]): Promise<StoredObject>;
  /** Takes it back. */
  abandon(version: string): Promise<void>;
  /**
   * All of it in one go: open, append, finish, and abandon if any of these fails. `complete`: what is known of the file only when all its bytes
   * are there; asked before anything is visible, and the rules are asked again of what it says.
   */
  put(
    order: WriteOrder,
    source: AsyncIterable<Uint8Array>,
    signal?: AbortSignal,
    complete?: () => Promise<Pick<WriteOrder, "contentType" | "cacheControl" | "userMetadata">>,
  ): Promise<StoredObject>;
}
