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

  /** Everything that can be said of an upload before its first byte. @throws Problem */
  const admit = async (order: WriteOrder): Promise<Omit<OpenUpload, "version">> => {
    readKey(order.name);
    const bucket = await buckets.find(order.bucketId);
    if (bucket === null) throw problems.noSuchBucket();
    await objects.mayWrite(order);
    const limitBytes = limitOf(bucket);
    if (order.sizeBytes !== null && order.sizeBytes > limitBytes) throw problems.entityTooLarge();
    checkName(order, bucket);
    return { bucket, limitBytes };
  };
  /** Of what is not announced at all, room is taken as it comes. */
  const versionOf = ({ bucketId, ownerId, sizeBytes }: WriteOrder, leaseMs: number) => ({
    bucketId,
    ownerId,
    reservedBytes: sizeBytes ?? 0,
    leaseMs,
  });

  const uploads: Uploads = {
    async open(order, { leaseMs, upload } = { leaseMs: plainLeaseMs }) {
      const admitted = await admit(order);
      const version = await content.begin({
        ...versionOf(order, leaseMs),
        ...(upload === undefined ? {} : { upload }),
      });
      return { version, ...admitted };
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
      const { bucket, limitBytes } = await admit(order);
      let head: Buffer = Buffer.alloc(0);
      const inspect = inspectionFor(order, bucket);
      const remember: Inspect = async (bytes) => {
        head = bytes;
        await inspect?.(bytes);
      };
      const received = await content.receive(versionOf(order, plainLeaseMs), {
        source,
        limitBytes,
        signal,
        inspect: inspect === undefined ? undefined : remember,
      });
      try {
        const facts = await complete?.();
        const completed = facts === undefined ? order : { ...order, ...facts };
        const isSame =
          completed.contentType === order.contentType && completed.contentEncoding === order.contentEncoding;
        if (!isSame) {
          checkName(completed, bucket);
          await inspectionFor(completed, bucket)?.(head);
        }
        const { version, sizeBytes, md5, blobId } = received;
        const bytes = { version, sizeBytes, etag: etagOf([{ md5 }]) };
        if (!gate.isOpen) {
          await received.settle();
          await scan(version);
          return await objects.write(completed, bytes);
        }
        const written = await objects.write(completed, { ...bytes, segment: { blobId, md5 } });
        received.leave();
        return written;
      } catch (error) {
        await received.giveUp();
        throw error;
      }
    },
  };
  return uploads;

  /** @throws Problem as the gate does */
  async function scan(version: string): Promise<void> {
    const reader = await content.openReceived(version);
    if (reader === null) throw problems.noSuchUpload();
    await whileKept(version, gate.pass(reader));
  }

  /** A scanner may take longer than a version is kept for who says nothing. */
  async function whileKept(version: string, work: Promise<void>): Promise<void> {
    const timer = setInterval(() => void content.extend(version, plainLeaseMs).catch(() => {}), plainLeaseMs / 4);
    try {
      await work;
    } finally {
      clearInterval(timer);
    }
  }

  /** From all bytes durable to visible. */
  async function settle(
    { version, bucket, limitBytes }: OpenUpload,
    order: WriteOrder,
    positions?: readonly number[],
  ): Promise<StoredObject> {
    try {
      const segments = chosen(await content.complete(version, positions), positions);
      const sizeBytes = segments.reduce((sum, segment) => sum + segment.sizeBytes, 0);
      if (sizeBytes > limitBytes) throw problems.entityTooLarge();
      // Pieces come in any order and of any size: only the whole tells what it is.
      const inspect = inspectionFor(order, bucket);
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
