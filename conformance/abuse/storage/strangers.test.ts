import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Answer } from "./http.ts";
import { annId, bobId, type FilesServer, meantStatus, people, startFiles, tusHeaders, uploadPath } from "./server.ts";

/** Threats S08, S12 and S14: what one user's things are to another, by every entrance. */
let files: FilesServer;
const secret = "what ann alone may read";
const there = `${annId}/there.txt`;
const absent = `${annId}/gone1.txt`;
const mine = `${bobId}/mine.txt`;
const png = Buffer.from(
  "89504e470d0a1a0a0000000d494844520000000100000001080600000015c4890000000a49444154789c6300010000050001",
  "hex",
);
let tus: { there: string; absent: string };
let s3: { there: string; absent: string };

beforeAll(async () => {
  files = await startFiles();
  await files.upload(people.ann, `own/${there}`, secret, { "content-type": "text/plain" });
  await files.upload(people.ann, `own/${annId}/picture.png`, png, { "content-type": "image/png" });
  await files.upload(people.bob, `own/${mine}`, "bob's");
  tus = {
    there: uploadPath(await files.tusCreate(people.ann, { bucket: "own", name: `${annId}/film` })),
    absent: `/upload/resumable/${Buffer.from(`own/${annId}/film/00000000-0000-4000-8000-000000000000`).toString("base64url")}`,
  };
  const begun = await files.s3("POST", `/own/${there}?uploads`, { as: people.ann });
  if (begun.status !== 200) throw new Error(`${begun.text} ${files.failures().join("\n")}`);
  s3 = { there: /<UploadId>([^<]+)</.exec(begun.text)![1]!, absent: "00000000-0000-4000-8000-000000000000" };
});
afterAll(() => files.stop());

interface Caller {
  send(
    method: string,
    path: string,
    options?: { json?: unknown; body?: string; headers?: Record<string, string> },
  ): Promise<Answer>;
  s3(method: string, path: string, options?: { body?: string; headers?: Record<string, string> }): Promise<Answer>;
  tus(name: string): Promise<Answer>;
}
/** Every entrance that takes somebody else's thing, asked about one that is there or one that is not. */
type Enter = (as: Caller, key: string, which: "there" | "absent") => Promise<Answer>;

