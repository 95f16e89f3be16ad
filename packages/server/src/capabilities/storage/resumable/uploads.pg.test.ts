import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  bootFiles,
  bytesType,
  create,
  endpoint,
  type FilesApp,
  head,
  metadataOf,
  type Person,
  patch,
  someBytes,
  tus,
} from "./testing.ts";

let app: FilesApp;
let ann: Person;
let bob: Person;
beforeAll(async () => {
  app = await bootFiles({ storageResumableSegmentBytes: 65_536, storageResumableSegmentsLimit: 40 });
  [ann, bob] = [await app.person("ann@example.com"), await app.person("bob@example.com")];
});
afterAll(() => app.stop());

describe("an upload", () => {
  test("comes piece by piece, and is visible when it is whole", async () => {
    const file = someBytes(300_000);
    const created = await create(app.url, ann.token, { name: "ann/whole.bin", length: file.length });
    expect(created).toMatchObject({ status: 201, offset: 0 });
    expect(created.location).toMatch(new RegExp(`^${endpoint(app.url)}/[A-Za-z0-9_-]+$`));
    expect(Buffer.from(created.location.split("/").at(-1)!, "base64url").toString()).toMatch(
      /^files\/ann\/whole\.bin\/[0-9a-f-]{36}$/,
    );
    expect(Date.parse(created.headers.get("upload-expires")!)).toBeGreaterThan(Date.now() + 86_000_000);

    let offset = 0;
    for (const size of [1, 100_000, 3, 199_995]) {
      expect(await app.stored("files", "ann/whole.bin")).toBeNull();
      const answer = await patch(created.location, ann.token, offset, file.subarray(offset, offset + size));
      expect(answer).toMatchObject({ status: 204, offset: offset + size });
      expect(answer.headers.get("upload-expires")).not.toBeNull();
      offset += size;
      expect(await head(created.location)).toMatchObject({ status: 200, offset });
    }
    const last = await patch(created.location, ann.token, offset, file.subarray(offset));
    expect(last).toMatchObject({ status: 204, offset: file.length });
    expect(last.headers.get("tus-complete")).toBe("1");
    expect((await app.stored("files", "ann/whole.bin"))?.equals(file)).toBe(true);

    const [row] = await app.sql<{
      owner_id: string;
      metadata: { size: number; mimetype: string; cacheControl: string };
    }>("select owner_id, metadata from storage.objects where name = 'ann/whole.bin'");
    expect(row).toMatchObject({
      owner_id: ann.id,
      metadata: { size: file.length, mimetype: "application/octet-stream", cacheControl: "no-cache" },
    });
    // Nothing is left of the upload but the object.
    expect(await app.sql("select from mainstay.resumable_uploads")).toHaveLength(0);
    expect(await head(created.location)).toMatchObject({ status: 200, offset: file.length });
  });

  test("is told of with what it is to be", async () => {
    const metadata = { note: "ä" };
    const header = metadataOf({
      bucketName: "files",
      objectName: "ann/told.txt",
      contentType: "text/plain",
      cacheControl: "60",
      metadata: JSON.stringify(metadata),
    });
    const created = await create(
      app.url,
      ann.token,
      { name: "ann/told.txt", length: 5 },
      { "upload-metadata": header, ...bytesType },
      Buffer.from("hel"),
    );
    expect(created).toMatchObject({ status: 201, offset: 3 });
    const looked = await head(created.location);
    expect(Object.fromEntries(looked.headers)).toMatchObject({
      "upload-offset": "3",
      "upload-length": "5",
      "upload-metadata": header,
      "cache-control": "no-store",
      "tus-resumable": "1.0.0",
    });
    expect((await patch(created.location, ann.token, 3, Buffer.from("lo"))).status).toBe(204);
    const [row] = await app.sql<{ metadata: unknown; user_metadata: unknown }>(
      "select metadata, user_metadata from storage.objects where name = 'ann/told.txt'",
    );
    expect(row).toMatchObject({
      metadata: { mimetype: "text/plain", cacheControl: "max-age=60", size: 5 },
      user_metadata: metadata,
    });
  });

  test("may be empty, or come whole with its beginning", async () => {
    const none = await create(app.url, ann.token, { name: "ann/empty", length: 0 });
    expect(none).toMatchObject({ status: 201, offset: 0 });
    expect((await app.stored("files", "ann/empty"))?.length).toBe(0);

    const file = someBytes(200_000);
    const whole = await create(app.url, ann.token, { name: "ann/at-once", length: file.length }, bytesType, file);
    expect(whole).toMatchObject({ status: 201, offset: file.length });
    expect(whole.headers.get("tus-complete")).toBe("1");
    expect((await app.stored("files", "ann/at-once"))?.equals(file)).toBe(true);
  });

  test("may say its length later", async () => {
    const file = someBytes(1_000);
    const { location } = await create(app.url, ann.token, { name: "ann/deferred" });
    expect((await head(location)).headers.get("upload-defer-length")).toBe("1");
    await patch(location, ann.token, 0, file.subarray(0, 400));
    expect((await head(location)).headers.get("upload-length")).toBeNull();
    const last = await patch(location, ann.token, 400, file.subarray(400), { "upload-length": "1000" });
    expect(last).toMatchObject({ status: 204, offset: 1_000 });
    expect((await app.stored("files", "ann/deferred"))?.equals(file)).toBe(true);

    // All is there before its length is known.
    const other = await create(app.url, ann.token, { name: "ann/deferred-2" }, bytesType, file);
    expect(await app.stored("files", "ann/deferred-2")).toBeNull();
    const ended = await patch(other.location, ann.token, 1_000, Buffer.alloc(0), { "upload-length": "1000" });
    expect(ended).toMatchObject({ status: 204, offset: 1_000 });
    expect((await app.stored("files", "ann/deferred-2"))?.equals(file)).toBe(true);
  });

  test("can be ended by who began it, and is not there any more", async () => {
    const { location } = await create(app.url, ann.token, { name: "ann/ended", length: 10 }, bytesType, someBytes(4));
    expect((await tus("DELETE", location, bob.token)).status).toBe(404);
    expect(await head(location)).toMatchObject({ status: 200, offset: 4 });
    expect((await tus("DELETE", location, ann.token)).status).toBe(204);
    expect((await head(location)).status).toBe(404);
    expect((await patch(location, ann.token, 4, someBytes(6))).status).toBe(404);
    expect((await tus("DELETE", location, ann.token)).status).toBe(404);
    expect(await app.stored("files", "ann/ended")).toBeNull();
  });

  test("that is finished cannot be ended or go on", async () => {
    const file = someBytes(10);
    const { location } = await create(app.url, ann.token, { name: "ann/done", length: 10 }, bytesType, file);
    expect((await tus("DELETE", location, ann.token)).status).toBe(400);
    expect((await patch(location, ann.token, 0, file)).status).toBe(409);
    expect((await patch(location, ann.token, 10, someBytes(1))).status).toBe(409);
    expect(await patch(location, ann.token, 10, Buffer.alloc(0))).toMatchObject({ status: 204, offset: 10 });
    expect((await app.stored("files", "ann/done"))?.equals(file)).toBe(true);
  });

  test("goes on where POST stands for other methods", async () => {
    const file = someBytes(10);
    const { location } = await create(app.url, ann.token, { name: "ann/override", length: 10 });
    const post = (method: string, headers: Record<string, string> = {}, body?: Uint8Array) =>
      tus("POST", location, ann.token, { "x-http-method-override": method, ...headers }, body);
    expect(await post("PATCH", { ...bytesType, "upload-offset": "0" }, file.subarray(0, 5))).toMatchObject({
      status: 204,
      offset: 5,
    });
    expect(await post("HEAD")).toMatchObject({ status: 200, offset: 5 });
    expect((await post("GET")).status).toBe(400);
    expect((await post("DELETE")).status).toBe(204);
  });

  test("has a number of parts that is bounded, and its bytes stay", async () => {
    const { location } = await create(app.url, ann.token, { name: "ann/tiny", length: 100 });
    for (let at = 0; at < 40; at++) expect((await patch(location, ann.token, at, Buffer.from("x"))).status).toBe(204);
    expect((await patch(location, ann.token, 40, Buffer.from("x"))).status).toBe(400);
    expect(await head(location)).toMatchObject({ offset: 40 });
  });

  test("of which a server died between its last byte and its end is asked for one byte more", async () => {
    const file = someBytes(100_000);
    const { location } = await create(app.url, ann.token, { name: "ann/died", length: file.length });
    await patch(location, ann.token, 0, file.subarray(0, 50_000));
    // As PostgreSQL is left by a server that has kept the last segment and no more: the length is said when all is there.
    await app.sql("update mainstay.resumable_uploads set length_bytes = 50000");
    expect(await head(location)).toMatchObject({ status: 200, offset: 49_999 });
    expect((await patch(location, ann.token, 50_000, Buffer.alloc(0))).status).toBe(409);
    expect(await patch(location, ann.token, 49_999, file.subarray(49_999, 50_000))).toMatchObject({
      status: 204,
      offset: 50_000,
    });
    expect((await app.stored("files", "ann/died"))?.equals(file.subarray(0, 50_000))).toBe(true);
  });
});

