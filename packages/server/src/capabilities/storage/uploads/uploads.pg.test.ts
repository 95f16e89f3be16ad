import { randomUUID } from "node:crypto";
import { request } from "node:http";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openStorageApp, type StorageApp } from "../objects/app.testing.ts";

let storage: StorageApp;
beforeAll(async () => {
  storage = await openStorageApp({
    sql: `
      insert into storage.buckets (id, name, public, file_size_limit, allowed_mime_types) values
        ('open', 'open', true, null, null), ('own', 'own', false, null, null),
        ('small', 'small', true, 1000, null), ('images', 'images', true, null, '{image/*}');
      create policy own_insert on storage.objects for insert to authenticated
        with check (bucket_id = 'own' and (storage.foldername(name))[1] = (auth.jwt() ->> 'sub'));
      create policy own_select on storage.objects for select to authenticated
        using (bucket_id = 'own' and owner_id = (auth.jwt() ->> 'sub'));
      create policy own_update on storage.objects for update to authenticated
        using (bucket_id = 'own' and owner_id = (auth.jwt() ->> 'sub'));`,
    settings: { storage: { storageFileSizeLimitBytes: 3_000_000 } },
  });
});
afterAll(() => storage.stop());

const png = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);

async function upload(
  path: string,
  body: NonNullable<RequestInit["body"]>,
  options: { method?: string; key?: string; headers?: Record<string, string> } = {},
) {
  const { method = "POST", key = storage.app.serviceRoleKey, headers = {} } = options;
  const response = await fetch(`${storage.app.url}/storage/v1/object/${path}`, {
    method,
    body,
    headers: { authorization: `Bearer ${key}`, ...headers },
    // Node's fetch wants it said for streams.
    ...(body instanceof ReadableStream ? { duplex: "half" } : {}),
  } as RequestInit);
  const text = await response.text();
  return { status: response.status, body: text === "" ? null : JSON.parse(text) };
}
const read = async (path: string) => {
  const response = await fetch(`${storage.app.url}/storage/v1/object/${path}`, {
    headers: { authorization: `Bearer ${storage.app.serviceRoleKey}` },
  });
  return { status: response.status, headers: response.headers, bytes: Buffer.from(await response.arrayBuffer()) };
};
/** Without what `fetch` makes of a path. */
const postAsItIs = (path: string) =>
  new Promise<{ status: number; text: string }>((resolve, reject) => {
    const { hostname, port } = new URL(storage.app.url);
    const headers = { authorization: `Bearer ${storage.app.serviceRoleKey}` };
    const sent = request({ hostname, port, path, method: "POST", headers }, async (response) => {
      let text = "";
      for await (const chunk of response.setEncoding("utf8")) text += chunk;
      resolve({ status: response.statusCode ?? 0, text });
    });
    sent.on("error", reject).end("x");
  });
const rowOf = async (bucket: string, name: string) => {
  const [row] = await storage.app.sql<Record<string, never>>(
    "select owner_id, metadata, user_metadata from storage.objects where bucket_id = $1 and name = $2",
    [bucket, name],
  );
  return row ?? null;
};
/** Versions that are being received, or have segments without being kept. */
const unfinished = async () =>
  Number(
    (
      await storage.app.sql<{ n: string }>(
        "select count(*) as n from mainstay.object_versions where state = 'receiving'",
      )
    )[0]!.n,
  );
const form = (fields: readonly (readonly [string, string | Blob])[]): FormData => {
  const data = new FormData();
  for (const [name, value] of fields) {
    if (typeof value === "string") data.append(name, value);
    else data.append(name, value, "a.bin");
  }
  return data;
};
const refusal = (statusCode: string, code: string) => ({
  status: 400,
  body: expect.objectContaining({ statusCode, code }),
});

