import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openStorageApp, type SendOptions, type StorageApp } from "./app.testing.ts";

let storage: StorageApp;
const send = (method: string, path: string, options?: SendOptions) => storage.send(method, path, options);

beforeAll(async () => {
  storage = await openStorageApp({
    sql: `
      insert into storage.buckets (id, name, public, file_size_limit, allowed_mime_types) values
        ('files', 'files', false, null, null), ('other', 'other', false, null, null), ('open', 'open', true, null, null),
        ('small', 'small', false, 4, null), ('images', 'images', false, null, '{image/*}');
      create policy own_read on storage.objects for select to authenticated
        using ((storage.foldername(name))[1] in ((select auth.uid())::text, 'shared'));
      create policy own_insert on storage.objects for insert to authenticated
        with check ((storage.foldername(name))[1] = (select auth.uid())::text);
      create policy own_update on storage.objects for update to authenticated
        using ((storage.foldername(name))[1] = (select auth.uid())::text);
      create policy own_delete on storage.objects for delete to authenticated
        using ((storage.foldername(name))[1] = (select auth.uid())::text);`,
  });
});
afterAll(() => storage.stop());

async function upload(bucket: string, name: string, content = "hello", headers: Record<string, string> = {}) {
  const answer = await send("POST", `/object/${bucket}/${name}`, {
    raw: content,
    headers: { "content-type": "text/plain", "cache-control": "max-age=60", ...headers },
  });
  expect([answer.status, answer.body]).toEqual([200, expect.objectContaining({ Key: `${bucket}/${name}` })]);
}
const bytesOf = async (bucket: string, name: string) => (await send("GET", `/object/${bucket}/${name}`)).text;
const rowsOf = (name: string) => storage.app.sql("select * from storage.objects where name = $1", [name]);
const notFound = { statusCode: "404", error: "not_found", message: "Object not found", code: "NoSuchKey" };
const denied = {
  statusCode: "403",
  error: "Unauthorized",
  message: "new row violates row-level security policy",
  code: "AccessDenied",
};

describe("a move", () => {
  test("takes the object to another name and another bucket, with its bytes", async () => {
    await upload("files", "move/a.txt", "moving");
    const [before] = await rowsOf("move/a.txt");
    const body = { bucketId: "files", sourceKey: "move/a.txt", destinationKey: "move/b.txt" };
    const moved = await send("POST", "/object/move", { body });
    expect([moved.status, moved.body]).toEqual([
      200,
      { message: "Successfully moved", Id: before!.id, Key: "move/b.txt" },
    ]);
    expect(await bytesOf("files", "move/b.txt")).toBe("moving");
    expect((await send("GET", "/object/files/move/a.txt")).body).toEqual(notFound);
    const away = { ...body, sourceKey: "move/b.txt", destinationBucket: "other" };
    expect((await send("POST", "/object/move", { body: away })).status).toBe(200);
    expect(await bytesOf("other", "move/b.txt")).toBe("moving");
    const [after] = await rowsOf("move/b.txt");
    expect([after!.id, after!.version, after!.created_at]).toEqual([before!.id, before!.version, before!.created_at]);
    expect(
      await storage.app.sql("select bucket_id, state from mainstay.object_versions where id = $1", [after!.version]),
    ).toEqual([{ bucket_id: "other", state: "kept" }]);
  });

  test("is refused where the name is taken, the bucket missing, or the bucket would not take it", async () => {
    await upload("files", "move/c.txt", "kept");
    await upload("files", "move/d.txt", "stays");
    const to = async (more: Record<string, unknown>) =>
      (
        await send("POST", "/object/move", {
          body: { bucketId: "files", sourceKey: "move/c.txt", destinationKey: "move/e.txt", ...more },
        })
      ).body.code;
    expect(await to({ destinationKey: "move/d.txt" })).toBe("KeyAlreadyExists");
    expect(await to({ destinationBucket: "nowhere" })).toBe("NoSuchBucket");
    await upload("files", "move/long.txt", "longer");
    expect(await to({ sourceKey: "move/long.txt", destinationBucket: "small" })).toBe("EntityTooLarge");
    expect(await to({ destinationBucket: "images" })).toBe("InvalidMimeType");
    expect(await to({ sourceKey: "move/none.txt" })).toBe("NoSuchKey");
    expect([await bytesOf("files", "move/c.txt"), await bytesOf("files", "move/d.txt")]).toEqual(["kept", "stays"]);
  });

  test("needs SELECT and UPDATE, and says no more of what is hidden than of what is not there", async () => {
    const { ann, ben } = storage;
    await upload("files", `${ann.id}/m.txt`);
    await upload("files", "shared/m.txt");
    const move = (sourceKey: string, destinationKey: string, key: string) =>
      send("POST", "/object/move", { body: { bucketId: "files", sourceKey, destinationKey }, key });
    expect((await move(`${ann.id}/m.txt`, `${ben.id}/m.txt`, ben.token)).body).toEqual(notFound);
    expect((await move(`${ann.id}/none.txt`, `${ben.id}/m.txt`, ben.token)).body).toEqual(notFound);
    expect((await move("shared/m.txt", `${ben.id}/m.txt`, ben.token)).body).toEqual(denied);
    expect((await move(`${ann.id}/m.txt`, `${ben.id}/m.txt`, ann.token)).body).toEqual(denied);
    expect(await rowsOf(`${ben.id}/m.txt`)).toEqual([]);
    expect((await move(`${ann.id}/m.txt`, `${ann.id}/n.txt`, ann.token)).status).toBe(200);
    expect(await rowsOf(`${ann.id}/n.txt`)).toMatchObject([{ owner_id: ann.id, owner: ann.id }]);
  });
});

