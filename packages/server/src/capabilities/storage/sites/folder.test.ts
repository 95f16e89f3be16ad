import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { mkdir, mkdtemp, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readSettings } from "../../../kernel/settings.ts";
import { exchange, openTestServer, type TestServer, testGroup, testRoute } from "../../../platform/http/test-server.ts";
import type { StorageCore } from "../part.ts";
import { sitesPart } from "./index.ts";
import { sitesSettings } from "./settings.ts";

let server: TestServer;
let base: string;
let site: string;
const large = Buffer.alloc(300_000, "0123456789");
const script = "console.log('hello');".repeat(50);

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), "site-"));
  site = join(base, "site");
  await mkdir(join(site, "docs"), { recursive: true });
  await mkdir(join(site, ".well-known"));
  const files: Record<string, string | Buffer> = {
    "index.html": "<h1>home</h1>",
    "about.html": "<h1>about</h1>",
    "docs/index.html": "<h1>docs</h1>",
    "app.js": script,
    "app.js.br": brotliCompressSync(script),
    "app.js.gz": gzipSync(script),
    "app.3f9c2b1a.js": script,
    "large.bin": large,
    ".env": "SECRET=1",
    ".well-known/apple-app-site-association": "{}",
    "../secret.txt": "secret",
  };
  for (const [name, content] of Object.entries(files)) await writeFile(join(site, name), content);
});
afterEach(async () => {
  await server.stop();
  await rm(base, { recursive: true, force: true });
});

const start = async (settings: Partial<Record<keyof typeof sitesSettings, unknown>> = {}) => {
  const values = readSettings(sitesSettings, { env: {}, flags: settings }).values;
  // A site of a folder needs nothing else of storage.
  const { groups = [] } = sitesPart({ settings: values, siteFolder: site } as unknown as StorageCore);
  server = await openTestServer([
    testGroup([testRoute({ path: "/there", handle: () => ({ status: 200, headers: [], body: "api" }) })]),
    ...groups,
  ]);
};
const get = (path: string, headers: Record<string, string> = {}, method = "GET") =>
  fetch(server.url + path, { headers, method, redirect: "manual" });
