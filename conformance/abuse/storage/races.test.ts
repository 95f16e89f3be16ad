import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Answer, exchange } from "./http.ts";
import { annId, bobId, type FilesServer, meantStatus, people, startFiles, tusHeaders, uploadPath } from "./server.ts";

/** Threats S11, S12 and S13: many at once. */
let files: FilesServer;
const quotaBytes = 200_000;
beforeAll(async () => {
  files = await startFiles({
    storageUserQuotaBytes: quotaBytes,
    storageQuotaStepBytes: 65_536,
    storageResumableUnfinishedPerOwner: 20,
    storageS3UnfinishedPerOwner: 20,
    storageResumableWaitMs: 30_000,
  });
});
afterAll(() => files.stop());

const usedBytes = async (owner: string): Promise<number> => {
  const [row] = await files.sql<{ bytes: number }>(
    `select coalesce(sum((metadata ->> 'size')::int), 0)::int as bytes from storage.objects where owner_id = '${owner}'`,
  );
  return row!.bytes;
};
const removeAll = async (token: string, owner: string): Promise<void> => {
  const rows = await files.sql<{ name: string }>(
    `select name from storage.objects where owner_id = '${owner}' and bucket_id = 'own'`,
  );
  if (rows.length > 0)
    await files.send("DELETE", "/object/own", { as: token, json: { prefixes: rows.map(({ name }) => name) } });
};
const isIn = (answer: Answer): boolean => answer.status < 300;

describe("S13 a quota", () => {
  test("S13 fifty uploads at once take what there is, to the last, and no more", async () => {
    const bytes = Buffer.alloc(20_000, "q");
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, at) =>
        files.send("PUT", `/object/own/${annId}/q${at}`, { as: people.ann, body: bytes }),
      ),
    );
    expect(answers.filter(isIn)).toHaveLength(quotaBytes / bytes.length);
    for (const answer of answers) if (!isIn(answer)) expect(meantStatus(answer)).toBe(413);
    expect(await usedBytes(annId)).toBe(quotaBytes);
    // Somebody else has room; and so has she, as soon as something goes.
    expect(isIn(await files.send("PUT", `/object/own/${bobId}/q`, { as: people.bob, body: bytes }))).toBe(true);
    expect(isIn(await files.send("PUT", `/object/own/${annId}/one-more`, { as: people.ann, body: "x" }))).toBe(false);
    await removeAll(people.ann, annId);
    expect(isIn(await files.send("PUT", `/object/own/${annId}/again`, { as: people.ann, body: bytes }))).toBe(true);
  });

  test("S13 by every entrance at once, announced or not, nobody passes it", async () => {
    await removeAll(people.ann, annId);
    const bytes = Buffer.alloc(30_000, "q");
    await files.upload(people.ann, `own/${annId}/source`, bytes);
    const chunked = (at: number) =>
      exchange(files.url, {
        method: "PUT",
        target: `/storage/v1/object/own/${annId}/c${at}`,
        headers: { authorization: `Bearer ${people.ann}`, "content-type": "multipart/form-data; boundary=b" },
        body: Buffer.concat([
          Buffer.from('--b\r\nContent-Disposition: form-data; name=""; filename="a"\r\n\r\n'),
          bytes,
          Buffer.from("\r\n--b--\r\n"),
        ]),
      });
    const ways: readonly ((at: number) => Promise<Answer>)[] = [
      (at) => files.send("PUT", `/object/own/${annId}/p${at}`, { as: people.ann, body: bytes }),
      chunked,
      (at) => files.tusCreate(people.ann, { bucket: "own", name: `${annId}/t${at}`, bytes: bytes.length, body: bytes }),
      (at) => files.s3("PUT", `/own/${annId}/s${at}`, { as: people.ann, body: bytes }),
      (at) =>
        files.send("POST", "/object/copy", {
          as: people.ann,
          json: { bucketId: "own", sourceKey: `${annId}/source`, destinationKey: `${annId}/d${at}` },
        }),
    ];
    const answers = await Promise.all(Array.from({ length: 50 }, (_, at) => ways[at % ways.length]!(at)));
    expect(answers.filter(isIn).length).toBeGreaterThan(0);
    expect(answers.filter(isIn).length).toBeLessThanOrEqual(Math.floor(quotaBytes / bytes.length) - 1);
    for (const answer of answers) expect(answer.status, answer.text).toBeLessThan(500);
    expect(await usedBytes(annId)).toBeLessThanOrEqual(quotaBytes);
    const [usage] = await files.sql<{ bytes: number }>(
      `select used_bytes::int as bytes from mainstay.object_usage where owner_id = '${annId}'`,
    );
    expect(usage?.bytes).toBe(await usedBytes(annId));
    expect(files.failures()).toEqual([]);
  });
});

