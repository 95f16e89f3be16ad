import type { Content, Segment } from "../content/types.ts";
import { readKey } from "../names.ts";
import type { StorageCore } from "../part.ts";
import { problems } from "../problems.ts";
import type { Bucket } from "../types.ts";
import { etagOf } from "./etag.ts";
import { keepAlive } from "./keep-alive.ts";
import { isAllowedType, isMediaType } from "./mime-types.ts";
import { checkBytes } from "./sniff.ts";
import type { OpenUpload, Uploads } from "./types.ts";

/** How long a plain upload may be silent until it counts as given up, in ms. While its bytes come it asks for more. */
const plainLeaseMs = 120_000;

/** @see Uploads */
export function createUploads(needs: Omit<StorageCore, "uploads">): Uploads {
  const { content, buckets, objects, settings } = needs;

  const limitOf = (bucket: Bucket): number =>
    Math.min(bucket.fileSizeLimitBytes ?? Number.MAX_SAFE_INTEGER, settings.storageFileSizeLimitBytes);

  const uploads: Uploads = {
    async open(order, { leaseMs, upload, atMostBytes } = { leaseMs: plainLeaseMs }) {
      readKey(order.name);
      const bucket = await buckets.find(order.bucketId);
      if (bucket === null) throw problems.noSuchBucket();
      await objects.mayWrite(order);
      const limitBytes = limitOf(bucket);
      if (order.sizeBytes !== null && order.sizeBytes > limitBytes) throw problems.entityTooLarge();
      if (!isMediaType(order.contentType)) throw problems.invalidMimeType(order.contentType.slice(0, 100));
      if (bucket.allowedMimeTypes !== null && !isAllowedType(order.contentType, bucket.allowedMimeTypes)) {
        throw problems.invalidMimeType(order.contentType.slice(0, 100));
      }
      const reservedBytes = order.sizeBytes ?? Math.min(limitBytes, atMostBytes ?? limitBytes);
      const { bucketId, ownerId } = order;
      const version = await content.begin({
        bucketId,
        ownerId,
        reservedBytes,
        leaseMs,
        ...(upload === undefined ? {} : { upload }),
      });
      return { version, bucket, limitBytes };
    },

    async append({ version, bucket, limitBytes }, order, segment) {
      const { allowedMimeTypes } = bucket;
      const isChecked = segment.position === 0 && allowedMimeTypes !== null && settings.storageCheckTypes;
      return content.append(version, {
        ...segment,
        limitBytes: Math.min(segment.limitBytes ?? limitBytes, limitBytes),
        ...(isChecked ? { inspect: (head) => checkBytes(order.contentType, allowedMimeTypes, head) } : {}),
      });
    },

    async finish({ version, limitBytes }, order, positions) {
      try {
        const segments = chosen(await content.segments(version), positions);
        const sizeBytes = segments.reduce((sum, segment) => sum + segment.sizeBytes, 0);
        if (sizeBytes > limitBytes) throw problems.entityTooLarge();
        return await objects.write(order, { version, sizeBytes, etag: etagOf(segments) });
      } catch (error) {
        await giveUp(content, version);
        throw error;
      }
    },

    abandon: (version) => content.abandon(version),

    async put(order, source, signal, options = {}) {
      const upload = await uploads.open(order, { leaseMs: plainLeaseMs, ...options });
      const stopAsking = keepAlive(content, upload.version, plainLeaseMs);
      try {
        await uploads.append(upload, order, { position: 0, source, signal });
      } catch (error) {
        await giveUp(content, upload.version);
        throw error;
      } finally {
        stopAsking();
      }
      return uploads.finish(upload, order);
    },
  };
  return uploads;
}

/** Where that fails too, the lease runs out: what went wrong first is what the caller hears. */
async function giveUp(content: Content, version: OpenUpload["version"]): Promise<void> {
  await content.abandon(version).catch(() => {});
}

/** @throws Problem `InvalidRequest` when one of them is missing */
function chosen(segments: readonly Segment[], positions: readonly number[] | undefined): readonly Segment[] {
  if (positions === undefined) return segments;
  return positions.map((position) => {
    const segment = segments.find((candidate) => candidate.position === position);
    if (segment === undefined) throw problems.invalidRequest("A part of the upload is missing.");
    return segment;
  });
}
