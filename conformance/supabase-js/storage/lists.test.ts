import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { apiError, ok, type Person, type StorageApp, startStorageApp, told } from "./storage-app.ts";

let app: StorageApp;
let ann: Person;
/** Uploaded in this order. */
const uploaded = [
  "b.txt",
  "a.txt",
  "folder/one.txt",
  "folder/two.txt",
  "folder/deep/er/three.txt",
  "Zed.txt",
  "b_x.txt",
  "100$.txt",
  "folder-2/x.txt",
  "folder.txt",
];

beforeAll(async () => {
  app = await startStorageApp({ storageListLimit: 1_500 });
  ann = app.person();
  for (const name of uploaded) ok(await app.service.from("archive").upload(name, name));
});
afterAll(() => app.stop());

const files = () => app.service.from("archive");
type ListOptions = Parameters<ReturnType<typeof files>["list"]>[1];
const list = async (path?: string, options?: ListOptions) => ok(await files().list(path, options));
const names = async (path?: string, options?: ListOptions) => (await list(path, options)).map(({ name }) => name);
const instant = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

describe("list", () => {
  it("one level, files and folders among each other by name", async () => {
    // A folder's place is that of its name with the slash, which is where its files are.
    expect(await names()).toEqual([
      "100$.txt",
      "Zed.txt",
      "a.txt",
      "b.txt",
      "b_x.txt",
      "folder-2",
      "folder.txt",
      "folder",
    ]);
  });

  it("what is said of a file, and of a folder", async () => {
    const listed = await list();
    expect(listed.find(({ name }) => name === "a.txt")).toEqual({
      name: "a.txt",
      id: expect.any(String),
      updated_at: instant,
      created_at: instant,
      last_accessed_at: instant,
      metadata: {
        eTag: expect.stringMatching(/^"[0-9a-f]{32}"$/),
        size: 5,
        mimetype: "text/plain;charset=UTF-8",
        cacheControl: "max-age=3600",
        lastModified: instant,
        contentLength: 5,
        httpStatusCode: 200,
      },
    });
    expect(listed.find(({ name }) => name === "folder")).toEqual({
      name: "folder",
      id: null,
      updated_at: null,
      created_at: null,
      last_accessed_at: null,
      metadata: null,
    });
  });

  it.each(["folder", "folder/"])("a folder named %s", async (path) => {
    expect(await names(path)).toEqual(["deep", "one.txt", "two.txt"]);
    expect(await names(`${path.replace("/", "")}/deep`)).toEqual(["er"]);
  });

  it("what is no folder has nothing in it", async () => {
    expect(await names("nowhere")).toEqual([]);
    expect(await names("a.txt")).toEqual([]);
    expect(await names("fold")).toEqual([]);
    expect(await names("%")).toEqual([]);
    expect(await names("_older")).toEqual([]);
  });

  it("page by page", async () => {
    const all = await names();
    for (let offset = 0; offset <= all.length; offset++) {
      expect(await names("", { limit: 1, offset })).toEqual(all.slice(offset, offset + 1));
    }
    expect(await names("", { limit: 3, offset: 2 })).toEqual(all.slice(2, 5));
  });

  it("sorted by name and by times, both ways", async () => {
    const all = await names();
    expect(await names("", { sortBy: { column: "name", order: "desc" } })).toEqual(all.toReversed());
    // The client fills in what is left out.
    expect(await names("", { sortBy: { order: "desc" } })).toEqual(all.toReversed());
    const inTime = uploaded.filter((name) => !name.includes("/"));
    for (const column of ["created_at", "updated_at", "last_accessed_at"]) {
      const sorted = await names("", { sortBy: { column, order: "asc" } });
      expect(sorted.filter((name) => name.includes("."))).toEqual(inTime);
      const reversed = await names("", { sortBy: { column, order: "desc" } });
      expect(reversed.filter((name) => name.includes("."))).toEqual(inTime.toReversed());
    }
  });

  it("searched: what begins so, in whichever case, and nothing stands for anything else", async () => {
    expect(await names("", { search: "B" })).toEqual(["b.txt", "b_x.txt"]);
    expect(await names("", { search: "zed" })).toEqual(["Zed.txt"]);
    expect(await names("", { search: "b_" })).toEqual(["b_x.txt"]);
    expect(await names("", { search: "%" })).toEqual([]);
    expect(await names("", { search: "b\\" })).toEqual([]);
    expect(await names("folder", { search: "t" })).toEqual(["two.txt"]);
    expect(await names("", { search: "FOLD" })).toEqual(["folder-2", "folder.txt", "folder"]);
  });

  it("exactMatch: that one file", async () => {
    expect(await names("folder/one.txt", { exactMatch: true })).toEqual(["one.txt"]);
    expect(await names("folder", { exactMatch: true })).toEqual([]);
    expect(await names("folder/nobody", { exactMatch: true })).toEqual([]);
  });

  it("an empty folder that Studio made by a placeholder", async () => {
    ok(await files().upload("empty/.emptyFolderPlaceholder", ""));
    expect(await names("empty")).toEqual([".emptyFolderPlaceholder"]);
    ok(await files().remove(["empty/.emptyFolderPlaceholder"]));
    expect(await names("empty")).toEqual([]);
  });

  it("shows each what is theirs (S14)", async () => {
    ok(await ann.storage.from("documents").upload(`${ann.id}/diary.txt`, "secret"));
    const ben = app.person();
    ok(await ben.storage.from("documents").upload(`${ben.id}/a.txt`, "a"));
    const seen = async ({ storage }: Person, path?: string) =>
      ok(await storage.from("documents").list(path)).map(({ name }) => name);
    expect(await seen(ann)).toEqual([ann.id]);
    expect(await seen(ben)).toEqual([ben.id]);
    expect(await seen(ben, ann.id)).toEqual([]);
    expect(ok(await app.nobody.from("documents").list())).toEqual([]);
    expect(ok(await app.service.from("documents").list()).map(({ name }) => name)).toEqual([ann.id, ben.id].toSorted());
    // A bucket that is not there looks like one with nothing to see.
    expect(ok(await ann.storage.from("nowhere").list())).toEqual([]);
  });

  it("can be given up", async () => {
    const { error } = await files().list("", {}, { signal: AbortSignal.abort() });
    expect(error?.name).toBe("StorageUnknownError");
  });

  it.each([
    ["limit", { limit: 0 }],
    ["limit", { limit: 1.5 }],
    ["offset", { offset: -1 }],
    ["sortBy", { sortBy: { column: "metadata; drop table storage.objects" } }],
    ["sortBy", { sortBy: { column: "name", order: "sideways" } }],
  ])("a bad %s is said to be one", async (what, options) => {
    const refusal = told(await files().list("", options));
    expect(refusal).toEqual(apiError("400", "InvalidRequest", expect.stringContaining(what)));
  });
});

