import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openStorageApp, type StorageApp } from "./app.testing.ts";

let storage: StorageApp;
const names = [
  "a.txt",
  "B.txt",
  "folder/one.txt",
  "folder/two.txt",
  "folder/sub/deep.txt",
  "folder/sub/deeper/x.txt",
  "folder-2/x.txt",
  "folder.txt",
  "Folder/other-case.txt",
  "100%/x.txt",
  "100_/y.txt",
  "1000/z.txt",
  "zoo/a",
  "zoo/b",
  "zoo/c/1",
  "zoo/c/2",
  "zoo/d",
  "marker/",
  "marker/in",
  "dup//x",
];

beforeAll(async () => {
  storage = await openStorageApp({
    sql: `
      insert into storage.buckets (id, name) values ('files', 'files'), ('people', 'people');
      create policy own on storage.objects for select to authenticated
        using (bucket_id = 'people' and (storage.foldername(name))[1] = (select auth.uid())::text);`,
  });
  await storage.app.sql(
    `insert into storage.objects (bucket_id, name, created_at, metadata)
     select 'files', n, '2026-01-01'::timestamptz + at * interval '1 hour', jsonb_build_object('size', at, 'mimetype', 'text/plain')
     from unnest($1::text[]) with ordinality as t(n, at)`,
    [names],
  );
});
afterAll(() => storage.stop());

const list = async (body: Record<string, unknown>, bucket = "files", key?: string) =>
  (await storage.send("POST", `/object/list/${bucket}`, { body, ...(key === undefined ? {} : { key }) })).body;
const namesOf = (rows: readonly { name: string }[]) => rows.map(({ name }) => name);

describe("a folder", () => {
  test("has its files and folders by name, without its own", async () => {
    const rows = await list({ prefix: "folder" });
    expect(rows).toEqual(await list({ prefix: "folder/" }));
    expect(rows).toEqual([
      {
        name: "one.txt",
        id: expect.stringMatching(/^[0-9a-f-]{36}$/),
        created_at: "2026-01-01T03:00:00.000Z",
        updated_at: expect.stringMatching(/\.\d{3}Z$/),
        last_accessed_at: expect.stringMatching(/\.\d{3}Z$/),
        metadata: { size: 3, mimetype: "text/plain" },
      },
      { name: "sub", id: null, created_at: null, updated_at: null, last_accessed_at: null, metadata: null },
      expect.objectContaining({ name: "two.txt" }),
    ]);
    expect(namesOf(await list({ prefix: "" }))).toEqual([
      "100%",
      "1000",
      "100_",
      "B.txt",
      "Folder",
      "a.txt",
      "dup",
      "folder-2",
      "folder.txt",
      "folder",
      "marker",
      "zoo",
    ]);
    expect(namesOf(await list({ prefix: "zoo" }))).toEqual(["a", "b", "c", "d"]);
  });

  test("is the same backwards, and in pages of any size", async () => {
    for (const prefix of ["", "zoo", "folder/sub"]) {
      const whole = namesOf(await list({ prefix }));
      const back = namesOf(await list({ prefix, sortBy: { column: "name", order: "desc" } }));
      expect(back).toEqual(whole.toReversed());
      for (const limit of [1, 2, 5]) {
        const pages: string[] = [];
        for (let offset = 0; offset < whole.length + limit; offset += limit) {
          pages.push(...namesOf(await list({ prefix, limit, offset })));
        }
        expect(pages).toEqual(whole);
      }
    }
  });

  test("takes % and _ as they are, and what is not there is empty", async () => {
    expect(namesOf(await list({ prefix: "100%" }))).toEqual(["x.txt"]);
    expect(namesOf(await list({ prefix: "100_" }))).toEqual(["y.txt"]);
    for (const prefix of ["nowhere", "a.txt", "fold", "../folder", "%"]) expect(await list({ prefix })).toEqual([]);
    expect(await list({ prefix: "" }, "no-bucket")).toEqual([]);
  });

  test("is searched by what names begin with, in either case", async () => {
    expect(namesOf(await list({ prefix: "", search: "FOLD" }))).toEqual(["Folder", "folder-2", "folder.txt", "folder"]);
    expect(namesOf(await list({ prefix: "", search: "folder.T" }))).toEqual(["folder.txt"]);
    expect(namesOf(await list({ prefix: "", search: "b" }))).toEqual(["B.txt"]);
    expect(namesOf(await list({ prefix: "folder", search: "SUB/D" }))).toEqual([]);
    expect(namesOf(await list({ prefix: "folder", search: "sub/D" }))).toEqual(["sub/deep.txt", "sub/deeper"]);
    expect(namesOf(await list({ prefix: "", search: "100%" }))).toEqual(["100%"]);
    expect(namesOf(await list({ prefix: "", search: "fo", limit: 2, offset: 1 }))).toEqual(["folder-2", "folder.txt"]);
    expect(
      namesOf(await list({ prefix: "", search: "fo", limit: 2, sortBy: { column: "name", order: "desc" } })),
    ).toEqual(["folder", "folder.txt"]);
  });

  test("by time has its folders first", async () => {
    const sortBy = { column: "created_at", order: "desc" };
    expect(namesOf(await list({ prefix: "zoo", sortBy }))).toEqual(["c", "d", "b", "a"]);
    expect(namesOf(await list({ prefix: "zoo", sortBy: { column: "created_at" }, limit: 2, offset: 1 }))).toEqual([
      "a",
      "b",
    ]);
  });

  test.each([
    {},
    { prefix: 1 },
    { prefix: "", limit: 0 },
    { prefix: "", limit: "x" },
    { prefix: "", offset: -1 },
    { prefix: "", sortBy: { column: "metadata" } },
    { prefix: "", sortBy: { column: "name", order: "asc; drop" } },
    { prefix: "", search: "a\0" },
    [],
  ])("is not listed by %j", async (body) => {
    const answer = await storage.send("POST", "/object/list/files", { body });
    expect([answer.status, answer.body.code, answer.body.statusCode]).toEqual([400, "InvalidRequest", "400"]);
  });
});

