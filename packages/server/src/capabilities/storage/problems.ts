import { Problem } from "../../kernel/problem.ts";

/**
 * What all of storage refuses with, in the codes of Supabase's storage (protocols: storage errors). Clients show the message; what they compare,
 * a label or the status in the body, `boundary.ts` derives from the code.
 */
export const problems = {
  /** There is no such bucket, or none for this caller. */
  noSuchBucket: () => new Problem("NoSuchBucket", 404, "Bucket not found"),
  /** There is no such object, or none for this caller. */
  noSuchKey: () => new Problem("NoSuchKey", 404, "Object not found"),
  /** The upload has ended, has expired, or never was. */
  noSuchUpload: () => new Problem("NoSuchUpload", 404, "Upload not found"),
  /** An object has that name already. Send `x-upsert: true` to replace it. */
  keyAlreadyExists: () => new Problem("KeyAlreadyExists", 409, "The resource already exists"),
  /** A bucket has that name already. */
  bucketAlreadyExists: () => new Problem("BucketAlreadyExists", 409, "The resource already exists"),
  /** The policies on `storage.objects` or `storage.buckets` do not let this caller do it. */
  accessDenied: (message = "new row violates row-level security policy") => new Problem("AccessDenied", 403, message),
  /** The request says nothing of who asks. */
  authorizationMissing: () =>
    new Problem("AuthorizationMissing", 400, "headers must have required property 'authorization'"),
  /** More bytes than the server or the bucket allows. */
  entityTooLarge: () => new Problem("EntityTooLarge", 413, "The object exceeded the maximum allowed size"),
  /** The owner's quota has no room for it. */
  quotaExceeded: () =>
    new Problem("QuotaExceeded", 413, "The owner's storage quota is used up.", {
      hint: "Delete files that are not needed.",
    }),
  /** The owner has too many uploads that are not finished: finish or end some. */
  tooManyUploads: (limit: number) =>
    new Problem("TooManyUploads", 429, `There are ${limit} unfinished uploads already.`, {
      hint: "Finish or end some of them.",
      headers: { "Retry-After": "60" },
    }),
  /** The bucket does not allow this type, or the bytes are not what they are said to be. */
  invalidMimeType: (type: string) => new Problem("InvalidMimeType", 415, `mime type ${type} is not supported`),
  /** The name of an object has characters that no object's name may have. */
  invalidKey: (key: string) => new Problem("InvalidKey", 400, `Invalid key: ${key}`),
  /** The name of a bucket has characters that no bucket's name may have, or is too long. */
  invalidBucketName: () => new Problem("InvalidBucketName", 400, "Bucket name invalid"),
  /** The body, a header or a parameter is not what the route takes. */
  invalidRequest: (message: string) => new Problem("InvalidRequest", 400, message),
  /** One parameter cannot be used. */
  invalidParameter: (message: string) => new Problem("InvalidParameter", 400, message),
  /** Supabase has it, Mainstay has not: versions of objects, lifecycle rules, buckets of tables or vectors. */
  featureNotEnabled: (what: string) => new Problem("FeatureNotEnabled", 400, `${what} is not available here`),
  /** A parameter is missing. */
  missingParameter: (name: string) => new Problem("MissingParameter", 400, `Missing Required Parameter ${name}`),
  /** Somebody else is writing to the same upload. */
  resourceLocked: () =>
    new Problem("ResourceLocked", 423, "The resource is locked", { headers: { "Retry-After": "1" } }),
  /** The folder or the S3 bucket with the bytes cannot be reached, or answers with failures. Its cause is in the server's log. */
  storeUnavailable: (cause?: unknown) =>
    new Problem("storage/store-unavailable", 503, "The store of files does not answer.", {
      hint: "Try again soon.",
      headers: { "Retry-After": "5" },
      cause,
    }),
  /** The disk or the S3 bucket with the bytes has no room left. Files can still be read; uploads go on when there is room. */
  storeFull: (cause?: unknown) =>
    new Problem("storage/store-full", 507, "The store of files has no room left.", {
      hint: "Whoever runs the server has to make room.",
      cause,
    }),
  /** The bytes of a file are not what was written: they were changed, cut off, or belong to another file. */
  storeCorrupt: (cause?: unknown) =>
    new Problem("storage/corrupt", 500, "The file is damaged.", {
      hint: "`mainstay storage check` finds what else is.",
      cause,
    }),
};