describe("an upload", () => {
  test("as a raw body is kept as it came, with what its headers say", async () => {
    const name = `${randomUUID()}/a.txt`;
    const metadata = { tags: ["ü"] };
    const answer = await upload(`open/${name}`, "hello", {
      headers: {
        "content-type": "text/plain;charset=UTF-8",
        "cache-control": "max-age=60",
        "x-metadata": Buffer.from(JSON.stringify(metadata)).toString("base64"),
      },
    });
    expect(answer).toEqual({ status: 200, body: { Id: expect.any(String), Key: `open/${name}` } });
    expect(await rowOf("open", name)).toMatchObject({
      user_metadata: metadata,
      metadata: {
        size: 5,
        mimetype: "text/plain;charset=UTF-8",
        cacheControl: "max-age=60",
        eTag: '"5d41402abc4b2a76b9719d911017c592"',
      },
    });
    const sent = await read(`open/${name}`);
    expect(sent.bytes.toString()).toBe("hello");
    expect(sent.headers.get("cache-control")).toBe("max-age=60");
  });

  test("as a form may have its fields before or behind the file", async () => {
    const file = new Blob([png], { type: "image/png" });
    const fields = [
      ["cacheControl", "3600"],
      ["metadata", '{"a":1}'],
    ] as const;
    for (const parts of [
      [...fields, ["", file]],
      [["", file], ...fields],
      [["whatever", file], ...fields],
    ] as const) {
      const name = `${randomUUID()}.png`;
      expect((await upload(`open/${name}`, form(parts))).status).toBe(200);
      expect(await rowOf("open", name)).toMatchObject({
        user_metadata: { a: 1 },
        metadata: { mimetype: "image/png", cacheControl: "max-age=3600", size: png.length },
      });
      expect((await read(`open/${name}`)).bytes.equals(png)).toBe(true);
    }
  });

  test("comes in chunks of no announced length, or with no bytes at all", async () => {
    const bytes = Buffer.alloc(2_000_000, "mainstay ");
    const stream = new ReadableStream({
      start(controller) {
        for (let at = 0; at < bytes.length; at += 100_000) controller.enqueue(bytes.subarray(at, at + 100_000));
        controller.close();
      },
    });
    const name = randomUUID();
    expect((await upload(`open/${name}`, stream)).status).toBe(200);
    expect((await read(`open/${name}`)).bytes.equals(bytes)).toBe(true);
    const empty = randomUUID();
    expect((await upload(`open/${empty}`, "")).status).toBe(200);
    expect((await read(`open/${empty}`)).bytes.length).toBe(0);
  });

  test("over a name that is taken needs to say so; PUT says it always", async () => {
    const name = randomUUID();
    await upload(`open/${name}`, "one");
    expect(await upload(`open/${name}`, "two")).toEqual(refusal("409", "KeyAlreadyExists"));
    expect((await read(`open/${name}`)).bytes.toString()).toBe("one");
    expect((await upload(`open/${name}`, "two", { headers: { "x-upsert": "true" } })).status).toBe(200);
    expect((await upload(`open/${name}`, "three", { method: "PUT", headers: { "x-upsert": "false" } })).status).toBe(
      200,
    );
    expect((await read(`open/${name}`)).bytes.toString()).toBe("three");
    expect((await upload(`open/${randomUUID()}`, "new", { method: "PUT" })).status).toBe(200);
  });

  test("belongs to who uploads, where the policies let them", async () => {
    const { ann, ben } = storage;
    const name = `${ann.id}/a.txt`;
    expect((await upload(`own/${name}`, "mine", { key: ann.token })).status).toBe(200);
    expect(await rowOf("own", name)).toMatchObject({ owner_id: ann.id });
    expect(await upload(`own/${ann.id}/b.txt`, "x", { key: ben.token })).toEqual(refusal("403", "AccessDenied"));
    expect(await upload(`own/${name}`, "x", { key: ben.token, headers: { "x-upsert": "true" } })).toEqual(
      refusal("403", "AccessDenied"),
    );
    expect(await upload("open/anybody", "x", { key: ann.token })).toEqual(refusal("403", "AccessDenied"));
    expect(await upload("open/anybody", "x", { key: storage.app.anonKey })).toEqual(refusal("403", "AccessDenied"));
    expect(await upload("nowhere/a", "x")).toEqual(refusal("404", "NoSuchBucket"));
    expect((await read(`own/${name}`)).bytes.toString()).toBe("mine");
  });
});

