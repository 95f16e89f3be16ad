/** A bucket as the server itself sees it. */
export interface Bucket {
  readonly id: string;
  readonly name: string;
  readonly isPublic: boolean;
  /** Bytes; `null` leaves it to `storageFileSizeLimitBytes`. */
  readonly fileSizeLimitBytes: number | null;
  /** `image/png`, `image/*`; `null` allows everything. */
  readonly allowedMimeTypes: readonly string[] | null;
}

/** What is known of an object: its row, parsed. */
export interface StoredObject {
  readonly id: string;
  readonly bucketId: string;
  /** The whole key, without the bucket. */
  readonly name: string;
  /** Which bytes; `null` for a row that came without any, as seeds may write them. */
  readonly version: string | null;
  readonly ownerId: string | null;
  readonly sizeBytes: number;
  readonly contentType: string;
  /** How its bytes are packed, for whoever reads it to unpack (`gzip`); `null` when they are not. */
  readonly contentEncoding: string | null;
  /** As it is sent: `max-age=3600`, `no-cache`. */
  readonly cacheControl: string;
  /** With its quotes, as in the header. */
  readonly etag: string;
  /** When these bytes came, in Unix milliseconds. */
  readonly lastModifiedMs: number;
  /** ISO 8601 in UTC with milliseconds. */
  readonly createdAt: string;
  readonly userMetadata: Readonly<Record<string, unknown>> | null;
}

/** What `storage.objects.metadata` holds, as SQL of apps reads it. */
export interface ObjectMetadata {
  readonly eTag: string;
  readonly size: number;
  readonly mimetype: string;
  /** Only there when the bytes are packed. */
  readonly contentEncoding?: string;
  readonly cacheControl: string;
  readonly lastModified: string;
  readonly contentLength: number;
  readonly httpStatusCode: 200;
}

/** Names policies can ask for with `storage.operation()`, as Supabase's server has them. */
export type Operation =
  | "storage.object.upload"
  | "storage.object.upload_update"
  | "storage.object.upload_signed"
  | "storage.object.sign_upload_url"
  | "storage.object.get"
  | "storage.object.get_authenticated"
  | "storage.object.get_public"
  | "storage.object.get_signed"
  | "storage.object.info"
  | "storage.object.info_authenticated"
  | "storage.object.info_public"
  | "storage.object.list"
  | "storage.object.list_v2"
  | "storage.object.sign"
  | "storage.object.sign_many"
  | "storage.object.copy"
  | "storage.object.move"
  | "storage.object.delete"
  | "storage.object.delete_many"
  | "storage.bucket.create"
  | "storage.bucket.list"
  | "storage.bucket.get"
  | "storage.bucket.update"
  | "storage.bucket.empty"
  | "storage.bucket.delete"
  | "storage.render.image_authenticated"
  | "storage.render.image_public"
  | "storage.render.image_sign"
  | "storage.tus.upload.create"
  | "storage.tus.upload.part"
  | "storage.tus.upload.delete"
  | "storage.s3.upload"
  | "storage.s3.upload.create_multipart"
  | "storage.s3.upload.part"
  | "storage.s3.upload.part_copy"
  | "storage.s3.upload.complete_multipart"
  | "storage.s3.upload.abort_multipart"
  | "storage.s3.upload.list_multipart"
  | "storage.s3.upload.list_parts"
  | "storage.s3.object.get"
  | "storage.s3.object.info"
  | "storage.s3.object.list"
  | "storage.s3.object.copy"
  | "storage.s3.object.delete"
  | "storage.s3.object.delete_many"
  | "storage.s3.bucket.create"
  | "storage.s3.bucket.delete"
  | "storage.s3.bucket.get"
  | "storage.s3.bucket.list"
  | "storage.s3.bucket.get_location"
  | "storage.s3.bucket.get_versioning";