interface PageOfNames {
  readonly hasNext: boolean;
  readonly nextCursor?: string;
  readonly folders: readonly { readonly name: string; readonly key: string }[];
  readonly objects: readonly { readonly name: string; readonly key?: string }[];
}

async function pages(body: Record<string, unknown>): Promise<{ folders: string[]; objects: string[] }> {
  const seen = { folders: [] as string[], objects: [] as string[] };
  let cursor: string | undefined;
  for (let count = 0; count < 100; count++) {
    const page: PageOfNames = (
      await storage.send("POST", "/object/list-v2/files", {
        body: { ...body, ...(cursor === undefined ? {} : { cursor }) },
      })
    ).body;
    seen.folders.push(...page.folders.map(({ name }) => name));
    seen.objects.push(...page.objects.map(({ name }) => name));
    expect(page.folders.length + page.objects.length).toBeLessThanOrEqual(Number(body.limit));
    expect(page.nextCursor !== undefined).toBe(page.hasNext);
    if (!page.hasNext) return seen;
    cursor = page.nextCursor;
  }
  throw new Error("The pages have no end.");
}

describe("pages", () => {
  const sorted = (given: readonly string[]) => given.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));

  test("have folders and files, each with its name and key", async () => {
    const { body } = await storage.send("POST", "/object/list-v2/files", {
      body: { prefix: "folder/", with_delimiter: true },
    });
    expect(body).toEqual({
      hasNext: false,
      folders: [{ key: "sub", name: "folder/sub/" }],
      objects: [
        expect.objectContaining({
          key: "one.txt",
          name: "folder/one.txt",
          metadata: { size: 3, mimetype: "text/plain" },
        }),
        expect.objectContaining({ key: "two.txt", name: "folder/two.txt" }),
      ],
    });
  });

  test.each([1, 2, 3, 100])("of %d go through everything once, both ways", async (limit) => {
    expect((await pages({ limit })).objects).toEqual(sorted(names));
    const back = await pages({ limit, sortBy: { column: "name", order: "desc" } });
    expect(back.objects).toEqual(sorted(names).toReversed());
    expect((await pages({ limit, prefix: "fold" })).objects).toEqual(
      sorted(names.filter((name) => name.startsWith("fold"))),
    );
    const folders = ["100%/", "1000/", "100_/", "Folder/", "dup/", "folder-2/", "folder/", "marker/", "zoo/"];
    const files = ["B.txt", "a.txt", "folder.txt"];
    for (const order of ["asc", "desc"]) {
      const way = (list: string[]) => (order === "asc" ? list : list.toReversed());
      for (const column of ["name", "created_at"]) {
        const level = await pages({ limit, with_delimiter: true, sortBy: { column, order } });
        expect(level.folders).toEqual(way(folders));
        expect(level.objects).toEqual(
          way(column === "name" ? files : files.toSorted((a, b) => names.indexOf(a) - names.indexOf(b))),
        );
      }
      const byTime = await pages({ limit, prefix: "zoo", sortBy: { column: "created_at", order } });
      expect(byTime.objects).toEqual(way(names.filter((name) => name.startsWith("zoo"))));
    }
  });

  test("take no cursor but their own", async () => {
    const made = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
    for (const cursor of [
      "x",
      "'; drop table storage.objects",
      made([1, "a", null, "name; drop", false]),
      made([1, "a", "2026-13-45 99:99:99.000000+00", "created_at", false]),
      made([1, "a", "2026-01-01 00:00:00.000000+00", "name", false]),
      made([1, 7, null, "name", false]),
      made([2, "a", null, "name", false]),
      made({ name: "a" }),
      "x".repeat(10_000),
    ]) {
      const answer = await storage.send("POST", "/object/list-v2/files", { body: { cursor } });
      expect([answer.status, answer.body.code]).toEqual([400, "InvalidParameter"]);
    }
  });
});

