import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { apiError, ok, refusals, type StorageApp, startStorageApp, told } from "./storage-app.ts";

let app: StorageApp;
beforeAll(async () => {
  app = await startStorageApp({ storageFileSizeLimitBytes: 10_000_000 });
});
afterAll(() => app.stop());

const instant = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

describe("createBucket and getBucket", () => {
  it("private without a word, and with all there is to say", async () => {
    expect(ok(await app.service.createBucket("plain"))).toEqual({ name: "plain" });
    const plain = ok(await app.service.getBucket("plain"));
    expect(plain).toEqual({
      id: "plain",
      name: "plain",
      owner: "",
      public: false,
      file_size_limit: null,
      allowed_mime_types: null,
      created_at: instant,
      updated_at: instant,
    });
    const rules = { public: true, fileSizeLimit: 1024, allowedMimeTypes: ["image/png", "video/*"], type: "STANDARD" };
    ok(await app.service.createBucket("ruled", rules));
    expect(ok(await app.service.getBucket("ruled"))).toMatchObject({
      public: true,
      file_size_limit: 1024,
      allowed_mime_types: ["image/png", "video/*"],
    });
  });

  it.each([
    ["20mb", null],
    ["1kb", 1_000],
    ["2.5MB", 2_500_000],
    ["512", 512],
    [0, 0],
    [null, null],
  ] as const)("a limit of %j is %j bytes", async (fileSizeLimit, bytes) => {
    const name = `limit ${fileSizeLimit}`;
    const made = await app.service.createBucket(name, { public: false, fileSizeLimit });
    if (fileSizeLimit === "20mb") {
      // More than the server takes at all.
      expect(told(made)).toEqual(refusals.tooLarge);
      return;
    }
    ok(made);
    expect(ok(await app.service.getBucket(name)).file_size_limit).toBe(bytes);
  });

  it.each(["a", "Upper.Case_1", "with space", "a!-.*'()&$@=;:+,?b", "x".repeat(100)])(
    "may be called %s",
    async (name) => {
      ok(await app.service.createBucket(name));
      const path = encodeURIComponent(name);
      expect(ok(await app.service.getBucket(path)).id).toBe(name);
    },
  );

  it.each(["", "a/b", "ünder", "x".repeat(101), " a", "a ", "..", "tab\t", "a\\b"])(
    "may not be called %j",
    async (name) => {
      const made = await app.service.createBucket(name);
      expect(made.error).toMatchObject({ name: "StorageApiError", status: 400 });
      expect(["InvalidBucketName", "InvalidRequest"]).toContain((made.error as { code?: string }).code);
      expect(
        ok(await app.service.listBuckets({ search: name === "" ? "\u0001" : name })).map(({ id }) => id),
      ).not.toContain(name);
    },
  );

  it("twice is a duplicate, and what is not there is not found", async () => {
    ok(await app.service.createBucket("twice"));
    expect(told(await app.service.createBucket("twice"))).toEqual(
      apiError("409", "BucketAlreadyExists", "The resource already exists"),
    );
    expect(told(await app.service.getBucket("never"))).toEqual(refusals.noBucket);
  });
});

describe("listBuckets", () => {
  it("all, sorted, searched and page by page", async () => {
    for (const name of ["list_c", "list_a", "list$b", "listxb"]) ok(await app.service.createBucket(name));
    const all = ok(await app.service.listBuckets());
    expect(all.map(({ id }) => id)).toEqual(expect.arrayContaining(["avatars", "documents", "list_a"]));
    expect(all.every(({ type }) => type === "STANDARD")).toBe(true);
    const names = async (options: Parameters<typeof app.service.listBuckets>[0]) =>
      ok(await app.service.listBuckets(options)).map(({ name }) => name);
    expect(await names({ search: "list", sortColumn: "name", sortOrder: "asc" })).toEqual(
      expect.arrayContaining(["list_a", "list_c", "list$b", "listxb"]),
    );
    // These stand for themselves.
    expect(await names({ search: "list_", sortColumn: "name", sortOrder: "desc" })).toEqual(["list_c", "list_a"]);
    expect(await names({ search: "t$b" })).toEqual(["list$b"]);
    expect(await names({ search: "list_", sortColumn: "created_at", sortOrder: "asc" })).toEqual(["list_c", "list_a"]);
    expect(await names({ search: "list_", sortColumn: "id", sortOrder: "asc", limit: 1 })).toEqual(["list_a"]);
    expect(await names({ search: "list_", sortColumn: "id", sortOrder: "asc", limit: 1, offset: 1 })).toEqual([
      "list_c",
    ]);
    expect(await names({ search: "list_", offset: 2 })).toEqual([]);
    expect(await names({ search: "nothing is called that" })).toEqual([]);
  });

  it("nothing for who may see none", async () => {
    expect(ok(await app.nobody.listBuckets())).toEqual([]);
    expect(ok(await app.person().storage.listBuckets())).toEqual([]);
  });
});

