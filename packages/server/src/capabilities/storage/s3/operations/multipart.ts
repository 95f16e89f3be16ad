import type { Principal } from "../../../../kernel/principal.ts";
import { empty } from "../../../../kernel/route.ts";
import { createCountedFor } from "../../counted-for.ts";
import { problems as storageProblems } from "../../problems.ts";
import type { Operation } from "../../types.ts";
import type { OpenUpload } from "../../uploads/types.ts";
import { factsOf } from "../metadata.ts";
import type { UploadMemo } from "../multipart-store.ts";
import { bucketOf, limitOf, type S3Needs } from "../needs.ts";
import { type Checksum, type ChecksumName, checksumNamed, isCrc } from "../payload/checksums.ts";
import { problems } from "../problems.ts";
import { type Handler, headerOf, type S3Request, xml } from "../request.ts";
import { sourceOf } from "./copy.ts";
import { maxParts } from "./parts-list.ts";
import { checksumHeaders, orderOf } from "./put.ts";

/** Largest part, as S3 has it, in bytes. */
const maxPartBytes = 5 * 1024 ** 3;

export const isService = ({ role }: Principal): boolean => role === "service_role";

/** An upload goes on for whoever began it, and for the service (threat S12). */
export const mayGoOn = ({ role, subject }: UploadMemo, who: Principal): boolean =>
  isService(who) || (role === who.role && subject === who.subject);

/** Multipart uploads: a version that is being received, whose segments are the parts. Completing it copies no bytes. */
export function multipartOperations(needs: S3Needs) {
  const { uploads, content, objects, multipart, settings } = needs;
  const countedFor = createCountedFor(needs.signer);

  const create: Handler = async (request) => {
    const { call, bucket, key, who } = request;
    const facts = factsOf(call.headers, settings.storageS3MetadataLimitBytes);
    const order = orderOf(request, "storage.s3.upload.create_multipart", facts, { isUpsert: true, sizeBytes: null });
    const checksum = checksumOrder(request);
    const memo: UploadMemo = {
      protocol: "s3",
      key,
      contentType: facts.contentType,
      contentEncoding: facts.contentEncoding ?? null,
      cacheControl: facts.cacheControl,
      userMetadata: facts.userMetadata as UploadMemo["userMetadata"],
      role: who.role,
      subject: who.subject,
      checksumName: checksum?.name ?? null,
      isWholeChecksum: checksum?.isWhole ?? false,
    };
    const { version } = await uploads.open(order, { leaseMs: settings.storageS3UploadLifetimeMs, upload: memo });
    await count(request, version);
    const told = checksum === null ? [] : checksumTold(checksum);
    const lines = [["Bucket", bucket] as const, ["Key", key] as const, ["UploadId", version] as const];
    return xml(["InitiateMultipartUploadResult", lines], told);
  };

  /** Takes it back where the caller has too many already (threat S12). @throws Problem `TooManyUploads` */
  const count = async ({ who, call }: S3Request, version: string): Promise<void> => {
    const counted = countedFor({ role: who.role, ownerId: who.subject, address: call.address });
    if (counted === null) return;
    const most = settings.storageS3UnfinishedPerOwner;
    try {
      if (!(await multipart.begin(version, counted, most))) throw storageProblems.tooManyUploads(most);
    } catch (error) {
      await uploads.abandon(version).catch(() => {});
      throw error;
    }
  };

  /** An upload of this caller's, and what is needed to go on with it. @throws Problem `NoSuchUpload` */
  const resume = async (request: S3Request, operation: Operation, partNumber?: number) => {
    const { who, bucket, key, parameters } = request;
    const id = parameters.get("uploadId") ?? "";
    const found = /^[0-9a-f-]{36}$/.test(id) ? await multipart.find(id, bucket, partNumber) : null;
    if (found === null || found.memo.key !== key) throw storageProblems.noSuchUpload();
    const { memo } = found;
    if (!mayGoOn(memo, who)) throw storageProblems.noSuchUpload();
    const room = await bucketOf(needs, bucket);
    const upload: OpenUpload = { version: id, bucket: room, limitBytes: limitOf(needs, room) };
    const order = { ...orderOf(request, operation, memo, { isUpsert: true, sizeBytes: null }), ownerId: memo.subject };
    return { ...found, upload, order };
  };

  const partNumberOf = ({ parameters }: S3Request): number => {
    const text = parameters.get("partNumber") ?? "";
    if (/^[1-9]\d{0,4}$/.test(text) && Number(text) <= maxParts) return Number(text);
    throw problems.invalidArgument(`Part number must be an integer between 1 and ${maxParts}, inclusive`);
  };

  /** Rights are asked again with every part: they may have ended since the first. */
  const append = async (
    request: S3Request,
    operation: Operation,
    {
      source,
      sizeBytes,
      checksum,
    }: { source: AsyncIterable<Buffer>; sizeBytes: number | null; checksum(): Checksum | null },
  ): Promise<Buffer> => {
    const number = partNumberOf(request);
    const { upload, order, otherBytes } = await resume(request, operation, number);
    await objects.mayWrite(order);
    const limitBytes = Math.min(maxPartBytes, Math.max(0, upload.limitBytes - otherBytes));
    if (sizeBytes !== null && sizeBytes > limitBytes) throw storageProblems.entityTooLarge();
    const { signal } = request.call;
    const part = await uploads.append(upload, order, { position: number - 1, source, limitBytes, signal });
    await multipart.addPart(upload.version, number, part.md5, checksum());
    await content.extend(upload.version, settings.storageS3UploadLifetimeMs);
    return part.md5;
  };

  const part: Handler = async (request) => {
    const payload = request.payload();
    const md5 = await append(request, "storage.s3.upload.part", payload);
    return empty(200, ["ETag", `"${md5.toString("hex")}"`, ...checksumHeaders(payload.checksum())]);
  };

  const partCopy: Handler = async (request) => {
    partNumberOf(request);
    const source = await sourceOf(needs, request);
    const reader = source.version === null ? null : await content.open(source.version);
    if (reader === null) throw storageProblems.noSuchKey();
    const range = copyRange(headerOf(request, "x-amz-copy-source-range"), reader.sizeBytes);
    const md5 = await append(request, "storage.s3.upload.part_copy", {
      source: reader.stream(range, request.call.signal),
      sizeBytes: range.to - range.from,
      checksum: () => null,
    });
    return xml([
      "CopyPartResult",
      [
        ["LastModified", new Date(needs.clock.nowMs()).toISOString()],
        ["ETag", `"${md5.toString("hex")}"`],
      ],
    ]);
  };

  const abort: Handler = async (request) => {
    const { upload } = await resume(request, "storage.s3.upload.abort_multipart");
    await uploads.abandon(upload.version);
    return empty(204);
  };

  return { create, part, partCopy, abort, resume };
}