const xml = { "content-type": "application/xml" };
const reading: Readonly<Record<string, Enter>> = {
  GET: (as, key) => as.send("GET", `/object/own/${key}`),
  HEAD: (as, key) => as.send("HEAD", `/object/own/${key}`),
  "GET authenticated": (as, key) => as.send("GET", `/object/authenticated/own/${key}`),
  "a range": (as, key) => as.send("GET", `/object/authenticated/own/${key}`, { headers: { range: "bytes=0-3" } }),
  "if none match": (as, key) => as.send("GET", `/object/own/${key}`, { headers: { "if-none-match": "*" } }),
  "if modified since": (as, key) =>
    as.send("GET", `/object/own/${key}`, { headers: { "if-modified-since": "Fri, 01 Jan 2100 00:00:00 GMT" } }),
  "if match": (as, key) => as.send("GET", `/object/own/${key}`, { headers: { "if-match": '"x"' } }),
  "as public": (as, key) => as.send("GET", `/object/public/own/${key}`),
  info: (as, key) => as.send("GET", `/object/info/own/${key}`),
  "info authenticated": (as, key) => as.send("GET", `/object/info/authenticated/own/${key}`),
  "info public": (as, key) => as.send("GET", `/object/info/public/own/${key}`),
  render: (as, key) => as.send("GET", `/render/image/authenticated/own/${key}?width=5`),
  "render public": (as, key) => as.send("GET", `/render/image/public/own/${key}?width=5`),
  sign: (as, key) => as.send("POST", `/object/sign/own/${key}`, { json: { expiresIn: 60 } }),
  "sign a picture": (as, key) =>
    as.send("POST", `/object/sign/own/${key}`, { json: { expiresIn: 60, transform: { width: 5 } } }),
  "sign many": (as, key) => as.send("POST", "/object/sign/own", { json: { expiresIn: 60, paths: [key] } }),
  "copy from": (as, key) =>
    as.send("POST", "/object/copy", { json: { bucketId: "own", sourceKey: key, destinationKey: `${bobId}/stolen` } }),
  list: (as, key) => as.send("POST", "/object/list/own", { json: { prefix: annId, search: key.slice(-9) } }),
  "list-v2": (as, key) => as.send("POST", "/object/list-v2/own", { json: { prefix: key } }),
  "S3 GET": (as, key) => as.s3("GET", `/own/${key}`),
  "S3 HEAD": (as, key) => as.s3("HEAD", `/own/${key}`),
  "S3 attributes": (as, key) =>
    as.s3("GET", `/own/${key}?attributes`, { headers: { "x-amz-object-attributes": "ETag" } }),
  "S3 tagging": (as, key) => as.s3("GET", `/own/${key}?tagging`),
  "S3 copy from": (as, key) =>
    as.s3("PUT", `/own/${bobId}/stolen`, { headers: { "x-amz-copy-source": `/own/${key}` } }),
  "S3 list": (as, key) => as.s3("GET", `/own?list-type=2&prefix=${encodeURIComponent(key)}`),
  "S3 list v1": (as, key) => as.s3("GET", `/own?prefix=${encodeURIComponent(key)}&delimiter=%2F`),
};
const writing: Readonly<Record<string, Enter>> = {
  POST: (as, key) => as.send("POST", `/object/own/${key}`, { body: "bob's" }),
  "POST to replace": (as, key) =>
    as.send("POST", `/object/own/${key}`, { body: "bob's", headers: { "x-upsert": "true" } }),
  PUT: (as, key) => as.send("PUT", `/object/own/${key}`, { body: "bob's" }),
  DELETE: (as, key) => as.send("DELETE", `/object/own/${key}`),
  "delete many": (as, key) => as.send("DELETE", "/object/own", { json: { prefixes: [key] } }),
  "move from": (as, key) =>
    as.send("POST", "/object/move", { json: { bucketId: "own", sourceKey: key, destinationKey: `${bobId}/stolen` } }),
  "move to": (as, key) =>
    as.send("POST", "/object/move", { json: { bucketId: "own", sourceKey: mine, destinationKey: key } }),
  "copy to": (as, key) =>
    as.send("POST", "/object/copy", { json: { bucketId: "own", sourceKey: mine, destinationKey: key } }),
  "copy to and replace": (as, key) =>
    as.send("POST", "/object/copy", {
      json: { bucketId: "own", sourceKey: mine, destinationKey: key },
      headers: { "x-upsert": "true" },
    }),
  "sign an upload": (as, key) => as.send("POST", `/object/upload/sign/own/${key}`, { json: {} }),
  "sign an upload that replaces": (as, key) =>
    as.send("POST", `/object/upload/sign/own/${key}`, { json: {}, headers: { "x-upsert": "true" } }),
  "TUS create": (as, key) => as.tus(key),
  "TUS PATCH": (as, _, which) => as.send("PATCH", tus[which], { body: "0123456789", headers: tusHeaders(0) }),
  "TUS DELETE": (as, _, which) => as.send("DELETE", tus[which], { headers: tusHeaders(0) }),
  "S3 PUT": (as, key) => as.s3("PUT", `/own/${key}`, { body: "bob's" }),
  "S3 PUT if none": (as, key) => as.s3("PUT", `/own/${key}`, { body: "bob's", headers: { "if-none-match": "*" } }),
  "S3 DELETE": (as, key) => as.s3("DELETE", `/own/${key}`),
  "S3 delete many": (as, key) =>
    as.s3("POST", "/own?delete", { body: `<Delete><Object><Key>${key}</Key></Object></Delete>`, headers: xml }),
  "S3 copy to": (as, key) => as.s3("PUT", `/own/${key}`, { headers: { "x-amz-copy-source": `/own/${mine}` } }),
  "S3 begin": (as, key) => as.s3("POST", `/own/${key}?uploads`),
  "S3 part": (as, _, which) => as.s3("PUT", `/own/${there}?partNumber=1&uploadId=${s3[which]}`, { body: "bob's" }),
  "S3 part copy": (as, _, which) =>
    as.s3("PUT", `/own/${there}?partNumber=1&uploadId=${s3[which]}`, {
      headers: { "x-amz-copy-source": `/own/${mine}` },
    }),
  "S3 complete": (as, _, which) =>
    as.s3("POST", `/own/${there}?uploadId=${s3[which]}`, {
      body: "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>",
      headers: xml,
    }),
  "S3 abort": (as, _, which) => as.s3("DELETE", `/own/${there}?uploadId=${s3[which]}`),
  "S3 parts": (as, _, which) => as.s3("GET", `/own/${there}?uploadId=${s3[which]}`),
  "S3 uploads": (as) => as.s3("GET", "/own?uploads"),
  "empty the bucket": (as) => as.send("POST", "/bucket/own/empty", { json: {} }),
  "delete the bucket": (as) => as.send("DELETE", "/bucket/own"),
  "open the bucket": (as) => as.send("PUT", "/bucket/own", { json: { public: true } }),
  "S3 delete the bucket": (as) => as.s3("DELETE", "/own"),
};

