import type { Principal } from "../../../kernel/principal.ts";
import type { StorageCore } from "../part.ts";
import { problems } from "../problems.ts";
import type { Bucket, StoredObject } from "../types.ts";
import { inspectionOf, inspectKept } from "../uploads/inspection.ts";
import { isAllowedType } from "../uploads/mime-types.ts";
import { orRefuse } from "./refusals.ts";
import { objectStore, type Place } from "./store.ts";

/** Gives an object another place; its bytes stay where they are. @returns its id. @throws Problem */
export async function moveObject(
  { db, session, objects, buckets, content, settings }: StorageCore,
  who: Principal,
  from: Place,
  to: Place,
): Promise<string> {
  const operation = "storage.object.move";
  const object = await objects.find(who, from.bucketId, from.name, operation);
  if (object === null) throw problems.noSuchKey();
  if (to.bucketId !== from.bucketId) {
    const bucket = await buckets.find(to.bucketId);
    if (bucket === null) throw problems.noSuchBucket();
    assertFits(bucket, object, settings.storageFileSizeLimitBytes);
    await inspectKept(content, object.version, inspectionOf(settings.storageCheckTypes, object, bucket));
  }
  const id = await orRefuse(objectStore.move(db, { session, who, operation }, from, to), {
    taken: problems.keyAlreadyExists,
    unreferenced: problems.noSuchBucket,
  });
  if (id === null) throw problems.noSuchKey();
  return id;
}

/** What a bucket does not take by upload, it does not take from elsewhere either. @throws Problem */
export function assertFits(
  { fileSizeLimitBytes, allowedMimeTypes }: Bucket,
  { sizeBytes, contentType }: Pick<StoredObject, "sizeBytes" | "contentType">,
  limitBytes: number,
): void {
  if (sizeBytes > Math.min(fileSizeLimitBytes ?? limitBytes, limitBytes)) throw problems.entityTooLarge();
  if (allowedMimeTypes !== null && !isAllowedType(contentType, allowedMimeTypes)) {
    throw problems.invalidMimeType(contentType.slice(0, 100));
  }
}
