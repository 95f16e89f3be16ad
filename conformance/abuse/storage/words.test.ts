import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Answer, rawExchange } from "./http.ts";
import { annId, type FilesServer, people, startFiles } from "./server.ts";

/** Threats S04, S05, B12, B13 and X06: what clients say of files, told to others. */
let files: FilesServer;
beforeAll(async () => {
  files = await startFiles();
});
afterAll(() => files.stop());

const base64 = (text: string): string => Buffer.from(text).toString("base64");
/** What would end a header, begin another, or leave quotes. */
const evil: readonly string[] = [
  "a\r\nset-cookie: evil=1", "a\nset-cookie: evil=1", "a\rset-cookie: evil=1", "a\u0000b", "a\u000bb", "a\u007f", "a\u0085b", "a\u2028set-cookie: evil=1",
  "a\u560d\u560aset-cookie: evil=1", "%0d%0aset-cookie: evil=1", 'a"; filename="evil.exe', "a'b", "a;b", "a,b", "a\\", 'a\\"b', "\u{1f4a9}.txt", "caf\u00e9.txt",
  "\u202egnp.exe", "../../a", "C:\\a", "/etc/passwd", "a=b", "a*=UTF-8''b", "<script>alert(1)</script>", "x".repeat(65_536), "\u{1f4a9}".repeat(3_000), "\ud800", " ", "",
]; // biome-ignore format: a table
const isHarmless = (answer: Answer, label: string): void => {
  expect.soft(answer.headers["set-cookie"], label).toBeUndefined();
  for (const value of Object.values(answer.headers).flat()) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: controls are what is looked for
    expect.soft(value, label).not.toMatch(/[\u0000-\u0008\u000a-\u001f\u007f]|[^\u0000-\u00ff]/);
  }
  expect.soft(answer.status, label).toBeLessThan(500);
};

describe("S05 names and metadata end no header", () => {
  test("S05 as the name to download", async () => {
    await files.upload(files.serviceRoleKey, "open/a.txt", "x");
    for (const text of evil) {
      const answer = await files.send(
        "GET",
        `/object/public/open/a.txt?download=${encodeURIComponent(text.toWellFormed()).slice(0, 12_000)}`,
        { as: null },
      );
      const label = JSON.stringify(text.slice(0, 40));
      isHarmless(answer, label);
      if (answer.status !== 200) continue;
      const disposition = String(answer.headers["content-disposition"]);
      expect
        .soft(disposition, label)
        .toMatch(/^attachment(?:;$|; filename="[^"\r\n]*"(?:; filename\*=UTF-8''[A-Za-z0-9!#$&+.^_`|~%-]*)?$|;? ?$)/);
    }
  });

  test("S05 in form fields, metadata, types and cache control, at every way in and out", async () => {
    const field = (name: string, value: string): string =>
      `--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
    for (const [at, text] of evil.entries()) {
      const label = JSON.stringify(text.slice(0, 40));
      const place = (kind: string): string => `open/words/${at}-${kind}`;
      const ways: (() => Promise<Answer>)[] = ["cacheControl", "contentType", "metadata", "other"].map(
        (name) => () =>
          files.send("PUT", `/object/${place(name)}`, {
            headers: { "content-type": "multipart/form-data; boundary=b" },
            body: `${field(name, name === "metadata" ? JSON.stringify({ a: text, [text]: 1 }) : text)}--b\r\nContent-Disposition: form-data; name=""; filename="${text
              .replaceAll('"', "%22")
              .replace(/[\r\n]/g, " ")
              .slice(0, 8_000)}"\r\nContent-Type: text/plain\r\n\r\nx\r\n--b--\r\n`,
          }),
      );
      ways.push(
        () =>
          files.send("PUT", `/object/${place("header")}`, {
            body: "x",
            headers: { "x-metadata": base64(JSON.stringify({ a: text })).slice(0, 14_000) },
          }),
        () =>
          files.tusCreate(files.serviceRoleKey, {
            bucket: "open",
            name: `words/${at}-tus`,
            bytes: 1,
            body: Buffer.from("x"),
            headers: {
              "upload-metadata": `bucketName ${base64("open")},objectName ${base64(`words/${at}-tus`)},contentType ${base64(text.slice(0, 4_000))},cacheControl ${base64(text.slice(0, 4_000))},metadata ${base64(JSON.stringify({ a: text.slice(0, 2_000) }))}`,
            },
          }),
        () =>
          files.send("POST", "/object/copy", {
            json: {
              bucketId: "open",
              sourceKey: "a.txt",
              destinationKey: `words/${at}-copy`,
              copyMetadata: false,
              metadata: { cacheControl: text, mimetype: text },
            },
          }),
      );
      if (/^[\x20-\x7e]{1,4000}$/.test(text)) {
        ways.push(() =>
          files.send("PUT", `/object/${place("raw")}`, {
            body: "x",
            headers: { "content-type": text, "cache-control": text },
          }),
        );
        ways.push(() =>
          files.s3("PUT", `/${place("s3")}`, { body: "x", headers: { "cache-control": text, "x-amz-meta-a": text } }),
        );
      }
      for (const way of ways) isHarmless(await way(), label);
    }
    const names = await files.sql<{ name: string }>("select name from storage.objects where name like 'words/%'");
    expect(names.length).toBeGreaterThan(50);
    for (const { name } of names) {
      const path = encodeURIComponent(name).replaceAll("%2F", "/");
      isHarmless(await files.send("GET", `/object/public/open/${path}`, { as: null }), name);
      isHarmless(await files.send("HEAD", `/object/open/${path}`), name);
      isHarmless(await files.send("GET", `/object/info/public/open/${path}`, { as: null }), name);
      isHarmless(await files.s3("GET", `/open/${path}`), name);
      isHarmless(await files.s3("HEAD", `/open/${path}`), name);
    }
    expect(files.failures()).toEqual([]);
  });

  test("S05 S3's own words for headers answer with what is safe", async () => {
    for (const text of evil) {
      const value = encodeURIComponent(text.toWellFormed()).slice(0, 6_000);
      for (const name of [
        "content-type",
        "content-disposition",
        "cache-control",
        "content-language",
        "expires",
        "content-encoding",
      ]) {
        const answer = await files.s3("GET", `/open/a.txt?response-${name}=${value}`);
        isHarmless(answer, `${name} ${JSON.stringify(text.slice(0, 40))}`);
      }
    }
  });
});

