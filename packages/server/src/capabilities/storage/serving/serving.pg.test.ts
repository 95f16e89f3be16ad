import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openStorageApp, type StorageApp } from "../objects/app.testing.ts";

let storage: StorageApp;
const large = Buffer.alloc(2_500_000, "0123456789abcdef");
beforeAll(async () => {
  storage = await openStorageApp({
    sql: `
      insert into storage.buckets (id, name, public) values ('open', 'open', true), ('own', 'own', false);
      create policy own_select on storage.objects for select to authenticated
        using (bucket_id = 'own' and (storage.foldername(name))[1] = (auth.jwt() ->> 'sub'));
      insert into storage.objects (bucket_id, name) values ('open', 'no-bytes');`,
  });
  const put = async (path: string, body: string | Buffer, type: string, caching = "max-age=60") => {
    const response = await fetch(`${storage.app.url}/storage/v1/object/${path}`, {
      method: "POST",
      body,
      headers: {
        authorization: `Bearer ${storage.app.serviceRoleKey}`,
        "content-type": type,
        "cache-control": caching,
      },
    });
    expect(response.status).toBe(200);
  };
  await put("open/a.txt", "0123456789", "text/plain");
  await put("open/large.bin", large, "video/mp4");
  await put("open/page.html", "<script>alert(1)</script>", "text/html");
  await put("open/pic.svg", "<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>", "image/svg+xml");
  await put("open/hls/index.m3u8", "#EXTM3U\n0.ts\n", "application/octet-stream");
  await put(`own/${storage.ann.id}/a.txt`, "mine", "text/plain", "public, max-age=60, s-maxage=600");
});
afterAll(() => storage.stop());

const get = async (path: string, headers: Record<string, string> = {}, method = "GET", key: string | null = null) => {
  const response = await fetch(`${storage.app.url}/storage/v1/object/${path}`, {
    method,
    headers: { ...(key === null ? {} : { authorization: `Bearer ${key}` }), ...headers },
  });
  return { status: response.status, headers: response.headers, bytes: Buffer.from(await response.arrayBuffer()) };
};

describe("a file", () => {
  test("comes with its headers, whole and to HEAD", async () => {
    for (const method of ["GET", "HEAD"]) {
      const { status, headers, bytes } = await get("public/open/a.txt", {}, method);
      expect(status).toBe(200);
      expect(bytes.toString()).toBe(method === "GET" ? "0123456789" : "");
      expect(Object.fromEntries(headers)).toMatchObject({
        "content-type": "text/plain",
        "content-length": "10",
        etag: '"781e5e245d69b566979b86e28d23f2c7"',
        "last-modified": expect.stringMatching(/GMT$/),
        "cache-control": "max-age=60",
        "accept-ranges": "bytes",
        "x-robots-tag": "none",
        "x-content-type-options": "nosniff",
      });
      expect(headers.has("content-disposition")).toBe(false);
    }
    const big = await get("public/open/large.bin");
    expect(big.bytes.equals(large)).toBe(true);
    expect(big.headers.get("content-length")).toBe(String(large.length));
  });

  test("comes in ranges, small and large", async () => {
    for (const [path, bytes] of [
      ["public/open/a.txt", Buffer.from("0123456789")],
      ["public/open/large.bin", large],
    ] as const) {
      const size = bytes.length;
      for (const [range, from, to] of [
        ["0-0", 0, 1],
        ["3-6", 3, 7],
        ["5-", 5, size],
        ["-3", size - 3, size],
        [`${size - 1}-9999999`, size - 1, size],
      ] as const) {
        const part = await get(path, { range: `bytes=${range}` });
        expect(part.status).toBe(206);
        expect(part.headers.get("content-range")).toBe(`bytes ${from}-${to - 1}/${size}`);
        expect(part.bytes.equals(bytes.subarray(from, to))).toBe(true);
      }
      const several = await get(path, { range: "bytes=0-1,5-6" });
      expect(several.status).toBe(206);
      expect(several.headers.get("content-type")).toMatch(/^multipart\/byteranges; boundary=/);
      expect(several.headers.get("content-length")).toBe(String(several.bytes.length));
      const { status, headers } = await get(path, { range: `bytes=${size}-` });
      expect([status, headers.get("content-range")]).toEqual([416, `bytes */${size}`]);
    }
    const etag = (await get("public/open/a.txt")).headers.get("etag")!;
    expect((await get("public/open/a.txt", { range: "bytes=0-1", "if-range": etag })).status).toBe(206);
    expect((await get("public/open/a.txt", { range: "bytes=0-1", "if-range": '"other"' })).status).toBe(200);
  });

  test("S09: odd ranges do no harm", async () => {
    const many = `bytes=${Array.from({ length: 1_000 }, (_, at) => `${at}-${at}`).join(",")}`;
    for (const range of ["bytes=9-1", many, "bytes=abc", "items=0-1"]) {
      expect((await get("public/open/a.txt", { range })).status, range.slice(0, 20)).toBe(200);
    }
    expect((await get("public/open/a.txt", { range: "bytes=-0" })).status).toBe(416);
  });

  test("is not sent again to who has it", async () => {
    const { headers } = await get("public/open/a.txt");
    const etag = headers.get("etag")!;
    const modified = headers.get("last-modified")!;
    const same = await get("public/open/a.txt", { "if-none-match": `"x", W/${etag}` });
    expect(same.status).toBe(304);
    expect(same.headers.get("etag")).toBe(etag);
    expect(same.headers.get("cache-control")).toBe("max-age=60");
    expect((await get("public/open/a.txt", { "if-modified-since": modified })).status).toBe(304);
    expect((await get("public/open/a.txt", { "if-match": '"x"' })).status).toBe(412);
  });

  test("S04: runs nothing as our origin", async () => {
    const page = await get("public/open/page.html");
    expect(page.headers.get("content-type")).toBe("text/plain");
    const picture = await get("public/open/pic.svg");
    expect(picture.headers.get("content-type")).toBe("image/svg+xml");
    for (const { headers } of [page, picture]) {
      expect(headers.get("content-security-policy")).toMatch(/^sandbox; default-src 'none'/);
      expect(headers.get("x-content-type-options")).toBe("nosniff");
    }
  });

  test("S05: is saved under the name that is asked for, and no header more", async () => {
    expect((await get("public/open/a.txt?download")).headers.get("content-disposition")).toBe("attachment;");
    expect((await get("public/open/a.txt?download=")).headers.get("content-disposition")).toBe("attachment;");
    const odd = await get(`public/open/a.txt?download=${encodeURIComponent('x"\r\nSet-Cookie: a=b 🦊')}`);
    expect(odd.status).toBe(200);
    expect(odd.headers.has("set-cookie")).toBe(false);
    expect(odd.headers.get("content-disposition")).toMatch(
      /^attachment; filename="x___Set-Cookie: a=b __?"; filename\*=UTF-8''/,
    );
  });

  test("of a stream plays from another origin", async () => {
    const list = await get("public/open/hls/index.m3u8", { origin: "https://app.example" });
    expect(list.headers.get("content-type")).toBe("application/vnd.apple.mpegurl");
    expect(list.headers.get("access-control-allow-origin")).toBeTruthy();
    expect(list.headers.get("access-control-expose-headers")).toMatch(/Content-Range/);
  });
});

