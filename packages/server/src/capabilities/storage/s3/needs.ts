import type { StorageCore } from "../part.ts";
import { problems as storageProblems } from "../problems.ts";
import type { Serving } from "../serving/index.ts";
import type { Bucket } from "../types.ts";
import type { ChecksumStore } from "./checksum-store.ts";
import type { Multipart } from "./multipart-store.ts";
import type { S3Store } from "./store.ts";

/** What the operations of the endpoint work with. */
export interface S3Needs extends StorageCore {
  readonly store: S3Store;
  readonly multipart: Multipart;
  readonly checksums: ChecksumStore;
  readonly serving: Serving;
}

/** @throws Problem `NoSuchBucket` */
export async function bucketOf({ buckets }: Pick<S3Needs, "buckets">, id: string): Promise<Bucket> {
  const bucket = await buckets.find(id);
  if (bucket === null) throw storageProblems.noSuchBucket();
  return bucket;
}

/** Most bytes an object of the bucket may have. */
export const limitOf = ({ settings }: Pick<S3Needs, "settings">, bucket: Bucket): number =>
  Math.min(bucket.fileSizeLimitBytes ?? Number.MAX_SAFE_INTEGER, settings.storageFileSizeLimitBytes);