describe("S04 B13 what a file is called is not what a browser makes of it", () => {
  const types = [
    "text/html", "TEXT/HTML", "text/html;charset=utf-8", "text/html\t", " text/html ", "text/html,text/plain", "application/xhtml+xml", "image/svg+xml", "text/xml",
    "application/xml", "application/rss+xml", "application/mathml+xml", "text/xsl", "text/javascript", "application/javascript", "text/css", "multipart/x-mixed-replace; boundary=x",
    "message/rfc822", "application/x-shockwave-flash", "application/x-unknown", "text/html;x=\"", "*/*", "text", "/", "text/", "a/b/c", "text/plain;charset=utf-7", "application/pdf",
    "text/vbscript", "application/hta", "application/x-xpinstall", "text/cache-manifest", "application/wasm", "text/event-stream", "image/svg", "image/svg+xml+x", "application/vnd.x+xml",
  ]; // biome-ignore format: a table
  const script = `<html><body><script>document.title='ran'</script><svg onload="alert(1)"></svg></body></html>`;

  test("S04 B13 whatever type is said, nosniff, a sandbox, and no page or script of our origin", async () => {
    for (const [at, type] of types.entries()) {
      const put = await files.send("PUT", `/object/open/types/${at}.html`, {
        body: script,
        headers: { "content-type": type },
      });
      expect.soft(put.status, `${type}: ${put.text}`).toBeLessThan(500);
      if (put.status !== 200) continue;
      for (const path of [
        `/object/public/open/types/${at}.html`,
        `/object/open/types/${at}.html`,
        `/object/authenticated/open/types/${at}.html`,
      ]) {
        const { status, headers } = await files.send("GET", path);
        expect.soft([status, headers["x-content-type-options"]], type).toEqual([200, "nosniff"]);
        const served = String(headers["content-type"]).toLowerCase();
        // What a browser shows as a page or runs is saved, or shown as text, or locked in.
        const isSaved = String(headers["content-disposition"] ?? "").startsWith("attachment");
        const isLocked =
          /sandbox/.test(String(headers["content-security-policy"] ?? "")) &&
          !/allow-/.test(String(headers["content-security-policy"]));
        const runs = /html|xml|svg|script|multipart|message|mixed/.test(served);
        expect.soft(!runs || isSaved || isLocked, `${type} as ${served}`).toBe(true);
        expect.soft(served, type).not.toMatch(/^text\/html/);
      }
    }
  });

  test("B13 a bucket for pictures takes pictures by their bytes, whichever way they come", async () => {
    const place = (kind: string) => `${annId}/${kind}.png`;
    const sent = { "content-type": "image/png" };
    const forms = `--b\r\nContent-Disposition: form-data; name=""; filename="a.png"\r\nContent-Type: image/png\r\n\r\n${script}\r\n--b--\r\n`;
    const before = await files.snapshot();
    const begun = await files.s3("POST", `/pictures/${place("s3m")}?uploads`, { as: people.ann, headers: sent });
    const id = /<UploadId>([^<]+)</.exec(begun.text)?.[1];
    await files.upload(people.ann, `own/${annId}/page.png`, script, sent);
    const tries: readonly (readonly [string, () => Promise<Answer>])[] = [
      ["raw", () => files.send("PUT", `/object/pictures/${place("raw")}`, { as: people.ann, body: script, headers: sent })],
      ["form", () => files.send("PUT", `/object/pictures/${place("form")}`, { as: people.ann, body: forms, headers: { "content-type": "multipart/form-data; boundary=b" } })],
      ["another type", () => files.send("PUT", `/object/pictures/${place("html")}`, { as: people.ann, body: script, headers: { "content-type": "text/html" } })],
      ["two types", () => files.send("PUT", `/object/pictures/${place("two")}`, { as: people.ann, body: script, headers: { "content-type": "image/png,text/html" } })],
      ["a type with a page in it", () => files.send("PUT", `/object/pictures/${place("param")}`, { as: people.ann, body: script, headers: { "content-type": "image/png; a=text/html" } })],
      ["TUS", () => files.tusCreate(people.ann, { bucket: "pictures", name: place("tus"), bytes: script.length, body: Buffer.from(script), headers: { "upload-metadata": `bucketName ${base64("pictures")},objectName ${base64(place("tus"))},contentType ${base64("image/png")}` } })],
      ["S3", () => files.s3("PUT", `/pictures/${place("s3")}`, { as: people.ann, body: script, headers: sent })],
      ["S3 part", () => files.s3("PUT", `/pictures/${place("s3m")}?partNumber=1&uploadId=${id}`, { as: people.ann, body: script })],
      ["copy", () => files.send("POST", "/object/copy", { as: people.ann, json: { bucketId: "own", sourceKey: `${annId}/page.png`, destinationBucket: "pictures", destinationKey: place("copy") } })],
      ["S3 copy", () => files.s3("PUT", `/pictures/${place("s3copy")}`, { as: people.ann, headers: { "x-amz-copy-source": `/own/${annId}/page.png` } })],
      ["move", () => files.send("POST", "/object/move", { as: people.ann, json: { bucketId: "own", sourceKey: `${annId}/page.png`, destinationBucket: "pictures", destinationKey: place("move") } })],
    ]; // biome-ignore format: a table
    for (const [what, attempt] of tries) {
      const answer = await attempt();
      expect.soft(answer.status, `${what}: ${answer.text}`).toBeGreaterThanOrEqual(400);
      expect.soft(answer.status, what).toBeLessThan(500);
    }
    const inBucket = await files.sql("select name from storage.objects where bucket_id = 'pictures'");
    expect(inBucket).toEqual([]);
    await files.send("DELETE", `/object/own/${annId}/page.png`, { as: people.ann });
    await files.s3("DELETE", `/pictures/${place("s3m")}?uploadId=${id}`, { as: people.ann });
    const objects = (state: unknown): unknown => (state as { rows: { objects: unknown } }).rows.objects;
    expect(objects(await files.snapshot())).toEqual(objects(before));
  });

  test("B12 keys that are prototypes change nothing", async () => {
    const json = `{"__proto__":{"admin":true},"constructor":{"prototype":{"admin":true}},"a":{"__proto__":{"b":1}}}`;
    for (const metadata of [json, `{"toString":1,"valueOf":2,"hasOwnProperty":3}`]) {
      const put = await files.send("PUT", "/object/open/proto.txt", {
        body: "x",
        headers: { "x-metadata": base64(metadata) },
      });
      expect.soft(put.status).toBeLessThan(500);
      const info = await files.send("GET", "/object/info/public/open/proto.txt", { as: null });
      expect.soft(info.status).toBeLessThan(500);
    }
    for (const [method, path] of [
      ["POST", "/object/list/open"],
      ["POST", "/object/list-v2/open"],
      ["POST", "/object/copy"],
      ["POST", "/bucket"],
      ["POST", "/object/sign/open/proto.txt"],
    ] as const) {
      const answer = await files.send(method, path, { headers: { "content-type": "application/json" }, body: json });
      expect.soft(answer.status, path).toBeLessThan(500);
    }
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
    expect(files.failures()).toEqual([]);
  });
});

