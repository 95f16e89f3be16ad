import { randomUUID } from "node:crypto";
import type { BlobStore } from "../../capabilities/storage/ports.ts";
import { reasonOf } from "../../kernel/reason.ts";
import { type Bucket, openBucket } from "./bucket.ts";
import { copy } from "./copy.ts";
import { failureOf, ReadFailure } from "./failure.ts";
import type { S3Options } from "./options.ts";
import { read } from "./read.ts";
import { giveUp } from "./unfinished.ts";
import { write } from "./write.ts";

export { type S3Options, s3OptionsOf } from "./options.ts";

/** S3 takes no more names in one request. */
const removalsAtOnce = 1_000;

/** Blobs in a bucket of any S3 (see README.md). Nothing is asked of the server until there is something to do. */
export async function openS3BlobStore(options: S3Options): Promise<BlobStore> {
  const bucket = await openBucket(options);
  return {
    description: `s3 bucket ${options.bucket}${options.endpoint === null ? "" : ` at ${new URL(options.endpoint).host}`}`,
    write: async (id, source, { signal } = {}) => {
      bucket.at(id);
      return write(bucket, id, source, signal);
    },
    read: async (id, range, { signal } = {}) => read(bucket, id, range, signal),
    async readWhole(id, range) {
      const chunks = await read(bucket, id, range);
      return chunks === null ? null : Buffer.concat(await Array.fromAsync(chunks));
    },
    copy: async (from, to) => copy(bucket, from, to),
    sizeOf: async (id) => bucket.sizeOf(id),
    remove: (ids) => remove(bucket, ids),
    async *list(how) {
      yield* list(bucket, how?.signal);
    },
    removeLeftovers: (olderThanMs) => giveUp(bucket, ({ begunAtMs }) => begunAtMs < Date.now() - olderThanMs),
    async close() {
      bucket.client.destroy();
    },
  };
}

async function remove(bucket: Bucket, ids: readonly string[]): Promise<void> {
  const { client, s3, options, at } = bucket;
  const keys = ids.map((id) => at(id).Key);
  for (let done = 0; done < keys.length; done += removalsAtOnce) {
    const some = keys.slice(done, done + removalsAtOnce);
    const request = new s3.DeleteObjectsCommand({
      Bucket: options.bucket,
      Delete: { Quiet: true, Objects: some.map((Key) => ({ Key })) },
    });
    try {
      const { Errors: errors = [] } = await client.send(request);
      const failed = errors.find(({ Code }) => Code !== "NoSuchKey");
      if (failed) throw new ReadFailure(`S3 removed some and not others: ${failed.Code ?? ""} ${failed.Message ?? ""}`);
    } catch (error) {
      throw failureOf(error);
    }
  }
  const unwanted = new Set(ids);
  if (ids.length > 0) await giveUp(bucket, ({ id }) => unwanted.has(id));
}

async function* list({ client, s3, options, idOf }: Bucket, signal?: AbortSignal): ReturnType<BlobStore["list"]> {
  let after: string | undefined;
  do {
    signal?.throwIfAborted();
    const request = new s3.ListObjectsV2Command({
      Bucket: options.bucket,
      Prefix: options.prefix,
      ...(after === undefined ? {} : { ContinuationToken: after }),
    });
    const page = await client
      .send(request, signal === undefined ? {} : { abortSignal: signal })
      .catch((error: unknown) => {
        signal?.throwIfAborted();
        throw failureOf(error);
      });
    for (const { Key, Size = 0, LastModified } of page.Contents ?? []) {
      const id = idOf(Key);
      if (id !== null) yield { id, sizeBytes: Size, modifiedAtMs: LastModified?.getTime() ?? 0 };
    }
    after = page.IsTruncated ? page.NextContinuationToken : undefined;
  } while (after !== undefined);
}

/**
 * Whether the bucket can be used: writes a blob of some bytes, reads it, and takes it away. For `mainstay doctor`.
 * @returns what is wrong, in a sentence; `null` when nothing is
 */
export async function checkS3(options: S3Options): Promise<string | null> {
  const store = await openS3BlobStore(options);
  const id = randomUUID();
  try {
    const bytes = Buffer.from(id);
    await store.write(
      id,
      (async function* () {
        yield bytes;
      })(),
    );
    const found = await store.readWhole(id);
    await store.remove([id]);
    return found?.equals(bytes) ? null : `${store.description}: what was written is not what is read.`;
  } catch (error) {
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
    return `${store.description}: ${reasonOf(cause)}`;
  } finally {
    await store.close();
  }
}
