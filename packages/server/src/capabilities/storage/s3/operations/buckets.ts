import { empty } from "../../../../kernel/route.ts";
import { readBucketId } from "../../names.ts";
import { problems as storageProblems } from "../../problems.ts";
import type { Operation } from "../../types.ts";
import { bucketOf, type S3Needs } from "../needs.ts";
import { readWhole } from "../payload/payload.ts";
import { problems } from "../problems.ts";
import { type Handler, type S3Request, xml } from "../request.ts";
import { readDocument } from "../xml/read.ts";
import type { Element } from "../xml/write.ts";

/** Times as S3 writes them: to the millisecond. */
export const timeOf = (rfc3339: string | null): string => new Date(rfc3339 ?? 0).toISOString();

/** Buckets, by the rights that the caller has on `storage.buckets`. */
export function bucketOperations(needs: S3Needs) {
  const { store, settings } = needs;

  const visible = async (request: S3Request, operation: Operation): Promise<void> => {
    if (!(await store.hasBucket(request.who, operation, request.bucket))) throw storageProblems.noSuchBucket();
  };

  const list: Handler = async ({ who }) => {
    const owner: Element = ["Owner", [["ID", who.subject ?? who.role]]];
    const buckets = (await store.buckets(who)).map(
      ({ id, createdAt }): Element => [
        "Bucket",
        [
          ["Name", id],
          ["CreationDate", timeOf(createdAt)],
        ],
      ],
    );
    return xml(["ListAllMyBucketsResult", [owner, ["Buckets", buckets]]]);
  };

  const create: Handler = async (request) => {
    const body = await readWhole(request.payload(), settings.storageS3XmlLimitBytes);
    // Where a bucket is to be, and nothing else that would be lost: there is one place.
    if (body.length > 0) await readDocument(body, "CreateBucketConfiguration");
    if (!(await store.addBucket(request.who, readBucketId(request.bucket)))) throw problems.alreadyOwned();
    return empty(200, ["Location", `/${encodeURIComponent(request.bucket)}`]);
  };

  const head: Handler = async (request) => {
    await visible(request, "storage.s3.bucket.get");
    return empty(200, ["x-amz-bucket-region", settings.storageS3Region]);
  };

  const remove: Handler = async ({ who, bucket }) => {
    switch (await store.removeBucket(who, bucket)) {
      case "removed":
        return empty(204);
      case "not-empty":
        throw problems.notEmpty();
      case "missing":
        throw storageProblems.noSuchBucket();
    }
  };

  const location: Handler = async (request) => {
    await visible(request, "storage.s3.bucket.get_location");
    // The first region is the one without a name (GetBucketLocation).
    const { storageS3Region } = settings;
    return xml(["LocationConstraint", storageS3Region === "us-east-1" ? "" : storageS3Region]);
  };

  const versioning: Handler = async (request) => {
    await visible(request, "storage.s3.bucket.get_versioning");
    await bucketOf(needs, request.bucket);
    return xml(["VersioningConfiguration", []]);
  };

  return { list, create, head, remove, location, versioning };
}
