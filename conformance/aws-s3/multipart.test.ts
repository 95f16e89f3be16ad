import { createHash, randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  PutObjectCommand,
  type S3Client,
  UploadPartCommand,
  UploadPartCopyCommand,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ann, ben, type S3App, startApp } from "./app.ts";

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

const partBytes = 5 * 1024 * 1024;
const refusal = (name: string, status: number) =>
  expect.objectContaining({ name, $metadata: expect.objectContaining({ httpStatusCode: status }) });
const md5 = (bytes: Buffer) => createHash("md5").update(bytes);
const read = async (Key: string, Bucket = "things") => {
  const { Body, ...rest } = await s3.send(new GetObjectCommand({ Bucket, Key, ChecksumMode: "ENABLED" }));
  return { bytes: Buffer.from(await Body!.transformToByteArray()), ...rest };
};

async function begin(Key: string, more: object = {}) {
  const place = { Bucket: "things", Key };
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ ...place, ...more }));
  const upload = { ...place, UploadId };
  const part = async (PartNumber: number, Body: Buffer, options: object = {}): Promise<CompletedPart> => {
    const { $metadata, ...sent } = await s3.send(new UploadPartCommand({ ...upload, PartNumber, Body, ...options }));
    return { PartNumber, ...sent };
  };
  const complete = (Parts: CompletedPart[]) =>
    s3.send(new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts } }));
  return { upload, part, complete };
}

test("lib-storage sends a large stream in parts, several at a time", async () => {
  const body = randomBytes(23_000_000);
  const pieces = [...Array(230).keys()].map((at) => body.subarray(at * 100_000, (at + 1) * 100_000));
  const upload = new Upload({
    client: s3,
    params: {
      Bucket: "things",
      Key: "big",
      Body: Readable.from(pieces),
      ContentType: "video/x-thing",
      Metadata: { a: "b" },
    },
    partSize: partBytes,
    queueSize: 4,
  });
  await upload.done();
  const { bytes, ...facts } = await read("big");
  expect(bytes.equals(body)).toBe(true);
  const parts = [0, 1, 2, 3, 4].map((at) => md5(body.subarray(at * partBytes, (at + 1) * partBytes)).digest());
  expect(facts).toMatchObject({
    ETag: `"${md5(Buffer.concat(parts)).digest("hex")}-5"`,
    ContentType: "video/x-thing",
    ContentLength: body.length,
    Metadata: { a: "b" },
  });
  const second = await s3.send(new GetObjectCommand({ Bucket: "things", Key: "big", PartNumber: 2 }));
  const got = Buffer.from(await second.Body!.transformToByteArray());
  expect(got.equals(body.subarray(partBytes, 2 * partBytes))).toBe(true);
});