describe("S12 uploads that are not finished", () => {
  test("S12 sixty at once are as many as one may have, by TUS and by S3, and take no more rows", async () => {
    const tus = await Promise.all(
      Array.from({ length: 60 }, (_, at) =>
        files.tusCreate(people.bob, { bucket: "own", name: `${bobId}/u${at}`, bytes: 10 }),
      ),
    );
    const s3 = await Promise.all(
      Array.from({ length: 60 }, (_, at) => files.s3("POST", `/own/${bobId}/m${at}?uploads`, { as: people.bob })),
    );
    expect(tus.filter(isIn)).toHaveLength(20);
    expect(s3.filter(isIn)).toHaveLength(20);
    for (const answer of [...tus, ...s3]) if (!isIn(answer)) expect(answer.status).toBe(429);
    const unfinished = () =>
      files.sql(`select id from mainstay.object_versions where owner_id = '${bobId}' and state = 'receiving'`);
    expect(await unfinished()).toHaveLength(40);
    for (const answer of tus.filter(isIn)) {
      expect((await files.send("DELETE", uploadPath(answer), { as: people.bob, headers: tusHeaders(0) })).status).toBe(
        204,
      );
    }
    expect(await unfinished()).toHaveLength(20);
  });

  test("S12 two who write at one offset at once: the file is one's, never a mixture", async () => {
    await removeAll(people.ann, annId);
    for (let round = 0; round < 8; round++) {
      const name = `${annId}/two-${round}`;
      const path = uploadPath(await files.tusCreate(people.ann, { bucket: "own", name, bytes: 20_000 }));
      const bodies = ["a", "b", "c"].map((letter) => Buffer.alloc(20_000, letter));
      const answers = await Promise.all(
        bodies.map((body) => files.send("PATCH", path, { as: people.ann, body, headers: tusHeaders(0) })),
      );
      // Who comes as the upload has just become a file finds it gone.
      for (const { status, text } of answers) expect([204, 404, 409, 423], `${status} ${text}`).toContain(status);
      const got = await files.send("GET", `/object/own/${name}`, { as: people.ann });
      expect(got.status, `no winner: ${answers.map(({ status }) => status)}`).toBe(200);
      expect(bodies.some((body) => body.equals(got.bytes))).toBe(true);
      await files.send("DELETE", `/object/own/${name}`, { as: people.ann });
    }
  });

  test("S12 wrong offsets, lengths and types change nothing", async () => {
    const path = uploadPath(await files.tusCreate(people.ann, { bucket: "own", name: `${annId}/wrong`, bytes: 10 }));
    const tries: readonly Readonly<Record<string, string>>[] = [
      tusHeaders(1), tusHeaders(-1), tusHeaders(10), tusHeaders(2 ** 53), { ...tusHeaders(0), "upload-offset": "0x0" }, { ...tusHeaders(0), "upload-offset": "" }, { ...tusHeaders(0), "upload-offset": "0, 0" },
      { ...tusHeaders(0), "content-type": "text/plain" }, { ...tusHeaders(0), "tus-resumable": "0.2.2" }, { ...tusHeaders(0), "upload-checksum": "sha1 AAAAAAAAAAAAAAAAAAAAAAAAAAA=" }, { ...tusHeaders(0), "upload-checksum": "x y" },
    ]; // biome-ignore format: a table
    for (const headers of tries) {
      const answer = await files.send("PATCH", path, { as: people.ann, body: "01234", headers });
      const label = JSON.stringify(headers);
      expect.soft(answer.status, label).toBeGreaterThanOrEqual(400);
      expect.soft(answer.status, label).toBeLessThan(500);
    }
    // More than was announced.
    const more = await files.send("PATCH", path, { as: people.ann, body: "0".repeat(11), headers: tusHeaders(0) });
    expect(more.status).toBe(413);
    const head = await files.send("HEAD", path, { headers: tusHeaders(0) });
    expect([head.headers["upload-offset"], head.headers["upload-length"]]).toEqual(["0", "10"]);
    await files.send("DELETE", path, { as: people.ann, headers: tusHeaders(0) });
    for (const method of ["HEAD", "PATCH", "DELETE"]) {
      const gone = await files.send(method, path, {
        as: people.ann,
        headers: tusHeaders(0),
        ...(method === "PATCH" ? { body: "x" } : {}),
      });
      expect([404, 410]).toContain(gone.status);
    }
  });
});