describe("OPTIONS", () => {
  test("says what is spoken, to pages too", async () => {
    for (const url of [endpoint(app.url), `${endpoint(app.url)}/sign`, `${endpoint(app.url)}/x`]) {
      const answer = await tus("OPTIONS", url, null, { "tus-resumable": null });
      expect(answer.status).toBe(204);
      expect(Object.fromEntries(answer.headers)).toMatchObject({
        "tus-version": "1.0.0",
        "tus-resumable": "1.0.0",
        "tus-max-size": "52428800",
        "tus-extension":
          "creation,creation-with-upload,creation-defer-length,expiration,termination,checksum,concatenation",
        "tus-checksum-algorithm": "sha1,sha256,md5,crc32",
      });
    }
    const preflight = await fetch(endpoint(app.url), {
      method: "OPTIONS",
      headers: {
        origin: "https://app.example",
        "access-control-request-method": "PATCH",
        "access-control-request-headers": "tus-resumable,upload-offset,x-signature",
      },
    });
    expect(preflight.headers.get("access-control-allow-methods")).toContain("PATCH");
    expect(preflight.headers.get("access-control-allow-headers")).toContain("upload-offset");
    const created = await create(
      app.url,
      ann.token,
      { name: "ann/page", length: 1 },
      { origin: "https://app.example" },
    );
    expect(created.headers.get("access-control-expose-headers")).toContain("Location");
  });
});

