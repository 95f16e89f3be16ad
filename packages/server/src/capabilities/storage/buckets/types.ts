import type { Bucket } from "../types.ts";

export interface Buckets {
  /** As the server sees it. From memory, where it is known to be as it was (the database tells of changes); `null` when there is none. */
  find(id: string): Promise<Bucket | null>;
  /** What this node has just changed is asked anew at once: the database's word for it takes a moment. */
  forget(id: string): void;
}

/** What a request says of a bucket: what it leaves out is `undefined`, what it takes back is `null`. */
export interface BucketChanges {
  readonly isPublic?: boolean | undefined;
  /** Bytes. */
  readonly fileSizeLimitBytes?: number | null | undefined;
  readonly allowedMimeTypes?: readonly string[] | null | undefined;
}

export interface NewBucket extends BucketChanges {
  readonly id: string;
  readonly name: string;
}

export interface BucketQuery {
  readonly limit: number | null;
  readonly offset: number;
  readonly sortColumn: "id" | "name" | "created_at" | "updated_at" | null;
  readonly isDescending: boolean;
  readonly search: string;
}
