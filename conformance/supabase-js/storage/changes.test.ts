import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ok, type Person, png, refusals, type StorageApp, startStorageApp, textOf, told } from "./storage-app.ts";

let app: StorageApp;
let ann: Person;
let ben: Person;
beforeAll(async () => {
  app = await startStorageApp();
  [ann, ben] = [app.person(), app.person()];
});
afterAll(() => app.stop());

const files = () => ann.storage.from("documents");
let last = 0;
const newName = (): string => `${ann.id}/changes/${++last}.txt`;
const uploaded = async (text = "text", options = {}): Promise<string> => {
  const path = newName();
  ok(await files().upload(path, text, options));
  return path;
};
const isThere = async (path: string, bucket = "documents") => (await app.service.from(bucket).exists(path)).data;

describe("move", () => {
  it("to another name: the same file, and nothing under the old one", async () => {
    const from = await uploaded("moving", { metadata: { kept: true }, cacheControl: "5" });
    const to = newName();
    const before = ok(await files().info(from));
    expect(ok(await files().move(from, to))).toMatchObject({ message: "Successfully moved" });
    const { id, size, etag, metadata, cacheControl } = ok(await files().info(to));
    expect({ id, size, etag, metadata, cacheControl }).toEqual({
      id: before.id,
      size: 6,
      etag: before.etag,
      metadata: { kept: true },
      cacheControl: "max-age=5",
    });
    expect(await textOf(ok(await files().download(to)))).toBe("moving");
    expect(await isThere(from)).toBe(false);
  });

  it("to another bucket", async () => {
    const from = await uploaded("across");
    ok(await files().move(from, from, { destinationBucket: "archive" }));
    expect([await isThere(from), await isThere(from, "archive")]).toEqual([false, true]);
    expect(await textOf(ok(await ann.storage.from("archive").download(from)))).toBe("across");
  });

  it("not onto what is there, not from nowhere, not to nowhere", async () => {
    const [from, to] = [await uploaded("a"), await uploaded("b")];
    expect(told(await files().move(from, to))).toEqual(refusals.taken);
    expect(await textOf(ok(await files().download(to)))).toBe("b");
    expect(told(await files().move(newName(), newName()))).toEqual(refusals.noObject);
    expect(told(await files().move(from, from, { destinationBucket: "nowhere" }))).toEqual(refusals.noBucket);
    expect(await isThere(from)).toBe(true);
  });

  it("not out of others' folders, nor into them", async () => {
    const from = await uploaded("mine");
    expect(told(await ben.storage.from("documents").move(from, `${ben.id}/taken.txt`))).toEqual(refusals.noObject);
    expect(told(await files().move(from, `${ben.id}/given.txt`))).toEqual(refusals.denied);
    expect(await isThere(from)).toBe(true);
    expect(ok(await app.service.from("documents").list(ben.id))).toEqual([]);
  });

  it("not where the other bucket would not take it", async () => {
    const from = await uploaded("a text");
    expect(told(await app.service.from("documents").move(from, "a.png", { destinationBucket: "pictures" }))).toEqual(
      refusals.wrongType("text/plain;charset=UTF-8"),
    );
    const long = newName();
    ok(await files().upload(long, Buffer.alloc(2_000), { contentType: "video/mp4" }));
    expect(told(await app.service.from("documents").move(long, "a.mp4", { destinationBucket: "media" }))).toEqual(
      refusals.tooLarge,
    );
    expect([await isThere(from), await isThere(long)]).toEqual([true, true]);
  });

  it.each(["", "../x", "a/../../b", "/x", "ü"])("not to a name like %j (S01)", async (name) => {
    const from = await uploaded();
    expect(told(await files().move(from, name))).toMatchObject({ status: 400, statusCode: "400" });
    expect(await isThere(from)).toBe(true);
  });
});