/** Which checksum the parts of an upload will have. @throws Problem `InvalidRequest` */
function checksumOrder(request: S3Request): { readonly name: ChecksumName; readonly isWhole: boolean } | null {
  const text = headerOf(request, "x-amz-checksum-algorithm");
  if (text === null) return null;
  const name = checksumNamed(text);
  if (name === null) throw problems.invalidRequest("Checksum algorithm provided is unsupported.");
  const type = headerOf(request, "x-amz-checksum-type") ?? (name === "crc64nvme" ? "FULL_OBJECT" : "COMPOSITE");
  const isWhole = type === "FULL_OBJECT";
  if ((!isWhole && type !== "COMPOSITE") || (isWhole && !isCrc(name)) || (!isWhole && name === "crc64nvme")) {
    throw problems.invalidRequest(`The ${type} checksum type cannot be used with the ${text} checksum algorithm.`);
  }
  return { name, isWhole };
}

const checksumTold = ({
  name,
  isWhole,
}: {
  readonly name: ChecksumName;
  readonly isWhole: boolean;
}): readonly string[] => [
  "x-amz-checksum-algorithm",
  name.toUpperCase(),
  "x-amz-checksum-type",
  isWhole ? "FULL_OBJECT" : "COMPOSITE",
];

/** `bytes=first-last`, both of which have to be there. @throws Problem `InvalidArgument`, `InvalidRange` */
function copyRange(text: string | null, sizeBytes: number): { readonly from: number; readonly to: number } {
  if (text === null) return { from: 0, to: sizeBytes };
  const [, first, last] = /^bytes=(\d{1,15})-(\d{1,15})$/.exec(text) ?? [];
  if (first === undefined || last === undefined) {
    throw problems.invalidArgument("The x-amz-copy-source-range value must be of the form bytes=first-last");
  }
  const range = { from: Number(first), to: Number(last) + 1 };
  if (range.from >= range.to || range.to > sizeBytes) throw problems.invalidRange();
  return range;
}
