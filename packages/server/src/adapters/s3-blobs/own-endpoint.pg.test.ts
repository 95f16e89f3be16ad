import { type BootedApp, boot } from "@mainstay/testing";
import { describe } from "vitest";
import { blobStoreContract } from "../../capabilities/storage/blob-store.contract.ts";
import { openBucket } from "./bucket.ts";
import { openS3BlobStore } from "./index.ts";
import type { S3Options } from "./options.ts";
import { leaveHalfUpload, optionsFor } from "./testing.ts";

/** How a server reaches the S3 endpoint of another one: as its service role. */
const optionsOf = (app: BootedApp): S3Options => ({
  ...optionsFor({ endpoint: `${app.url}/storage/v1/s3`, bucket: "files" }, { prefix: "objects/" }),
  credentials: { accessKeyId: "mainstay", secretAccessKey: app.anonKey, sessionToken: app.serviceRoleKey },
});

describe("a bucket of another server of ours", () =>
  blobStoreContract(async () => {
    const app = await boot();
    const options = optionsOf(app);
    const { client, s3 } = await openBucket(options);
    await client.send(new s3.CreateBucketCommand({ Bucket: "files" }));
    client.destroy();
    return {
      store: await openS3BlobStore(options),
      close: () => app.stop(),
      leaveHalf: (id) => leaveHalfUpload(options, id),
      // Both ends are in this process.
      memoryBytes: 64 * 1024 * 1024,
    };
  }));
