import type { S3Needs } from "../needs.ts";
import { problems } from "../problems.ts";
import type { Handler, S3Request } from "../request.ts";
import { bucketOperations } from "./buckets.ts";
import { completeOperation } from "./complete.ts";
import { copyOperation } from "./copy.ts";
import { deleteOperations } from "./delete.ts";
import { getOperations } from "./get.ts";
import { listOperations } from "./list.ts";
import { multipartOperations } from "./multipart.ts";
import { multipartLists } from "./multipart-lists.ts";
import { putOperation } from "./put.ts";

/** An operation of S3: which request is one, and what is done with it. */
interface Operation {
  readonly name: string;
  readonly method: string;
  readonly on: "service" | "bucket" | "object";
  /** Parameters that the query must have. */
  readonly with?: readonly string[];
  /** A header that must be there. */
  readonly header?: string;
  readonly handle: Handler;
}

/** Parts of S3 that stand in the query by their name, and that are not here. What is here is matched before. */
const subresources: ReadonlySet<string> = new Set(
  (
    "accelerate acl analytics attributes cors delete encryption intelligent-tiering inventory legal-hold lifecycle location logging metadataTable metrics " +
    "notification object-lock ownershipControls policy policyStatus publicAccessBlock renameObject replication requestPayment restore retention select " +
    "session tagging torrent uploadId uploads versioning versions website abac metadataConfiguration"
  ).split(" "),
);

/** Every operation, the more particular of one method first. */
export function operationsOf(needs: S3Needs): readonly Operation[] {
  const bucket = bucketOperations(needs);
  const list = listOperations(needs);
  const get = getOperations(needs);
  const remove = deleteOperations(needs);
  const multipart = multipartOperations(needs);
  const lists = multipartLists(needs, multipart);
  const on = (
    place: Operation["on"],
    method: string,
    name: string,
    handle: Handler,
    more: Partial<Operation> = {},
  ) => ({
    name,
    method,
    on: place,
    handle,
    ...more,
  });
  return [
    on("service", "GET", "ListBuckets", bucket.list),
    on("bucket", "PUT", "CreateBucket", bucket.create),
    on("bucket", "HEAD", "HeadBucket", bucket.head),
    on("bucket", "DELETE", "DeleteBucket", bucket.remove),
    on("bucket", "GET", "GetBucketLocation", bucket.location, { with: ["location"] }),
    on("bucket", "GET", "GetBucketVersioning", bucket.versioning, { with: ["versioning"] }),
    on("bucket", "GET", "ListMultipartUploads", lists.uploads, { with: ["uploads"] }),
    on("bucket", "GET", "ListObjectsV2", list.v2, { with: ["list-type"] }),
    on("bucket", "GET", "ListObjects", list.v1),
    on("bucket", "POST", "DeleteObjects", remove.many, { with: ["delete"] }),
    on("object", "GET", "ListParts", lists.parts, { with: ["uploadId"] }),
    on("object", "GET", "GetObjectTagging", get.tags, { with: ["tagging"] }),
    on("object", "GET", "GetObjectAttributes", get.attributes, { with: ["attributes"] }),
    on("object", "GET", "GetObject", get.get),
    on("object", "HEAD", "HeadObject", get.get),
    on("object", "PUT", "PutObjectTagging", get.putTags, { with: ["tagging"] }),
    on("object", "PUT", "UploadPartCopy", multipart.partCopy, {
      with: ["partNumber", "uploadId"],
      header: "x-amz-copy-source",
    }),
    on("object", "PUT", "UploadPart", multipart.part, { with: ["partNumber", "uploadId"] }),
    on("object", "PUT", "CopyObject", copyOperation(needs), { header: "x-amz-copy-source" }),
    on("object", "PUT", "PutObject", putOperation(needs)),
    on("object", "POST", "CreateMultipartUpload", multipart.create, { with: ["uploads"] }),
    on("object", "POST", "CompleteMultipartUpload", completeOperation(needs, multipart), { with: ["uploadId"] }),
    on("object", "DELETE", "AbortMultipartUpload", multipart.abort, { with: ["uploadId"] }),
    on("object", "DELETE", "DeleteObjectTagging", get.deleteTags, { with: ["tagging"] }),
    on("object", "DELETE", "DeleteObject", remove.one),
  ];
}

/** The operation that a request is. @throws Problem `NotImplemented`, `MethodNotAllowed` */
export function operationFor(
  operations: readonly Operation[],
  { call, bucket, key, parameters }: S3Request,
): Operation {
  const place = bucket === "" ? "service" : key === "" ? "bucket" : "object";
  const asked = [...parameters.keys()].filter((name) => subresources.has(name));
  const fits = operations.find(
    (operation) =>
      operation.on === place &&
      operation.method === call.method &&
      (operation.with ?? []).every((name) => parameters.has(name)) &&
      (operation.header === undefined || call.headers[operation.header] !== undefined) &&
      // One that says nothing of a subresource is not what was meant with it.
      asked.every((name) => operation.with?.includes(name)),
  );
  if (fits !== undefined) return fits;
  if (asked.length > 0) throw problems.notImplemented(asked.join(", "));
  throw problems.methodNotAllowed();
}
