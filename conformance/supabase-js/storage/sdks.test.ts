import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Answer, RequestOptions } from "../app.ts";
import { type Person, type StorageApp, startStorageApp } from "./storage-app.ts";

/*
 * What the clients of other languages send and must be able to read, as plain requests: each differs from supabase-js in what it insists on.
 */
let app: StorageApp;
let ann: Person;
beforeAll(async () => {
  app = await startStorageApp();
  ann = app.person();
});
afterAll(() => app.stop());

const ask = (path: string, options: RequestOptions = {}): Promise<Answer> =>
  app.request(`/storage/v1${path}`, { as: ann.token, ...options });
const fresh = (extension = "txt"): string => `${ann.id}/${randomUUID()}.${extension}`;
const uuid = expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);

interface Part {
  readonly name: string;
  readonly body: string;
  readonly fileName?: string;
  readonly type?: string;
}

/** A form as it goes over the wire, with each name and header as that client writes it. */
function formOf(parts: readonly Part[], boundary: string = randomUUID()): Pick<RequestOptions, "headers" | "body"> {
  const written = parts.map(({ name, body, fileName, type }) => {
    const file = fileName === undefined ? "" : `; filename="${fileName}"`;
    const typed = type === undefined ? "" : `Content-Type: ${type}\r\n`;
    return `--${boundary}\r\nContent-Disposition: form-data; name="${name}"${file}\r\n${typed}\r\n${body}\r\n`;
  });
  return {
    headers: { "Content-Type": `multipart/form-data; boundary=${boundary}` },
    body: `${written.join("")}--${boundary}--\r\n`,
  };
}

/** Refusals of every kind, with what all clients are told. */
const refusals: readonly [what: string, statusCode: string, error: string, send: () => Promise<Answer>][] = [
  ["no such object", "404", "not_found", () => ask(`/object/authenticated/documents/${fresh()}`)],
  ["no such bucket", "404", "Bucket not found", () => ask("/object/nowhere/a", { method: "POST", body: "a" })],
  ["not theirs to write", "403", "Unauthorized", () => ask("/object/documents/a", { method: "POST", body: "a" })],
  [
    "a bad token",
    "403",
    "Unauthorized",
    () => ask("/object/list/documents", { method: "POST", body: { prefix: "" }, as: "a.b.c" }),
  ],
  ["a bad name", "400", "InvalidKey", () => ask("/object/documents/%C3%BC", { method: "POST", body: "a" })],
  [
    "too large",
    "413",
    "Payload too large",
    () =>
      ask("/object/media/a.mp4", { method: "POST", body: "x".repeat(1_001), headers: { "Content-Type": "video/mp4" } }),
  ],
  [
    "a wrong type",
    "415",
    "invalid_mime_type",
    () => ask("/object/media/a.txt", { method: "POST", body: "x", headers: { "Content-Type": "text/plain" } }),
  ],
  ["a bad link", "400", "InvalidJWT", () => ask("/object/sign/documents/a?token=a.b.c")],
  [
    "nothing to delete",
    "400",
    "InvalidRequest",
    () => ask("/object/documents", { method: "DELETE", body: { prefixes: [] } }),
  ],
];