describe("a multipart upload", () => {
  test("is seen by those who list it, and by nobody else before it is complete", async () => {
    const { upload, part, complete } = await begin("visible");
    const first = await part(1, randomBytes(partBytes));
    await expect(read("visible")).rejects.toThrow(refusal("NoSuchKey", 404));
    const { Uploads = [] } = await s3.send(new ListMultipartUploadsCommand({ Bucket: "things", Prefix: "visi" }));
    expect(Uploads.map(({ Key, UploadId }) => [Key, UploadId])).toEqual([["visible", upload.UploadId]]);
    const second = await part(2, Buffer.from("end"));
    const { Parts = [] } = await s3.send(new ListPartsCommand(upload));
    expect(Parts).toMatchObject([
      { PartNumber: 1, ETag: first.ETag, Size: partBytes, LastModified: expect.any(Date) },
      { PartNumber: 2, ETag: second.ETag, Size: 3 },
    ]);
    const page = await s3.send(new ListPartsCommand({ ...upload, MaxParts: 1 }));
    expect(page).toMatchObject({ IsTruncated: true, NextPartNumberMarker: "1" });
    const rest = await s3.send(new ListPartsCommand({ ...upload, PartNumberMarker: page.NextPartNumberMarker }));
    expect(rest.Parts).toMatchObject([{ PartNumber: 2 }]);
    await complete([first, second]);
    expect((await read("visible")).bytes.length).toBe(partBytes + 3);
    const after = await s3.send(new ListMultipartUploadsCommand({ Bucket: "things" }));
    expect(after.Uploads ?? []).toEqual([]);
    await expect(part(3, Buffer.from("late"))).rejects.toThrow(refusal("NoSuchUpload", 404));
  });

  test("takes a part again, and parts out of order", async () => {
    const { part, complete } = await begin("again");
    const last = await part(7, Buffer.from("last"));
    await part(2, randomBytes(partBytes));
    const body = randomBytes(partBytes);
    const again = await part(2, body);
    await complete([again, last]);
    expect((await read("again")).bytes.equals(Buffer.concat([body, Buffer.from("last")]))).toBe(true);
  });

  test("is not complete with parts that are not there, too small, in disorder or others", async () => {
    const { part, complete } = await begin("wrong");
    const one = await part(1, Buffer.from("small"));
    const two = await part(2, Buffer.from("also small"));
    await expect(complete([one, two])).rejects.toThrow(refusal("EntityTooSmall", 400));
    await expect(complete([two, one])).rejects.toThrow(refusal("InvalidPartOrder", 400));
    await expect(complete([one, { ...two, PartNumber: 3 }])).rejects.toThrow(refusal("InvalidPart", 400));
    await expect(complete([{ ...one, ETag: two.ETag }])).rejects.toThrow(refusal("InvalidPart", 400));
    await expect(read("wrong")).rejects.toThrow(refusal("NoSuchKey", 404));
    await complete([two]);
    expect((await read("wrong")).bytes.toString()).toBe("also small");
  });

  test("that is given up is gone", async () => {
    const { upload, part, complete } = await begin("aborted");
    const one = await part(1, Buffer.from("x"));
    await s3.send(new AbortMultipartUploadCommand(upload));
    await expect(part(2, Buffer.from("y"))).rejects.toThrow(refusal("NoSuchUpload", 404));
    await expect(complete([one])).rejects.toThrow(refusal("NoSuchUpload", 404));
  });

  test.each([
    ["CRC32", "COMPOSITE"],
    ["CRC32C", "FULL_OBJECT"],
    ["CRC64NVME", "FULL_OBJECT"],
    ["SHA256", "COMPOSITE"],
  ] as const)("has a checksum of %s, %s", async (ChecksumAlgorithm, ChecksumType) => {
    const { part, complete } = await begin(`sum-${ChecksumAlgorithm}`, { ChecksumAlgorithm, ChecksumType });
    const body = randomBytes(partBytes);
    const parts = [
      await part(1, body, { ChecksumAlgorithm }),
      await part(2, Buffer.from("end"), { ChecksumAlgorithm }),
    ];
    const name = `Checksum${ChecksumAlgorithm}` as const;
    expect(parts[0]![name]).toBeTruthy();
    await expect(complete([{ ...parts[0]!, [name]: parts[1]![name] }, parts[1]!])).rejects.toThrow(
      refusal("InvalidPart", 400),
    );
    const done = await complete(parts);
    expect(done.ChecksumType).toBe(ChecksumType);
    const got = await read(`sum-${ChecksumAlgorithm}`);
    expect(got[name]).toBe(done[name]);
    expect(got.bytes.length).toBe(partBytes + 3);
    if (ChecksumType === "FULL_OBJECT") {
      // The same bytes in one piece have the same checksum.
      const whole = await s3.send(
        new PutObjectCommand({ Bucket: "things", Key: "whole", Body: got.bytes, ChecksumAlgorithm }),
      );
      expect(done[name]).toBe(whole[name]);
    } else expect(done[name]).toMatch(/-2$/);
  });

  test("copies parts of what is there", async () => {
    const body = randomBytes(partBytes + 1_000);
    await s3.send(new PutObjectCommand({ Bucket: "things", Key: "source", Body: body }));
    const { upload, complete } = await begin("assembled");
    const copy = async (PartNumber: number, CopySourceRange: string) => {
      const order = { ...upload, PartNumber, CopySource: "things/source", CopySourceRange };
      const { CopyPartResult } = await s3.send(new UploadPartCopyCommand(order));
      return { PartNumber, ETag: CopyPartResult!.ETag };
    };
    const first = await copy(1, `bytes=0-${partBytes - 1}`);
    const second = await copy(2, "bytes=10-19");
    await expect(copy(3, "bytes=0-99999999")).rejects.toThrow(refusal("InvalidRange", 416));
    await complete([first, second]);
    const wanted = Buffer.concat([body.subarray(0, partBytes), body.subarray(10, 20)]);
    expect((await read("assembled")).bytes.equals(wanted)).toBe(true);
  });

  test("is its beginner's (S12)", async () => {
    const mine = app.client({ credentials: app.session(ann) });
    const theirs = app.client({ credentials: app.session(ben) });
    const place = { Bucket: "own", Key: `${ann}/film` };
    await expect(theirs.send(new CreateMultipartUploadCommand(place))).rejects.toThrow(refusal("AccessDenied", 403));
    const { UploadId } = await mine.send(new CreateMultipartUploadCommand(place));
    const part = { ...place, UploadId, PartNumber: 1, Body: "x" };
    await expect(theirs.send(new UploadPartCommand(part))).rejects.toThrow(refusal("NoSuchUpload", 404));
    await expect(theirs.send(new AbortMultipartUploadCommand({ ...place, UploadId }))).rejects.toThrow(
      refusal("NoSuchUpload", 404),
    );
    await expect(theirs.send(new ListPartsCommand({ ...place, UploadId }))).rejects.toThrow(
      refusal("NoSuchUpload", 404),
    );
    const seen = await theirs.send(new ListMultipartUploadsCommand({ Bucket: "own" }));
    expect(seen.Uploads ?? []).toEqual([]);
    const { ETag } = await mine.send(new UploadPartCommand(part));
    await mine.send(
      new CompleteMultipartUploadCommand({ ...place, UploadId, MultipartUpload: { Parts: [{ PartNumber: 1, ETag }] } }),
    );
    const [row] = await app.sql<{ owner_id: string }>(
      `select owner_id from storage.objects where name = '${ann}/film'`,
    );
    expect(row?.owner_id).toBe(ann);
    await mine.send(new HeadObjectCommand(place));
    mine.destroy();
    theirs.destroy();
  });

  test("answers again who lost the answer to its completion, while the object is what came of it", async () => {
    const { upload, part, complete } = await begin("repeated", { ChecksumAlgorithm: "CRC32" });
    const parts = [
      await part(1, randomBytes(partBytes), { ChecksumAlgorithm: "CRC32" }),
      await part(2, Buffer.from("end"), { ChecksumAlgorithm: "CRC32" }),
    ];
    const { $metadata: _, ...done } = await complete(parts);
    const { $metadata: __, ...again } = await complete(parts);
    expect(again).toEqual(done);
    // Only of the same parts, and only whoever it was.
    await expect(complete([parts[0]!])).rejects.toThrow(refusal("InvalidPart", 400));
    await expect(complete([{ ...parts[0]!, ETag: parts[1]!.ETag }, parts[1]!])).rejects.toThrow(
      refusal("InvalidPart", 400),
    );
    const other = app.client({ credentials: app.session(ann) });
    const order = new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts: parts } });
    await expect(other.send(order)).rejects.toThrow(refusal("NoSuchUpload", 404));
    other.destroy();
    // All at once: each hears of the one object.
    const { part: sendPart, complete: completeIt } = await begin("at-once");
    const only = [await sendPart(1, Buffer.from("once"))];
    const answers = await Promise.all(Array.from({ length: 5 }, () => completeIt(only)));
    expect(new Set(answers.map(({ ETag }) => ETag)).size).toBe(1);
    expect((await read("at-once")).bytes.toString()).toBe("once");
    await s3.send(new PutObjectCommand({ Bucket: "things", Key: "repeated", Body: "another" }));
    await expect(complete(parts)).rejects.toThrow(refusal("NoSuchUpload", 404));
    expect((await read("repeated")).bytes.toString()).toBe("another");
  });

  test("that makes only new objects answers again too, and not once the right has ended", async () => {
    const mine = app.client({ credentials: app.session(ben) });
    const place = { Bucket: "own", Key: `${ben}/letter` };
    const { UploadId } = await mine.send(new CreateMultipartUploadCommand(place));
    const { ETag } = await mine.send(new UploadPartCommand({ ...place, UploadId, PartNumber: 1, Body: "x" }));
    const order = { ...place, UploadId, IfNoneMatch: "*", MultipartUpload: { Parts: [{ PartNumber: 1, ETag }] } };
    const done = await mine.send(new CompleteMultipartUploadCommand(order));
    const again = await mine.send(new CompleteMultipartUploadCommand(order));
    expect(again.ETag).toBe(done.ETag);
    await app.sql(`create policy "ben writes no more" on storage.objects as restrictive for insert to authenticated
      with check (owner_id <> '${ben}')`);
    await expect(mine.send(new CompleteMultipartUploadCommand(order))).rejects.toThrow(refusal("AccessDenied", 403));
    await app.sql(`drop policy "ben writes no more" on storage.objects`);
    mine.destroy();
  });

  test("S12: a user has only so many that are not finished, and the service as many as it likes", async () => {
    const most = 100;
    const mine = app.client({ credentials: app.session(ann) });
    const Key = `${ann}/many`;
    const beginOne = () => mine.send(new CreateMultipartUploadCommand({ Bucket: "own", Key }));
    const tries = await Promise.allSettled(Array.from({ length: most + 20 }, beginOne));
    const begun = tries.flatMap((each) => (each.status === "fulfilled" ? [each.value.UploadId!] : []));
    expect(begun.length).toBe(most);
    for (const each of tries)
      if (each.status === "rejected") expect(each.reason).toEqual(refusal("TooManyUploads", 429));
    const [{ count } = { count: 0 }] = await app.sql<{ count: number }>(
      `select count(*)::int as count from mainstay.object_versions where owner_id = '${ann}' and state = 'receiving'`,
    );
    expect(count).toBe(most);
    // Somebody else and the service go on; and so does she, when one has ended.
    const theirs = app.client({ credentials: app.session(ben) });
    await theirs.send(new CreateMultipartUploadCommand({ Bucket: "own", Key: `${ben}/one` }));
    await s3.send(new CreateMultipartUploadCommand({ Bucket: "own", Key }));
    await mine.send(new AbortMultipartUploadCommand({ Bucket: "own", Key, UploadId: begun[0]! }));
    await beginOne();
    await expect(beginOne()).rejects.toThrow(refusal("TooManyUploads", 429));
    mine.destroy();
    theirs.destroy();
  });

  test("may not be larger than its bucket allows, however many parts it has", async () => {
    const place = { Bucket: "pictures", Key: "a.png", ContentType: "image/png" };
    const png = Buffer.from(
      "89504e470d0a1a0a0000000d494844520000000100000001080600000015c4891f0000ffff49444154",
      "hex",
    );
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand(place));
    const send = (PartNumber: number, Body: Buffer) =>
      s3.send(new UploadPartCommand({ Bucket: "pictures", Key: "a.png", UploadId, PartNumber, Body }));
    await send(1, Buffer.concat([png, randomBytes(60_000)]));
    await expect(send(2, randomBytes(60_000))).rejects.toThrow(refusal("EntityTooLarge", 400));
    await send(2, randomBytes(10_000));
  });
});
