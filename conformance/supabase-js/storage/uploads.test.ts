import { createReadStream } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  apiError,
  ok,
  type Person,
  png,
  refusals,
  type StorageApp,
  startStorageApp,
  textOf,
  told,
} from "./storage-app.ts";

let app: StorageApp;
let ann: Person;
beforeAll(async () => {
  app = await startStorageApp({ storageFileSizeLimitBytes: 1_000_000 });
  ann = app.person();
});
afterAll(() => app.stop());

const uuid = expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
const files = () => ann.storage.from("documents");
let last = 0;
/** A name of hers that nobody has used. */
const newName = (extension = "bin"): string => `${ann.id}/${++last}.${extension}`;

const bytes = new TextEncoder().encode("héllo\0wörld");
const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
const webStream = () =>
  new ReadableStream<Uint8Array>({
    start(controller) {
      for (const byte of bytes) controller.enqueue(new Uint8Array([byte]));
      controller.close();
    },
  });

type Body = Parameters<ReturnType<typeof files>["upload"]>[1];
/** Every body that the client takes, what arrives of it, and what it is said to be where nobody says. */
const bodies: readonly [what: string, body: () => Body, expected: Uint8Array, contentType: string][] = [
  ["ArrayBuffer", () => buffer, bytes, "text/plain;charset=UTF-8"],
  ["Uint8Array", () => bytes, bytes, "text/plain;charset=UTF-8"],
  ["DataView", () => new DataView(buffer, 1, 3), bytes.slice(1, 4), "text/plain;charset=UTF-8"],
  ["Buffer", () => Buffer.from(bytes), bytes, "text/plain;charset=UTF-8"],
  ["Blob with a type", () => new Blob([bytes], { type: "image/x-own" }), bytes, "image/x-own"],
  ["Blob without", () => new Blob([bytes]), bytes, "application/octet-stream"],
  ["File", () => new File([bytes], "naïve name.txt", { type: "text/csv" }), bytes, "text/csv"],
  ["an empty Blob", () => new Blob([]), new Uint8Array(), "application/octet-stream"],
  ["FormData", () => formOf("file"), bytes, "audio/mpeg"],
  ["FormData with another field", () => formOf("whatever"), bytes, "audio/mpeg"],
  ["ReadableStream", webStream, bytes, "text/plain;charset=UTF-8"],
  [
    "a stream of Node.js",
    () => Readable.from([bytes.subarray(0, 4), bytes.subarray(4)]),
    bytes,
    "text/plain;charset=UTF-8",
  ],
  [
    "URLSearchParams",
    () => new URLSearchParams({ a: "1", b: "ü" }),
    new TextEncoder().encode("a=1&b=%C3%BC"),
    "text/plain;charset=UTF-8",
  ],
  ["string", () => "schön", new TextEncoder().encode("schön"), "text/plain;charset=UTF-8"],
  ["an empty string", () => "", new Uint8Array(), "text/plain;charset=UTF-8"],
];

function formOf(field: string): FormData {
  const form = new FormData();
  form.append(field, new File([bytes], "song.mp3", { type: "audio/mpeg" }));
  return form;
}

describe("upload: every body", () => {
  it.each(bodies)("%s", async (_, body, expected, contentType) => {
    const path = newName();
    expect(ok(await files().upload(path, body()))).toEqual({ id: uuid, path, fullPath: `documents/${path}` });
    const blob = ok(await files().download(path));
    expect(new Uint8Array(await blob.arrayBuffer())).toEqual(expected);
    const info = ok(await files().info(path));
    expect(info).toMatchObject({ size: expected.length, contentType, cacheControl: "max-age=3600", metadata: {} });
  });

  it.each(bodies)("update with %s", async (_, body, expected) => {
    const path = newName();
    ok(await files().upload(path, "before"));
    const { id } = ok(await files().info(path));
    expect(ok(await files().update(path, body()))).toEqual({ id, path, fullPath: `documents/${path}` });
    expect(new Uint8Array(await ok(await files().download(path)).arrayBuffer())).toEqual(expected);
  });

  it("a file from the disk, longer than any buffer on the way", async () => {
    const dir = await mkdtemp(join(tmpdir(), "mainstay-upload-"));
    try {
      const long = Buffer.alloc(900_000, "0123456789");
      await writeFile(join(dir, "long"), long);
      const path = newName();
      ok(await files().upload(path, createReadStream(join(dir, "long")), { duplex: "half", contentType: "video/mp4" }));
      expect(ok(await files().info(path))).toMatchObject({ size: long.length, contentType: "video/mp4" });
      expect(Buffer.from(await ok(await files().download(path)).arrayBuffer()).equals(long)).toBe(true);
    } finally {
      await rm(dir, { recursive: true });
    }
  });
});