describe("S14: lists", () => {
  test("show what policies show, and no folder that holds nothing of the caller's", async () => {
    const { ann, ben, app } = storage;
    await app.sql(
      `insert into storage.objects (bucket_id, name)
       select 'people', person || '/' || n from unnest(array[$1, $2]) as person, generate_series(1, 30) as n`,
      [ann.id, ben.id],
    );
    expect(namesOf(await list({ prefix: "" }, "people", ann.token))).toEqual([ann.id]);
    expect(await list({ prefix: ann.id }, "people", ann.token)).toHaveLength(30);
    expect(await list({ prefix: ben.id }, "people", ann.token)).toEqual([]);
    expect(await list({ prefix: "" }, "people", app.anonKey)).toEqual([]);
    expect(await list({ prefix: "", sortBy: { column: "created_at" } }, "people", ben.token)).toHaveLength(1);
    const page = await storage.send("POST", "/object/list-v2/people", { body: { limit: 10 }, key: ben.token });
    expect(namesOf(page.body.objects).every((name) => name.startsWith(ben.id))).toBe(true);
    // A cursor into somebody else's folder shows nothing of it.
    const cursor = Buffer.from(JSON.stringify([1, `${ann.id}/`, null, "name", false])).toString("base64url");
    const forged = await storage.send("POST", "/object/list-v2/people", { body: { cursor }, key: ben.token });
    expect(namesOf(forged.body.objects).every((name) => name.startsWith(ben.id))).toBe(true);
  });
});

describe("SQL of apps", () => {
  test("has storage.search, search_v2, list_objects_with_delimiter and get_size_by_bucket", async () => {
    const { app } = storage;
    const of = async (text: string) => namesOf(await app.sql<{ name: string }>(text));
    expect(await of("select * from storage.search('folder/', 'files')")).toEqual(["one.txt", "sub", "two.txt"]);
    expect(await of("select * from storage.search('', 'files', 2, 1, 1, 'FOLD')")).toEqual(["folder-2", "folder.txt"]);
    expect(await of("select * from storage.search('zoo/', 'files', 10, 2, 0, '', 'created_at', 'desc')")).toEqual([
      "c",
      "d",
      "b",
      "a",
    ]);
    expect(await app.sql("select key, name from storage.search_v2('folder/', 'files', 2, 2)")).toEqual([
      { key: "one.txt", name: "folder/one.txt" },
      { key: "sub", name: "folder/sub/" },
    ]);
    expect(await of("select * from storage.search_v2('zoo/', 'files', 9, 2, 'zoo/b', 'asc', 'name')")).toEqual([
      "zoo/c/",
      "zoo/d",
    ]);
    expect(await of("select * from storage.list_objects_with_delimiter('files', 'zoo/', '/', 10, 'zoo/a')")).toEqual([
      "zoo/b",
      "zoo/c/",
      "zoo/d",
    ]);
    const [size] = await app.sql("select size::int from storage.get_size_by_bucket() where bucket_id = 'files'");
    expect(size).toEqual({ size: (names.length * (names.length + 1)) / 2 });
    await expect(app.sql("select storage.can_insert_object('files', 'free', null, '{}')")).rejects.toMatchObject({
      code: "PT200",
    });
    await expect(app.sql("select storage.can_insert_object('files', 'a.txt', null, '{}')")).rejects.toMatchObject({
      code: "23505",
    });
  });
});