describe("updateBucket", () => {
  it("changes what is said, clears what is null, and leaves the rest", async () => {
    ok(await app.service.createBucket("changing", { public: false, fileSizeLimit: "1mb", allowedMimeTypes: ["a/b"] }));
    expect(ok(await app.service.updateBucket("changing", { public: true }))).toEqual({
      message: "Successfully updated",
    });
    expect(ok(await app.service.getBucket("changing"))).toMatchObject({
      public: true,
      file_size_limit: 1_000_000,
      allowed_mime_types: ["a/b"],
    });
    ok(await app.service.updateBucket("changing", { public: true, fileSizeLimit: null, allowedMimeTypes: null }));
    expect(ok(await app.service.getBucket("changing"))).toMatchObject({
      file_size_limit: null,
      allowed_mime_types: null,
    });
    expect(told(await app.service.updateBucket("never", { public: true }))).toEqual(refusals.noBucket);
    expect(told(await app.service.updateBucket("changing", { public: true, fileSizeLimit: "11mb" }))).toEqual(
      refusals.tooLarge,
    );
  });

  it("holds for the next request", async () => {
    ok(await app.service.createBucket("door", { public: true }));
    ok(await app.service.from("door").upload("a.txt", "a"));
    const { publicUrl } = app.nobody.from("door").getPublicUrl("a.txt").data;
    expect((await fetch(publicUrl)).status).toBe(200);
    ok(await app.service.updateBucket("door", { public: false }));
    expect(await (await fetch(publicUrl)).json()).toMatchObject({ statusCode: "404", error: "Bucket not found" });
    ok(await app.service.updateBucket("door", { public: true, fileSizeLimit: 1 }));
    expect(told(await app.service.from("door").upload("b.txt", "bb"))).toEqual(refusals.tooLarge);
    // By an app's own SQL too.
    await app.sql("update storage.buckets set file_size_limit = 2 where id = 'door'");
    await expect
      .poll(async () => (await app.service.from("door").upload("b.txt", "bb", { upsert: true })).error)
      .toBeNull();
  });
});

describe("emptyBucket and deleteBucket", () => {
  it("what has files is not deleted until it is empty", async () => {
    ok(await app.service.createBucket("full"));
    const files = app.service.from("full");
    for (const name of ["a", "deep/er/b", "deep/c"]) ok(await files.upload(name, name));
    expect(told(await app.service.deleteBucket("full"))).toMatchObject({ statusCode: "409", code: "ResourceNotEmpty" });
    expect(ok(await files.list())).toHaveLength(2);
    expect(ok(await app.service.emptyBucket("full")).message).toMatch(/empt/i);
    expect(ok(await files.list())).toEqual([]);
    expect(told(await files.download("a"))).toEqual(refusals.noObject);
    expect(ok(await app.service.deleteBucket("full"))).toEqual({ message: "Successfully deleted" });
    expect(told(await app.service.getBucket("full"))).toEqual(refusals.noBucket);
    expect(told(await files.upload("a", "a"))).toEqual(refusals.noBucket);
    // And can be made anew.
    ok(await app.service.createBucket("full"));
    expect(ok(await files.list())).toEqual([]);
  });

  it("what is not there is neither emptied nor deleted", async () => {
    expect(told(await app.service.emptyBucket("never"))).toEqual(refusals.noBucket);
    expect(told(await app.service.deleteBucket("never"))).toEqual(refusals.noBucket);
  });
});

describe("by whom", () => {
  it("nobody and people do what the policies on storage.buckets say: here, nothing", async () => {
    for (const storage of [app.nobody, app.person().storage]) {
      expect(told(await storage.createBucket("mine"))).toEqual(
        apiError("403", "AccessDenied", expect.stringContaining("row-level security policy")),
      );
      expect(told(await storage.getBucket("avatars"))).toEqual(refusals.noBucket);
      expect(told(await storage.updateBucket("avatars", { public: false }))).toEqual(refusals.noBucket);
      expect(told(await storage.emptyBucket("avatars"))).toEqual(refusals.noBucket);
      expect(told(await storage.deleteBucket("avatars"))).toEqual(refusals.noBucket);
    }
    expect(ok(await app.service.getBucket("avatars")).public).toBe(true);
  });

  it("admins by their claim", async () => {
    const { storage, id } = app.person({ app_metadata: { role: "admin" } });
    expect(ok(await storage.createBucket("by an admin"))).toEqual({ name: "by an admin" });
    expect(ok(await storage.getBucket("by an admin")).owner).toBe(id);
    expect(ok(await storage.listBuckets()).length).toBeGreaterThan(5);
    // The policies let them see and add, and no more.
    expect(told(await storage.deleteBucket("by an admin"))).toEqual(refusals.noBucket);
  });

  it("the secret key that begins with sb_", async () => {
    const { storage } = app.client(app.secretKey);
    ok(await storage.createBucket("by the secret key"));
    ok(await storage.from("by the secret key").upload("a.txt", "a"));
    ok(await storage.emptyBucket("by the secret key"));
    ok(await storage.deleteBucket("by the secret key"));
  });
});