/** With the path as it is: `fetch` would tidy it up first. */
const raw = (path: string) => exchange(server.port, `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);

describe("a site in the project's folder", () => {
  test.each([
    ["/", "<h1>home</h1>", "text/html; charset=utf-8"],
    ["/index.html", "<h1>home</h1>", "text/html; charset=utf-8"],
    ["/about", "<h1>about</h1>", "text/html; charset=utf-8"],
    ["/docs/", "<h1>docs</h1>", "text/html; charset=utf-8"],
    ["/app.js", script, "text/javascript; charset=utf-8"],
    ["/.well-known/apple-app-site-association", "{}", "application/json"],
  ])("serves %s", async (path, body, type) => {
    await start();
    const reply = await get(path, { "accept-encoding": "identity" });
    expect([reply.status, await reply.text(), reply.headers.get("content-type")]).toEqual([200, body, type]);
    expect(reply.headers.get("x-content-type-options")).toBe("nosniff");
    expect(reply.headers.get("access-control-allow-origin")).toBeNull();
  });

  test("sends who asks for a folder to its slash, query and all", async () => {
    await start();
    const reply = await get("/docs?x=1");
    expect([reply.status, reply.headers.get("location")]).toEqual([301, "/docs/?x=1"]);
  });

  test("leaves what is under a mount to the mount, known or not", async () => {
    await start();
    expect(await (await get("/t/v1/there")).text()).toBe("api");
    expect(await (await get("/t/v1/nowhere")).json()).toMatchObject({ oops: "http/not-found" });
    expect((await get("/health/live")).status).toBe(200);
    expect((await get("/", {}, "POST")).status).toBe(405);
  });

  test("HEAD says what GET would, without its body", async () => {
    await start();
    const text = await exchange(server.port, "HEAD /large.bin HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    expect(text).toMatch(/\r\nContent-Length: 300000\r\n[\s\S]*\r\n\r\n$/);
  });

  test("large files arrive whole, and in ranges", async () => {
    await start();
    expect(Buffer.from(await (await get("/large.bin")).arrayBuffer()).equals(large)).toBe(true);
    const part = await get("/large.bin", { range: "bytes=100000-299990" });
    expect([part.status, part.headers.get("content-range")]).toEqual([206, "bytes 100000-299990/300000"]);
    expect(Buffer.from(await part.arrayBuffer()).equals(large.subarray(100_000, 299_991))).toBe(true);
    expect(await (await get("/large.bin", { range: "bytes=-3" })).text()).toBe("789");
    const beyond = await get("/large.bin", { range: "bytes=300000-" });
    expect([beyond.status, beyond.headers.get("content-range")]).toEqual([416, "bytes */300000"]);
  });

  test("copies are confirmed, until the file changes", async () => {
    await start();
    const first = await get("/app.js");
    const etag = first.headers.get("etag")!;
    const again = await get("/app.js", { "if-none-match": etag });
    expect([again.status, again.headers.get("etag"), await again.text()]).toEqual([304, etag, ""]);
    await utimes(join(site, "app.js.gz"), 1, 1);
    await utimes(join(site, "app.js"), 1, 1);
    expect((await get("/app.js", { "if-none-match": etag })).status).toBe(200);
  });

  test("says how long copies live", async () => {
    await start();
    const of = async (path: string) => (await get(path)).headers.get("cache-control");
    expect([await of("/"), await of("/app.js"), await of("/app.3f9c2b1a.js")]).toEqual([
      "no-cache",
      "no-cache",
      "public, max-age=31536000, immutable",
    ]);
  });

  test.each([
    ["br, gzip", "br"],
    ["gzip", "gzip"],
    ["br;q=0.1, gzip;q=0.2", "gzip"],
    ["br;q=0", null],
    ["zstd", null],
  ])("to %s the variant is %s", async (accepted, coding) => {
    await start();
    const reply = await get("/app.js", { "accept-encoding": accepted });
    expect([reply.headers.get("content-encoding"), reply.headers.get("vary")]).toEqual([coding, "Accept-Encoding"]);
    expect(reply.headers.get("content-type")).toBe("text/javascript; charset=utf-8");
    expect(await reply.text()).toBe(script);
    const plain = await get("/app.js", { "accept-encoding": "identity" });
    if (coding !== null) expect(plain.headers.get("etag")).not.toBe(reply.headers.get("etag"));
  });

  test("has a page of its own for what is missing, or a sentence", async () => {
    await start();
    const plain = await get("/nothing");
    expect([plain.status, await plain.text()]).toEqual([404, "There is no such page.\n"]);
    await writeFile(join(site, "404.html"), "<h1>lost</h1>");
    const page = await get("/nothing", { range: "bytes=0-1", "if-none-match": "*" });
    expect([page.status, await page.text(), page.headers.get("cache-control")]).toEqual([
      404,
      "<h1>lost</h1>",
      "no-cache",
    ]);
  });

  test("of a single page answers with it where a page is asked for", async () => {
    await start({ storageSiteFallback: "index" });
    const page = await get("/places/42", { accept: "text/html" });
    expect([page.status, await page.text()]).toEqual([200, "<h1>home</h1>"]);
    expect((await get("/places/42.png", { accept: "image/*" })).status).toBe(404);
    expect((await get("/places/42", { accept: "application/json" })).status).toBe(404);
    expect(await raw("/../secret.txt")).toContain(" 404 ");
  });

  test("is not served when it is switched off", async () => {
    await start({ storageSiteFolder: false });
    expect(await (await get("/")).json()).toMatchObject({ code: "http/not-found" });
  });
});

describe("S01 nothing else of the machine", () => {
  test.each([
    "/../secret.txt",
    "/docs/../../secret.txt",
    "/%2e%2e/secret.txt",
    "/..%2fsecret.txt",
    "/%2e%2e%2fsecret.txt",
    "/%252e%252e/secret.txt",
    "/..%5csecret.txt",
    "/docs/..%00/secret.txt",
    "//etc/passwd",
    "/%2fetc/passwd",
    "/.env",
    "/%2eenv",
    "/docs",
  ])("S01 comes by %s", async (path) => {
    await start();
    const text = await raw(path);
    expect(text).toMatch(/^HTTP\/1\.1 (?:301|400|404) /);
    expect(text).not.toMatch(/secret\n?$|SECRET|root:/);
  });

  test("S01 comes by a link, a pipe or a folder's name", async () => {
    await symlink(join(base, "secret.txt"), join(site, "link.txt"));
    await symlink(base, join(site, "up"));
    await symlink(join(site, "about.html"), join(site, "inside.html"));
    execFileSync("mkfifo", [join(site, "pipe.txt")]);
    await start();
    expect((await get("/link.txt")).status).toBe(404);
    expect((await get("/up/secret.txt")).status).toBe(404);
    expect((await get("/pipe.txt")).status).toBe(404);
    expect(await (await get("/inside.html")).text()).toBe("<h1>about</h1>");
  });

  test("S09 no file stays open, however it is asked for", async () => {
    await start();
    const count = () => readdirSync("/proc/self/fd").length;
    await get("/large.bin").then((reply) => reply.arrayBuffer());
    const before = count();
    for (let i = 0; i < 20; i++) {
      const headers: Record<string, string>[] = [
        {},
        { range: "bytes=1-2" },
        { range: "bytes=999999-" },
        { "if-none-match": "*" },
        { "if-match": '"x"' },
      ];
      for (const one of headers) await (await get("/large.bin", one)).arrayBuffer();
      await get("/large.bin", {}, "HEAD");
      await (await get("/app.js", { "accept-encoding": "br" })).arrayBuffer();
      await get("/docs");
      const leaving = new AbortController();
      await fetch(`${server.url}/large.bin`, { signal: leaving.signal });
      leaving.abort();
    }
    await expect.poll(() => count() - before).toBeLessThan(10);
  });
});