describe("a copy", () => {
  test("has the same bytes, and its metadata unless told otherwise", async () => {
    const metadata = Buffer.from('{"camera":"x"}').toString("base64");
    await upload("files", "copy/a.txt", "copied", { "x-metadata": metadata });
    const body = { bucketId: "files", sourceKey: "copy/a.txt", destinationKey: "copy/b.txt" };
    const copied = await send("POST", "/object/copy", { body });
    const [source] = await rowsOf("copy/a.txt");
    const [row] = await rowsOf("copy/b.txt");
    expect([copied.status, copied.body]).toEqual([
      200,
      {
        Id: row!.id,
        Key: "files/copy/b.txt",
        name: "copy/b.txt",
        bucket_id: "files",
        owner: null,
        owner_id: null,
        version: row!.version,
        id: row!.id,
        created_at: expect.stringMatching(/\.\d{3}Z$/),
        updated_at: expect.stringMatching(/\.\d{3}Z$/),
        last_accessed_at: expect.stringMatching(/\.\d{3}Z$/),
        metadata: expect.objectContaining({ size: 6, mimetype: "text/plain", cacheControl: "max-age=60" }),
        user_metadata: { camera: "x" },
      },
    ]);
    expect(row!.version).not.toBe(source!.version);
    await send("DELETE", "/object/files/copy/a.txt");
    expect(await bytesOf("files", "copy/b.txt")).toBe("copied");

    const changed = await send("POST", "/object/copy", {
      body: {
        ...body,
        sourceKey: "copy/b.txt",
        destinationKey: "copy/c.txt",
        destinationBucket: "other",
        copyMetadata: false,
        metadata: { mimetype: "text/csv", cacheControl: "3600" },
      },
      headers: { "x-metadata": Buffer.from('{"by":"me"}').toString("base64") },
    });
    expect(changed.body).toMatchObject({
      Key: "other/copy/c.txt",
      metadata: { mimetype: "text/csv", cacheControl: "max-age=3600", size: 6 },
      user_metadata: { by: "me" },
    });
  });

  test("does not replace unless asked to, and leaves no bytes behind when it is refused", async () => {
    await upload("files", "copy/x.txt", "new");
    await upload("files", "copy/y.txt", "old");
    const body = { bucketId: "files", sourceKey: "copy/x.txt", destinationKey: "copy/y.txt" };
    expect((await send("POST", "/object/copy", { body })).body.code).toBe("KeyAlreadyExists");
    expect(await bytesOf("files", "copy/y.txt")).toBe("old");
    expect(await storage.app.sql("select from mainstay.object_versions where state = 'receiving'")).toEqual([]);
    expect((await send("POST", "/object/copy", { body, headers: { "x-upsert": "true" } })).status).toBe(200);
    expect(await bytesOf("files", "copy/y.txt")).toBe("new");
    // Onto itself: other metadata, the same bytes.
    const own = { ...body, destinationKey: "copy/x.txt", copyMetadata: false, metadata: { mimetype: "text/html" } };
    expect((await send("POST", "/object/copy", { body: own, headers: { "x-upsert": "true" } })).status).toBe(200);
    expect(await bytesOf("files", "copy/x.txt")).toBe("new");
    expect(await rowsOf("copy/x.txt")).toMatchObject([{ metadata: { mimetype: "text/html" } }]);
    for (const [more, code] of [
      [{ destinationBucket: "nowhere" }, "NoSuchBucket"],
      [{ destinationBucket: "images" }, "InvalidMimeType"],
      [{ copyMetadata: false, metadata: { mimetype: "a\r\nb" } }, "InvalidMimeType"],
      [{ sourceKey: "copy/none" }, "NoSuchKey"],
    ] as const) {
      const answer = await send("POST", "/object/copy", { body: { ...body, destinationKey: "copy/q", ...more } });
      expect(answer.body.code).toBe(code);
    }
    expect(await rowsOf("copy/q")).toEqual([]);
  });

  test("needs SELECT there and INSERT here", async () => {
    const { ann, ben } = storage;
    await upload("files", `${ann.id}/c.txt`, "hers");
    await upload("files", "shared/c.txt", "ours");
    const copy = (sourceKey: string, destinationKey: string, key: string) =>
      send("POST", "/object/copy", { body: { bucketId: "files", sourceKey, destinationKey }, key });
    expect((await copy(`${ann.id}/c.txt`, `${ben.id}/c.txt`, ben.token)).body).toEqual(notFound);
    expect((await copy("shared/c.txt", `${ann.id}/d.txt`, ben.token)).body).toEqual(denied);
    expect((await copy("shared/c.txt", `${ben.id}/c.txt`, ben.token)).body).toMatchObject({ owner_id: ben.id });
    expect(await bytesOf("files", `${ben.id}/c.txt`)).toBe("ours");
  });
});

