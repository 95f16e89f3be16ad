import { createHash, randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import {
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetBucketAclCommand,
  GetBucketLocationCommand,
  GetBucketVersioningCommand,
  GetObjectAttributesCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListObjectsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  PutObjectTaggingCommand,
  paginateListObjectsV2,
  type S3Client,
} from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type S3App, startApp } from "./app.ts";

let app: S3App;
let s3: S3Client;

beforeAll(async () => {
  app = await startApp();
  s3 = app.client();
});
afterAll(async () => {
  s3.destroy();
  await app.stop();
});

const refusal = (name: string, status: number) =>
  expect.objectContaining({ name, $metadata: expect.objectContaining({ httpStatusCode: status }) });
const put = (Key: string, Body: string | Buffer = "x") =>
  s3.send(new PutObjectCommand({ Bucket: "things", Key, Body }));
const textOf = async (Key: string, Bucket = "things"): Promise<string> => {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }));
  return Body!.transformToString();
};

describe("buckets", () => {
  test("come, are seen and go", async () => {
    await s3.send(new CreateBucketCommand({ Bucket: "new-bucket" }));
    const { Buckets = [], Owner } = await s3.send(new ListBucketsCommand({}));
    expect(Buckets.map(({ Name }) => Name)).toEqual(["new-bucket", "own", "pictures", "things"]);
    expect(Buckets[0]!.CreationDate).toBeInstanceOf(Date);
    expect(Owner?.ID).toBe("service_role");
    await s3.send(new HeadBucketCommand({ Bucket: "new-bucket" }));
    expect((await s3.send(new GetBucketLocationCommand({ Bucket: "new-bucket" }))).LocationConstraint).toBeFalsy();
    expect((await s3.send(new GetBucketVersioningCommand({ Bucket: "new-bucket" }))).Status).toBeUndefined();
    await expect(s3.send(new CreateBucketCommand({ Bucket: "new-bucket" }))).rejects.toThrow(
      refusal("BucketAlreadyOwnedByYou", 409),
    );
    await s3.send(new PutObjectCommand({ Bucket: "new-bucket", Key: "a", Body: "a" }));
    await expect(s3.send(new DeleteBucketCommand({ Bucket: "new-bucket" }))).rejects.toThrow(
      refusal("BucketNotEmpty", 409),
    );
    await s3.send(new DeleteObjectCommand({ Bucket: "new-bucket", Key: "a" }));
    await s3.send(new DeleteBucketCommand({ Bucket: "new-bucket" }));
    await expect(s3.send(new HeadBucketCommand({ Bucket: "new-bucket" }))).rejects.toThrow(refusal("NotFound", 404));
    await expect(s3.send(new DeleteBucketCommand({ Bucket: "new-bucket" }))).rejects.toThrow(
      refusal("NoSuchBucket", 404),
    );
  });

  test("what is not there says so, with its name", async () => {
    for (const command of [
      new ListObjectsV2Command({ Bucket: "nowhere" }),
      new GetObjectCommand({ Bucket: "nowhere", Key: "a" }),
      new PutObjectCommand({ Bucket: "nowhere", Key: "a", Body: "a" }),
      new DeleteObjectCommand({ Bucket: "nowhere", Key: "a" }),
    ]) {
      // A client's send is typed for each command alone.
      await expect(s3.send(command as GetObjectCommand)).rejects.toThrow(refusal("NoSuchBucket", 404));
    }
    await expect(s3.send(new GetBucketAclCommand({ Bucket: "things" }))).rejects.toThrow(
      refusal("NotImplemented", 501),
    );
  });
});

