import { integer, type Settings, text } from "../../kernel/settings.ts";

/** The bucket that has the bytes of files, where `storageBackend` is `s3`. */
export const storeSettings = {
  storageBackendS3Bucket: text<string | null>({
    env: ["MAINSTAY_STORAGE_BACKEND_S3_BUCKET", "STORAGE_S3_BUCKET", "GLOBAL_S3_BUCKET"],
    default: null,
    summary: "The bucket with the bytes of files. It has to be there, and nobody else may write to it.",
  }),
  storageBackendS3Endpoint: text<string | null>({
    env: ["MAINSTAY_STORAGE_BACKEND_S3_ENDPOINT", "STORAGE_S3_ENDPOINT", "GLOBAL_S3_ENDPOINT", "AWS_ENDPOINT_URL_S3"],
    default: null,
    summary: "URL of the S3 server, where it is not Amazon's.",
  }),
  storageBackendS3Region: text<string>({
    env: ["MAINSTAY_STORAGE_BACKEND_S3_REGION", "STORAGE_S3_REGION", "AWS_REGION", "AWS_DEFAULT_REGION"],
    default: "us-east-1",
    summary: "Region of the bucket: requests are signed for it.",
  }),
  storageBackendS3AccessKeyId: text<string | null>({
    env: ["MAINSTAY_STORAGE_BACKEND_S3_ACCESS_KEY_ID", "AWS_ACCESS_KEY_ID"],
    default: null,
    summary: "Access key. Without one, the machine's own role is used, or whatever else Amazon's tools would use.",
  }),
  storageBackendS3SecretAccessKey: text<string | null>({
    env: ["MAINSTAY_STORAGE_BACKEND_S3_SECRET_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY"],
    default: null,
    isSecret: true,
    summary: "Secret of the access key.",
  }),
  storageBackendS3SessionToken: text<string | null>({
    env: ["MAINSTAY_STORAGE_BACKEND_S3_SESSION_TOKEN", "AWS_SESSION_TOKEN"],
    default: null,
    isSecret: true,
    summary: "Session token, for access keys that are lent.",
  }),
  storageBackendS3Prefix: text<string>({
    env: ["MAINSTAY_STORAGE_BACKEND_S3_PREFIX"],
    default: "",
    summary:
      "What the names of all blobs in the bucket begin with, such as `production/`. Others may have the rest of the bucket.",
  }),
  storageBackendS3Addressing: text<"auto" | "path" | "host">({
    env: ["MAINSTAY_STORAGE_BACKEND_S3_ADDRESSING"],
    default: "auto",
    choices: ["auto", "path", "host"],
    summary:
      "Whether the bucket stands in the path or in the host's name. `auto`: in the path where an endpoint is set.",
  }),
  storageBackendS3Encryption: text<"none" | "AES256" | "aws:kms">({
    env: ["MAINSTAY_STORAGE_BACKEND_S3_ENCRYPTION"],
    default: "none",
    choices: ["none", "AES256", "aws:kms"],
    summary:
      "What the S3 server is asked to encrypt with. It has the keys then; `storageEncryptionKey` is this server's own encryption.",
  }),
  storageBackendS3KmsKeyId: text<string | null>({
    env: ["MAINSTAY_STORAGE_BACKEND_S3_KMS_KEY_ID"],
    default: null,
    summary: "The key of Amazon's KMS to encrypt with, where it is not the bucket's own.",
  }),
  storageBackendS3PartBytes: integer({
    env: ["MAINSTAY_STORAGE_BACKEND_S3_PART_BYTES"],
    default: 8_388_608,
    unit: "bytes",
    min: 5_242_880,
    max: 1_073_741_824,
    summary:
      "Files up to this size are sent in one request, larger ones in parts of it: three of them in memory for each upload, and at most 10,000.",
  }),
  storageBackendS3Connections: integer({
    env: ["MAINSTAY_STORAGE_BACKEND_S3_CONNECTIONS"],
    default: 1_000,
    unit: "connections",
    min: 4,
    max: 10_000,
    summary:
      "Most connections to the S3 server at once. Each download has one for as long as it takes; who finds none in the time for connecting is refused.",
  }),
  storageBackendS3ConnectTimeoutMs: integer({
    env: ["MAINSTAY_STORAGE_BACKEND_S3_CONNECT_TIMEOUT_MS"],
    default: 3_000,
    unit: "ms",
    min: 10,
    max: 60_000,
    summary: "How long connecting to the S3 server may take.",
  }),
  storageBackendS3AnswerTimeoutMs: integer({
    env: ["MAINSTAY_STORAGE_BACKEND_S3_ANSWER_TIMEOUT_MS"],
    default: 30_000,
    unit: "ms",
    min: 10,
    max: 600_000,
    summary: "How long one request to the S3 server may take until its answer begins. Sending a part counts.",
  }),
  storageBackendS3StallTimeoutMs: integer({
    env: ["MAINSTAY_STORAGE_BACKEND_S3_STALL_TIMEOUT_MS"],
    default: 10_000,
    unit: "ms",
    min: 10,
    max: 600_000,
    summary: "How long the S3 server may pause in the middle of a file until the rest is asked for anew.",
  }),
  storageBackendS3Attempts: integer({
    env: ["MAINSTAY_STORAGE_BACKEND_S3_ATTEMPTS"],
    default: 4,
    unit: "attempts",
    min: 1,
    max: 20,
    summary: "How often a request to the S3 server is tried, with growing pauses, before the store counts as away.",
  }),
} satisfies Settings;