describe("supabase-swift", () => {
  const swiftForm = (path: string, text: string, upsert = "false") => {
    const form = formOf(
      [
        { name: "cacheControl", body: "3600" },
        { name: "metadata", body: '{"mode":"test"}', type: "application/json" },
        { name: "", body: text, fileName: path.split("/").at(-1) ?? "", type: "text/plain" },
      ],
      `dev.swift.${randomUUID()}`,
    );
    return {
      ...form,
      headers: { ...form.headers, "x-upsert": upsert, "Cache-Control": "max-age=3600", duplex: "half" },
    };
  };

  it("uploads forms whose file has no name", async () => {
    const path = fresh();
    const answer = await ask(`/object/documents/${path}`, { method: "POST", ...swiftForm(path, "from swift") });
    expect([answer.status, answer.json]).toEqual([200, { Id: uuid, Key: `documents/${path}` }]);
    const info = await ask(`/object/info/documents/${path}`);
    expect(info.json).toMatchObject({
      cache_control: "max-age=3600",
      content_type: "text/plain",
      metadata: { mode: "test" },
    });
    const updated = await ask(`/object/documents/${path}`, { method: "PUT", ...swiftForm(path, "again") });
    expect(updated.json).toEqual({ Id: (answer.json as { Id: string }).Id, Key: `documents/${path}` });
    expect((await ask(`/object/documents/${path}`)).text).toBe("again");
  });

  it("percent-encodes segments, and asks with HEAD whether a file exists", async () => {
    const path = `${ann.id}/a%20b%26c%2Bd.txt`;
    expect((await ask(`/object/documents/${path}`, { method: "POST", ...swiftForm("x", "odd") })).status).toBe(200);
    expect((await ask(`/object/documents/${path}`, { method: "HEAD" })).status).toBe(200);
    const missing = await ask(`/object/documents/${fresh()}`, { method: "HEAD" });
    expect([missing.status, missing.text]).toEqual([400, ""]);
    const listed = await ask("/object/list/documents", { method: "POST", body: { prefix: ann.id, search: "a b" } });
    expect(listed.json).toMatchObject([{ name: "a b&c+d.txt" }]);
  });

  it.each(refusals)("%s: statusCode as a text, error and message", async (_, statusCode, error, send) => {
    const answer = await send();
    expect([answer.status, answer.json]).toMatchObject([400, { statusCode, error, message: expect.any(String) }]);
    expect(answer.headers.get("content-type")).toMatch(/^application\/json/);
  });

  it("lists with every option, and reads times with fractions", async () => {
    const body = { prefix: `${ann.id}/`, limit: 100, offset: 0, sortBy: { column: "name", order: "asc" }, search: "" };
    const { json } = await ask("/object/list/documents", { method: "POST", body });
    for (const { created_at } of json as { created_at: string }[]) expect(created_at).toMatch(/\.\d{3}Z$/);
  });
});

describe("supabase-kt", () => {
  it("uploads bytes as they are, with what is said of them in headers", async () => {
    const path = fresh("png");
    const metadata = Buffer.from('{"from":"kt"}').toString("base64");
    const headers = { "Content-Type": "image/png", "x-upsert": "false", "x-metadata": metadata };
    const answer = await ask(`/object/documents/${path}`, { method: "POST", body: "bytes", headers });
    expect(answer.json).toEqual({ Id: uuid, Key: `documents/${path}` });
    const info = await ask(`/object/info/authenticated/documents/${path}`);
    expect(info.json).toMatchObject({ content_type: "image/png", metadata: { from: "kt" }, size: 5 });
    const taken = await ask(`/object/documents/${path}`, { method: "POST", body: "bytes", headers });
    expect(taken.json).toMatchObject({ statusCode: "409", error: "Duplicate" });
  });

  it("needs Id in the answer to a signed upload", async () => {
    const path = fresh();
    const signed = (
      await ask(`/object/upload/sign/documents/${path}`, { method: "POST", headers: { "x-upsert": "false" } })
    ).json;
    const { url, token } = signed as { url: string; token: string };
    expect(url).toBe(`/object/upload/sign/documents/${path}?token=${token}`);
    const uploaded = await ask(url, { method: "PUT", body: "x", headers: { "Content-Type": "text/plain" } });
    expect([uploaded.status, uploaded.json]).toEqual([200, { Id: uuid, Key: `documents/${path}` }]);
  });

  it.each(refusals)("%s: statusCode reads as a number", async (_, statusCode, error, send) => {
    const told = (await send()).json as { statusCode: string; error: string; message: string };
    expect(Number.parseInt(told.statusCode, 10)).toBe(Number(statusCode));
    expect([told.error, typeof told.message]).toEqual([error, "string"]);
  });

  it("reads buckets: an owner that is never null, times that parse", async () => {
    const options = { as: app.serviceRoleKey };
    const body = { id: "kt", name: "kt", public: true, file_size_limit: "2mb", allowed_mime_types: ["image/png"] };
    expect((await ask("/bucket", { ...options, method: "POST", body })).json).toEqual({ name: "kt" });
    const { json } = await ask("/bucket", options);
    for (const { owner, created_at, updated_at } of json as Record<string, string>[]) {
      expect(owner).toEqual(expect.any(String));
      for (const time of [created_at, updated_at]) expect(new Date(time ?? "").toISOString()).toBe(time);
    }
    // With no body at all.
    expect((await ask("/bucket/kt/empty", { ...options, method: "POST" })).status).toBe(200);
    expect((await ask("/bucket/kt", { ...options, method: "DELETE" })).status).toBe(200);
  });

  it("exists: HEAD is 400 for what is not there", async () => {
    expect((await ask(`/object/authenticated/documents/${fresh()}`, { method: "HEAD" })).status).toBe(400);
    expect((await ask(`/object/info/authenticated/documents/${fresh()}`, { method: "HEAD" })).status).toBe(400);
  });

  it("signs many, where null says that one cannot be", async () => {
    const body = { expiresIn: 60, paths: [fresh()] };
    const { json } = await ask("/object/sign/documents", { method: "POST", body });
    expect(json).toEqual([{ error: expect.any(String), path: body.paths[0], signedURL: null }]);
  });
});

