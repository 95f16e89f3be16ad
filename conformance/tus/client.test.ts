import { Readable } from "node:stream";
import { type BootedApp, boot } from "@mainstay/testing";
import { DetailedError, Upload } from "tus-js-client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { endpointOf, signedUp, someBytes, sql, stored, uploadOf } from "./app.ts";

let app: BootedApp;
let token: string;
beforeAll(async () => {
  app = await boot({
    sql,
    settings: {
      auth: { mailerAutoconfirm: true },
      storage: { storageFileSizeLimitBytes: 20_000_000, storageResumableSegmentBytes: 1_048_576 },
    },
  });
  token = await signedUp(app);
});
afterAll(() => app.stop());

/** What an upload that must not succeed ended with. */
async function statusOf(ended: Promise<void>): Promise<number> {
  const error: unknown = await ended.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(DetailedError);
  return (error as DetailedError).originalResponse?.getStatus() ?? 0;
}

describe("tus-js-client stores", () => {
  test.each([
    ["a file in chunks of 6 MB", 15_000_000, {}],
    ["a file in one request", 5_000_000, { chunkSize: Number.POSITIVE_INFINITY }],
    ["a file that is created first", 100_000, { uploadDataDuringCreation: false }],
    ["a file in small chunks", 100_000, { chunkSize: 7_777 }],
    ["a file behind a proxy that knows POST alone", 100_000, { overridePatchMethod: true, chunkSize: 30_000 }],
    ["an empty file", 0, {}],
    ["one byte", 1, {}],
  ] as const)("%s", async (title, size, options) => {
    const file = someBytes(size);
    const name = title.replaceAll(" ", "-");
    const { upload, ended } = uploadOf(app, token, name, file, options);
    upload.start();
    await ended;
    expect((await stored(app, name))?.equals(file)).toBe(true);
    expect(upload.url?.startsWith(`${endpointOf(app)}/`)).toBe(true);
    const [row] = await app.sql(
      "select metadata ->> 'cacheControl' as c, metadata ->> 'mimetype' as m from storage.objects where name = $1",
      [name],
    );
    expect(row).toEqual({ c: "max-age=3600", m: "image/png" });
  });

  test("a stream whose length nobody knows", async () => {
    const file = someBytes(300_000);
    const pieces = Array.from({ length: 10 }, (_, at) => file.subarray(at * 30_000, (at + 1) * 30_000));
    const { upload, ended } = uploadOf(app, token, "stream", Readable.from(pieces), {
      uploadLengthDeferred: true,
      chunkSize: 50_000,
    });
    upload.start();
    await ended;
    expect((await stored(app, "stream"))?.equals(file)).toBe(true);
  });

  test("parts of a file in parallel", async () => {
    const file = someBytes(8_000_000);
    const { upload, ended } = uploadOf(app, token, "parallel", file, {
      parallelUploads: 4,
      metadataForPartialUploads: { bucketName: "files", objectName: "parallel" },
      chunkSize: 700_000,
    });
    upload.start();
    await ended;
    expect((await stored(app, "parallel"))?.equals(file)).toBe(true);
    expect(await app.sql("select from mainstay.resumable_uploads")).toHaveLength(0);
  });
});

describe("tus-js-client goes on", () => {
  test("after a pause, where it was", async () => {
    const file = someBytes(3_000_000);
    const { upload, ended } = uploadOf(app, token, "paused", file, {
      chunkSize: 500_000,
      onChunkComplete: (_size, accepted) => {
        if (accepted === 1_000_000) {
          void upload.abort().then(() => setTimeout(() => upload.start(), 50));
        }
      },
    });
    upload.start();
    await ended;
    expect((await stored(app, "paused"))?.equals(file)).toBe(true);
  });

  test("in another process, by the URL it has kept", async () => {
    const file = someBytes(2_000_000);
    const url = await new Promise<string>((resolve) => {
      const { upload } = uploadOf(app, token, "elsewhere", file, {
        chunkSize: 500_000,
        onChunkComplete: (_size, accepted) => {
          if (accepted === 1_000_000) void upload.abort().then(() => resolve(upload.url!));
        },
      });
      upload.start();
    });
    let sent = 0;
    const { upload, ended } = uploadOf(app, token, "elsewhere", file, {
      uploadUrl: url,
      chunkSize: 500_000,
      onChunkComplete: (size) => {
        sent += size;
      },
    });
    upload.start();
    await ended;
    expect((await stored(app, "elsewhere"))?.equals(file)).toBe(true);
    expect(sent).toBeLessThanOrEqual(1_500_000);
  });

  test("and ends an upload for good", async () => {
    const file = someBytes(1_000_000);
    const url = await new Promise<string>((resolve) => {
      const { upload } = uploadOf(app, token, "ended", file, {
        chunkSize: 250_000,
        onChunkComplete: (_size, accepted) => {
          if (accepted === 500_000) void upload.abort(true).then(() => resolve(upload.url!));
        },
      });
      upload.start();
    });
    const looked = await fetch(url, { method: "HEAD", headers: { "tus-resumable": "1.0.0" } });
    expect(looked.status).toBe(404);
    expect(await stored(app, "ended")).toBeNull();
    await expect(Upload.terminate(url, { headers: { authorization: `Bearer ${token}` } })).rejects.toThrow();
  });
});

describe("tus-js-client is told", () => {
  const quick = { retryDelays: null } as const;
  const refusal = async (name: string, size: number, options: object = {}, as = token) => {
    const { upload, ended } = uploadOf(app, as, name, someBytes(size), { ...quick, ...options });
    upload.start();
    return statusOf(ended);
  };

  test("why a file may not be stored", async () => {
    const { upload, ended } = uploadOf(app, token, "there", someBytes(10));
    upload.start();
    await ended;
    expect(await refusal("there", 10)).toBe(409);
    expect(await refusal("large", 20_000_001)).toBe(413);
    expect(await refusal("nowhere", 10, { metadata: { bucketName: "nowhere", objectName: "a" } })).toBe(404);
    expect(await refusal("../up", 10)).toBe(400);
    expect(await refusal("anonymous", 10, {}, app.anonKey)).toBe(403);
    expect(await refusal("nobody", 10, { headers: {} })).toBe(400);
    for (const name of ["large", "anonymous", "nobody"]) expect(await stored(app, name)).toBeNull();
  });

  test("that a file is too large in the words that apps look for", async () => {
    const { upload, ended } = uploadOf(app, token, "large", someBytes(20_000_001), quick);
    upload.start();
    await expect(ended).rejects.toThrow("Maximum size exceeded");
  });
});
