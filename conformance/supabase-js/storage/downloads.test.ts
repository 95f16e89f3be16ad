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
let ben: Person;
beforeAll(async () => {
  app = await startStorageApp();
  [ann, ben] = [app.person(), app.person()];
  ok(await ann.storage.from("documents").upload(`${ann.id}/letter.txt`, "dear Ben"));
  ok(await ann.storage.from("avatars").upload("ann.png", png, { contentType: "image/png", cacheControl: "60" }));
});
afterAll(() => app.stop());

const letter = () => `${ann.id}/letter.txt`;

describe("download", () => {
  it("a Blob of the file's type", async () => {
    const blob = ok(await ann.storage.from("documents").download(letter()));
    expect([blob.type, blob.size, await blob.text()]).toEqual(["text/plain;charset=utf-8", 8, "dear Ben"]);
  });

  it("as a stream", async () => {
    const stream = ok(await ann.storage.from("documents").download(letter()).asStream());
    expect(await new Response(stream).text()).toBe("dear Ben");
    expect(told(await ben.storage.from("documents").download(letter()).asStream())).toEqual(refusals.noObject);
  });

  it("a nonce against caches changes nothing", async () => {
    expect(await textOf(ok(await ann.storage.from("documents").download(letter(), { cacheNonce: "7" })))).toBe(
      "dear Ben",
    );
  });

  it("can be given up", async () => {
    const signal = AbortSignal.abort();
    const { data, error } = await ann.storage.from("documents").download(letter(), {}, { signal });
    expect([data, error?.name]).toEqual([null, "StorageUnknownError"]);
  });

  it("what is not there, not theirs, or in no bucket", async () => {
    expect(told(await ann.storage.from("documents").download(`${ann.id}/other`))).toEqual(refusals.noObject);
    expect(told(await ben.storage.from("documents").download(letter()))).toEqual(refusals.noObject);
    expect(told(await app.nobody.from("documents").download(letter()))).toEqual(refusals.noObject);
    expect(told(await ann.storage.from("nowhere").download("a"))).toEqual(refusals.noBucket);
  });

  it("throws where it was asked to", async () => {
    const files = ben.storage.from("documents").throwOnError();
    await expect(files.download(letter())).rejects.toMatchObject(refusals.noObject);
    await expect(ann.storage.from("documents").throwOnError().download(letter())).resolves.toMatchObject({
      error: null,
    });
    await expect(app.service.throwOnError().getBucket("nowhere")).rejects.toMatchObject(refusals.noBucket);
  });
});

describe("getPublicUrl", () => {
  it("is for everybody, and everything on the way may keep it", async () => {
    const { publicUrl } = app.nobody.from("avatars").getPublicUrl("ann.png").data;
    expect(publicUrl).toBe(`${app.url}/storage/v1/object/public/avatars/ann.png`);
    const response = await fetch(publicUrl, { headers: { Origin: "https://app.example" } });
    expect(Buffer.from(await response.arrayBuffer()).equals(png)).toBe(true);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      "content-type": "image/png",
      "content-length": String(png.length),
      "cache-control": "max-age=60",
      etag: expect.stringMatching(/^"[0-9a-f]{32}"$/),
      "last-modified": expect.stringMatching(/ GMT$/),
      "accept-ranges": "bytes",
      "x-robots-tag": "none",
      "access-control-allow-origin": "*",
      "x-content-type-options": "nosniff",
    });
    expect(response.headers.get("content-disposition")).toBeNull();
  });

  it.each([
    [true, "attachment;"],
    ["my picture.png", `attachment; filename="my picture.png"; filename*=UTF-8''my%20picture.png`],
    ["schön.png", /^attachment; filename="sch_n\.png"; filename\*=UTF-8''sch%C3%B6n\.png$/],
  ] as const)("to be saved: %s", async (download, disposition) => {
    const { publicUrl } = app.nobody.from("avatars").getPublicUrl("ann.png", { download, cacheNonce: "1" }).data;
    const header = (await fetch(publicUrl)).headers.get("content-disposition");
    if (typeof disposition === "string") expect(header).toBe(disposition);
    else expect(header).toMatch(disposition);
  });

  it("a name with what URLs have to encode", async () => {
    const name = "with space & plus+it's (1).txt";
    ok(await ann.storage.from("avatars").upload(name, "odd"));
    const { publicUrl } = app.nobody.from("avatars").getPublicUrl(name).data;
    expect(await (await fetch(publicUrl)).text()).toBe("odd");
  });

  it("leads nowhere where the bucket is private", async () => {
    const { publicUrl } = ann.storage.from("documents").getPublicUrl(letter()).data;
    const response = await fetch(publicUrl);
    expect([response.status, await response.json()]).toEqual([
      400,
      { statusCode: "404", error: "Bucket not found", message: "Bucket not found", code: "NoSuchBucket" },
    ]);
  });

  it("says that a copy is good still", async () => {
    const { publicUrl } = app.nobody.from("avatars").getPublicUrl("ann.png").data;
    const { headers } = await fetch(publicUrl, { method: "HEAD" });
    const etag = headers.get("etag") ?? "";
    const modified = headers.get("last-modified") ?? "";
    expect((await fetch(publicUrl, { headers: { "If-None-Match": etag } })).status).toBe(304);
    expect((await fetch(publicUrl, { headers: { "If-Modified-Since": modified } })).status).toBe(304);
    expect((await fetch(publicUrl, { headers: { "If-None-Match": '"other"' } })).status).toBe(200);
    expect((await fetch(publicUrl, { headers: { "If-Match": '"other"' } })).status).toBe(412);
    ok(await ann.storage.from("avatars").update("ann.png", Buffer.concat([png, png]), { contentType: "image/png" }));
    expect((await fetch(publicUrl, { headers: { "If-None-Match": etag } })).status).toBe(200);
  });
});

