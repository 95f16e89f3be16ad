import { flag, integer, type Settings, text } from "../../../kernel/settings.ts";

/** Options of the S3 endpoint. */
export const s3Settings = {
  storageS3Enabled: flag({
    env: ["MAINSTAY_STORAGE_S3_ENABLED"],
    default: true,
    summary: "Whether files are served by the S3 protocol too, at `/storage/v1/s3`.",
  }),
  storageS3Region: text<string>({
    env: ["MAINSTAY_STORAGE_S3_REGION", "S3_PROTOCOL_REGION"],
    default: "us-east-1",
    summary: "The region that S3 clients are told. They may sign for any.",
  }),
  storageS3ProjectRef: text<string>({
    env: ["MAINSTAY_STORAGE_S3_PROJECT_REF"],
    default: "mainstay",
    summary:
      "The access key id of users who come to the S3 endpoint with their own session: the secret is the anon key then, the session token their JWT.",
  }),
  storageS3ClockSkewMs: integer({
    env: ["MAINSTAY_STORAGE_S3_CLOCK_SKEW_MS"],
    default: 900_000,
    unit: "ms",
    min: 1_000,
    max: 3_600_000,
    summary: "How far the clocks of S3 clients may be off, and for how long a signed request can be sent again.",
  }),
  storageS3XmlLimitBytes: integer({
    env: ["MAINSTAY_STORAGE_S3_XML_LIMIT_BYTES"],
    default: 4_194_304,
    unit: "bytes",
    min: 1_024,
    summary: "Largest XML body of an S3 request: 10,000 parts with their checksums fit in.",
  }),
  storageS3UploadLifetimeMs: integer({
    env: ["MAINSTAY_STORAGE_S3_UPLOAD_LIFETIME_MS"],
    default: 86_400_000,
    unit: "ms",
    min: 60_000,
    summary: "How long a multipart upload of S3 may lie between two parts until it is given up.",
  }),
  storageS3UnfinishedPerOwner: integer({
    env: ["MAINSTAY_STORAGE_S3_UNFINISHED_PER_OWNER"],
    default: 100,
    unit: "uploads",
    min: 1,
    summary:
      "Most unfinished multipart uploads of S3 of one user, or of one address where nobody is signed in. The service role has no limit.",
  }),
  storageS3PartMinBytes: integer({
    env: ["MAINSTAY_STORAGE_S3_PART_MIN_BYTES"],
    default: 5_242_880,
    unit: "bytes",
    min: 1,
    summary: "Smallest part of a multipart upload of S3, the last one apart.",
  }),
  storageS3MetadataLimitBytes: integer({
    env: ["MAINSTAY_STORAGE_S3_METADATA_LIMIT_BYTES"],
    default: 8_192,
    unit: "bytes",
    min: 0,
    summary: "Names and values of an object's `x-amz-meta-` headers together.",
  }),
  storageS3UploadTimeoutMs: integer({
    env: ["MAINSTAY_STORAGE_S3_UPLOAD_TIMEOUT_MS"],
    default: 3_600_000,
    unit: "ms",
    min: 1_000,
    summary: "Longest time to receive one object or one part over S3.",
  }),
} satisfies Settings;
