import type { Principal } from "../../../kernel/principal.ts";
import type { StorageCore } from "../part.ts";
import { problems } from "../problems.ts";
import { readCacheControl, readContentEncoding } from "../uploads/facts.ts";
import { inspectionOf, inspectKept } from "../uploads/inspection.ts";
import { isMediaType } from "../uploads/mime-types.ts";
import { assertFits } from "./move.ts";
import { objectStore, type Place } from "./store.ts";
import type { WriteOrder } from "./types.ts";

/** How long a copy may take, in ms: a store of objects copies at its own pace. */
const leaseMs = 300_000;

export interface CopyOrder {
  readonly who: Principal;
  readonly from: Place;
  readonly to: Place;
  readonly isUpsert: boolean;
  /** False: type, encoding and cache control are as given here, where they are, and user metadata is what is given or none. */
  readonly copiesMetadata: boolean;
  readonly cacheControl: string | undefined;
  readonly contentType: string | undefined;
  /** `""` for none. */
  readonly contentEncoding: string | undefined;
  readonly userMetadata: Readonly<Record<string, unknown>> | null;
}

/**
 * A new object with the bytes of another, which neither changes any more: SELECT on the one, INSERT on the other, and with upsert SELECT and
 * UPDATE. @returns the new row, in the names clients know. @throws Problem; nothing has happened then
 */
export async function copyObject(
  { db, objects, buckets, content, settings }: StorageCore,
  { who, from, to, isUpsert, copiesMetadata, ...wanted }: CopyOrder,
): Promise<Readonly<Record<string, unknown>>> {
  const operation = "storage.object.copy";
  const source = await objects.find(who, from.bucketId, from.name, operation);
  if (source === null || source.version === null) throw problems.noSuchKey();
  const bucket = await buckets.find(to.bucketId);
  if (bucket === null) throw problems.noSuchBucket();
  const contentType = (copiesMetadata ? undefined : wanted.contentType) ?? source.contentType;
  if (!isMediaType(contentType)) throw problems.invalidMimeType(contentType.slice(0, 100));
  const order: WriteOrder = {
    who,
    ownerId: who.subject,
    ...to,
    isUpsert,
    operation,
    contentType,
    contentEncoding:
      copiesMetadata || wanted.contentEncoding === undefined
        ? source.contentEncoding
        : readContentEncoding(wanted.contentEncoding),
    cacheControl:
      copiesMetadata || wanted.cacheControl === undefined ? source.cacheControl : readCacheControl(wanted.cacheControl),
    userMetadata: copiesMetadata ? source.userMetadata : wanted.userMetadata,
    sizeBytes: source.sizeBytes,
  };
  await objects.mayWrite(order);
  assertFits(bucket, order as WriteOrder & { readonly sizeBytes: number }, settings.storageFileSizeLimitBytes);
  await inspectKept(content, source.version, inspectionOf(settings.storageCheckTypes, order, bucket));
  const { sizeBytes, etag } = source;
  const version = await content.copy(source.version, {
    bucketId: to.bucketId,
    ownerId: order.ownerId,
    reservedBytes: sizeBytes,
    leaseMs,
  });
  try {
    await objects.write(order, { version, sizeBytes, etag });
  } catch (error) {
    // Where that fails too, the lease runs out: what went wrong first is what the caller hears.
    await content.abandon(version).catch(() => {});
    throw error;
  }
  const row = await objectStore.row(db, to);
  // Deleted again by somebody, the moment it was there.
  if (row === null) throw problems.noSuchKey();
  return row;
}
