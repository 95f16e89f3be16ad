import type { storageSettings } from "../../capabilities/storage/settings.ts";
import { SettingError, type Values } from "../../kernel/settings.ts";

export interface S3Options {
  readonly bucket: string;
  /** `null` for Amazon's. */
  readonly endpoint: string | null;
  readonly region: string;
  /** `null` leaves it to the library, which looks where Amazon's tools do. */
  readonly credentials: {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly sessionToken?: string;
  } | null;
  readonly prefix: string;
  readonly hasPathStyle: boolean;
  readonly encryption: "AES256" | "aws:kms" | null;
  readonly kmsKeyId: string | null;
  readonly partBytes: number;
  readonly connections: number;
  readonly connectTimeoutMs: number;
  readonly answerTimeoutMs: number;
  readonly stallTimeoutMs: number;
  readonly attempts: number;
}

const name = "MAINSTAY_STORAGE_BACKEND_S3";

/** @throws SettingError for what is missing, or cannot be */
export function s3OptionsOf(settings: Values<typeof storageSettings>): S3Options {
  const bucket = settings.storageBackendS3Bucket;
  if (bucket === null) throw new SettingError(`MAINSTAY_STORAGE_BACKEND is s3, and ${name}_BUCKET is not set.`);
  if (!/^[a-zA-Z0-9][a-zA-Z0-9._-]{1,253}[a-zA-Z0-9]$/.test(bucket)) {
    throw new SettingError(`${name}_BUCKET must be the name of a bucket alone.`);
  }
  const endpoint = settings.storageBackendS3Endpoint;
  if (endpoint !== null && !isHttpUrl(endpoint)) {
    throw new SettingError(`${name}_ENDPOINT must be an http or https URL without user, query and fragment.`);
  }
  if (
    !/^[A-Za-z0-9!_.*'()/-]{0,200}$/.test(settings.storageBackendS3Prefix) ||
    settings.storageBackendS3Prefix.startsWith("/")
  ) {
    throw new SettingError(`${name}_PREFIX may have letters, digits and !_.*'()/- and does not begin with a slash.`);
  }
  if (settings.storageBackendS3KmsKeyId !== null && settings.storageBackendS3Encryption !== "aws:kms") {
    throw new SettingError(`${name}_KMS_KEY_ID is set, and ${name}_ENCRYPTION is not aws:kms.`);
  }
  const { storageBackendS3Addressing: addressing, storageBackendS3Encryption: encryption } = settings;
  return {
    bucket,
    endpoint,
    region: settings.storageBackendS3Region,
    credentials: credentialsOf(settings),
    prefix: settings.storageBackendS3Prefix,
    hasPathStyle: addressing === "path" || (addressing === "auto" && endpoint !== null),
    encryption: encryption === "none" ? null : encryption,
    kmsKeyId: settings.storageBackendS3KmsKeyId,
    partBytes: settings.storageBackendS3PartBytes,
    connections: settings.storageBackendS3Connections,
    connectTimeoutMs: settings.storageBackendS3ConnectTimeoutMs,
    answerTimeoutMs: settings.storageBackendS3AnswerTimeoutMs,
    stallTimeoutMs: settings.storageBackendS3StallTimeoutMs,
    attempts: settings.storageBackendS3Attempts,
  };
}

function credentialsOf(settings: Values<typeof storageSettings>): S3Options["credentials"] {
  const {
    storageBackendS3AccessKeyId: accessKeyId,
    storageBackendS3SecretAccessKey: secretAccessKey,
    storageBackendS3SessionToken: sessionToken,
    storageBackendS3Endpoint: endpoint,
  } = settings;
  if (accessKeyId !== null && secretAccessKey !== null) {
    return { accessKeyId, secretAccessKey, ...(sessionToken === null ? {} : { sessionToken }) };
  }
  if (accessKeyId !== null || secretAccessKey !== null) {
    throw new SettingError(`${name}_ACCESS_KEY_ID and ${name}_SECRET_ACCESS_KEY are set together, or neither.`);
  }
  // The machine's role is Amazon's word to Amazon.
  if (endpoint !== null) throw new SettingError(`${name}_ENDPOINT is set, and ${name}_ACCESS_KEY_ID is not.`);
  return null;
}

function isHttpUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password, search, hash } = new URL(text);
  return (protocol === "https:" || protocol === "http:") && `${username}${password}${search}${hash}` === "";
}
