import type { Content, Inspect, Segment } from "../content/types.ts";
import { readKey } from "../names.ts";
import type { WriteOrder } from "../objects/types.ts";
import type { StorageCore } from "../part.ts";
import { problems } from "../problems.ts";
import { createScanGate } from "../scan/gate.ts";
import type { Bucket, StoredObject } from "../types.ts";
import { etagOf } from "./etag.ts";
import { headOf, inspectionOf } from "./inspection.ts";
import { isAllowedType, isMediaType } from "./mime-types.ts";
import type { OpenUpload, Uploads } from "./types.ts";

/** How long a plain upload that its server has left counts as going on, in ms. */
const plainLeaseMs = 120_000;

/** @see Uploads */
export function createUploads(needs: Omit<StorageCore, "uploads">): Uploads {
  const { content, buckets, objects, settings } = needs;
  const gate = createScanGate(needs);

  const limitOf = (bucket: Bucket): number =>
    Math.min(bucket.fileSizeLimitBytes ?? Number.MAX_SAFE_INTEGER, settings.storageFileSizeLimitBytes);

  /** @throws Problem `InvalidMimeType` */
  const checkName = ({ contentType }: WriteOrder, { allowedMimeTypes }: Bucket): void => {
    const isAllowed =
      isMediaType(contentType) && (allowedMimeTypes === null || isAllowedType(contentType, allowedMimeTypes));
    if (!isAllowed) throw problems.invalidMimeType(contentType.slice(0, 100));
  };

  const inspectionFor = (order: WriteOrder, bucket: Bucket): Inspect | undefined =>
    inspectionOf(settings.storageCheckTypes, order, bucket);

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
        inspect: segment.position === 0 ? inspectionFor(order, bucket) : undefined,
      });
    },

    async finish(upload, order, positions) {
      return settle(upload, order, positions);
    },

    abandon: (version) => content.abandon(version),

    async put(order, source, signal, complete) {
      const upload = await uploads.open(order);
      const { version, bucket, limitBytes } = upload;
      try {
        let head: Buffer = Buffer.alloc(0);
        const inspect = inspectionFor(order, bucket);
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
        const completed = facts === undefined ? order : { ...order, ...facts };
        const isSame =
          completed.contentType === order.contentType && completed.contentEncoding === order.contentEncoding;
        if (!isSame) {
          checkName(completed, bucket);
          await inspectionFor(completed, bucket)?.(head);
        }
        return await settle(upload, completed, undefined, true);
      } catch (error) {
        await giveUp(content, version);
        throw error;
      }
    },
  };
  return uploads;

  /** A scanner may take longer than a version is kept for who says nothing. */
  async function whileKept(version: string, work: Promise<void>): Promise<void> {
    const timer = setInterval(() => void content.extend(version, plainLeaseMs).catch(() => {}), plainLeaseMs / 4);
    try {
      await work;
    } finally {
      clearInterval(timer);
    }
  }

  /** From all bytes durable to visible. `isChecked`: its beginning has been held against its type. */
  async function settle(
    { version, bucket, limitBytes }: OpenUpload,
    order: WriteOrder,
    positions?: readonly number[],
    isChecked = false,
  ): Promise<StoredObject> {
    try {
      const segments = chosen(await content.complete(version, positions), positions);
      const sizeBytes = segments.reduce((sum, segment) => sum + segment.sizeBytes, 0);
      if (sizeBytes > limitBytes) throw problems.entityTooLarge();
      // Pieces come in any order and of any size: only the whole tells what it is.
      const inspect = isChecked ? undefined : inspectionFor(order, bucket);
      if (inspect !== undefined || !gate.isOpen) {
        const reader = await content.openReceived(version);
        if (reader === null) throw problems.noSuchUpload();
        if (inspect !== undefined) await inspect(await headOf(reader));
        await whileKept(version, gate.pass(reader));
      }
      return await objects.write(order, { version, sizeBytes, etag: etagOf(segments) });
    } catch (error) {
      await giveUp(content, version);
      throw error;
    }
  }
}

/** Where that fails too, the lease runs out: what went wrong first is what the caller hears. */
async function giveUp(content: Content, version: OpenUpload["version"]): Promise<void> {
  await content.abandon(version).catch(() => {});
}

/** @throws Problem `InvalidRequest` when one of them is missing */
function chosen(segments: readonly Segment[], positions: readonly number[] | undefined): readonly Segment[] {
  if (positions !== undefined && segments.length !== new Set(positions).size) {
    throw problems.invalidRequest("A part of the upload is missing.");
  }
  return segments;
}