describe("info and exists", () => {
  it("info has all that is known, in the client's spelling", async () => {
    expect(ok(await ann.storage.from("documents").info(letter()))).toMatchObject({
      name: letter(),
      bucketId: "documents",
      size: 8,
      contentType: "text/plain;charset=UTF-8",
      cacheControl: "max-age=3600",
      lastModified: expect.stringMatching(/^\d{4}-.*Z$/),
      createdAt: expect.stringMatching(/^\d{4}-.*Z$/),
    });
    expect(told(await ben.storage.from("documents").info(letter()))).toEqual(refusals.noObject);
    expect(told(await ann.storage.from("nowhere").info("a"))).toEqual(refusals.noBucket);
  });

  it("exists: true, or false with the reason", async () => {
    const files = ann.storage.from("documents");
    expect(await files.exists(letter())).toEqual({ data: true, error: null });
    expect(await files.exists(`${ann.id}/other`)).toMatchObject({ data: false, error: { code: "NoSuchKey" } });
    expect(await ben.storage.from("documents").exists(letter())).toMatchObject({ data: false });
    expect(await app.nobody.from("avatars").exists("ann.png")).toMatchObject({ data: true });
    // Neither true nor false: the client throws what it cannot know from.
    await expect(ann.storage.from("nowhere").exists("a")).rejects.toMatchObject({ code: "NoSuchBucket" });
    const { storage } = app.client(undefined, { accessToken: async () => "a.b.c" });
    await expect(storage.from("documents").exists(letter())).rejects.toMatchObject(
      apiError("403", "AccessDenied", expect.any(String)),
    );
  });
});

/** As encoders leave it: a playlist of playlists, and segments that nobody has said the type of. */
const segments = [0, 1, 2].map((at) => Buffer.alloc(5_000 + at, at + 1));
describe("an HLS set plays", () => {
  beforeAll(async () => {
    const files = ann.storage.from("avatars");
    const playlist = [
      "#EXTM3U",
      "#EXT-X-TARGETDURATION:4",
      "#EXTINF:4,",
      "0.ts",
      "#EXTINF:4,",
      "1.ts",
      "#EXTINF:4,",
      "2.m4s",
      "#EXT-X-ENDLIST",
    ];
    ok(await files.upload("film/index.m3u8", new Blob(["#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nlow/index.m3u8\n"])));
    ok(
      await files.upload("film/low/index.m3u8", playlist.join("\n"), { contentType: "application/vnd.apple.mpegurl" }),
    );
    for (const [at, name] of ["0.ts", "1.ts", "2.m4s"].entries()) {
      ok(await files.upload(`film/low/${name}`, new Blob([segments[at]!])));
    }
  });

  it("by following what the playlists say, as players do", async () => {
    const entry = new URL(app.nobody.from("avatars").getPublicUrl("film/index.m3u8").data.publicUrl);
    const follow = async (url: URL): Promise<readonly { url: URL; type: string | null; bytes: Buffer }[]> => {
      const response = await fetch(url);
      expect(response.status).toBe(200);
      const bytes = Buffer.from(await response.arrayBuffer());
      const type = response.headers.get("content-type");
      if (type !== "application/vnd.apple.mpegurl") return [{ url, type, bytes }];
      const lines = bytes
        .toString()
        .split("\n")
        .filter((line) => line !== "" && !line.startsWith("#"));
      return (await Promise.all(lines.map((line) => follow(new URL(line, url))))).flat();
    };
    const played = await follow(entry);
    expect(played.map(({ type }) => type)).toEqual(["video/mp2t", "video/mp2t", "video/iso.segment"]);
    expect(Buffer.concat(played.map(({ bytes }) => bytes)).equals(Buffer.concat(segments))).toBe(true);
  });

  it.each([
    ["bytes=0-1", 206, 2, "bytes 0-1/5000"],
    ["bytes=4990-", 206, 10, "bytes 4990-4999/5000"],
    ["bytes=-10", 206, 10, "bytes 4990-4999/5000"],
    ["bytes=4000-9999", 206, 1_000, "bytes 4000-4999/5000"],
    ["bytes=5000-", 416, null, "bytes */5000"],
    ["bytes=9-1", 200, 5_000, null],
  ] as const)("a player that seeks: %s", async (range, status, length, said) => {
    const { publicUrl } = app.nobody.from("avatars").getPublicUrl("film/low/0.ts").data;
    const response = await fetch(publicUrl, { headers: { Range: range } });
    const body = Buffer.from(await response.arrayBuffer());
    expect([response.status, response.headers.get("content-range")]).toEqual([status, said]);
    if (length !== null) expect(body.length).toBe(length);
    if (length !== null) expect(response.headers.get("content-type")).toBe("video/mp2t");
  });

  it("goes on where the connection broke, and begins anew where the file has changed", async () => {
    const { publicUrl } = app.nobody.from("avatars").getPublicUrl("film/low/1.ts").data;
    const etag = (await fetch(publicUrl, { method: "HEAD" })).headers.get("etag") ?? "";
    const again = (validator: string) =>
      fetch(publicUrl, { headers: { Range: "bytes=100-199", "If-Range": validator } });
    expect((await again(etag)).status).toBe(206);
    expect((await again('"changed"')).status).toBe(200);
  });
});