describe("who may read", () => {
  const refused = async (answer: ReturnType<typeof get>, statusCode: string, message: unknown = expect.any(String)) => {
    const { status, bytes } = await answer;
    expect(status).toBe(400);
    expect(JSON.parse(bytes.toString())).toMatchObject({ statusCode, message });
  };

  test("a public bucket: everybody, by any way", async () => {
    for (const way of ["public/open", "open"]) expect((await get(`${way}/a.txt`)).status).toBe(200);
    expect((await get("open/a.txt", {}, "GET", "rubbish")).status).toBe(200);
    expect((await get("authenticated/open/a.txt", {}, "GET", storage.ben.token)).status).toBe(200);
    await refused(get("authenticated/open/a.txt"), "400");
    await refused(get("authenticated/open/a.txt", {}, "GET", "rubbish"), "403");
    await refused(get("public/open/missing"), "404", "Object not found");
    await refused(get("public/open/no-bytes"), "404", "Object not found");
  });

  test("S14 a private one: whom the policies let, and to others nothing is there", async () => {
    const path = `own/${storage.ann.id}/a.txt`;
    for (const way of ["", "authenticated/"]) {
      const { status, bytes } = await get(`${way}${path}`, {}, "GET", storage.ann.token);
      expect([status, bytes.toString()]).toEqual([200, "mine"]);
      await refused(get(`${way}${path}`, {}, "GET", storage.ben.token), "404", "Object not found");
      await refused(get(`${way}${path}x`, {}, "GET", storage.ben.token), "404", "Object not found");
    }
    await refused(get(path), "404", "Bucket not found");
    await refused(get(path, {}, "GET", "rubbish"), "404", "Bucket not found");
    await refused(get(`public/${path}`), "404", "Bucket not found");
    await refused(get("public/nowhere/a"), "404", "Bucket not found");
    const head = await get(path, {}, "HEAD");
    expect([head.status, head.bytes.length]).toEqual([400, 0]);
  });

  test("X06: no shared cache keeps what is private", async () => {
    const { headers } = await get(`own/${storage.ann.id}/a.txt`, {}, "GET", storage.ann.token);
    expect(headers.get("cache-control")).toBe("private, max-age=60");
    expect(headers.get("vary")).toMatch(/Authorization/);
  });

  test("a file that is replaced is never half of both", async () => {
    const url = `${storage.app.url}/storage/v1/object/open/changing`;
    const authorization = `Bearer ${storage.app.serviceRoleKey}`;
    const write = (letter: string) =>
      fetch(url, {
        method: "PUT",
        body: letter.repeat(50_000),
        headers: { authorization, "content-type": "text/plain" },
      });
    await write("a");
    let isDone = false;
    const reading = (async () => {
      const seen = new Set<string>();
      while (!isDone) {
        const { status, bytes } = await get("public/open/changing");
        seen.add(`${status} ${bytes.length} ${[...new Set(bytes.toString())].join("")}`);
      }
      return [...seen];
    })();
    for (const letter of "bcdefghij") expect((await write(letter)).status).toBe(200);
    isDone = true;
    for (const seen of await reading) expect(seen).toMatch(/^200 50000 [a-j]$/);
  });
});
