import type { Principal } from "../../../kernel/principal.ts";
import type { Operation, StoredObject } from "../types.ts";

/** An object that somebody wants to write, as far as it is known before its bytes are. */
export interface WriteOrder {
  readonly who: Principal;
  /** Who it belongs to: the caller's `sub`, or that of whoever signed. */
  readonly ownerId: string | null;
  readonly bucketId: string;
  readonly name: string;
  /** Whether an object of that name is replaced. */
  readonly isUpsert: boolean;
  readonly operation: Operation;
  readonly contentType: string;
  /** How the bytes are packed already, as `Content-Encoding` says it; they are kept and sent as they are. */
  readonly contentEncoding?: string | null;
  readonly cacheControl: string;
  readonly userMetadata: Readonly<Record<string, unknown>> | null;
  /** `null` when it was not announced. */
  readonly sizeBytes: number | null;
}

/** Its bytes: a version that is received and durable. */
export interface Written {
  readonly version: string;
  readonly sizeBytes: number;
  readonly etag: string;
  /** Its only segment, where that is not yet known to be durable (`Content.receive`). */
  readonly segment?: { readonly blobId: string; readonly md5: Buffer };
}

/** Rows of `storage.objects`, and who may do what with them. Rights are asked of PostgreSQL as the caller, every time (protocols: access control). */
export interface Objects {
  /** As the caller sees it, under the policies; `null` for what is not there or not for this caller. */
  find(who: Principal, bucketId: string, name: string, operation: Operation): Promise<StoredObject | null>;
  /** As the server sees it: for public buckets and for what a signed URL has decided. */
  findAsServer(bucketId: string, name: string): Promise<StoredObject | null>;
  /**
   * Whether the order would be carried out now, with nothing changed: INSERT, or with upsert INSERT, SELECT and UPDATE.
   * @throws Problem `AccessDenied`, `KeyAlreadyExists`, `NoSuchBucket`
   */
  mayWrite(order: WriteOrder): Promise<void>;
  /**
   * Makes the bytes visible under the name, in one transaction: rights once more, the row, the version kept, the one before dead.
   * @throws Problem as `mayWrite`, and `NoSuchUpload` when the version was given up meanwhile
   */
  write(order: WriteOrder, written: Written): Promise<StoredObject>;
}
