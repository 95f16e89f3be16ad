import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { apiError, ok, type Person, refusals, type StorageApp, startStorageApp, told } from "./storage-app.ts";

let app: StorageApp;
let ann: Person;
beforeAll(async () => {
  app = await startStorageApp();
  ann = app.person();
  const photo = await sharp({ create: { width: 400, height: 200, channels: 3, background: "teal" } })
    .jpeg()
    .toBuffer();
  for (const [bucket, path] of [
    ["avatars", "photo.jpg"],
    ["documents", `${ann.id}/photo.jpg`],
  ] as const) {
    ok(await ann.storage.from(bucket).upload(path, photo, { contentType: "image/jpeg" }));
  }
  ok(await ann.storage.from("avatars").upload("text.txt", "no picture"));
});
afterAll(() => app.stop());

const seen = async (bytes: Blob | Response) => {
  const { width, height, format } = await sharp(Buffer.from(await bytes.arrayBuffer())).metadata();
  return [width, height, format];
};
/** A client that says what it likes as little as Node's does gets the format that the picture has. */
const plain = { headers: { Accept: "image/jpeg" } };

describe("transform", () => {
  it.each([
    [{ width: 100, height: 100 }, [100, 100]],
    [{ width: 100, height: 100, resize: "cover" }, [100, 100]],
    [{ width: 100, height: 100, resize: "contain" }, [100, 50]],
    [{ width: 100, height: 100, resize: "fill" }, [100, 100]],
    // One side alone: the other follows.
    [{ width: 100 }, [100, 50]],
    [{ width: 100, resize: "contain" }, [100, 50]],
    [{ height: 50, resize: "contain", quality: 30 }, [100, 50]],
    [{ width: 80, height: 80, format: "origin" }, [80, 80]],
    // Never larger than it is.
    [{ width: 100_000, resize: "contain" }, [400, 200]],
  ] as const)("of a download: %o", async (transform, size) => {
    const blob = ok(await ann.storage.from("documents").download(`${ann.id}/photo.jpg`, { transform }));
    expect(blob.type).toMatch(/^image\//);
    expect((await seen(blob)).slice(0, 2)).toEqual(size);
  });

  it("of a public URL, and said in a header", async () => {
    const transform = { width: 200, height: 200, resize: "contain", quality: 60 } as const;
    const { publicUrl } = app.nobody.from("avatars").getPublicUrl("photo.jpg", { transform }).data;
    expect(publicUrl).toContain("/storage/v1/render/image/public/avatars/photo.jpg?width=200&height=200");
    const response = await fetch(publicUrl, plain);
    expect(response.headers.get("x-transformations")).toContain("resizing_type:fit");
    expect(await seen(response)).toEqual([200, 100, "jpeg"]);
    const webp = await fetch(publicUrl, { headers: { Accept: "image/webp,image/*" } });
    expect([webp.headers.get("content-type"), ...(await seen(webp))]).toEqual(["image/webp", 200, 100, "webp"]);
  });

  it("of a signed URL: what was signed, whatever the address says besides", async () => {
    const transform = { width: 50, height: 50 };
    const { signedUrl } = ok(
      await ann.storage.from("documents").createSignedUrl(`${ann.id}/photo.jpg`, 60, { transform }),
    );
    expect(await seen(await fetch(signedUrl, plain))).toEqual([50, 50, "jpeg"]);
    expect(await seen(await fetch(`${signedUrl}&width=300&height=300`, plain))).toEqual([50, 50, "jpeg"]);
    // A link to the file is none to its pictures.
    const file = ok(await ann.storage.from("documents").createSignedUrl(`${ann.id}/photo.jpg`, 60)).signedUrl;
    expect((await fetch(file.replace("/object/sign/", "/render/image/sign/"))).status).toBe(400);
  });

  it("only for who may read the file", async () => {
    const transform = { width: 10, height: 10 };
    const theirs = app.person().storage.from("documents");
    expect(told(await theirs.download(`${ann.id}/photo.jpg`, { transform }))).toEqual(refusals.noObject);
    const { publicUrl } = theirs.getPublicUrl(`${ann.id}/photo.jpg`, { transform }).data;
    expect(await (await fetch(publicUrl)).json()).toMatchObject({ statusCode: "404", code: "NoSuchBucket" });
  });

  it.each([
    ["photo.jpg", { width: -1 }],
    ["photo.jpg", { width: 10, quality: 1 }],
    ["text.txt", { width: 10 }],
  ] as const)("refused: %s %o", async (name, transform) => {
    const { data, error } = await ann.storage.from("avatars").download(name, { transform });
    expect([data, error]).toMatchObject([null, { name: "StorageApiError", status: 400 }]);
  });

  it("a new file has new pictures", async () => {
    const transform = { width: 10, height: 10 };
    const red = await sharp({ create: { width: 40, height: 40, channels: 3, background: "red" } })
      .png()
      .toBuffer();
    const blue = await sharp({ create: { width: 40, height: 40, channels: 3, background: "blue" } })
      .png()
      .toBuffer();
    const files = ann.storage.from("documents");
    const path = `${ann.id}/colour.png`;
    const colour = async () => {
      const blob = ok(await files.download(path, { transform }));
      const [r = 0, , b = 0] = await sharp(Buffer.from(await blob.arrayBuffer()))
        .removeAlpha()
        .raw()
        .toBuffer();
      return r > b ? "red" : "blue";
    };
    ok(await files.upload(path, red, { contentType: "image/png" }));
    expect(await colour()).toBe("red");
    ok(await files.update(path, blue, { contentType: "image/png" }));
    expect(await colour()).toBe("blue");
  });
});

describe("purgeCache and purgeBucketCache", () => {
  it("for the service alone; pictures are made anew", async () => {
    const transform = { width: 30, height: 30 };
    const files = app.service.from("avatars");
    expect(ok(await files.purgeCache("photo.jpg", { transformations: true })).message).toEqual(expect.any(String));
    expect(ok(await app.service.purgeBucketCache("avatars")).message).toEqual(expect.any(String));
    expect((await seen(ok(await files.download("photo.jpg", { transform })))).slice(0, 2)).toEqual([30, 30]);
    const denied = apiError("403", "AccessDenied", expect.any(String));
    expect(told(await ann.storage.from("avatars").purgeCache("photo.jpg"))).toEqual(denied);
    expect(told(await app.nobody.purgeBucketCache("avatars"))).toEqual(denied);
  });
});
