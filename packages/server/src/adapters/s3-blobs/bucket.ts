import type { S3Client } from "@aws-sdk/client-s3";
import { isBlobId, readBlobId } from "../blobs/blob-id.ts";
import { openClient, type S3Library } from "./client.ts";
import { failureOf, isMissing } from "./failure.ts";
import type { S3Options } from "./options.ts";

/** One bucket, and the names of blobs in it. */
export interface Bucket {
  readonly s3: S3Library;
  readonly client: S3Client;
  readonly options: S3Options;
  /** @throws Error for what is no UUID of ours */
  at(id: string): { readonly Bucket: string; readonly Key: string };
  /** The blob of a key; `null` for a key that is none of ours. */
  idOf(key: string | undefined): string | null;
  /** What the server is asked to encrypt with. */
  readonly encryption: {
    readonly ServerSideEncryption?: "AES256" | "aws:kms";
    readonly SSEKMSKeyId?: string;
  };
  /** In bytes; `null` when there is no such blob. */
  sizeOf(id: string): Promise<number | null>;
}

export async function openBucket(options: S3Options): Promise<Bucket> {
  const { s3, client } = await openClient(options);
  const at: Bucket["at"] = (id) => ({ Bucket: options.bucket, Key: `${options.prefix}${readBlobId(id)}` });
  return {
    s3,
    client,
    options,
    at,
    idOf(key) {
      if (key === undefined || !key.startsWith(options.prefix)) return null;
      const id = key.slice(options.prefix.length);
      return isBlobId(id) ? id : null;
    },
    encryption: {
      ...(options.encryption === null ? {} : { ServerSideEncryption: options.encryption }),
      ...(options.kmsKeyId === null ? {} : { SSEKMSKeyId: options.kmsKeyId }),
    },
    async sizeOf(id) {
      const place = at(id);
      try {
        return (await client.send(new s3.HeadObjectCommand(place))).ContentLength ?? 0;
      } catch (error) {
        if (!isMissing(error)) throw failureOf(error);
      }
      // The answer to HEAD does not say what is missing: the blob, or the whole bucket.
      try {
        await client.send(new s3.HeadBucketCommand({ Bucket: options.bucket }));
        return null;
      } catch (error) {
        throw failureOf(error);
      }
    },
  };
}