describe("upload: every option", () => {
  it("contentType, cacheControl and metadata of a raw body", async () => {
    const path = newName("png");
    const metadata = { size: { width: 1 }, tags: ["ä", "🦊"], nothing: null };
    ok(await files().upload(path, png, { contentType: "image/png", cacheControl: "60", metadata }));
    expect(ok(await files().info(path))).toEqual({
      id: uuid,
      name: path,
      version: uuid,
      bucketId: "documents",
      size: png.length,
      contentType: "image/png",
      cacheControl: "max-age=60",
      contentEncoding: null,
      etag: expect.stringMatching(/^"[0-9a-f]{32}"$/),
      metadata,
      lastModified: expect.any(String),
      createdAt: expect.any(String),
    });
    expect(files().toBase64("schön")).toBe("c2Now7Zu");
  });

  it("cacheControl and metadata of a form", async () => {
    const path = newName();
    ok(await files().upload(path, new Blob(["a"]), { cacheControl: "7", metadata: { by: "form" } }));
    expect(ok(await files().info(path))).toMatchObject({ cacheControl: "max-age=7", metadata: { by: "form" } });
  });

  it("fields of the app's own form count before the options", async () => {
    const form = new FormData();
    form.append("", new Blob(["b"], { type: "text/markdown" }));
    form.append("cacheControl", "11");
    form.append("metadata", JSON.stringify({ by: "app" }));
    const path = newName();
    ok(await files().upload(path, form, { cacheControl: "7", metadata: { by: "option" } }));
    expect(ok(await files().info(path))).toMatchObject({
      cacheControl: "max-age=11",
      metadata: { by: "app" },
      contentType: "text/markdown",
    });
  });

  it("headers of one upload alone", async () => {
    const path = newName();
    const headers = { "cache-control": "public, max-age=31536000, immutable", "X-Upsert": "true" };
    ok(await files().upload(path, "a", { headers }));
    ok(await files().upload(path, "b", { headers }));
    expect(ok(await files().info(path)).cacheControl).toBe("public, max-age=31536000, immutable");
    expect(told(await files().upload(path, "c"))).toEqual(refusals.taken);
  });

  it("upsert replaces, and keeps who the file is", async () => {
    const path = newName("txt");
    const first = ok(await files().upload(path, "first", { metadata: { n: 1 } }));
    expect(told(await files().upload(path, "second"))).toEqual(refusals.taken);
    expect(await textOf(ok(await files().download(path)))).toBe("first");
    const second = ok(await files().upload(path, "second", { upsert: true }));
    expect(second.id).toBe(first.id);
    expect(await textOf(ok(await files().download(path)))).toBe("second");
    expect(ok(await files().info(path)).metadata).toEqual({});
  });

  it.each(["raw", "form"])("contentEncoding: %s bytes that are packed already come as they are", async (form) => {
    const packed = gzipSync("packed ".repeat(1_000));
    const path = newName("txt");
    const contentType = "text/plain";
    const body = form === "raw" ? packed : new Blob([packed], { type: contentType });
    ok(await files().upload(path, body, { contentEncoding: "gzip", contentType }));
    expect(ok(await files().info(path))).toMatchObject({ size: packed.length, contentEncoding: "gzip", contentType });
    // Clients unpack what the header says is packed.
    expect(await textOf(ok(await files().download(path)))).toBe("packed ".repeat(1_000));
    const { signedUrl } = ok(await files().createSignedUrl(path, 60));
    const head = await fetch(signedUrl, { method: "HEAD" });
    expect([head.headers.get("content-encoding"), head.headers.get("content-length")]).toEqual([
      "gzip",
      String(packed.length),
    ]);
    expect(gunzipSync(packed).length).toBe(7_000);
  });

  it("what nobody can be told of is refused, and nothing is there", async () => {
    const path = newName();
    expect(told(await files().upload(path, "a", { contentEncoding: "no encoding" }))).toMatchObject({
      name: "StorageApiError",
      status: 400,
    });
    expect(told(await files().upload(path, new Blob(["a"]), { cacheControl: "a\nb" }))).toMatchObject({ status: 400 });
    expect(told(await files().upload(path, "a", { contentType: "no type" }))).toEqual(refusals.wrongType("no type"));
    expect(told(await files().info(path))).toEqual(refusals.noObject);
  });
});