type PageOptions = Parameters<ReturnType<typeof files>["listV2"]>[0];
const page = async (options?: PageOptions) => ok(await files().listV2(options));

describe("listV2", () => {
  it("flat: whole keys, and no folders", async () => {
    const { hasNext, folders, objects, ...more } = await page();
    expect([hasNext, folders, more]).toEqual([false, [], {}]);
    expect(objects.map(({ name }) => name)).toEqual(uploaded.toSorted());
    expect(objects[0]).toMatchObject({
      id: expect.any(String),
      created_at: instant,
      updated_at: instant,
      last_accessed_at: instant,
      metadata: { size: expect.any(Number), mimetype: "text/plain;charset=UTF-8" },
    });
  });

  it("with_delimiter: folders apart from files, each with its key and its name", async () => {
    const level = await page({ with_delimiter: true });
    expect(level.folders).toEqual([
      { key: "folder-2", name: "folder-2/" },
      { key: "folder", name: "folder/" },
    ]);
    expect(level.objects.map(({ name }) => name)).toEqual(uploaded.filter((name) => !name.includes("/")).toSorted());
    const below = await page({ with_delimiter: true, prefix: "folder/" });
    expect(below.folders).toEqual([{ key: "deep", name: "folder/deep/" }]);
    expect(below.objects.map(({ key, name }) => [key, name])).toEqual([
      ["one.txt", "folder/one.txt"],
      ["two.txt", "folder/two.txt"],
    ]);
  });

  it("prefix is what names begin with, letter by letter", async () => {
    const of = async (prefix: string) => (await page({ prefix })).objects.map(({ name }) => name);
    expect(await of("folder/")).toEqual(["folder/deep/er/three.txt", "folder/one.txt", "folder/two.txt"]);
    expect(await of("b")).toEqual(["b.txt", "b_x.txt"]);
    expect(await of("B")).toEqual([]);
    expect(await of("b_")).toEqual(["b_x.txt"]);
    expect(await of("%")).toEqual([]);
  });

  it.each([
    [{}, "flat by name"],
    [{ with_delimiter: true }, "by folder"],
    [{ sortBy: { column: "created_at", order: "desc" } }, "by time, newest first"],
    [{ sortBy: { column: "updated_at" }, with_delimiter: true }, "by time and folder"],
    [{ sortBy: { column: "name", order: "desc" } }, "by name, last first"],
  ] as const satisfies readonly (readonly [PageOptions, string])[])("page by page: %o", async (options) => {
    const whole = await page(options);
    const expected = [...whole.folders, ...whole.objects].map(({ name }) => name).toSorted();
    for (const limit of [1, 3, 100]) {
      const seen: string[] = [];
      const inOrder: string[] = [];
      let cursor: string | undefined;
      do {
        // What a cursor knows needs not be said again.
        const got = await page(
          cursor === undefined ? { ...options, limit } : { limit, cursor, with_delimiter: "with_delimiter" in options },
        );
        expect(got.folders.length + got.objects.length).toBeLessThanOrEqual(limit);
        expect(typeof got.nextCursor).toBe(got.hasNext ? "string" : "undefined");
        seen.push(...[...got.folders, ...got.objects].map(({ name }) => name));
        inOrder.push(...got.objects.map(({ name }) => name));
        cursor = got.nextCursor;
      } while (cursor !== undefined);
      expect(seen.toSorted()).toEqual(expected);
      expect(inOrder).toEqual(whole.objects.map(({ name }) => name));
    }
  });

  it("exactMatch: that one file", async () => {
    const of = async (prefix: string) => (await page({ prefix, exactMatch: true })).objects.map(({ name }) => name);
    expect(await of("folder/one.txt")).toEqual(["folder/one.txt"]);
    expect(await of("folder/")).toEqual([]);
    expect(await of("b")).toEqual([]);
  });

  it("what changes between two pages is neither seen twice nor lost", async () => {
    for (const name of ["m/a", "m/c", "m/e"]) ok(await files().upload(name, name));
    const first = await page({ prefix: "m/", limit: 2 });
    ok(await files().remove(["m/c"]));
    ok(await files().upload("m/b", "before the place"));
    ok(await files().upload("m/d", "after it"));
    const second = await page({ prefix: "m/", limit: 10, cursor: first.nextCursor ?? "" });
    expect(first.objects.map(({ name }) => name)).toEqual(["m/a", "m/c"]);
    expect(second.objects.map(({ name }) => name)).toEqual(["m/d", "m/e"]);
    ok(await files().remove(["m/a", "m/b", "m/d", "m/e"]));
  });

  it("each sees what is theirs (S14), and a made-up cursor is refused", async () => {
    expect(await ok(await app.nobody.from("archive").listV2())).toEqual({ hasNext: false, folders: [], objects: [] });
    for (const cursor of ["nonsense", "e30", Buffer.from('{"name":1}').toString("base64url")]) {
      expect(told(await files().listV2({ cursor }))).toMatchObject({ status: 400, statusCode: "400" });
    }
  });
});
