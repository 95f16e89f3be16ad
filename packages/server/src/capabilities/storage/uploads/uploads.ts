import type { Content, Inspect, Segment } from "../content/types.ts";
import { readKey } from "../names.ts";
import type { WriteOrder } from "../objects/types.ts";
import type { StorageCore } from "../part.ts";
import { problems } from "../problems.ts";
import type { Bucket } from "../types.ts";
import { etagOf } from "./etag.ts";
import { isAllowedType, isMediaType } from "./mime-types.ts";
import { checkBytes } from "./sniff.ts";
import type { OpenUpload, Uploads } from "./types.ts";

/** How long a plain upload that its server has left counts as going on, in ms. */
const plainLeaseMs = 120_000;

/** @see Uploads */
export function createUploads(needs: Omit<StorageCore, "uploads">): Uploads {
  const { content, buckets, objects, settings } = needs;

  const limitOf = (bucket: Bucket): number =>
    Math.min(bucket.fileSizeLimitBytes ?? Number.MAX_SAFE_INTEGER, settings.storageFileSizeLimitBytes);

  /** @throws Problem `InvalidMimeType` */
  const checkName = ({ contentType }: WriteOrder, { allowedMimeTypes }: Bucket): void => {
    const isAllowed =
      isMediaType(contentType) && (allowedMimeTypes === null || isAllowedType(contentType, allowedMimeTypes));
    if (!isAllowed) throw problems.invalidMimeType(contentType.slice(0, 100));
  };

  /** Where bytes are not looked at, the store need not wait for the first of them. */
  const inspectionOf = (order: WriteOrder, { allowedMimeTypes }: Bucket): Inspect | undefined =>
    allowedMimeTypes === null || !settings.storageCheckTypes
      ? undefined
      : (head) => checkBytes(order.contentType, allowedMimeTypes, head);

  const uploads: Uploads = {
    async open(order, { leaseMs, upload } = { leaseMs: plainLeaseMs }) {
      readKey(order.name);
      const bucket = await buckets.find(order.bucketId);
      if (bucket === null) throw problems.noSuchBucket();
      await objects.mayWrite(order);
      const limitBytes = limitOf(bucket);
      if (order.sizeBytes !== null && order.sizeBytes > limitBytes) throw problems.entityTooLarge();
      checkName(order, bucket);
      // Of what is not announced at all, room is taken as it comes.
      const { bucketId, ownerId } = order;
      const version = await content.begin({
        bucketId,
        ownerId,
        reservedBytes: order.sizeBytes ?? 0,
        leaseMs,
        ...(upload === undefined ? {} : { upload }),
      });
      return { version, bucket, limitBytes };
    },

    async append({ version, bucket, limitBytes }, order, segment) {
      return content.append(version, {
        ...segment,
        limitBytes: Math.min(segment.limitBytes ?? limitBytes, limitBytes),
        inspect: segment.position === 0 ? inspectionOf(order, bucket) : undefined,
      });
    },

    async finish({ version, limitBytes }, order, positions) {
      try {
        const segments = chosen(await content.complete(version, positions), positions);
        const sizeBytes = segments.reduce((sum, segment) => sum + segment.sizeBytes, 0);
        if (sizeBytes > limitBytes) throw problems.entityTooLarge();
        return await objects.write(order, { version, sizeBytes, etag: etagOf(segments) });
      } catch (error) {
        await giveUp(content, version);
        throw error;
      }
    },

    abandon: (version) => content.abandon(version),

    async put(order, source, signal, complete) {
      const upload = await uploads.open(order);
      const { version, bucket, limitBytes } = upload;
      try {
        let head: Buffer = Buffer.alloc(0);
        const inspect = inspectionOf(order, bucket);
        const remember: Inspect = async (bytes) => {
          head = bytes;
          await inspect?.(bytes);
        };
        await content.append(version, {
          position: 0,
          source,
          limitBytes,
          signal,
          inspect: inspect === undefined ? undefined : remember,
        });
        const facts = await complete?.();
        if (facts === undefined) return await uploads.finish(upload, order);
        const completed = { ...order, ...facts };
        if (completed.contentType !== order.contentType) {
          checkName(completed, bucket);
          await inspectionOf(completed, bucket)?.(head);
        }
        return await uploads.finish(upload, completed);
      } catch (error) {
        await giveUp(content, version);
        throw error;
      }
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
