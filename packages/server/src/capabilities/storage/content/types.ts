import type { ByteRange } from "../ports.ts";

/** The bytes of one version, ready to be read. */
export interface ContentReader {
  readonly sizeBytes: number;
  /**
   * The bytes of the range, in chunks with back-pressure. Leaving the loop early gives everything back. Throws as the store does, `storage/corrupt`
   * when bytes are missing.
   */
  stream(range?: ByteRange, signal?: AbortSignal): AsyncIterable<Buffer>;
  /**
   * All of it at once when it is small enough to be kept in memory (`storageMemoryFileBytes`), from memory where it is; `null` for anything larger.
   * Many get the same buffer: nobody may change it.
   */
  whole(): Promise<Buffer | null>;
}

/** A run of bytes of a version that is durable. */
export interface Segment {
  readonly position: number;
  readonly sizeBytes: number;
  readonly md5: Buffer;
}

/** A version that is being received. */
export interface NewVersion {
  readonly bucketId: string;
  readonly ownerId: string | null;
  /**
   * Bytes to take of the owner's quota now: what is announced. 0 where nothing is: then room is taken in steps while bytes come
   * (`storageQuotaStepBytes`), as far as there is any.
   */
  readonly reservedBytes: number;
  /** How long it may take until somebody asks for more time, in ms. While bytes are appended, more is asked for by itself. */
  readonly leaseMs: number;
  /** What a resumable or multipart upload has to remember: `mainstay.object_versions.upload`. */
  readonly upload?: Readonly<Record<string, unknown>>;
}

/** Told of what is written before it is, and may refuse it by throwing a Problem: the first bytes of a version, at most 4,100 of them. */
export type Inspect = (head: Buffer) => void | Promise<void>;

export interface Append {
  readonly position: number;
  readonly source: AsyncIterable<Uint8Array>;
  /** More than that is refused with `EntityTooLarge`, and nothing of the segment stays. */
  readonly limitBytes: number;
  readonly inspect?: Inspect | undefined;
  readonly signal?: AbortSignal | undefined;
  /**
   * True: when the source fails, or the signal ends it, what came until then is a segment all the same (resumable uploads over bad networks),
   * and the promise resolves. When nothing came, it rejects and there is none.
   */
  readonly keepsPart?: boolean;
  /**
   * What becomes of a segment that is at this position already. True, as when left out: the one that ends last stays (parts of S3).
   * False: `ResourceLocked`, also when somebody is just writing one, on whatever node (offsets of TUS).
   */
  readonly replaces?: boolean;
}

/** A file that comes in one piece. */
export type IncomingFile = Pick<Append, "source" | "limitBytes" | "inspect" | "signal">;

/** A version of one segment. Its bytes are durable; the knowledge that they are is not, until an object has them (`Objects.write`). */
export interface Received extends Omit<Segment, "position"> {
  readonly version: string;
  readonly blobId: string;
  /** Makes the knowledge durable as well, for who has to read it first (`openReceived`). */
  settle(): Promise<void>;
  /** An object has it. To be called then. */
  leave(): void;
  /** Nobody is to have it: takes it back, unless an object has it all the same. Never rejects: what is left is swept. */
  giveUp(): Promise<void>;
}

/**
 * Bytes of objects: written once, durable before anybody is told, read in ranges, swept when nobody needs them. It knows nothing of names and rights.
 * All Problems of the store pass through.
 */
export interface Content {
  /** Makes room for a version. @throws Problem `QuotaExceeded` */
  begin(version: NewVersion): Promise<string>;
  /**
   * Writes a segment; when it resolves it is durable, and so is the knowledge of it. When it rejects, nothing of it is there.
   * @throws Problem `NoSuchUpload` (also in the midst of it, when the version ends), `ResourceLocked`, `EntityTooLarge`, `QuotaExceeded`
   */
  append(version: string, segment: Append): Promise<Segment>;
  /**
   * `begin` and `append` for what comes in one request: one commit where they have three. What it resolves with is kept from the sweep until `leave`
   * or `giveUp`. When it rejects, nothing of it is there.
   * @throws Problem `EntityTooLarge`, `QuotaExceeded`, `NoSuchUpload` when it was given up in the midst of it
   */
  receive(version: Omit<NewVersion, "upload">, file: IncomingFile): Promise<Received>;
  /** What there is of a version, by position. */
  segments(version: string): Promise<readonly Segment[]>;
  /**
   * Settles what a version has, before it is made visible: the segments at these positions, or all of them, in the order of their positions.
   * The others are given up, and whoever is still writing one is refused. To be asked again, it gives the same answer.
   * @returns what it has: compare it with what was asked for @throws Problem `NoSuchUpload`
   */
  complete(version: string, positions?: readonly number[]): Promise<readonly Segment[]>;
  /**
   * Puts the segments of other versions behind each other into one, without copying; the others end. For parallel uploads.
   * @throws Problem `NoSuchUpload` when one of them is not being received, or is there twice; nothing has changed then
   */
  concatenate(version: string, parts: readonly string[]): Promise<void>;
  /** More time for a version that is being received: in ms from now, and never less than it has. @throws Problem `NoSuchUpload` */
  extend(version: string, leaseMs: number): Promise<void>;
  /** Gives up a version that is being received, and lets its bytes be swept. One that is kept or gone is left alone. */
  abandon(version: string): Promise<void>;
  /** A new version with the same bytes, received, complete and not yet kept. @throws Problem `NoSuchKey`, `QuotaExceeded` */
  copy(from: string, to: NewVersion): Promise<string>;
  /** The bytes of a version that is kept; `null` when there are none. What is known of a version never changes, and is remembered. */
  open(version: string): Promise<ContentReader | null>;
  /** The bytes of a version that is settled and not yet visible, for who has to look at them first; `null` when there are none. Not remembered. */
  openReceived(version: string): Promise<ContentReader | null>;
  start(): void;
  stop(): Promise<void>;
}
