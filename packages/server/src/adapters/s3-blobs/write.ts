import { problems } from "../../capabilities/storage/problems.ts";
import { untilAborted } from "../blobs/until-aborted.ts";
import type { Bucket } from "./bucket.ts";
import { md5Of } from "./client.ts";
import { failureOf, isMissingUpload } from "./failure.ts";
import { inParts, type Part } from "./parts.ts";

/** Parts on their way at the same time. With the one that is being filled, that many and one are in memory. */
const partsAtOnce = 2;
/** S3 allows no more (protocols: storage §10). */
const mostParts = 10_000;
/** How long is waited for an upload to be given up, in ms: what stays is swept. */
const abortTimeoutMs = 5_000;

/**
 * Writes what the source gives: in one request with its length and checksum when it fits into a part, otherwise as a multipart upload, which is visible only
 * when it is complete. @returns how many bytes
 */
export async function write(
  bucket: Bucket,
  id: string,
  source: AsyncIterable<Uint8Array>,
  signal?: AbortSignal,
): Promise<number> {
  // Ends at the caller's word, and for the other parts when one fails.
  const ending = new AbortController();
  const stop = signal === undefined ? ending.signal : AbortSignal.any([signal, ending.signal]);
  const parts = inParts(untilAborted(source, stop), bucket.options.partBytes);
  try {
    const first = (await parts.next()).value as Part;
    if (first.isLast) return await putWhole(bucket, id, first.bytes, stop);
    return await putParts(bucket, id, parts, first, { ending, stop });
  } catch (error) {
    ending.abort(error);
    signal?.throwIfAborted();
    throw failureOf(error);
  } finally {
    await parts.return(undefined);
  }
}

async function putWhole({ client, s3, at, encryption }: Bucket, id: string, bytes: Buffer, signal: AbortSignal) {
  const request = new s3.PutObjectCommand({
    ...at(id),
    ...encryption,
    Body: bytes,
    ContentLength: bytes.length,
    ContentMD5: md5Of(bytes),
    ContentType: "application/octet-stream",
  });
  await client.send(request, { abortSignal: signal });
  return bytes.length;
}

interface Ending {
  /** For a part to say that it failed: the source may be waited for at that moment. */
  readonly ending: AbortController;
  readonly stop: AbortSignal;
}

async function putParts(
  bucket: Bucket,
  id: string,
  parts: AsyncGenerator<Part>,
  first: Part,
  { ending, stop }: Ending,
): Promise<number> {
  const { client, s3, at, encryption } = bucket;
  const begun = new s3.CreateMultipartUploadCommand({
    ...at(id),
    ...encryption,
    ContentType: "application/octet-stream",
  });
  const { UploadId: uploadId } = await client.send(begun, { abortSignal: stop });
  const sending = new Set<Promise<void>>();
  const sent: { PartNumber: number; ETag: string | undefined }[] = [];
  let sizeBytes = 0;
  const send = (part: Part): void => {
    const number = sent.length + 1;
    if (number > mostParts) throw problems.entityTooLarge();
    const entry = { PartNumber: number, ETag: undefined as string | undefined };
    sent.push(entry);
    sizeBytes += part.bytes.length;
    const request = new s3.UploadPartCommand({
      ...at(id),
      UploadId: uploadId,
      PartNumber: number,
      Body: part.bytes,
      ContentLength: part.bytes.length,
      ContentMD5: md5Of(part.bytes),
    });
    const going = client
      .send(request, { abortSignal: stop })
      .then(({ ETag }) => {
        entry.ETag = ETag;
      })
      .finally(() => {
        part.release();
        sending.delete(going);
      });
    // Its failure is seen where it is waited for.
    going.catch((error: unknown) => ending.abort(error));
    sending.add(going);
  };
  try {
    send(first);
    for (;;) {
      if (sending.size >= partsAtOnce) await Promise.race(sending);
      stop.throwIfAborted();
      const next = await parts.next();
      stop.throwIfAborted();
      if (next.done) break;
      send(next.value);
    }
    await Promise.all(sending);
    await complete(bucket, id, uploadId, sent, sizeBytes, stop);
    return sizeBytes;
  } catch (error) {
    ending.abort(error);
    // A part that arrives after its upload was given up would stay.
    await Promise.allSettled(sending);
    const giveUp = new s3.AbortMultipartUploadCommand({ ...at(id), UploadId: uploadId });
    await client.send(giveUp, { abortSignal: AbortSignal.timeout(abortTimeoutMs) }).catch(() => {});
    throw error;
  }
}

async function complete(
  bucket: Bucket,
  id: string,
  uploadId: string | undefined,
  parts: readonly { readonly PartNumber: number; readonly ETag: string | undefined }[],
  sizeBytes: number,
  signal: AbortSignal,
): Promise<void> {
  const { client, s3, at } = bucket;
  const request = new s3.CompleteMultipartUploadCommand({
    ...at(id),
    UploadId: uploadId,
    MultipartUpload: { Parts: [...parts] },
  });
  try {
    await client.send(request, { abortSignal: signal });
  } catch (error) {
    // Done by an attempt whose answer was lost: the next one finds no such upload.
    if (isMissingUpload(error) && (await bucket.sizeOf(id)) === sizeBytes) return;
    throw error;
  }
}
