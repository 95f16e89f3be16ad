/** Where a blob's bytes begin and end: `[from, to)` in bytes. */
export interface ByteRange {
  readonly from: number;
  readonly to: number;
}

export interface StoredBlob {
  readonly id: string;
  readonly sizeBytes: number;
  /** When it was written, in Unix milliseconds by the store's clock. */
  readonly modifiedAtMs: number;
}

/**
 * Where bytes are: a folder of this machine, or any S3. A blob is named by us (a UUID), written once and never changed.
 * Every method rejects with a Problem: `storage/store-unavailable` (503) when the store does not answer or fails, `storage/store-full` (507) when
 * it has no room. `blob-store.contract.ts` has the tests that these promises imply.
 */
export interface BlobStore {
  /** For people: `folder /srv/app/.mainstay/objects`, `s3 bucket photos`. No secrets. */
  readonly description: string;
  /**
   * Writes what the source gives. When it resolves, the bytes survive the loss of power, and are read by every node. When it rejects, because
   * of the store, the source or the signal, nothing is there under that id, or what is there is not read and goes with `remove`. Memory is bounded
   * whatever the length. @returns how many bytes there were
   */
  write(id: string, source: AsyncIterable<Uint8Array>, options?: { readonly signal?: AbortSignal }): Promise<number>;
  /**
   * The bytes of the range, in chunks with back-pressure; the whole when there is no range. Resolves when the first bytes can be had, `null` when
   * there is no such blob. Leaving the loop early gives everything back. A blob that ends before the range does is a Problem `storage/corrupt`:
   * who asks knows how long it is.
   */
  read(
    id: string,
    range?: ByteRange,
    options?: { readonly signal?: AbortSignal },
  ): Promise<AsyncIterable<Buffer> | null>;
  /** The bytes of a blob of at most some hundred kilobytes at once, or of a range of it; `null` when there is no such blob. */
  readWhole(id: string, range?: ByteRange): Promise<Buffer | null>;
  /** A second name for the same bytes, independent of the first from then on. False when there is no `from`. */
  copy(from: string, to: string): Promise<boolean>;
  /** Takes blobs away, half-written ones too. What is not there is no failure. Durable when it resolves. */
  remove(ids: readonly string[]): Promise<void>;
  /** Size of a blob in bytes; `null` when there is none. */
  sizeOf(id: string): Promise<number | null>;
  /** Everything there is, in no order. For the consistency check. */
  list(options?: { readonly signal?: AbortSignal }): AsyncIterable<StoredBlob>;
  /** Takes away what writers that died have left unnamed, and that is older than this. @returns how many */
  removeLeftovers(olderThanMs: number): Promise<number>;
  close(): Promise<void>;
}

/** What a scanner says of bytes. */
export type Verdict = { readonly isClean: true } | { readonly isClean: false; readonly finding: string };

/** Looks for malware in what is uploaded, before anybody can read it. */
export interface Scanner {
  readonly description: string;
  /** Rejects with a Problem when it cannot tell. */
  scan(source: AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<Verdict>;
  close(): Promise<void>;
}