describe("objects", () => {
  test("are as they were put", async () => {
    const body = randomBytes(100_000);
    const { ETag, ChecksumCRC32 } = await s3.send(
      new PutObjectCommand({
        Bucket: "things",
        Key: "folder/a file (1).bin",
        Body: body,
        ContentType: "application/x-thing",
        CacheControl: "max-age=60",
        Metadata: { colour: "red", "long-name": "value with  spaces" },
      }),
    );
    expect(ETag).toBe(`"${createHash("md5").update(body).digest("hex")}"`);
    const got = await s3.send(new GetObjectCommand({ Bucket: "things", Key: "folder/a file (1).bin" }));
    expect(Buffer.from(await got.Body!.transformToByteArray()).equals(body)).toBe(true);
    expect(got).toMatchObject({
      ETag,
      ContentType: "application/x-thing",
      ContentLength: body.length,
      Metadata: { colour: "red", "long-name": "value with  spaces" },
      ChecksumCRC32,
      AcceptRanges: "bytes",
    });
    expect(got.LastModified!.getTime()).toBeGreaterThan(Date.now() - 60_000);
    const head = await s3.send(new HeadObjectCommand({ Bucket: "things", Key: "folder/a file (1).bin" }));
    expect(head).toMatchObject({ ETag, ContentLength: body.length, ContentType: "application/x-thing" });
    const attributes = await s3.send(
      new GetObjectAttributesCommand({
        Bucket: "things",
        Key: "folder/a file (1).bin",
        ObjectAttributes: ["ETag", "ObjectSize", "Checksum"],
      }),
    );
    expect(attributes).toMatchObject({
      ETag: ETag!.slice(1, -1),
      ObjectSize: body.length,
      Checksum: { ChecksumCRC32 },
    });
    const [row] = await app.sql(
      "select user_metadata, metadata from storage.objects where name = 'folder/a file (1).bin'",
    );
    expect(row).toMatchObject({
      user_metadata: { colour: "red" },
      metadata: { mimetype: "application/x-thing", size: body.length, cacheControl: "max-age=60" },
    });
  });

  test.each(["a//b", "with space", "plus+sign", "a&b=c", "per$cent,semi;colon", "folder/", "=?", "brackets(1)!*'"])(
    "are named %j",
    async (key) => {
      await put(key, key);
      expect(await textOf(key)).toBe(key);
      const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: "things", Prefix: key }));
      expect(Contents.map(({ Key }) => Key)).toContain(key);
      await s3.send(new DeleteObjectCommand({ Bucket: "things", Key: key }));
      await expect(textOf(key)).rejects.toThrow(refusal("NoSuchKey", 404));
    },
  );

  test.each(["../up", "a/../b", "/rooted", "ü", "a\\b", "a/./b", "x".repeat(1_025)])(
    "are not named %j (S01)",
    async (key) => {
      await expect(put(key)).rejects.toMatchObject({
        $metadata: { httpStatusCode: expect.toSatisfy((s) => s >= 400 && s < 500) },
      });
    },
  );

  test("may be empty", async () => {
    await put("empty", "");
    expect(await textOf("empty")).toBe("");
    const head = await s3.send(new HeadObjectCommand({ Bucket: "things", Key: "empty" }));
    expect(head).toMatchObject({ ContentLength: 0, ETag: '"d41d8cd98f00b204e9800998ecf8427e"' });
  });

  test.each(["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"] as const)("with a checksum of %s", async (algorithm) => {
    const sent = await s3.send(
      new PutObjectCommand({ Bucket: "things", Key: `sum-${algorithm}`, Body: "abc", ChecksumAlgorithm: algorithm }),
    );
    const name = `Checksum${algorithm}` as const;
    expect(sent[name]).toBeTruthy();
    const got = await s3.send(
      new GetObjectCommand({ Bucket: "things", Key: `sum-${algorithm}`, ChecksumMode: "ENABLED" }),
    );
    expect(got[name]).toBe(sent[name]);
    expect(await got.Body!.transformToString()).toBe("abc");
  });

  test("that do not fit their checksum are not there", async () => {
    await put("kept", "before");
    await expect(
      s3.send(new PutObjectCommand({ Bucket: "things", Key: "kept", Body: "after", ChecksumCRC32: "AAAAAA==" })),
    ).rejects.toThrow(refusal("BadDigest", 400));
    await expect(
      s3.send(
        new PutObjectCommand({ Bucket: "things", Key: "kept", Body: "after", ContentMD5: "1B2M2Y8AsgTpgAmY7PhCfg==" }),
      ),
    ).rejects.toThrow(refusal("BadDigest", 400));
    expect(await textOf("kept")).toBe("before");
  });

  test("come as streams", async () => {
    const body = randomBytes(3_000_000);
    const pieces = [...Array(30).keys()].map((at) => body.subarray(at * 100_000, (at + 1) * 100_000));
    await s3.send(
      new PutObjectCommand({
        Bucket: "things",
        Key: "streamed",
        Body: Readable.from(pieces),
        ContentLength: body.length,
      }),
    );
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: "things", Key: "streamed" }));
    expect(Buffer.from(await Body!.transformToByteArray()).equals(body)).toBe(true);
  });

  test("are read in ranges, and under conditions", async () => {
    await put("ranged", "0123456789");
    const read = (more: object) => s3.send(new GetObjectCommand({ Bucket: "things", Key: "ranged", ...more }));
    const part = await read({ Range: "bytes=2-4" });
    expect(part).toMatchObject({ ContentRange: "bytes 2-4/10", ContentLength: 3 });
    expect(await part.Body!.transformToString()).toBe("234");
    expect(await (await read({ Range: "bytes=-3" })).Body!.transformToString()).toBe("789");
    await expect(read({ Range: "bytes=10-" })).rejects.toThrow(refusal("InvalidRange", 416));
    const { ETag } = await s3.send(new HeadObjectCommand({ Bucket: "things", Key: "ranged" }));
    await expect(read({ IfNoneMatch: ETag })).rejects.toMatchObject({ $metadata: { httpStatusCode: 304 } });
    await expect(read({ IfMatch: '"other"' })).rejects.toThrow(refusal("PreconditionFailed", 412));
    expect(await (await read({ IfMatch: ETag })).Body!.transformToString()).toBe("0123456789");
  });

  test("answer with the headers that were asked for, and with no others (S05)", async () => {
    await put("saved");
    const got = await s3.send(
      new GetObjectCommand({
        Bucket: "things",
        Key: "saved",
        ResponseContentType: "text/csv",
        ResponseContentDisposition: 'attachment; filename="a.csv"',
        ResponseCacheControl: "no-store",
      }),
    );
    expect(got).toMatchObject({
      ContentType: "text/csv",
      ContentDisposition: 'attachment; filename="a.csv"',
      CacheControl: "no-store",
    });
    await expect(
      s3.send(new GetObjectCommand({ Bucket: "things", Key: "saved", ResponseContentDisposition: "a\r\nx-evil: 1" })),
    ).rejects.toThrow(refusal("InvalidArgument", 400));
  });

  test("are put once where that is asked for", async () => {
    const once = (Body: string) =>
      s3.send(new PutObjectCommand({ Bucket: "things", Key: "once", Body, IfNoneMatch: "*" }));
    const outcomes = await Promise.allSettled(["a", "b", "c", "d", "e"].map(once));
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    for (const outcome of outcomes) {
      if (outcome.status === "rejected") expect(outcome.reason).toEqual(refusal("PreconditionFailed", 412));
    }
  });

  test("obey the rules of their bucket", async () => {
    const picture = (Body: Buffer | string, ContentType: string) =>
      s3.send(new PutObjectCommand({ Bucket: "pictures", Key: "p.png", Body, ContentType }));
    await expect(picture("x", "text/plain")).rejects.toThrow(refusal("InvalidMimeType", 415));
    await expect(picture(randomBytes(100_001), "image/png")).rejects.toThrow(refusal("EntityTooLarge", 400));
    await expect(s3.send(new GetObjectCommand({ Bucket: "pictures", Key: "p.png" }))).rejects.toThrow(
      refusal("NoSuchKey", 404),
    );
  });

  test("are copied, with what is said of them or with something else", async () => {
    await s3.send(
      new PutObjectCommand({
        Bucket: "things",
        Key: "from a",
        Body: "copied",
        ContentType: "text/x-a",
        Metadata: { a: "1" },
      }),
    );
    const copy = (Key: string, more: object = {}) =>
      s3.send(new CopyObjectCommand({ Bucket: "things", Key, CopySource: "things/from%20a", ...more }));
    const { CopyObjectResult } = await copy("to");
    expect(CopyObjectResult!.ETag).toBe(`"${createHash("md5").update("copied").digest("hex")}"`);
    expect(await textOf("to")).toBe("copied");
    const head = (Key: string) => s3.send(new HeadObjectCommand({ Bucket: "things", Key }));
    expect(await head("to")).toMatchObject({ ContentType: "text/x-a", Metadata: { a: "1" } });
    await copy("to", { MetadataDirective: "REPLACE", ContentType: "text/x-b", Metadata: { b: "2" } });
    const replaced = await head("to");
    expect(replaced).toMatchObject({ ContentType: "text/x-b", Metadata: { b: "2" } });
    expect(replaced.Metadata).not.toHaveProperty("a");
    await expect(copy("from a")).rejects.toThrow(refusal("InvalidRequest", 400));
    await copy("from a", { MetadataDirective: "REPLACE", ContentType: "text/x-c" });
    expect(await head("from a")).toMatchObject({ ContentType: "text/x-c" });
    await expect(copy("to", { CopySourceIfMatch: '"other"' })).rejects.toThrow(refusal("PreconditionFailed", 412));
    await expect(copy("to", { CopySource: "things/none" })).rejects.toThrow(refusal("NoSuchKey", 404));
    await s3.send(new DeleteObjectCommand({ Bucket: "things", Key: "from a" }));
    expect(await textOf("to")).toBe("copied");
  });

  test("are deleted many at once, and twice", async () => {
    const keys = ["d/1", "d/2 & 3", "d/'4'"];
    for (const key of keys) await put(key);
    const Objects = [...keys, "d/none"].map((Key) => ({ Key }));
    const { Deleted = [], Errors } = await s3.send(new DeleteObjectsCommand({ Bucket: "things", Delete: { Objects } }));
    expect(Deleted.map(({ Key }) => Key)).toEqual([...keys, "d/none"]);
    expect(Errors).toBeUndefined();
    const left = await s3.send(new ListObjectsV2Command({ Bucket: "things", Prefix: "d/" }));
    expect(left.KeyCount).toBe(0);
    const quiet = await s3.send(new DeleteObjectsCommand({ Bucket: "things", Delete: { Objects, Quiet: true } }));
    expect(quiet.Deleted).toBeUndefined();
  });

  test("have no tags, and take none", async () => {
    await put("tagged");
    const place = { Bucket: "things", Key: "tagged" };
    expect((await s3.send(new GetObjectTaggingCommand(place))).TagSet).toEqual([]);
    await s3.send(new PutObjectTaggingCommand({ ...place, Tagging: { TagSet: [] } }));
    await expect(
      s3.send(new PutObjectTaggingCommand({ ...place, Tagging: { TagSet: [{ Key: "a", Value: "b" }] } })),
    ).rejects.toThrow(refusal("NotImplemented", 501));
  });
});

