import { openBucket } from "./bucket.ts";
import type { S3Options } from "./options.ts";

/** How tests reach an S3 server: as usual, with fewer attempts. */
export function optionsFor(
  server: { readonly endpoint: string; readonly bucket: string },
  more: Partial<S3Options> = {},
): S3Options {
  return {
    bucket: server.bucket,
    endpoint: server.endpoint,
    region: "us-east-1",
    credentials: { accessKeyId: "test", secretAccessKey: "the-secret" },
    prefix: "",
    hasPathStyle: true,
    encryption: null,
    kmsKeyId: null,
    partBytes: 5 * 1024 * 1024,
    connections: 50,
    // Waiting for one of the connections counts.
    connectTimeoutMs: 20_000,
    answerTimeoutMs: 20_000,
    stallTimeoutMs: 1_000,
    attempts: 3,
    ...more,
  };
}

/** What a writer leaves that dies half-way: an upload with a part, and without an end. */
export async function leaveHalfUpload(options: S3Options, id: string): Promise<void> {
  const { client, s3, at } = await openBucket(options);
  const { UploadId } = await client.send(new s3.CreateMultipartUploadCommand(at(id)));
  await client.send(new s3.UploadPartCommand({ ...at(id), UploadId, PartNumber: 1, Body: Buffer.from("half") }));
  client.destroy();
}
