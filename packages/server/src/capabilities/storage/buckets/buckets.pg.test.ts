import { randomUUID } from "node:crypto";
import { type BootedApp, boot } from "@mainstay/testing";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { openDatabase } from "../../../platform/postgres/database.ts";
import { openBucketMemory } from "./memory.ts";

let app: BootedApp;
let ann: { readonly id: string; readonly token: string };

beforeAll(async () => {
  app = await boot({
    sql: `
      create policy shown on storage.buckets for select to authenticated using (id like 'shown%');
      create policy made on storage.buckets for insert to authenticated with check (owner_id = (auth.jwt() ->> 'sub') and id like 'shown%');
      create policy changed on storage.buckets for update to authenticated using (id = 'shown-mine');
      create policy gone on storage.buckets for delete to authenticated using (id = 'shown-mine');`,
  });
  const signUp = await fetch(`${app.url}/auth/v1/signup`, {
    method: "POST",
    headers: { apikey: app.anonKey, "content-type": "application/json" },
    body: JSON.stringify({ email: "ann@example.com", password: "correct horse battery" }),
  });
  const { user, access_token } = JSON.parse(await signUp.text());
  ann = { id: user.id, token: access_token };
});
afterAll(() => app.stop());

async function send(method: string, path: string, body?: unknown, key = app.serviceRoleKey) {
  const response = await fetch(`${app.url}/storage/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: JSON.parse(await response.text()) };
}
const made = async (more: Record<string, unknown> = {}) => {
  const id = `bucket-${randomUUID()}`;
  expect(await send("POST", "/bucket", { id, name: id, ...more })).toEqual({ status: 200, body: { name: id } });
  return id;
};
const refusal = (statusCode: string, error: string, code: string, message: unknown = expect.any(String)) => ({
  status: 400,
  body: { statusCode, error, code, message },
});

describe("a bucket", () => {
  test("is made, read, changed and deleted by the service's key", async () => {
    const id = await made({ public: true, file_size_limit: "20mb", allowed_mime_types: ["image/png", "text/*"] });
    const { body } = await send("GET", `/bucket/${id}`);
    expect(body).toEqual({
      id,
      name: id,
      owner: "",
      public: true,
      file_size_limit: 20_000_000,
      allowed_mime_types: ["image/png", "text/*"],
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      updated_at: expect.stringMatching(/Z$/),
    });
    const said = { status: 200, body: { message: "Successfully updated" } };
    expect(await send("PUT", `/bucket/${id}`, { file_size_limit: null })).toEqual(said);
    expect((await send("GET", `/bucket/${id}`)).body).toMatchObject({
      public: true,
      file_size_limit: null,
      allowed_mime_types: ["image/png", "text/*"],
    });
    expect(await send("PUT", `/bucket/${id}`, { public: false, allowed_mime_types: null })).toEqual(said);
    expect((await send("GET", `/bucket/${id}`)).body).toMatchObject({ public: false, allowed_mime_types: null });
    expect(await send("POST", "/bucket", { id, name: id })).toEqual(
      refusal("409", "Duplicate", "BucketAlreadyExists", "The resource already exists"),
    );
    expect(await send("DELETE", `/bucket/${id}`)).toEqual({ status: 200, body: { message: "Successfully deleted" } });
    expect(await send("GET", `/bucket/${id}`)).toEqual(
      refusal("404", "Bucket not found", "NoSuchBucket", "Bucket not found"),
    );
  });

  test.each([
    [{ name: "a/b" }, "InvalidBucketName"],
    [{ name: " a" }, "InvalidBucketName"],
    [{ name: ".." }, "InvalidBucketName"],
    [{ name: "ü" }, "InvalidBucketName"],
    [{ name: "x".repeat(101) }, "InvalidBucketName"],
    [{ name: "ok", id: "../up" }, "InvalidBucketName"],
    [{}, "InvalidRequest"],
    [{ name: 1 }, "InvalidRequest"],
    [{ name: "a\0b" }, "InvalidRequest"],
    [{ name: "ok", public: "yes" }, "InvalidRequest"],
    [{ name: "ok", file_size_limit: "20 parsecs" }, "InvalidRequest"],
    [{ name: "ok", file_size_limit: -1 }, "InvalidRequest"],
    [{ name: "ok", file_size_limit: 1.5 }, "InvalidRequest"],
    [{ name: "ok", file_size_limit: "5GB" }, "EntityTooLarge"],
    [{ name: "ok", allowed_mime_types: "image/png" }, "InvalidRequest"],
    [{ name: "ok", allowed_mime_types: ["not a type"] }, "InvalidMimeType"],
    [{ name: "ok", type: "ANALYTICS" }, "FeatureNotEnabled"],
    [{ name: "ok", type: "VECTOR" }, "InvalidRequest"],
    [[], "InvalidRequest"],
  ])("is not made of %j", async (body, code) => {
    const answer = await send("POST", "/bucket", body);
    expect([answer.status, answer.body.code]).toEqual([400, code]);
    expect(await app.sql("select from storage.buckets where id = 'ok'")).toEqual([]);
  });

  test.each([
    ["1kb", 1_000],
    ["1.5 MB", 1_500_000],
    ["10", 10],
    ["7b", 7],
    [12, 12],
  ])("has a limit of %j", async (given, bytes) => {
    const id = await made({ file_size_limit: given });
    expect((await send("GET", `/bucket/${id}`)).body.file_size_limit).toBe(bytes);
  });

  test("with objects in it is emptied first", async () => {
    const id = await made();
    await app.sql(
      "insert into storage.objects (bucket_id, name) select $1, 'a/' || n from generate_series(1, 2500) n",
      [id],
    );
    expect(await send("DELETE", `/bucket/${id}`)).toEqual(
      refusal("409", "ResourceNotEmpty", "ResourceNotEmpty", "The bucket you tried to delete is not empty"),
    );
    expect((await send("POST", `/bucket/${id}/empty`)).status).toBe(200);
    expect(await app.sql("select from storage.objects where bucket_id = $1", [id])).toEqual([]);
    expect((await send("DELETE", `/bucket/${id}`)).status).toBe(200);
  });
});

describe("a list", () => {
  test("is sorted, cut and searched, with % and _ as they are", async () => {
    for (const name of ["list-b", "list-a_x", "list-aax"]) await send("POST", "/bucket", { name });
    const names = async (query: string) =>
      (await send("GET", `/bucket?${query}`)).body.map(({ name }: { name: string }) => name);
    expect(await names("search=list-&sortColumn=name&sortOrder=desc")).toEqual(["list-b", "list-aax", "list-a_x"]);
    expect(await names("search=LIST-A")).toHaveLength(2);
    expect(await names("search=list%25")).toEqual([]);
    expect(await names("search=a_x")).toEqual(["list-a_x"]);
    expect(await names("search=list-&sortColumn=created_at&limit=2&offset=1")).toEqual(["list-a_x", "list-aax"]);
    const [first] = (await send("GET", "/bucket?search=list-b")).body;
    expect(first.type).toBe("STANDARD");
    for (const query of ["limit=0", "limit=x", "offset=-1", "sortColumn=owner;drop", "sortOrder=up"]) {
      expect((await send("GET", `/bucket?${query}`)).body.code).toBe("InvalidRequest");
    }
  });
});

describe("S14: to somebody else", () => {
  test("a hidden bucket is answered as one that is not there", async () => {
    const hidden = await made();
    await app.sql("insert into storage.objects (bucket_id, name) values ($1, 'a')", [hidden]);
    for (const [method, path, body] of [
      ["GET", "", undefined],
      ["PUT", "", { public: true }],
      ["DELETE", "", undefined],
      ["POST", "/empty", undefined],
    ] as const) {
      const forbidden = await send(method, `/bucket/${hidden}${path}`, body, ann.token);
      expect(forbidden).toEqual(await send(method, `/bucket/absent${path}`, body, ann.token));
      expect(forbidden.body.code).toBe("NoSuchBucket");
    }
    expect(await app.sql("select public from storage.buckets where id = $1", [hidden])).toEqual([{ public: false }]);
    expect(await app.sql("select from storage.objects where bucket_id = $1", [hidden])).toHaveLength(1);
    expect((await send("GET", "/bucket", undefined, ann.token)).body).toEqual([]);
    expect((await send("GET", "/bucket", undefined, app.anonKey)).body).toEqual([]);
  });

  test("policies on storage.buckets decide what may be made and changed", async () => {
    expect(await send("POST", "/bucket", { name: "hidden-mine" }, ann.token)).toEqual(
      refusal("403", "Unauthorized", "AccessDenied", "new row violates row-level security policy"),
    );
    for (const name of ["shown-mine", "shown-other"]) {
      expect((await send("POST", "/bucket", { name }, ann.token)).status).toBe(200);
    }
    expect((await send("GET", "/bucket/shown-mine", undefined, ann.token)).body).toMatchObject({ owner: ann.id });
    expect((await send("PUT", "/bucket/shown-mine", { public: true }, ann.token)).status).toBe(200);
    // Seen, and not theirs to change: as in Supabase, no other answer than for one that is not there.
    expect((await send("PUT", "/bucket/shown-other", { public: true }, ann.token)).body.code).toBe("NoSuchBucket");
    expect((await send("DELETE", "/bucket/shown-other", undefined, ann.token)).body.code).toBe("NoSuchBucket");
    expect((await send("DELETE", "/bucket/shown-mine", undefined, ann.token)).status).toBe(200);
  });

  test("no key and no token is asked for one, and a bad one is refused", async () => {
    const bare = await fetch(`${app.url}/storage/v1/bucket`);
    expect([bare.status, await bare.json()]).toEqual([
      400,
      expect.objectContaining({ statusCode: "400", error: "Error", message: expect.stringContaining("authorization") }),
    ]);
    expect((await send("GET", "/bucket", undefined, "no.jwt.here")).body).toMatchObject({
      statusCode: "403",
      error: "Unauthorized",
    });
  });
});

describe("memory", () => {
  test("knows of changes by SQL, and of all that happened while it heard nothing", async () => {
    const db = openDatabase({ connectionString: app.databaseUrl }, { listenerHeartbeatMs: 200 });
    const memory = openBucketMemory(db, 2);
    await memory.start();
    const [id, other] = [await made(), await made()];
    expect(await memory.find(id)).toMatchObject({ isPublic: false, fileSizeLimitBytes: null, allowedMimeTypes: null });
    const known = await memory.find(id);
    expect(await memory.find(id)).toBe(known);
    await app.sql("update storage.buckets set public = true, file_size_limit = 7 where id = $1", [id]);
    await vi.waitFor(async () =>
      expect(await memory.find(id)).toMatchObject({ isPublic: true, fileSizeLimitBytes: 7 }),
    );

    // The connection that listens ends, and meanwhile something happens.
    expect(await memory.find(other)).toMatchObject({ isPublic: false });
    await app.sql(`select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and query ilike 'listen%mainstay_buckets%'`);
    await app.sql("update storage.buckets set public = true where id = $1", [other]);
    await vi.waitFor(async () => expect(await memory.find(other)).toMatchObject({ isPublic: true }), 5_000);

    await app.sql("delete from storage.buckets where id = $1", [id]);
    await vi.waitFor(async () => expect(await memory.find(id)).toBeNull());
    expect(await memory.find("never")).toBeNull();
    await app.sql("insert into storage.buckets (id, name) values ('never', 'never')");
    expect(await memory.find("never")).not.toBeNull();
    // Whoever writes names that fit no notification makes everything be forgotten, and nothing fail.
    await app.sql("insert into storage.buckets (id, name) values (repeat('x', 9000), 'long')");
    await memory.stop();
    await db.close();
  });
});
