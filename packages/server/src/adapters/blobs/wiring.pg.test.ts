import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startServer } from "@mainstay/server";
import { type BootedApp, boot } from "@mainstay/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type S3TestServer, startS3TestServer } from "../s3-blobs/test-server.ts";

let s3: S3TestServer;
let app: BootedApp;
beforeAll(async () => {
  s3 = await startS3TestServer();
  app = await boot({
    env: {
      MAINSTAY_STORAGE_BACKEND: "s3",
      MAINSTAY_STORAGE_BACKEND_S3_BUCKET: s3.bucket,
      MAINSTAY_STORAGE_BACKEND_S3_ENDPOINT: s3.endpoint,
      MAINSTAY_STORAGE_BACKEND_S3_ATTEMPTS: "2",
      AWS_ACCESS_KEY_ID: "test",
      AWS_SECRET_ACCESS_KEY: "the-secret",
      MAINSTAY_STORAGE_ENCRYPTION_KEY: "3f1c9ab45de20776812b54c0ffee11aa8790d3e6b1427758c09ae1d2f3b4c5d6",
    },
    sql: "insert into storage.buckets (id, name, public) values ('photos', 'photos', true)",
  });
});
afterAll(async () => {
  await app?.stop();
  await s3?.close();
});

const upload = (name: string, text: string) =>
  fetch(`${app.url}/storage/v1/object/photos/${name}`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${app.serviceRoleKey}`,
      apikey: app.serviceRoleKey,
      "content-type": "text/plain",
    },
    body: text,
  });
const download = (name: string, headers: Record<string, string> = {}) =>
  fetch(`${app.url}/storage/v1/object/public/photos/${name}`, { headers });

test("a file goes to S3 encrypted, and comes back, whole and in ranges", async () => {
  const text = "all work and no play ".repeat(20_000);
  expect((await upload("a.txt", text)).status).toBe(200);
  expect(s3.objects.size).toBe(1);
  for (const [key, { bytes }] of s3.objects) {
    expect(key).toMatch(/^[0-9a-f-]{36}$/);
    expect(bytes.length).toBeGreaterThan(text.length);
    expect(bytes.includes("no play")).toBe(false);
  }
  expect(await (await download("a.txt")).text()).toBe(text);
  const part = await download("a.txt", { range: "bytes=65530-65550" });
  expect(part.status).toBe(206);
  expect(await part.text()).toBe(text.slice(65_530, 65_551));
});

test("a store that is away is said so, to the caller without why, and once in the log", async () => {
  s3.fault = () => ({ kind: "refuse", status: 500, code: "InternalError" });
  const refused = await upload("b.txt", "b");
  expect(refused.status).toBe(503);
  expect(await refused.json()).toMatchObject({ statusCode: "503", code: "storage/store-unavailable" });
  expect((await upload("b.txt", "b")).status).toBe(503);
  s3.fault = () => null;
  expect((await upload("b.txt", "b")).status).toBe(200);
  const kinds = app.observations.map(({ kind }) => kind).filter((kind) => kind.startsWith("storage.store-"));
  expect(kinds).toEqual(["storage.store-failed", "storage.store-recovered"]);
});

test("a server whose database has files does not start on a folder that never had any, until that is said to be right", async () => {
  const around = await mkdtemp(join(tmpdir(), "volumes-"));
  const folder = join(around, "objects");
  const start = () =>
    startServer({
      projectDir: app.server.project.dir,
      flags: { http: { port: 0 } },
      env: { DATABASE_URL: app.databaseUrl, MAINSTAY_STORAGE_FOLDER: folder },
      observe: () => {},
    });
  await expect(start()).rejects.toThrow(/The database has files, and their folder/);
  await mkdir(folder);
  await writeFile(join(folder, ".mainstay-objects"), "");
  const server = await start();
  await server.stop();
  await rm(around, { recursive: true });
});

test.each([
  [{ MAINSTAY_STORAGE_BACKEND: "s3" }, /_BUCKET is not set/],
  [{ MAINSTAY_STORAGE_ENCRYPTION_KEY: "secret" }, /MAINSTAY_STORAGE_ENCRYPTION_KEY must be 32 bytes/],
])("a server with %j does not start", async (env, message) => {
  await expect(boot({ env })).rejects.toThrow(message);
});
