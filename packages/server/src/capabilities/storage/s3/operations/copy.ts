import type { IncomingHttpHeaders } from "node:http";
import { Problem } from "../../../../kernel/problem.ts";
import { readKey } from "../../names.ts";
import type { WriteOrder } from "../../objects/types.ts";
import { problems as storageProblems } from "../../problems.ts";
import { conditionOf } from "../../serving/index.ts";
import type { StoredObject } from "../../types.ts";
import { inspectionOf, inspectKept, isAllowedType } from "../../uploads/index.ts";
import { copySourceOf } from "../location.ts";
import { factsOf } from "../metadata.ts";
import { bucketOf, limitOf, type S3Needs } from "../needs.ts";
import { problems } from "../problems.ts";
import { type Handler, headerOf, type S3Request, xml } from "../request.ts";
import { findObject } from "./get.ts";
import { mayReplace, orderOf, writing } from "./put.ts";

/** How long a copy may take, in ms: the store makes it without us. */
const copyLeaseMs = 300_000;

/** Conditions on the source, as those of a request for it. */
function sourceConditions({ call }: Pick<S3Request, "call">): IncomingHttpHeaders {
  const names = ["if-match", "if-none-match", "if-modified-since", "if-unmodified-since"];
  return Object.fromEntries(names.map((name) => [name, call.headers[`x-amz-copy-source-${name}`]]));
}

/** The object to copy from, as the caller sees it. @throws Problem `NoSuchKey`, `PreconditionFailed` */
export async function sourceOf(needs: S3Needs, request: S3Request): Promise<StoredObject> {
  const { bucket, key } = copySourceOf(headerOf(request, "x-amz-copy-source") ?? "");
  const source = await findObject(needs, { who: request.who, bucket, key }, "storage.s3.object.copy");
  if (conditionOf(sourceConditions(request), source) !== "send") {
    throw problems.preconditionFailed("x-amz-copy-source-If");
  }
  return source;
}

/** `COPY` keeps what is said of the source, `REPLACE` says it anew. */
function isReplacing(request: S3Request): boolean {
  const directive = headerOf(request, "x-amz-metadata-directive") ?? "COPY";
  if (directive !== "COPY" && directive !== "REPLACE") throw problems.invalidArgument("Unknown metadata directive.");
  const tagging = headerOf(request, "x-amz-tagging-directive") ?? "COPY";
  if (tagging !== "COPY") throw problems.notImplemented("x-amz-tagging-directive");
  return directive === "REPLACE";
}

/** CopyObject: the rows are two, the bytes are the store's to copy. */
export function copyOperation(needs: S3Needs): Handler {
  const { objects, content, checksums, settings } = needs;

  /** What `uploads.open` asks of an upload, asked of a copy. */
  const check = async (order: WriteOrder): Promise<void> => {
    readKey(order.name);
    const bucket = await bucketOf(needs, order.bucketId);
    await objects.mayWrite(order);
    if ((order.sizeBytes ?? 0) > limitOf(needs, bucket)) throw storageProblems.entityTooLarge();
    const { allowedMimeTypes } = bucket;
    if (allowedMimeTypes !== null && !isAllowedType(order.contentType, allowedMimeTypes)) {
      throw storageProblems.invalidMimeType(order.contentType.slice(0, 100));
    }
  };

  const copy = async (order: WriteOrder, { version, sizeBytes, etag }: StoredObject): Promise<StoredObject> => {
    if (version === null) throw storageProblems.noSuchKey();
    const { bucketId, ownerId } = order;
    const copied = await content.copy(version, { bucketId, ownerId, reservedBytes: sizeBytes, leaseMs: copyLeaseMs });
    try {
      return await objects.write(order, { version: copied, sizeBytes, etag });
    } catch (error) {
      await content.abandon(copied).catch(() => {});
      throw error;
    }
  };

  return async (request) => {
    const { bucket, key, call } = request;
    const isNew = isReplacing(request);
    const isUpsert = mayReplace(request);
    const attempt = async (): Promise<readonly [from: StoredObject, to: StoredObject]> => {
      const source = await sourceOf(needs, request);
      if (!isNew && source.bucketId === bucket && source.name === key) {
        throw problems.invalidRequest(
          "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata.",
        );
      }
      const facts = isNew ? factsOf(call.headers, settings.storageS3MetadataLimitBytes) : source;
      const { contentType, contentEncoding = null, cacheControl, userMetadata } = facts;
      const said = { contentType, contentEncoding, cacheControl, userMetadata };
      const order = orderOf(request, "storage.s3.object.copy", said, { isUpsert, sizeBytes: source.sizeBytes });
      await writing(check(order));
      const { allowedMimeTypes } = await bucketOf(needs, bucket);
      const inspect = inspectionOf(settings.storageCheckTypes, order, { allowedMimeTypes });
      await writing(inspectKept(content, source.version, inspect));
      return [source, await writing(copy(order, source))];
    };
    const [from, to] = await attempt().catch((error: unknown) => {
      // Somebody has replaced the source between our look at its row and at its bytes; one that is gone is missed again.
      if (error instanceof Problem && error.code === "NoSuchKey") return attempt();
      throw error;
    });
    const checksum = from.version === null ? null : await checksums.find(from.version);
    if (checksum !== null && to.version !== null) await checksums.add(to.version, checksum);
    return xml([
      "CopyObjectResult",
      [
        ["LastModified", new Date(to.lastModifiedMs).toISOString()],
        ["ETag", to.etag],
      ],
    ]);
  };
}