describe("copy", () => {
  it("a file of its own with the same bytes, and what was said of them", async () => {
    const from = await uploaded("twin", { metadata: { n: 1 }, cacheControl: "9" });
    const to = newName();
    expect(ok(await files().copy(from, to))).toEqual({ path: `documents/${to}` });
    const [one, other] = [ok(await files().info(from)), ok(await files().info(to))];
    expect(other).toMatchObject({
      size: 4,
      etag: one.etag,
      metadata: { n: 1 },
      cacheControl: "max-age=9",
      contentType: one.contentType,
    });
    expect(other.id).not.toBe(one.id);
    // Neither follows the other.
    ok(await files().update(from, "changed"));
    expect(await textOf(ok(await files().download(to)))).toBe("twin");
    ok(await files().remove([from]));
    expect(await textOf(ok(await files().download(to)))).toBe("twin");
  });

  it("to another bucket", async () => {
    const from = await uploaded("both");
    expect(ok(await files().copy(from, from, { destinationBucket: "archive" }))).toEqual({ path: `archive/${from}` });
    expect([await isThere(from), await isThere(from, "archive")]).toEqual([true, true]);
  });

  it("with other things said of it", async () => {
    const from = newName();
    ok(await files().upload(from, "said", { metadata: { n: 1 }, contentEncoding: "identity" }));
    const to = newName();
    const metadata = { cacheControl: "max-age=1, public", mimetype: "text/markdown", contentEncoding: "gzip" };
    ok(await files().copy(from, to, { copyMetadata: false, metadata }));
    expect(ok(await files().info(to))).toMatchObject({
      cacheControl: "max-age=1, public",
      contentType: "text/markdown",
      contentEncoding: "gzip",
      metadata: {},
    });
    const plain = newName();
    ok(await files().copy(to, plain, { copyMetadata: false, metadata: { contentEncoding: "" } }));
    expect(ok(await files().info(plain))).toMatchObject({ contentEncoding: null, contentType: "text/markdown" });
    expect(await textOf(ok(await files().download(plain)))).toBe("said");
    // Where metadata is copied, nothing else is said.
    const copied = newName();
    ok(await files().copy(from, copied, { copyMetadata: true, metadata }));
    expect(ok(await files().info(copied))).toMatchObject({ metadata: { n: 1 }, contentEncoding: null });
  });

  it("not onto what is there, unless it is to be replaced", async () => {
    const [from, to] = [await uploaded("new"), await uploaded("old")];
    expect(told(await files().copy(from, to))).toEqual(refusals.taken);
    expect(await textOf(ok(await files().download(to)))).toBe("old");
    ok(await files().setHeader("x-upsert", "true").copy(from, to));
    expect(await textOf(ok(await files().download(to)))).toBe("new");
  });

  it("belongs to who makes it", async () => {
    const path = "copied-avatar.png";
    ok(await ann.storage.from("avatars").upload(`ann-${path}`, png));
    ok(await ben.storage.from("avatars").copy(`ann-${path}`, path));
    const [row] = await app.sql(`select owner_id from storage.objects where name = '${path}'`);
    expect(row).toEqual({ owner_id: ben.id });
  });

  it("not from what is not seen, nor to where nothing may be put", async () => {
    const from = await uploaded();
    expect(told(await files().copy(newName(), newName()))).toEqual(refusals.noObject);
    expect(told(await ben.storage.from("documents").copy(from, `${ben.id}/x`))).toEqual(refusals.noObject);
    expect(told(await files().copy(from, `${ben.id}/x`))).toEqual(refusals.denied);
    expect(told(await files().copy(from, from, { destinationBucket: "nowhere" }))).toEqual(refusals.noBucket);
    expect(told(await files().copy(from, from, { destinationBucket: "closed" }))).toEqual(refusals.denied);
    expect(await isThere(`${ben.id}/x`)).toBe(false);
  });

  it("not where the other bucket would not take it", async () => {
    const from = await uploaded("a text");
    const to = app.service.from("documents");
    expect(told(await to.copy(from, "a.png", { destinationBucket: "pictures" }))).toEqual(
      refusals.wrongType("text/plain;charset=UTF-8"),
    );
    expect(
      told(
        await to.copy(from, "a.png", {
          destinationBucket: "pictures",
          copyMetadata: false,
          metadata: { mimetype: "image/png" },
        }),
      ),
    ).toMatchObject({ statusCode: "415" });
  });
});