describe("a checksum", () => {
  const file = someBytes(150_000);
  const sum = (algorithm: "sha1" | "sha256" | "md5", bytes: Uint8Array) =>
    `${algorithm} ${createHash(algorithm).update(bytes).digest("base64")}`;

  test("that fits lets the bytes in", async () => {
    const { location } = await create(app.url, ann.token, { name: "ann/summed", length: file.length });
    const half = file.subarray(0, 75_000);
    expect((await patch(location, ann.token, 0, half, { "upload-checksum": sum("sha1", half) })).status).toBe(204);
    const rest = file.subarray(75_000);
    expect((await patch(location, ann.token, 75_000, rest, { "upload-checksum": sum("md5", rest) })).status).toBe(204);
    expect((await app.stored("files", "ann/summed"))?.equals(file)).toBe(true);
  });

  test("that does not fit lets none of them in", async () => {
    const { location } = await create(app.url, ann.token, { name: "ann/flipped", length: file.length });
    const flipped = Buffer.from(file);
    flipped[flipped.length - 1]! ^= 1;
    const answer = await patch(location, ann.token, 0, flipped, { "upload-checksum": sum("sha256", file) });
    expect(answer.status).toBe(460);
    expect(await head(location)).toMatchObject({ offset: 0 });
    expect((await patch(location, ann.token, 0, file, { "upload-checksum": sum("sha256", file) })).status).toBe(204);
    expect((await app.stored("files", "ann/flipped"))?.equals(file)).toBe(true);
  });

  test("of an unknown kind is refused before a byte is read", async () => {
    const { location } = await create(app.url, ann.token, { name: "ann/sha512", length: 1 });
    expect((await patch(location, ann.token, 0, Buffer.from("x"), { "upload-checksum": "sha512 AAAA" })).status).toBe(
      400,
    );
    expect(await head(location)).toMatchObject({ offset: 0 });
  });
});

describe("parts that are put together", () => {
  const part = async (name: string, bytes: Buffer, token = ann.token) => {
    const created = await create(app.url, token, { name, length: bytes.length }, { "upload-concat": "partial" });
    expect(created.status).toBe(201);
    const received = await patch(created.location, token, 0, bytes);
    expect(received).toMatchObject({ status: 204, offset: bytes.length });
    return created.location;
  };
  const final = (name: string, urls: readonly string[], token = ann.token, more: Record<string, string> = {}) =>
    tus("POST", endpoint(app.url), token, {
      "upload-metadata": metadataOf({ bucketName: "files", objectName: name, ...more }),
      "upload-concat": `final;${urls.join(" ")}`,
    });

  test("are one object, in the order of the URLs", async () => {
    const file = someBytes(200_000);
    const second = await part("ann/parts", file.subarray(90_000));
    const first = await part("ann/parts", file.subarray(0, 90_000));
    expect((await head(first)).headers.get("upload-concat")).toBe("partial");
    expect(await app.stored("files", "ann/parts")).toBeNull();
    const created = await final("ann/parts", [new URL(first).pathname, second]);
    expect(created).toMatchObject({ status: 201, offset: file.length });
    expect((await app.stored("files", "ann/parts"))?.equals(file)).toBe(true);
    expect(await head(created.location)).toMatchObject({ status: 200, offset: file.length });
    expect((await head(first)).status).toBe(404);
    expect((await final("ann/parts-again", [first, second])).status).toBe(400);
    expect(await app.stored("files", "ann/parts-again")).toBeNull();
  });

  test("S12: are the caller's own, whole, of the bucket, and each there once", async () => {
    const whole = await part("ann/one", someBytes(10));
    const theirs = await part("bob/one", someBytes(10), bob.token);
    const cut = await create(app.url, ann.token, { name: "ann/cut", length: 10 }, { "upload-concat": "partial" });
    const ordinary = await create(app.url, ann.token, { name: "ann/ordinary", length: 10 });
    for (const urls of [
      [whole, theirs],
      [whole, cut.location],
      [whole, ordinary.location],
      [whole, whole],
      [whole, `${endpoint(app.url)}/nothing`],
      ["/etc/passwd"],
    ]) {
      expect((await final("ann/stolen", urls)).status).toBeGreaterThanOrEqual(400);
      expect(await app.stored("files", "ann/stolen")).toBeNull();
    }
    const elsewhere = await final("ann/stolen", [whole], ann.token, { bucketName: "drop" });
    expect(elsewhere.status).toBeGreaterThanOrEqual(400);
    // None of this has used the part up.
    expect((await final("ann/kept", [whole])).status).toBe(201);
  });
});