describe("listings", () => {
  const names = ["l/a", "l/b/1", "l/b/2", "l/b/c/3", "l/b0", "l/c", "l/d/e/f", "l/z", "m"];

  beforeAll(async () => {
    await s3.send(new CreateBucketCommand({ Bucket: "listed" }));
    for (const Key of names) await s3.send(new PutObjectCommand({ Bucket: "listed", Key, Body: Key }));
  });

  const list = async (more: object) => {
    const {
      Contents = [],
      CommonPrefixes = [],
      ...rest
    } = await s3.send(new ListObjectsV2Command({ Bucket: "listed", ...more }));
    return { keys: Contents.map(({ Key }) => Key), prefixes: CommonPrefixes.map(({ Prefix }) => Prefix), ...rest };
  };

  test("are in byte order", async () => {
    expect((await list({})).keys).toEqual([...names].sort());
    expect(await list({ Prefix: "l/b/" })).toMatchObject({ keys: ["l/b/1", "l/b/2", "l/b/c/3"], KeyCount: 3 });
    expect((await list({ StartAfter: "l/b/2" })).keys).toEqual(["l/b/c/3", "l/b0", "l/c", "l/d/e/f", "l/z", "m"]);
    expect((await list({ MaxKeys: 0 })).IsTruncated).toBe(false);
    expect((await list({ Prefix: "none" })).KeyCount).toBe(0);
  });

  test("have folders", async () => {
    expect(await list({ Delimiter: "/" })).toMatchObject({ keys: ["m"], prefixes: ["l/"], KeyCount: 2 });
    expect(await list({ Delimiter: "/", Prefix: "l/" })).toMatchObject({
      keys: ["l/a", "l/b0", "l/c", "l/z"],
      prefixes: ["l/b/", "l/d/"],
    });
    expect(await list({ Delimiter: "/", Prefix: "l/b" })).toMatchObject({ keys: ["l/b0"], prefixes: ["l/b/"] });
  });

  test.each([1, 2, 3, 100])("come in pages of %i, each line once", async (pageSize) => {
    for (const more of [{}, { Delimiter: "/" }, { Delimiter: "/", Prefix: "l/" }, { Prefix: "l/b" }]) {
      const seen: string[] = [];
      const pages = paginateListObjectsV2({ client: s3, pageSize }, { Bucket: "listed", ...more });
      for await (const { Contents = [], CommonPrefixes = [], KeyCount } of pages) {
        expect(KeyCount).toBeLessThanOrEqual(pageSize);
        seen.push(...Contents.map(({ Key }) => Key!), ...CommonPrefixes.map(({ Prefix }) => Prefix!));
      }
      const whole = await list(more);
      expect(seen.sort()).toEqual([...whole.keys, ...whole.prefixes].sort());
    }
  });

  test("of the first version go on by marker", async () => {
    const seen: string[] = [];
    let Marker: string | undefined;
    do {
      const page = await s3.send(
        new ListObjectsCommand({ Bucket: "listed", Prefix: "l/", Delimiter: "/", MaxKeys: 2, Marker }),
      );
      seen.push(...(page.Contents ?? []).map(({ Key }) => Key!), ...(page.CommonPrefixes ?? []).map((p) => p.Prefix!));
      Marker = page.IsTruncated ? page.NextMarker : undefined;
    } while (Marker !== undefined);
    expect(seen.sort()).toEqual(["l/a", "l/b/", "l/b0", "l/c", "l/d/", "l/z"]);
  });

  test("write names that XML cannot, when they are asked to", async () => {
    const { keys } = await list({ EncodingType: "url", Prefix: "l/a" });
    expect(keys).toEqual(["l/a"]);
    await expect(list({ ContinuationToken: "nonsense" })).rejects.toThrow(refusal("InvalidArgument", 400));
  });
});
