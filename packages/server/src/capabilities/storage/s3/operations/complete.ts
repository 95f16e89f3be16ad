import { Problem } from "../../../../kernel/problem.ts";
import { problems as storageProblems } from "../../problems.ts";
import type { ObjectChecksum } from "../checksum-store.ts";
import type { UploadMemo } from "../multipart-store.ts";
import type { S3Needs } from "../needs.ts";
import { headerOf as checksumHeader, elementOf } from "../payload/checksums.ts";
import { readWhole } from "../payload/payload.ts";
import { problems } from "../problems.ts";
import { type Handler, type S3Request, xml } from "../request.ts";
import { readDocument } from "../xml/read.ts";
import { mayGoOn, type multipartOperations } from "./multipart.ts";
import { matchParts, maxParts, type NamedPart, readParts, wholeChecksum } from "./parts-list.ts";
import { mayReplace, orderOf, writing } from "./put.ts";

const operation = "storage.s3.upload.complete_multipart";

/** What a request to complete an upload says. */
interface Wish {
  readonly request: S3Request;
  readonly named: readonly NamedPart[];
  readonly isUpsert: boolean;
}

interface Completed {
  readonly memo: UploadMemo;
  readonly etag: string;
  readonly checksum: ObjectChecksum | null;
}

/** CompleteMultipartUpload. Copies no bytes. */
export function completeOperation(
  needs: S3Needs,
  { resume }: Pick<ReturnType<typeof multipartOperations>, "resume">,
): Handler {
  const { uploads, objects, multipart, checksums, settings } = needs;

  return async (request) => {
    const body = await readWhole(request.payload(), settings.storageS3XmlLimitBytes);
    const named = readParts(await readDocument(body, "CompleteMultipartUpload"));
    const wish: Wish = { request, named, isUpsert: mayReplace(request) };
    try {
      return answer(request, await complete(wish));
    } catch (error) {
      // Who lost the answer to the first one asks again, and so does who could not wait for it.
      const earlier = error instanceof Problem && error.code === "NoSuchUpload" ? await completedBefore(wish) : null;
      if (earlier === null) throw error;
      return answer(request, earlier);
    }
  };

  async function complete({ request, named, isUpsert }: Wish): Promise<Completed> {
    const { memo, upload, order } = await resume(request, operation);
    const uploaded = await multipart.parts(upload.version, 0, maxParts);
    const parts = matchParts(named, uploaded, settings.storageS3PartMinBytes);
    // The first bytes are looked at where types are restricted, and those are the first part's.
    if (upload.bucket.allowedMimeTypes !== null && parts[0]?.number !== 1) throw problems.invalidPart();
    const sizeBytes = parts.reduce((sum, each) => sum + each.sizeBytes, 0);
    if (sizeBytes > upload.limitBytes) throw storageProblems.entityTooLarge();
    const checksum = wholeChecksum(memo.checksumName, memo.isWholeChecksum, parts);
    assertChecksum(request, checksum);
    const positions = parts.map(({ number }) => number - 1);
    const object = await writing(uploads.finish(upload, { ...order, isUpsert, sizeBytes }, positions));
    if (checksum !== null && object.version !== null) await checksums.add(object.version, checksum);
    return { memo, etag: object.etag, checksum };
  }

  /**
   * The same upload, complete with the same parts, while the object has its bytes; `null` where there is none for this caller. Rights are asked as if
   * it were to be written now: an answer tells no more than writing would.
   */
  async function completedBefore({ request, named, isUpsert }: Wish): Promise<Completed | null> {
    const { who, bucket, key, parameters } = request;
    const id = parameters.get("uploadId") ?? "";
    const found = /^[0-9a-f-]{36}$/.test(id) ? await multipart.findCompleted(id, bucket) : null;
    if (found === null || found.memo.key !== key || !mayGoOn(found.memo, who)) return null;
    const { memo, etag } = found;
    const order = orderOf(request, operation, memo, { isUpsert, sizeBytes: null });
    await objects.mayWrite({ ...order, ownerId: memo.subject }).catch((error: unknown) => {
      // It is there: this upload has made it.
      if (!(error instanceof Problem) || error.code !== "KeyAlreadyExists") throw error;
    });
    const kept = await multipart.parts(id, 0, maxParts);
    const parts = matchParts(named, kept, settings.storageS3PartMinBytes);
    if (parts.length !== kept.length) throw problems.invalidPart();
    const checksum = wholeChecksum(memo.checksumName, memo.isWholeChecksum, parts);
    assertChecksum(request, checksum);
    return { memo, etag, checksum };
  }
}

/** @throws Problem `BadDigest` */
function assertChecksum({ call }: S3Request, checksum: ObjectChecksum | null): void {
  if (checksum === null) return;
  const given = call.headers[checksumHeader(checksum.name)];
  if (given !== undefined && given !== checksum.value) throw problems.badDigest(checksumHeader(checksum.name));
}

function answer({ call, bucket, key }: S3Request, { memo, etag, checksum }: Completed) {
  return xml([
    "CompleteMultipartUploadResult",
    [
      ["Location", `${call.path}`],
      ["Bucket", bucket],
      ["Key", key],
      ["ETag", etag],
      checksum === null ? null : [elementOf(checksum.name), checksum.value],
      checksum === null ? null : ["ChecksumType", memo.isWholeChecksum ? "FULL_OBJECT" : "COMPOSITE"],
    ],
  ]);
}
