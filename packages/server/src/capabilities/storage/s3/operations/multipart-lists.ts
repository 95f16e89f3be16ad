import type { S3Needs } from "../needs.ts";
import { bucketOf } from "../needs.ts";
import { elementOf } from "../payload/checksums.ts";
import { type Handler, type S3Request, xml } from "../request.ts";
import type { Element } from "../xml/write.ts";
import { timeOf } from "./buckets.ts";
import { nameWriter, readCount } from "./list.ts";
import { isService, type multipartOperations } from "./multipart.ts";

/** Most lines of a page, as S3 has it. */
const maxLines = 1_000;

/** ListParts and ListMultipartUploads: what the caller has begun, and for the service what anybody has. */
export function multipartLists(needs: S3Needs, { resume }: Pick<ReturnType<typeof multipartOperations>, "resume">) {
  const { multipart } = needs;

  const parts: Handler = async (request: S3Request) => {
    const { upload, memo } = await resume(request, "storage.s3.upload.list_parts");
    const limit = readCount(request, "max-parts", maxLines);
    const after = readCount(request, "part-number-marker", 10_000);
    const marker = request.parameters.has("part-number-marker") ? after : 0;
    const found = await multipart.parts(upload.version, marker, limit + 1);
    const shown = found.slice(0, limit);
    const lines = shown.map(
      ({ number, sizeBytes, md5, uploadedAt, checksum }): Element => [
        "Part",
        [
          ["PartNumber", number],
          ["LastModified", timeOf(uploadedAt)],
          ["ETag", `"${md5}"`],
          ["Size", sizeBytes],
          checksum === null ? null : [elementOf(checksum.name), checksum.digest.toString("base64")],
        ],
      ],
    );
    const isTruncated = found.length > limit;
    return xml([
      "ListPartsResult",
      [
        ["Bucket", request.bucket],
        ["Key", request.key],
        ["UploadId", upload.version],
        ["PartNumberMarker", marker],
        isTruncated ? ["NextPartNumberMarker", shown.at(-1)?.number ?? marker] : null,
        ["MaxParts", limit],
        ["IsTruncated", isTruncated],
        ["StorageClass", "STANDARD"],
        memo.checksumName === null ? null : ["ChecksumAlgorithm", memo.checksumName.toUpperCase()],
        ...lines,
      ],
    ]);
  };

  const uploads: Handler = async (request) => {
    const { bucket, parameters, who } = request;
    await bucketOf(needs, bucket);
    const write = nameWriter(request);
    const limit = readCount(request, "max-uploads", maxLines);
    const prefix = parameters.get("prefix") ?? "";
    const afterKey = parameters.get("key-marker") ?? "";
    const afterId = parameters.get("upload-id-marker") ?? "";
    const subject = isService(who) ? undefined : who.subject;
    const found = await multipart.uploads({ bucket, prefix, afterKey, afterId, subject, limit: limit + 1 });
    const shown = found.slice(0, limit);
    const isTruncated = found.length > limit;
    const last = shown.at(-1);
    const lines = shown.map(
      ({ id, key, subject: owner, createdAt }): Element => [
        "Upload",
        [
          ["Key", write(key)],
          ["UploadId", id],
          ["Initiator", [["ID", owner ?? ""]]],
          ["Owner", [["ID", owner ?? ""]]],
          ["StorageClass", "STANDARD"],
          ["Initiated", timeOf(createdAt)],
        ],
      ],
    );
    return xml([
      "ListMultipartUploadsResult",
      [
        ["Bucket", bucket],
        ["KeyMarker", write(afterKey)],
        ["UploadIdMarker", afterId],
        ["Prefix", write(prefix)],
        isTruncated && last !== undefined ? ["NextKeyMarker", write(last.key)] : null,
        isTruncated && last !== undefined ? ["NextUploadIdMarker", last.id] : null,
        ["MaxUploads", limit],
        parameters.has("encoding-type") ? ["EncodingType", "url"] : null,
        ["IsTruncated", isTruncated],
        ...lines,
      ],
    ]);
  };

  return { parts, uploads };
}
