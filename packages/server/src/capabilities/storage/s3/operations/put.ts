import { Problem } from "../../../../kernel/problem.ts";
import { empty } from "../../../../kernel/route.ts";
import type { WriteOrder } from "../../objects/types.ts";
import type { Operation, StoredObject } from "../../types.ts";
import { type Facts, factsOf } from "../metadata.ts";
import type { S3Needs } from "../needs.ts";
import { type Checksum, headerOf as checksumHeader } from "../payload/checksums.ts";
import { problems } from "../problems.ts";
import { type Handler, headerOf, type S3Request } from "../request.ts";

/**
 * Whether an object of that name may be replaced. Only `If-None-Match: *` can be asked in the transaction that writes; of others it would have to be
 * guessed. @throws Problem `NotImplemented`
 */
export function mayReplace(request: Pick<S3Request, "call">): boolean {
  if (headerOf(request, "if-match") !== null) throw problems.notImplemented("If-Match");
  const noneMatch = headerOf(request, "if-none-match");
  if (noneMatch !== null && noneMatch !== "*") throw problems.notImplemented("If-None-Match other than *");
  return noneMatch === null;
}

export function orderOf(
  { who, bucket, key }: Pick<S3Request, "who" | "bucket" | "key">,
  operation: Operation,
  facts: Facts,
  { isUpsert, sizeBytes }: Pick<WriteOrder, "isUpsert" | "sizeBytes">,
): WriteOrder {
  return { who, ownerId: who.subject, bucketId: bucket, name: key, isUpsert, operation, ...facts, sizeBytes };
}

/** Runs what writes; a name that is taken is a condition that failed. */
export async function writing<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof Problem && error.code === "KeyAlreadyExists")
      throw problems.preconditionFailed("If-None-Match");
    throw error;
  }
}

export const checksumHeaders = (checksum: Checksum | null): readonly string[] =>
  checksum === null ? [] : [checksumHeader(checksum.name), checksum.digest.toString("base64")];

/** Keeps the checksum of an object that came in one piece. */
export async function keepChecksum(
  { checksums }: Pick<S3Needs, "checksums">,
  { version }: StoredObject,
  checksum: Checksum | null,
): Promise<void> {
  if (checksum === null || version === null) return;
  await checksums.add(version, { name: checksum.name, value: checksum.digest.toString("base64") });
}

/** PutObject. */
export function putOperation(needs: S3Needs): Handler {
  return async (request) => {
    const { call } = request;
    const facts = factsOf(call.headers, needs.settings.storageS3MetadataLimitBytes);
    const isUpsert = mayReplace(request);
    const payload = request.payload();
    const order = orderOf(request, "storage.s3.upload", facts, { isUpsert, sizeBytes: payload.sizeBytes });
    const object = await writing(needs.uploads.put(order, payload.source, call.signal));
    await keepChecksum(needs, object, payload.checksum());
    return empty(200, ["ETag", object.etag, ...checksumHeaders(payload.checksum())]);
  };
}
