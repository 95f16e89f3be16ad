import { validateHeaderValue } from "node:http";
import { describe, expect, test } from "vitest";
import type { StoredObject } from "../types.ts";
import { privateCacheControl, publicCacheControl } from "./cache-control.ts";
import { attachment } from "./disposition.ts";
import { createFileHeaders } from "./headers.ts";
import { servedTypeOf } from "./served-type.ts";

describe("S05: the name that a file is saved under", () => {
  test.each([
    ["", "attachment;"],
    ["   ", "attachment;"],
    ["a b.txt", "attachment; filename=\"a b.txt\"; filename*=UTF-8''a%20b.txt"],
    ['a"b\\c.txt', "attachment; filename=\"a_b_c.txt\"; filename*=UTF-8''a%22b_c.txt"],
    ["x\r\nSet-Cookie: a=b", "attachment; filename=\"x__Set-Cookie: a=b\"; filename*=UTF-8''x__Set-Cookie%3A%20a%3Db"],
    ["Grüße.pdf", "attachment; filename=\"Gr__e.pdf\"; filename*=UTF-8''Gr%C3%BC%C3%9Fe.pdf"],
    ["🦊.png", "attachment; filename=\"__.png\"; filename*=UTF-8''%F0%9F%A6%8A.png"],
    ["../../etc/passwd", "attachment; filename=\".._.._etc_passwd\"; filename*=UTF-8''.._.._etc_passwd"],
    ["100%.txt", "attachment; filename=\"100_.txt\"; filename*=UTF-8''100%25.txt"],
    ["a\u202egpj.exe", "attachment; filename=\"a_gpj.exe\"; filename*=UTF-8''a_gpj.exe"],
    ["\ud800.txt", "attachment; filename=\"_.txt\"; filename*=UTF-8''%EF%BF%BD.txt"],
  ])("%j", (name, expected) => {
    expect(attachment(name)).toBe(expected);
  });

  test("is one line and bounded, whatever it was", () => {
    for (const name of ["a".repeat(65_536), "🦊".repeat(16_384), "\r\n\0\u0085".repeat(16_384), '"; filename="x']) {
      const header = attachment(name);
      expect(() => validateHeaderValue("Content-Disposition", header)).not.toThrow();
      expect(header.length).toBeLessThan(3_000);
      expect(header.match(/filename="/g)?.length).toBe(1);
    }
  });
});

describe("S04: the type that a file is sent with", () => {
  const sandboxed = expect.stringMatching(/^sandbox; default-src 'none'; (?!.*(?:allow-|script-src))/);

  test("keeps images, media and text as they are", () => {
    for (const type of [
      "image/png",
      "image/svg+xml",
      "video/mp4",
      "audio/mpeg",
      "text/plain;charset=UTF-8",
      "application/json",
    ]) {
      expect(servedTypeOf(type, "a")).toEqual({ contentType: type, isAttachment: false, policy: sandboxed });
    }
    expect(servedTypeOf("application/pdf", "a.pdf")).toEqual({
      contentType: "application/pdf",
      isAttachment: false,
      policy: "script-src 'none'; object-src 'self'; base-uri 'none'; form-action 'none'",
    });
  });

  test("makes text of whatever has HTML in it", () => {
    for (const type of ["text/html", "TEXT/HTML; charset=utf-8", "image/png; x=text/html", "text/html-sandboxed"]) {
      expect(servedTypeOf(type, "a.html").contentType).toBe("text/plain");
    }
  });

  test("saves other markup and what nobody knows", () => {
    for (const type of [
      "application/xhtml+xml",
      "application/xml",
      "text/xml",
      "text/xsl",
      "application/octet-stream",
      "message/rfc822",
      "multipart/x-mixed-replace",
      "application/x-shockwave-flash",
      "application/vnd.unknown",
    ]) {
      expect(servedTypeOf(type, "a"), type).toEqual({ contentType: type, isAttachment: true, policy: sandboxed });
    }
    for (const type of ["", "nothing", "a/b\r\nX: y", "text/plain\u0000", "é/ü"]) {
      expect(servedTypeOf(type, "a").contentType).toBe("application/octet-stream");
    }
  });

  test("says what the parts of a stream are, where nobody did", () => {
    expect(servedTypeOf("application/octet-stream", "hls/index.m3u8").contentType).toBe(
      "application/vnd.apple.mpegurl",
    );
    expect(servedTypeOf("application/octet-stream", "hls/0.ts")).toMatchObject({
      contentType: "video/mp2t",
      isAttachment: false,
    });
    expect(servedTypeOf("text/plain", "0.ts").contentType).toBe("text/plain");
  });
});

describe("X06: caches", () => {
  test("between us and the browser keep nothing that depends on who asks", () => {
    expect(privateCacheControl("max-age=3600")).toBe("private, max-age=3600");
    expect(privateCacheControl("public, max-age=60, s-maxage=600")).toBe("private, max-age=60");
    expect(privateCacheControl("no-cache")).toBe("private, no-cache");
    expect(privateCacheControl("max-age=3600", 10)).toBe("private, max-age=10");
    expect(privateCacheControl("a\r\nb")).toBe("private, no-cache");
    expect(publicCacheControl("public, max-age=60")).toBe("public, max-age=60");
    expect(publicCacheControl("a\r\nX: y")).toBe("no-cache");
  });
});

test("headers are remembered by version, and follow what SQL changes", () => {
  const headersOf = createFileHeaders(10);
  const object: StoredObject = {
    id: "1",
    bucketId: "b",
    name: "a.png",
    version: "v1",
    ownerId: null,
    sizeBytes: 1,
    contentType: "image/png",
    contentEncoding: null,
    cacheControl: "max-age=60",
    etag: '"e"',
    lastModifiedMs: 0,
    createdAt: "",
    userMetadata: null,
  };
  const first = headersOf(object, "everybody");
  expect(headersOf({ ...object }, "everybody")).toBe(first);
  expect(headersOf(object, "caller").full).toContain("private, max-age=60");
  expect(first.full).toContain("max-age=60");
  expect(headersOf({ ...object, cacheControl: "no-cache" }, "everybody").full).toContain("no-cache");
  expect(headersOf({ ...object, contentEncoding: "gzip" }, "everybody").full.join("|")).toContain(
    "|Content-Encoding|gzip|",
  );
  const hostile = headersOf({ ...object, contentEncoding: "gzip\r\nSet-Cookie: a=b" }, "everybody");
  expect(hostile.full).not.toContain("Content-Encoding");
});
