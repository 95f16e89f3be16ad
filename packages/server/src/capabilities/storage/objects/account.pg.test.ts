import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openStorageApp, type Person, type StorageApp } from "./app.testing.ts";

const sql = `
  insert into storage.buckets (id, name) values ('files', 'files');
  create policy own on storage.objects to authenticated
    using (owner_id = (select auth.uid())::text) with check (owner_id = (select auth.uid())::text);
  create table public.photos (object_id uuid references storage.objects on delete cascade, caption text);
  insert into storage.objects (bucket_id, name, owner_id) values ('files', 'of-nobody', null), ('files', 'of-another', 'x');`;

let storage: StorageApp;
beforeAll(async () => {
  storage = await openStorageApp({ sql });
});
afterAll(() => storage.stop());

async function upload(to: StorageApp, who: Person, name: string): Promise<{ id: string; version: string }> {
  const { status } = await to.send("POST", `/object/files/${name}`, {
    raw: "bytes of a person",
    key: who.token,
    headers: { "content-type": "text/plain" },
  });
  expect(status).toBe(200);
  const [row] = await to.app.sql<{ id: string; version: string }>(
    "select id, version from storage.objects where name = $1",
    [name],
  );
  return row!;
}

const account = (to: StorageApp, method: string, path: string, { token }: Person, body?: unknown) =>
  fetch(`${to.app.url}/auth/v1${path}`, {
    method,
    headers: { apikey: to.app.anonKey, authorization: `Bearer ${token}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
const plan = async (to: StorageApp, who: Person) => {
  const { rows } = JSON.parse(await (await account(to, "GET", "/user/deletion-preview", who)).text());
  return (rows as { schema: string; table: string; action: string; rows: number }[])
    .filter(({ schema }) => schema === "storage" || schema === "public")
    .map(({ schema, table, action, rows }) => `${schema}.${table} ${action} ${rows}`);
};

describe("an account that is deleted", () => {
  test("takes its files along: they are in the preview, in the export, and their bytes are let go", async () => {
    const { app, ann } = storage;
    const files = [await upload(storage, ann, "ann/1.txt"), await upload(storage, ann, "ann/2.txt")];
    await app.sql("insert into photos values ($1, 'me')", [files[0]!.id]);
    expect(await plan(storage, ann)).toEqual(["public.photos delete 1", "storage.objects delete 2"]);

    const exported = JSON.parse(await (await account(storage, "GET", "/user/export", ann)).text());
    const table = exported.tables.find(({ schema }: { schema: string }) => schema === "storage");
    expect(table).toMatchObject({ table: "objects", action: "delete" });
    expect(table.rows.map(({ name }: { name: string }) => name).toSorted()).toEqual(["ann/1.txt", "ann/2.txt"]);
    expect(table.rows[0]).toMatchObject({
      bucket_id: "files",
      owner_id: ann.id,
      metadata: { size: 17, mimetype: "text/plain" },
    });

    const { status } = await account(storage, "DELETE", "/user", ann);
    expect(status).toBe(200);
    const names = await app.sql<{ name: string }>("select name from storage.objects order by name");
    expect(names.map(({ name }) => name)).toEqual(["of-another", "of-nobody"]);
    expect(await app.sql("select from photos")).toEqual([]);
    for (const { version } of files) {
      const versions = await app.sql("select state from mainstay.object_versions where id = $1", [version]);
      expect(versions.every(({ state }) => state === "dead")).toBe(true);
    }
    expect(await app.sql("select from mainstay.object_usage where owner_id = $1", [ann.id])).toEqual([]);
  });

  test("by SQL too, and an upload that had begun ends nowhere", async () => {
    const { app, ben } = storage;
    const { version } = await upload(storage, ben, "ben/1.txt");
    await app.sql(
      "insert into mainstay.object_versions (id, bucket_id, owner_id, expires_at) values ('begun', 'files', $1, now() + interval '1 hour')",
      [ben.id],
    );
    await app.sql("delete from auth.users where id = $1", [ben.id]);
    expect(await app.sql("select from storage.objects where name = 'ben/1.txt'")).toEqual([]);
    const states = await app.sql("select state from mainstay.object_versions where id in ('begun', $1)", [version]);
    expect(states.every(({ state }) => state === "dead")).toBe(true);
  });

  test("leaves them as nobody's where the setting says so", async () => {
    const keeping = await openStorageApp({ sql, env: { MAINSTAY_STORAGE_ERASED_WITH_ACCOUNT: "false" } });
    try {
      const { version } = await upload(keeping, keeping.ann, "team/plan.txt");
      expect(await plan(keeping, keeping.ann)).toEqual(["storage.objects detach 1"]);
      expect((await account(keeping, "DELETE", "/user", keeping.ann)).status).toBe(200);
      expect(
        await keeping.app.sql("select owner, owner_id, version from storage.objects where name = 'team/plan.txt'"),
      ).toEqual([{ owner: null, owner_id: null, version }]);
      expect((await keeping.send("GET", "/object/files/team/plan.txt")).text).toBe("bytes of a person");
    } finally {
      await keeping.stop();
    }
  });
});