describe("deleting", () => {
  test("one says so, once", async () => {
    await upload("files", "gone/a.txt");
    const [row] = await rowsOf("gone/a.txt");
    expect((await send("DELETE", "/object/files/gone/a.txt")).body).toEqual({ message: "Successfully deleted" });
    expect((await send("DELETE", "/object/files/gone/a.txt")).body).toEqual(notFound);
    expect((await send("DELETE", "/object/nowhere/gone/a.txt")).body).toEqual(notFound);
    expect(await storage.app.sql("select state from mainstay.object_versions where id = $1", [row!.version])).toEqual([
      { state: "dead" },
    ]);
  });

  test("many gives the rows that went; what is not there or not theirs is absent", async () => {
    const { ann, ben } = storage;
    for (const name of [`${ann.id}/1`, `${ann.id}/2`, `${ben.id}/1`, "shared/1"]) await upload("files", name);
    const prefixes = [`${ann.id}/1`, `${ann.id}/2`, `${ann.id}/3`, `${ben.id}/1`, "shared/1", "%", "../x"];
    const { status, body } = await send("DELETE", "/object/files", { body: { prefixes }, key: ann.token });
    expect(status).toBe(200);
    expect(body.map(({ name }: { name: string }) => name).toSorted()).toEqual([`${ann.id}/1`, `${ann.id}/2`]);
    expect(Object.keys(body[0]).toSorted()).toEqual([
      "bucket_id",
      "created_at",
      "id",
      "last_accessed_at",
      "metadata",
      "name",
      "owner",
      "owner_id",
      "updated_at",
      "user_metadata",
      "version",
    ]);
    expect(await rowsOf("shared/1")).toHaveLength(1);
    expect(await rowsOf(`${ben.id}/1`)).toHaveLength(1);
    expect((await send("DELETE", "/object/files", { body: { prefixes: ["none"] } })).body).toEqual([]);
  });

  test("S14: hidden is as absent; seen and not theirs is denied", async () => {
    const { ann, ben } = storage;
    await upload("files", `${ann.id}/hidden`);
    await upload("files", "shared/seen");
    const gone = (name: string) => send("DELETE", `/object/files/${name}`, { key: ben.token });
    expect(await gone(`${ann.id}/hidden`)).toMatchObject({ status: 400, body: notFound });
    expect(await gone(`${ann.id}/absent`)).toMatchObject({ status: 400, body: notFound });
    expect((await gone("shared/seen")).body).toMatchObject({ statusCode: "403", message: "Access denied" });
    expect([await rowsOf(`${ann.id}/hidden`), await rowsOf("shared/seen")].map((rows) => rows.length)).toEqual([1, 1]);
  });

  test("takes at most so many names, and only names", async () => {
    const many = Array.from({ length: 1_001 }, (_, at) => `n${at}`);
    for (const body of [{ prefixes: many }, { prefixes: [] }, { prefixes: "a" }, { prefixes: [1] }, {}]) {
      expect((await send("DELETE", "/object/files", { body })).body.code).toBe("InvalidRequest");
    }
  });
});

