import type { Bucket } from "./bucket.ts";
import { failureOf, isMissing } from "./failure.ts";

/** Largest blob that one request copies, in bytes: S3's own limit. */
const wholeLimitBytes = 5 * 1024 ** 3;
/** Of larger ones so much is copied by a request. */
const partBytes = 1024 ** 3;

/** A second blob with the same bytes, made by S3 itself. @returns false when there is no first one */
export async function copy(
  bucket: Bucket,
  from: string,
  to: string,
  limits = { wholeLimitBytes, partBytes },
): Promise<boolean> {
  const source = bucket.at(from);
  const target = bucket.at(to);
  const CopySource = `${source.Bucket}/${source.Key.split("/").map(encodeURIComponent).join("/")}`;
  const sizeBytes = await bucket.sizeOf(from);
  if (sizeBytes === null) return false;
  const { client, s3, encryption } = bucket;
  try {
    if (sizeBytes <= limits.wholeLimitBytes) {
      await client.send(new s3.CopyObjectCommand({ ...target, ...encryption, CopySource }));
      return true;
    }
    const begun = await client.send(new s3.CreateMultipartUploadCommand({ ...target, ...encryption }));
    const upload = { ...target, UploadId: begun.UploadId };
    try {
      const parts: { PartNumber: number; ETag: string | undefined }[] = [];
      for (let at = 0; at < sizeBytes; at += limits.partBytes) {
        const PartNumber = parts.length + 1;
        const CopySourceRange = `bytes=${at}-${Math.min(at + limits.partBytes, sizeBytes) - 1}`;
        const request = new s3.UploadPartCopyCommand({ ...upload, CopySource, CopySourceRange, PartNumber });
        parts.push({ PartNumber, ETag: (await client.send(request)).CopyPartResult?.ETag });
      }
      await client.send(new s3.CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts: parts } }));
      return true;
    } catch (error) {
      await client.send(new s3.AbortMultipartUploadCommand(upload)).catch(() => {});
      throw error;
    }
  } catch (error) {
    // Removed since.
    if (isMissing(error)) return false;
    throw failureOf(error);
  }
}