describe("supabase-flutter", () => {
  const dartForm = (text: string) =>
    formOf(
      [
        { name: "cacheControl", body: "3600" },
        { name: "metadata", body: '{"a":"ü"}' },
        { name: "", body: text, fileName: "", type: "application/octet-stream" },
      ],
      "dart-http-boundary-+_=:.aZ09".replace(/[=:]/g, "_"),
    );

  it("uploads forms whose file has neither a name nor a file name", async () => {
    const path = fresh();
    const form = dartForm("from dart");
    const headers = { ...form.headers, "x-upsert": "false" };
    expect((await ask(`/object/documents/${path}`, { method: "POST", ...form, headers })).json).toMatchObject({
      Id: uuid,
    });
    expect((await ask(`/object/authenticated/documents/${path}`)).text).toBe("from dart");
    expect((await ask(`/object/info/documents/${path}`)).json).toMatchObject({ metadata: { a: "ü" } });
  });

  it("tries again where it has not heard of the first: with x-upsert that is the same file", async () => {
    const path = fresh();
    const form = dartForm("tried");
    const send = (upsert: string) =>
      ask(`/object/documents/${path}`, { method: "POST", ...form, headers: { ...form.headers, "x-upsert": upsert } });
    const [first, second] = [await send("true"), await send("true")];
    expect(second.json).toEqual(first.json);
    expect((await send("false")).json).toMatchObject({ statusCode: "409", error: "Duplicate" });
    const both = await Promise.all([send("true"), send("true")]);
    expect(both.map(({ status }) => status)).toEqual([200, 200]);
    expect((await ask(`/object/documents/${path}`)).text).toBe("tried");
  });

  it("says null for what it leaves out, and an empty order", async () => {
    const body = { prefix: ann.id, limit: 10, offset: 0, search: null, sortBy: { column: "name", order: "" } };
    expect((await ask("/object/list/documents", { method: "POST", body })).status).toBe(200);
    const bucket = { id: "dart", name: "dart", public: false, file_size_limit: null, allowed_mime_types: null };
    expect((await ask("/bucket", { method: "POST", body: bucket, as: app.serviceRoleKey })).status).toBe(200);
    const move = { bucketId: "documents", sourceKey: fresh(), destinationKey: fresh(), destinationBucket: null };
    expect((await ask("/object/move", { method: "POST", body: move })).json).toMatchObject({ error: "not_found" });
  });
});

