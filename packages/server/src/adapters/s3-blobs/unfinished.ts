import type { ListMultipartUploadsCommandOutput } from "@aws-sdk/client-s3";
import type { Bucket } from "./bucket.ts";
import { failureOf, isMissingUpload, isNotImplemented } from "./failure.ts";

/** A multipart upload that was begun: it takes room, and nothing shows it. */
export interface Unfinished {
  readonly id: string;
  readonly key: string;
  readonly uploadId: string;
  readonly begunAtMs: number;
}

/** Where a page of the list begins. */
interface Marker {
  readonly KeyMarker?: string;
  readonly UploadIdMarker?: string;
}

/** Those of blobs of ours. None where the server does not list them. */
export async function* unfinishedUploads(bucket: Bucket): AsyncGenerator<Unfinished> {
  let after: Marker | null = {};
  while (after !== null) {
    const page: ListMultipartUploadsCommandOutput | null = await pageOf(bucket, after);
    if (page === null) return;
    for (const { Key, UploadId, Initiated } of page.Uploads ?? []) {
      const id = bucket.idOf(Key);
      if (id === null || Key === undefined || UploadId === undefined) continue;
      yield { id, key: Key, uploadId: UploadId, begunAtMs: Initiated?.getTime() ?? 0 };
    }
    after = markerOf(page);
  }
}

const pageOf = ({ client, s3, options }: Bucket, after: Marker): Promise<ListMultipartUploadsCommandOutput | null> =>
  client
    .send(new s3.ListMultipartUploadsCommand({ Bucket: options.bucket, Prefix: options.prefix, ...after }))
    .catch((error: unknown) => {
      if (isNotImplemented(error)) return null;
      throw failureOf(error);
    });

function markerOf({
  IsTruncated,
  NextKeyMarker,
  NextUploadIdMarker,
}: ListMultipartUploadsCommandOutput): Marker | null {
  if (!IsTruncated || !NextKeyMarker) return null;
  return { KeyMarker: NextKeyMarker, ...(NextUploadIdMarker ? { UploadIdMarker: NextUploadIdMarker } : {}) };
}

/** Gives up those that are wanted gone. @returns how many */
export async function giveUp(bucket: Bucket, isUnwanted: (upload: Unfinished) => boolean): Promise<number> {
  const { client, s3, options } = bucket;
  // All of them first: pages shift under a list that shrinks.
  const unwanted = (await Array.fromAsync(unfinishedUploads(bucket))).filter(isUnwanted);
  for (const { key, uploadId } of unwanted) {
    const request = new s3.AbortMultipartUploadCommand({ Bucket: options.bucket, Key: key, UploadId: uploadId });
    await client.send(request).catch((error: unknown) => {
      if (!isMissingUpload(error)) throw failureOf(error);
    });
  }
  return unwanted.length;
}