describe("upload: names", () => {
  it.each([
    ["a b.txt"],
    ["a+b=c&d.txt"],
    ["it's (1)!$@;:,.txt"],
    ["nested/deep/er/and/deeper.txt"],
    ["dots..in.name"],
    ["no-extension"],
  ])("%s", async (name) => {
    const path = `${ann.id}/${name}`;
    expect(ok(await files().upload(path, name)).fullPath).toBe(`documents/${path}`);
    expect(await textOf(ok(await files().download(path)))).toBe(name);
    ok(await files().remove([path]));
  });

  it("slashes at the ends and between are the client's to tidy up", async () => {
    const data = ok(await files().upload(`/${ann.id}//tidy///a.txt/`, "a"));
    expect(data.path).toBe(`${ann.id}/tidy/a.txt`);
    expect(await textOf(ok(await files().download(`${ann.id}/tidy/a.txt`)))).toBe("a");
  });

  it.each(["schön.txt", "🦊", "a\\b", "a|b", "{x}", "a~b", `x${"y".repeat(1_024)}`])("%s cannot be", async (name) => {
    const path = `${ann.id}/${encodeURIComponent(name)}`;
    const { error } = await files().upload(path, "a");
    expect(error).toMatchObject({ name: "StorageApiError", status: 400, statusCode: "400", code: "InvalidKey" });
    expect(error?.message).toMatch(/^Invalid key: /);
  });
});

describe("upload: refused, and nothing is stored", () => {
  it("more than the server takes, said before or noticed on the way", async () => {
    const long = Buffer.alloc(1_000_001);
    const path = newName();
    for (const body of [long, new Blob([long]), new Blob([long]).stream()]) {
      expect(told(await files().upload(path, body))).toEqual(refusals.tooLarge);
      expect(told(await files().info(path))).toEqual(refusals.noObject);
    }
    ok(await files().upload(path, long.subarray(1)));
    expect(ok(await files().info(path)).size).toBe(1_000_000);
  });

  it("more than the bucket takes, and types it does not", async () => {
    const media = ann.storage.from("media");
    expect(told(await media.upload("a.mp4", Buffer.alloc(1_001), { contentType: "video/mp4" }))).toEqual(
      refusals.tooLarge,
    );
    expect(told(await media.upload("a.txt", "a"))).toEqual(refusals.wrongType("text/plain;charset=UTF-8"));
    expect(told(await media.upload("a.png", new Blob([png], { type: "image/png" })))).toEqual(
      refusals.wrongType("image/png"),
    );
    // A name is not enough.
    expect(told(await media.upload("a.mp4", png, { contentType: "video/mp4" }))).toEqual(
      refusals.wrongType("image/png"),
    );
    ok(await media.upload("a.mp4", Buffer.alloc(1_000), { contentType: "video/mp4" }));
    ok(await media.upload("a.mp3", Buffer.from("ID3"), { contentType: "audio/mpeg" }));
    expect(told(await media.update("a.mp3", "now a text"))).toEqual(refusals.wrongType("text/plain;charset=UTF-8"));
    expect(await textOf(ok(await media.download("a.mp3")))).toBe("ID3");
    expect(ok(await media.list()).map(({ name }) => name)).toEqual(["a.mp3", "a.mp4"]);
  });

  it("into a bucket that is not there", async () => {
    expect(told(await ann.storage.from("nowhere").upload("a", "a"))).toEqual(refusals.noBucket);
  });

  it("by a token that is none", async () => {
    const { storage } = app.client(undefined, { accessToken: async () => "a.b.c" });
    expect(told(await storage.from("documents").upload(newName(), "a"))).toEqual(
      apiError("403", "AccessDenied", expect.any(String)),
    );
  });

  it("of which the sender breaks off", async () => {
    const path = newName();
    let chunks = 0;
    const broken = new ReadableStream<Uint8Array>({
      async pull(controller) {
        controller.enqueue(new Uint8Array(1_000));
        if (++chunks > 20) controller.error(new Error("no more"));
      },
    });
    const { error } = await files().upload(path, broken);
    expect(error).not.toBeNull();
    expect(told(await files().info(path))).toEqual(refusals.noObject);
    ok(await files().upload(path, "whole"));
  });
});
