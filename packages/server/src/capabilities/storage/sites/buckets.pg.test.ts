import { request } from "node:http";
import { type BootedApp, boot } from "@mainstay/testing";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

let app: BootedApp;

beforeAll(async () => {
  app = await boot({
    settings: {
      storage: {
        storageTrustedSites: ["docs"],
        storageSiteHosts: ["files.example.com=uploads", "hidden.example.com=closed"],
      },
    },
  });
  for (const [id, isPublic] of [
    ["docs", true],
    ["uploads", true],
    ["closed", false],
  ] as const) {
    await send("POST", "/bucket", JSON.stringify({ id, name: id, public: isPublic }), "application/json");
  }
  for (const bucket of ["docs", "uploads", "closed"]) {
    await put(`${bucket}/index.html`, `<h1>${bucket}</h1>`, "text/html");
    await put(`${bucket}/guide/index.html`, "<h1>guide</h1>", "text/html");
    await put(`${bucket}/app.3f9c2b1a.js`, "1+1", "text/plain");
    await put(`${bucket}/large.txt`, "0123456789".repeat(200_000), "text/plain");
  }
});
afterAll(() => app.stop());

async function send(method: string, path: string, body: string, type: string) {
  const reply = await fetch(`${app.url}/storage/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${app.serviceRoleKey}`, "content-type": type },
    body,
  });
  expect(await reply.text()).not.toContain("statusCode");
}
const put = (place: string, body: string, type: string) => send("POST", `/object/${place}`, body, type);

interface Got {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

/** With any `Host`, which `fetch` would not send. */
const get = (host: string, path: string, headers: Record<string, string> = {}): Promise<Got> =>
  new Promise((resolve, reject) => {
    request(app.url + path, { headers: { ...headers, host }, agent: false }, (reply) => {
      let text = "";
      reply.setEncoding("utf8");
      reply.on("data", (chunk) => {
        text += chunk;
      });
      reply.on("end", () => resolve({ status: reply.statusCode!, headers: reply.headers, text }));
    })
      .on("error", reject)
      .end();
  });

describe("S04 a bucket as a site", () => {
  test("S04 runs on a host name of its own, and nothing else is there", async () => {
    const page = await get("files.example.com", "/");
    expect([page.status, page.text, page.headers["content-type"]]).toEqual([
      200,
      "<h1>uploads</h1>",
      "text/html; charset=utf-8",
    ]);
    expect(page.headers["content-security-policy"]).toBeUndefined();
    for (const path of ["/rest/v1/", "/auth/v1/health", "/storage/v1/object/public/docs/index.html", "/site/docs/"]) {
      expect(await get("files.example.com", path)).toMatchObject({ status: 404, text: "There is no such page.\n" });
    }
  });

  test("S04 does not run on ours unless it is trusted", async () => {
    expect((await get("127.0.0.1", "/site/docs/")).text).toBe("<h1>docs</h1>");
    expect((await get("127.0.0.1", "/site/docs")).headers.location).toBe("/site/docs/");
    expect((await get("127.0.0.1", "/site/uploads/")).status).toBe(404);
    expect((await get("127.0.0.1", "/index.html")).status).toBe(404);
    const plain = await get("127.0.0.1", "/storage/v1/object/public/uploads/index.html");
    expect(plain.headers["content-type"]).not.toContain("text/html");
  });

  test("is there only as long as its bucket is public", async () => {
    expect((await get("hidden.example.com", "/")).status).toBe(404);
    await send("PUT", "/bucket/closed", JSON.stringify({ public: true }), "application/json");
    await expect.poll(async () => (await get("hidden.example.com", "/")).text).toBe("<h1>closed</h1>");
    await send("PUT", "/bucket/closed", JSON.stringify({ public: false }), "application/json");
    await expect.poll(async () => (await get("hidden.example.com", "/")).status).toBe(404);
  });

  test("has folders, types by name, copies that last, and ranges", async () => {
    expect((await get("files.example.com", "/guide")).headers.location).toBe("/guide/");
    expect((await get("files.example.com", "/guide/")).text).toBe("<h1>guide</h1>");
    const script = await get("files.example.com", "/app.3f9c2b1a.js");
    expect(script.headers).toMatchObject({
      "content-type": "text/javascript; charset=utf-8",
      "cache-control": "public, max-age=31536000, immutable",
    });
    const etag = script.headers.etag as string;
    expect((await get("files.example.com", "/app.3f9c2b1a.js", { "if-none-match": etag })).status).toBe(304);
    const part = await get("files.example.com", "/large.txt", { range: "bytes=1999995-" });
    expect([part.status, part.text, part.headers["content-range"]]).toEqual([
      206,
      "56789",
      "bytes 1999995-1999999/2000000",
    ]);
    expect((await get("files.example.com", "/large.txt")).text).toHaveLength(2_000_000);
  });

  test("S01 has no way to another bucket", async () => {
    for (const path of [
      "/../docs/index.html",
      "/..%2fdocs/index.html",
      "/%2e%2e/docs/index.html",
      "//docs/index.html",
    ]) {
      expect((await get("files.example.com", path)).status).toBe(404);
    }
  });
});