const caller = (token: string | null): Caller => ({
  send: (method, path, options = {}) => files.send(method, path, { as: token, ...options }),
  s3: (method, path, options = {}) => files.s3(method, path, { as: token, ...options }),
  tus: (name) => files.tusCreate(token, { bucket: "own", name }),
});
/** All that tells one answer from another, without what names the request or the moment. */
const told = ({ status, headers, text }: Answer, key: string): unknown => {
  const { "x-request-id": _, "x-amz-request-id": __, date: ___, ...others } = headers;
  const names = new RegExp(
    [key, encodeURIComponent(key), there, absent, "there.txt", "gone1.txt", s3.there, s3.absent].map(escaped).join("|"),
    "g",
  );
  const plain = text
    .replace(/<RequestId>[^<]*<\/RequestId>/, "")
    .replace(names, "*")
    .replace(/"token":"[^"]+"|token=[\w.-]+/g, "");
  return {
    status,
    headers: Object.keys(others)
      .filter((name) => name !== "content-length")
      .sort(),
    etag: headers.etag,
    text: plain,
  };
};
const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

const strangers = () =>
  [
    ["bob", people.bob],
    ["anon", files.anonKey],
    ["nobody", null],
  ] as const;

describe("S08 S12 S14 what is ann's", () => {
  test.each(Object.entries({ ...reading, ...writing }))("S08 S14 %s", async (what, enter) => {
    for (const [name, token] of strangers()) {
      // Whoever holds the address of an upload hears from HEAD that there is one; without anybody's name that is all there is to hear.
      if (name === "nobody" && what.startsWith("TUS ")) continue;
      const before = await files.snapshot();
      const answer = await enter(caller(token), there, "there");
      const other = await enter(caller(token), absent, "absent");
      const label = `${what} by ${name}`;
      expect.soft(answer.text, label).not.toContain(secret);
      expect.soft(answer.headers.etag, label).toBeUndefined();
      expect.soft(answer.status, label).toBeLessThan(500);
      // What is not there and what is not theirs are one thing.
      expect.soft(told(answer, there), `${label}: there and not there`).toEqual(told(other, absent));
      // What a refused request may have begun is gone soon, and nothing that counts has changed.
      await expect.poll(() => files.snapshot()).toEqual(before);
    }
  });

  test("S14 a bucket that is not theirs is not there, and is not in the list", async () => {
    for (const [name, token] of strangers()) {
      const as = caller(token);
      for (const ask of [
        (bucket: string) => as.send("GET", `/bucket/${bucket}`),
        (bucket: string) => as.send("GET", `/object/public/${bucket}/a`),
        (bucket: string) => as.send("GET", `/object/info/public/${bucket}/a`),
        (bucket: string) => as.s3("GET", `/${bucket}?location`),
        (bucket: string) => as.s3("HEAD", `/${bucket}`),
        (bucket: string) => as.send("POST", `/object/list/${bucket}`, { json: { prefix: "" } }),
      ]) {
        const [shut, none] = [await ask("shut"), await ask("none")];
        expect.soft(told(shut, "shut"), `${name}: ${shut.text}`).toEqual(told(none, "none"));
      }
      // Somebody who may upload has to hear which bucket is missing (protocols: errors), so only nobody is told nothing of private ones.
      const [shut, none] = [await as.send("GET", "/object/shut/a"), await as.send("GET", "/object/none/a")];
      if (name === "nobody") expect(told(shut, "shut")).toEqual(told(none, "none"));
      const list = await as.send("GET", "/bucket");
      expect(list.text).not.toContain("shut");
    }
  });

  test("S12 a TUS upload tells who holds its address how far it is, and nothing of whose it is; and goes on for ann", async () => {
    const head = await files.send("HEAD", tus.there, { as: null, headers: tusHeaders(0) });
    expect([head.status, head.headers["upload-offset"]]).toEqual([200, "0"]);
    // The same version under another name is none.
    const [, , version] = /^(.*)\/([^/]+)$/.exec(Buffer.from(tus.there.split("/").at(-1)!, "base64url").toString())!;
    for (const place of [
      `own/${bobId}/film/${version}`,
      `own/${annId}/other/${version}`,
      `shut/${annId}/film/${version}`,
    ]) {
      const path = `/upload/resumable/${Buffer.from(place).toString("base64url")}`;
      for (const method of ["HEAD", "PATCH", "DELETE"]) {
        const options = { as: people.ann, headers: tusHeaders(0), ...(method === "PATCH" ? { body: "x" } : {}) };
        expect((await files.send(method, path, options)).status, `${method} ${place}`).toBe(404);
      }
    }
    const done = await files.send("PATCH", tus.there, { as: people.ann, body: "0123456789", headers: tusHeaders(0) });
    expect(done.status).toBe(204);
    const got = await files.send("GET", `/object/own/${annId}/film`, { as: people.ann });
    expect(got.text).toBe("0123456789");
  });

  test("ann herself may do all of that", async () => {
    const as = caller(people.ann);
    for (const [what, enter] of Object.entries(reading)) {
      if (/public|copy|if match|if none match|if modified|render|picture/i.test(what)) continue;
      const answer = await enter(as, there, "there");
      expect.soft(meantStatus(answer), `${what}: ${answer.text}`).toBeLessThan(300);
    }
    expect(await files.leaks()).toEqual([]);
    expect(files.failures()).toEqual([]);
  });
});