describe("info", () => {
  test("says what is known, to whom may know it", async () => {
    const { app, ann, ben } = storage;
    await upload("files", `${ann.id}/i.txt`, "12345", { "x-metadata": Buffer.from('{"k":1}').toString("base64") });
    await upload("open", "i.txt", "12345");
    const { body } = await send("GET", `/object/info/files/${ann.id}/i.txt`, { key: ann.token });
    const [row] = await rowsOf(`${ann.id}/i.txt`);
    expect(body).toMatchObject({
      id: row!.id,
      name: `${ann.id}/i.txt`,
      version: row!.version,
      bucket_id: "files",
      size: 5,
      content_type: "text/plain",
      cache_control: "max-age=60",
      etag: '"827ccb0eea8a706c4c34a16891f84e7b"',
      metadata: { k: 1 },
      last_modified: expect.stringMatching(/\.\d{3}Z$/),
      created_at: expect.stringMatching(/\.\d{3}Z$/),
    });
    const authenticated = `/object/info/authenticated/files/${ann.id}/i.txt`;
    expect((await send("GET", authenticated, { key: ann.token })).body).toEqual(body);
    expect((await send("GET", authenticated, { key: ben.token })).body).toEqual(notFound);
    expect((await send("GET", authenticated, { key: null })).body).toMatchObject({ statusCode: "400", error: "Error" });
    for (const key of [ben.token, app.anonKey]) {
      const hidden = await send("GET", `/object/info/files/${ann.id}/i.txt`, { key });
      expect(hidden.body).toEqual(notFound);
      expect(hidden).toMatchObject({
        status: (await send("GET", `/object/info/files/${ann.id}/absent.txt`, { key })).status,
        body: (await send("GET", `/object/info/files/${ann.id}/absent.txt`, { key })).body,
      });
    }
    const head = await send("HEAD", `/object/info/files/${ann.id}/i.txt`, { key: ann.token });
    expect([head.status, head.text]).toEqual([200, ""]);
    const none = await send("HEAD", `/object/info/files/${ann.id}/absent.txt`, { key: ann.token });
    expect([none.status, none.text]).toEqual([400, ""]);

    for (const path of ["/object/info/public/open/i.txt", "/object/info/open/i.txt"]) {
      expect((await send("GET", path, { key: null })).body).toMatchObject({ name: "i.txt", metadata: {} });
    }
    for (const path of [
      "/object/info/public/files/a",
      `/object/info/files/${ann.id}/i.txt`,
      "/object/info/public/no/a",
    ]) {
      expect((await send("GET", path, { key: null })).body).toMatchObject({ code: "NoSuchBucket" });
    }
  });
});

describe("S01: a name that climbs", () => {
  const climbing = [
    "../up",
    "a/../../up",
    "a/./b",
    "..",
    ".",
    "/etc/passwd",
    "C:/windows",
    "a\\..\\b",
    "a\u0000b",
    "a\nb",
    "%2e%2e/up",
    "a%2f..%2fb",
    "…/a",
    "x".repeat(1_025),
    "",
  ];

  test("is no destination of a move or copy", async () => {
    await upload("files", "s01.txt", "stays");
    for (const destinationKey of climbing) {
      for (const path of ["/object/move", "/object/copy"]) {
        const body = { bucketId: "files", sourceKey: "s01.txt", destinationKey };
        const answer = await send("POST", path, { body });
        expect([answer.status, ["InvalidKey", "InvalidRequest"]]).toEqual([
          400,
          expect.arrayContaining([answer.body.code]),
        ]);
      }
    }
    expect(await bytesOf("files", "s01.txt")).toBe("stays");
    expect(await storage.app.sql("select from storage.objects where name like '%up%'")).toEqual([]);
  });

  test("is nothing that could be deleted, asked about or listed", async () => {
    for (const name of climbing.filter((name) => name !== "")) {
      const path = encodeURIComponent(name);
      for (const [method, route] of [
        ["DELETE", `/object/files/${path}`],
        ["GET", `/object/info/files/${path}`],
      ] as const) {
        const answer = await send(method, route);
        expect(answer.status).toBeGreaterThanOrEqual(400);
        expect(answer.status).toBeLessThan(500);
      }
      const { body } = await send("POST", "/object/list/files", { body: { prefix: name } });
      expect(Array.isArray(body) ? body : body.code).toEqual(Array.isArray(body) ? [] : "InvalidRequest");
    }
    expect(await bytesOf("files", "s01.txt")).toBe("stays");
  });
});