describe("remove", () => {
  it("gives back the rows that went", async () => {
    const paths = [await uploaded("1"), await uploaded("2", { metadata: { two: 2 } })];
    const gone = ok(await files().remove([...paths, newName()]));
    expect(gone).toHaveLength(2);
    expect(gone.find(({ name }) => name === paths[1])).toMatchObject({
      name: paths[1],
      bucket_id: "documents",
      owner: ann.id,
      owner_id: ann.id,
      version: expect.any(String),
      id: expect.any(String),
      created_at: expect.any(String),
      updated_at: expect.any(String),
      last_accessed_at: expect.any(String),
      metadata: { size: 1, mimetype: "text/plain;charset=UTF-8" },
      user_metadata: { two: 2 },
    });
    for (const path of paths) {
      expect(told(await files().download(path))).toEqual(refusals.noObject);
      expect(ok(await files().upload(path, "again")).path).toBe(path);
    }
  });

  it("what is not there, not theirs, or a folder, is just not among them", async () => {
    const path = await uploaded();
    expect(ok(await ben.storage.from("documents").remove([path]))).toEqual([]);
    expect(ok(await app.nobody.from("documents").remove([path]))).toEqual([]);
    expect(ok(await files().remove([`${ann.id}/changes`, `${ann.id}/changes/`, "%", "*"]))).toEqual([]);
    expect(ok(await ann.storage.from("nowhere").remove([path]))).toEqual([]);
    expect(await isThere(path)).toBe(true);
  });

  it("what may be seen and not deleted stays", async () => {
    const path = `${ann.id}/for-good.txt`;
    ok(await ann.storage.from("archive").upload(path, "for good"));
    expect(ok(await ann.storage.from("archive").remove([path]))).toEqual([]);
    expect(await isThere(path, "archive")).toBe(true);
  });

  it("none and too many are refused", async () => {
    expect(told(await files().remove([]))).toMatchObject({ status: 400, statusCode: "400" });
    const many = Array.from({ length: 1_001 }, (_, at) => `${at}`);
    expect(told(await files().remove(many))).toMatchObject({
      status: 400,
      statusCode: "400",
      message: expect.stringContaining("1000"),
    });
  });
});

describe("update", () => {
  it("replaces what is theirs, makes what is not there, and touches nothing of others'", async () => {
    const path = await uploaded("old");
    ok(await files().update(path, "new", { contentType: "text/csv", cacheControl: "1", metadata: { v: 2 } }));
    expect(ok(await files().info(path))).toMatchObject({
      contentType: "text/csv",
      cacheControl: "max-age=1",
      metadata: { v: 2 },
      size: 3,
    });
    const fresh = newName();
    ok(await files().update(fresh, "made"));
    expect(await isThere(fresh)).toBe(true);
    expect(told(await ben.storage.from("documents").update(path, "stolen"))).toEqual(refusals.denied);
    expect(await textOf(ok(await files().download(path)))).toBe("new");
  });

  it("of an avatar that is somebody else's is denied", async () => {
    ok(await ann.storage.from("avatars").upload("face.png", png));
    for (const { storage } of [ben]) {
      expect(told(await storage.from("avatars").update("face.png", "x"))).toEqual(refusals.denied);
      expect(told(await storage.from("avatars").upload("face.png", "x", { upsert: true }))).toEqual(refusals.denied);
      expect(ok(await storage.from("avatars").remove(["face.png"]))).toEqual([]);
    }
    ok(await ann.storage.from("avatars").update("face.png", Buffer.concat([png, png])));
    expect(ok(await ann.storage.from("avatars").remove(["face.png"]))).toHaveLength(1);
  });
});