describe("X06 what is for one is kept by no proxy", () => {
  test("X06 every answer to somebody is private, and refusals are not kept", async () => {
    await files.upload(people.ann, `own/${annId}/mine.txt`, "mine", {
      "cache-control": "public, max-age=31536000, immutable",
    });
    await files.upload(files.serviceRoleKey, "open/all.txt", "all", { "cache-control": "max-age=60" });
    const sign = await files.send("POST", `/object/sign/own/${annId}/mine.txt`, {
      as: people.ann,
      json: { expiresIn: 60 },
    });
    const { signedURL } = JSON.parse(sign.text) as { signedURL: string };
    const asks: readonly (readonly [string, string, string | null])[] = [
      ["GET", `/object/own/${annId}/mine.txt`, people.ann], ["HEAD", `/object/own/${annId}/mine.txt`, people.ann], ["GET", `/object/authenticated/own/${annId}/mine.txt`, people.ann],
      ["GET", `/object/authenticated/open/all.txt`, people.ann], ["GET", `/object/info/own/${annId}/mine.txt`, people.ann], ["GET", signedURL, null], ["GET", "/bucket", people.ann],
      ["GET", `/object/own/${annId}/none.txt`, people.ann], ["GET", "/object/public/open/none.txt", null], ["GET", `/object/public/own/${annId}/mine.txt`, null], ["GET", `${signedURL}x`, null],
    ]; // biome-ignore format: a table
    for (const [method, path, as] of asks) {
      const { headers, status } = await files.send(method, path, { as });
      const said = String(headers["cache-control"] ?? "");
      expect.soft(said, `${method} ${path.slice(0, 60)} ${status}`).toMatch(/private|no-store/);
      expect.soft(said, path).not.toMatch(/public|s-maxage/);
      expect.soft(headers["set-cookie"]).toBeUndefined();
    }
    for (const path of [`/own/${annId}/mine.txt`, "/own?list-type=2", "/"]) {
      const { headers } = await files.s3("GET", path, { as: people.ann });
      expect.soft(String(headers["cache-control"] ?? ""), `S3 ${path}`).toMatch(/private|no-store/);
    }
    // With the same address for everybody, only the bucket's own answer may be kept.
    const open = await files.send("GET", "/object/public/open/all.txt", { as: null });
    expect(open.headers["cache-control"]).toContain("max-age=60");
  });

  test("X06 a header twice is not the first for one and the second for another", async () => {
    const head = (lines: string): string =>
      `GET /storage/v1/object/own/${annId}/mine.txt HTTP/1.1\r\nHost: ${new URL(files.url).host}\r\nConnection: close\r\n${lines}\r\n`;
    for (const lines of [
      `Authorization: Bearer ${people.bob}\r\nAuthorization: Bearer ${people.ann}\r\n`,
      `Authorization: Bearer ${files.anonKey}\r\nAuthorization: Bearer ${people.ann}\r\n`,
      `Authorization: Bearer ${people.bob}, Bearer ${people.ann}\r\n`,
    ]) {
      const text = await rawExchange(files.url, head(lines));
      expect.soft(text, lines.slice(0, 30)).not.toContain("\r\n\r\nmine");
    }
    expect(await files.leaks()).toEqual([]);
  });
});