describe("S11 rows and bytes", () => {
  test("S11 everything at once on a few names: every row has its bytes, and every byte its row", async () => {
    await removeAll(people.ann, annId);
    const name = (at: number): string => `${annId}/n${at % 3}`;
    const body = (at: number): Buffer => Buffer.alloc(2_000 + at, String(at % 10));
    const ways: readonly ((at: number) => Promise<Answer>)[] = [
      (at) => files.send("PUT", `/object/own/${name(at)}`, { as: people.ann, body: body(at) }),
      (at) => files.send("DELETE", `/object/own/${name(at)}`, { as: people.ann }),
      (at) =>
        files.send("POST", "/object/move", {
          as: people.ann,
          json: { bucketId: "own", sourceKey: name(at), destinationKey: name(at + 1) },
        }),
      (at) =>
        files.send("POST", "/object/copy", {
          as: people.ann,
          json: { bucketId: "own", sourceKey: name(at), destinationKey: name(at + 2) },
          headers: { "x-upsert": "true" },
        }),
      (at) => files.s3("PUT", `/own/${name(at)}`, { as: people.ann, body: body(at) }),
      (at) =>
        files.tusCreate(people.ann, {
          bucket: "own",
          name: name(at),
          bytes: body(at).length,
          body: body(at),
          headers: { "x-upsert": "true" },
        }),
      (at) => files.send("GET", `/object/own/${name(at)}`, { as: people.ann }),
    ];
    const answers = await Promise.all(Array.from({ length: 140 }, (_, at) => ways[at % ways.length]!(at)));
    for (const answer of answers) expect(answer.status, answer.text).toBeLessThan(500);
    // What was read was whole, whatever was going on.
    for (const answer of answers) {
      const { etag } = answer.headers;
      if (answer.status === 200 && typeof etag === "string" && answer.bytes.length >= 2_000) {
        expect(etag).toBe(`"${createHash("md5").update(answer.bytes).digest("hex")}"`);
      }
    }
    const rows = await files.sql<{ name: string; etag: string }>(
      "select name, metadata ->> 'eTag' as etag from storage.objects where bucket_id = 'own'",
    );
    for (const row of rows) {
      const got = await files.send("GET", `/object/own/${row.name}`);
      expect([row.name, got.status, `"${createHash("md5").update(got.bytes).digest("hex")}"`]).toEqual([
        row.name,
        200,
        row.etag,
      ]);
    }
    const lost = await files.sql(`select v.id from mainstay.object_versions v
      where v.state = 'kept' and not exists (select from storage.objects o where o.version = v.id)`);
    expect(lost).toEqual([]);
    expect(files.failures()).toEqual([]);
    expect(await files.leaks()).toEqual([]);
  });

  test("S11 two who complete one S3 upload with different parts: the object has the bytes it says", async () => {
    const part = Buffer.alloc(5_242_880, "p");
    const xml = (numbers: readonly number[]): string =>
      `<CompleteMultipartUpload>${numbers
        .map(
          (number) =>
            `<Part><PartNumber>${number}</PartNumber><ETag>${createHash("md5")
              .update(number === 1 ? part : "end")
              .digest("hex")}</ETag></Part>`,
        )
        .join("")}</CompleteMultipartUpload>`;
    for (let round = 0; round < 5; round++) {
      const begun = await files.s3("POST", `/shut/parts-${round}?uploads`);
      const id = /<UploadId>([^<]+)</.exec(begun.text)![1]!;
      expect((await files.s3("PUT", `/shut/parts-${round}?partNumber=1&uploadId=${id}`, { body: part })).status).toBe(
        200,
      );
      expect((await files.s3("PUT", `/shut/parts-${round}?partNumber=2&uploadId=${id}`, { body: "end" })).status).toBe(
        200,
      );
      const answers = await Promise.all(
        [[1, 2], [1], [2], [1, 2]].map((numbers) =>
          files.s3("POST", `/shut/parts-${round}?uploadId=${id}`, { body: xml(numbers) }),
        ),
      );
      for (const answer of answers) expect(answer.status, answer.text).toBeLessThan(500);
      const wrong = await files.sql(`select o.name from storage.objects o where (o.metadata ->> 'size')::int <>
        (select sum(s.size_bytes) from mainstay.object_segments s where s.version_id = o.version and s.size_bytes is not null and not s.is_dead)`);
      expect(wrong).toEqual([]);
      const got = await files.s3("GET", `/shut/parts-${round}`);
      if (got.status === 200) expect([5_242_883, 5_242_880, 3]).toContain(got.bytes.length);
    }
  });
});