describe("supabase-py", () => {
  it("uploads a form whose file is called file, with headers of the file in the request", async () => {
    const path = fresh();
    const form = formOf([
      { name: "metadata", body: '{"from":"py"}' },
      { name: "cacheControl", body: "120" },
      { name: "file", body: "from py", fileName: "a.txt", type: "text/plain;charset=UTF-8" },
    ]);
    const headers = {
      ...form.headers,
      "x-upsert": "true",
      "cache-control": "max-age=120",
      "x-client-info": "storage3/2.30",
    };
    expect((await ask(`/object/documents/${path}`, { method: "POST", ...form, headers })).json).toMatchObject({
      Id: uuid,
    });
    expect((await ask(`/object/info/documents/${path}`)).json).toMatchObject({
      cache_control: "max-age=120",
      metadata: { from: "py" },
    });
  });

  it("says seconds as a text, and sends empty bodies as JSON", async () => {
    const path = fresh();
    await ask(`/object/documents/${path}`, { method: "POST", body: "py" });
    const signed = await ask(`/object/sign/documents/${path}`, { method: "POST", body: { expiresIn: "60" } });
    const { signedURL } = signed.json as { signedURL: string };
    expect((await app.request(`/storage/v1${signedURL}&download=`)).headers.get("content-disposition")).toBe(
      "attachment;",
    );
    const json = { "Content-Type": "application/json" };
    const options = { as: app.serviceRoleKey, headers: json };
    await ask("/bucket", { ...options, method: "POST", body: { id: "py", name: "py", public: false } });
    expect((await ask("/bucket/py/empty", { ...options, method: "POST", body: "" })).status).toBe(200);
    expect((await ask("/bucket/py", { ...options, method: "DELETE", body: "{}" })).status).toBe(200);
  });

  it("removes, and reads the rows that went", async () => {
    const path = fresh();
    await ask(`/object/documents/${path}`, { method: "POST", body: "py" });
    const { json } = await ask("/object/documents", { method: "DELETE", body: { prefixes: [path] } });
    expect(json).toMatchObject([{ name: path, bucket_id: "documents", owner: ann.id, metadata: { size: 2 } }]);
  });
});

describe("any client", () => {
  it("with a token and no key, or a key alone", async () => {
    const path = `${app.url}/storage/v1/object/list/documents`;
    const init = { method: "POST", body: '{"prefix":""}' };
    const send = (headers: Record<string, string>) =>
      fetch(path, { ...init, headers: { "Content-Type": "application/json", ...headers } });
    expect((await send({ Authorization: `Bearer ${ann.token}` })).status).toBe(200);
    expect((await send({ apikey: app.anonKey })).status).toBe(200);
    const without = await send({});
    expect([without.status, await without.json()]).toMatchObject([
      400,
      { statusCode: "400", error: "Error", message: expect.stringContaining("authorization") },
    ]);
  });

  it("in a browser may send what it sends, and read what it needs (CORS)", async () => {
    const preflight = await fetch(`${app.url}/storage/v1/object/documents/a`, {
      method: "OPTIONS",
      headers: {
        Origin: "https://app.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers":
          "authorization,apikey,x-client-info,x-upsert,x-metadata,cache-control,content-type,content-encoding",
      },
    });
    expect(preflight.ok).toBe(true);
    const allowed = (preflight.headers.get("access-control-allow-headers") ?? "").toLowerCase().split(/,\s*/);
    expect(allowed).toEqual(
      expect.arrayContaining([
        "authorization",
        "apikey",
        "x-client-info",
        "x-upsert",
        "x-metadata",
        "cache-control",
        "content-encoding",
      ]),
    );
    const answer = await ask(`/object/documents/${fresh()}`, { headers: { Origin: "https://app.example" } });
    expect(answer.headers.get("access-control-allow-origin")).toBe("*");
    const exposed = (answer.headers.get("access-control-expose-headers") ?? "").toLowerCase();
    for (const name of ["content-length", "content-range", "etag"]) expect(exposed).toContain(name);
  });

  it("asks whether we are there", async () => {
    expect((await ask("/status")).status).toBe(200);
    expect((await ask("/version")).text).toMatch(/^\d/);
  });
});