describe("S08: an upload that is refused leaves nothing", () => {
  test("for its size, announced or not, in a form or raw", async () => {
    const large = Buffer.alloc(1_001);
    const chunked = () =>
      new ReadableStream({
        start(controller) {
          controller.enqueue(large);
          controller.close();
        },
      });
    for (const body of [() => large, chunked, () => form([["", new Blob([large])]])]) {
      const name = randomUUID();
      expect(await upload(`small/${name}`, body())).toEqual(refusal("413", "EntityTooLarge"));
      expect(await rowOf("small", name)).toBeNull();
    }
    expect((await upload(`small/${randomUUID()}`, Buffer.alloc(1_000))).status).toBe(200);
    expect((await upload(`small/${randomUUID()}`, form([["", new Blob([Buffer.alloc(1_000)])]]))).status).toBe(200);
    expect(await upload(`open/${randomUUID()}`, Buffer.alloc(3_000_001))).toEqual(refusal("413", "EntityTooLarge"));
    expect(await unfinished()).toBe(0);
  });

  test("for its type, by name or by bytes, wherever a form says it", async () => {
    const as = (type: string) => ({ headers: { "content-type": type } });
    const refused = refusal("415", "InvalidMimeType");
    expect(await upload(`images/${randomUUID()}`, "text", as("text/plain"))).toEqual(refused);
    expect(await upload(`images/${randomUUID()}`, "<html><script>", as("image/png"))).toEqual(refused);
    expect(await upload(`images/${randomUUID()}`, "%PDF-1.7 xxxx", as("image/png"))).toEqual(refused);
    expect(await upload(`images/${randomUUID()}`, "", as("image/png"))).toEqual(refused);
    const html = new Blob(["<html>"], { type: "image/svg+xml" });
    expect((await upload(`images/${randomUUID()}`, form([["", html]]))).status).toBe(200);
    expect(
      await upload(
        `images/${randomUUID()}`,
        form([
          ["", html],
          ["contentType", "image/png"],
        ]),
      ),
    ).toEqual(refused);
    const image = new Blob([png], { type: "image/png" });
    expect(
      await upload(
        `images/${randomUUID()}`,
        form([
          ["", image],
          ["contentType", "text/html"],
        ]),
      ),
    ).toEqual(refused);
    expect((await upload(`images/${randomUUID()}`, form([["", image]]))).status).toBe(200);
    expect(await unfinished()).toBe(0);
  });

  test("for fields, headers and encodings that cannot be used", async () => {
    const file = new Blob(["x"]);
    for (const metadata of ["[1]", "nope", '"text"', '{"a":"\\u0000"}', '{"a":["\\ud800"]}', '{"\\udc00":1}']) {
      expect(
        await upload(
          `open/${randomUUID()}`,
          form([
            ["", file],
            ["metadata", metadata],
          ]),
        ),
      ).toEqual(refusal("400", "InvalidParameter"));
    }
    expect(
      await upload(
        `open/${randomUUID()}`,
        form([
          ["", file],
          ["cacheControl", "a\r\nX: y"],
        ]),
      ),
    ).toEqual(refusal("400", "InvalidParameter"));
    expect(await upload(`open/${randomUUID()}`, form([["metadata", "{}"]]))).toEqual(refusal("400", "InvalidRequest"));
    expect(
      await upload(
        `open/${randomUUID()}`,
        form([
          ["", file],
          ["x", file],
        ]),
      ),
    ).toEqual(refusal("400", "InvalidRequest"));
    expect(await upload(`open/${randomUUID()}`, "x", { headers: { "content-encoding": "no encoding" } })).toEqual(
      refusal("400", "InvalidParameter"),
    );
    expect(
      await upload(`open/${randomUUID()}`, form([["", file]]), { headers: { "content-encoding": "gzip" } }),
    ).toEqual(refusal("415", "InvalidRequest"));
    expect(await unfinished()).toBe(0);
  });

  test("S01: for its name", async () => {
    for (const name of [
      "a/%2e%2e/b",
      "%2e%2e%2fb",
      "a%5Cb",
      "a%00b",
      "C:/x",
      "/x",
      "a/%2E/b",
      "%C3%BC",
      "a%0d%0ab",
      `${"a".repeat(1_025)}`,
    ]) {
      const answer = await postAsItIs(`/storage/v1/object/open/${name}`);
      expect(answer.status, name).toBe(400);
      expect(answer.text, name).toMatch(/InvalidKey|malformed|percent/i);
    }
    expect(await storage.app.sql("select name from storage.objects where name ~ '[.][.]|\\\\|^/|:'")).toEqual([]);
  });

  test("when its sender leaves in the midst of it", async () => {
    const { hostname, port } = new URL(storage.app.url);
    const before = await storage.app.sql<{ n: string }>("select count(*) as n from storage.objects");
    for (const head of [
      "Content-Length: 100000\r\n\r\n",
      "Transfer-Encoding: chunked\r\n\r\n400\r\n",
      `Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 100000\r\n\r\n--x\r\nContent-Disposition: form-data; name=""; filename="a"\r\n\r\n`,
    ]) {
      const socket = connect(Number(port), hostname);
      socket.write(
        `POST /storage/v1/object/open/left HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${storage.app.serviceRoleKey}\r\n${head}${"x".repeat(500)}`,
      );
      await expect.poll(unfinished).toBe(1);
      socket.destroy();
      await expect.poll(unfinished).toBe(0);
    }
    expect(await storage.app.sql("select count(*) as n from storage.objects")).toEqual(before);
  });
});
