import { describe, expect, test } from "vitest";
import { etagOf } from "./etag.ts";
import { isAllowedType, isMediaType } from "./mime-types.ts";
import { checkBytes } from "./sniff.ts";

const heads = {
  png: Buffer.from("89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489", "hex"),
  jpeg: Buffer.from("ffd8ffe000104a46494600010100000100010000", "hex"),
  pdf: Buffer.from("%PDF-1.7\n%xxxx"),
  mp4: Buffer.from("00000018667479706d703432000000006d70343269736f6d", "hex"),
  zip: Buffer.concat([Buffer.from("504b030414000000080000002100", "hex"), Buffer.alloc(60)]),
  elf: Buffer.concat([Buffer.from("7f454c4602010100", "hex"), Buffer.alloc(60)]),
  svg: Buffer.from("\uFEFF <svg xmlns='http://www.w3.org/2000/svg'/>"),
  xmlSvg: Buffer.from("<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>"),
  text: Buffer.from("just text"),
  html: Buffer.from("<!doctype html><script>"),
  nothing: Buffer.alloc(0),
};
const verdict = async (declared: string, allowed: readonly string[], head: keyof typeof heads) =>
  checkBytes(declared, allowed, heads[head]).then(
    () => "kept",
    (error: { code: string }) => error.code,
  );

describe("what bytes are is held against what they are said to be", () => {
  test.each([
    ["image/png", ["image/png"], "png"],
    ["image/jpg", ["image/jpg"], "jpeg"],
    ["image/*", ["image/*"], "png"],
    ["image/svg+xml", ["image/*"], "svg"],
    ["image/svg+xml", ["image/svg+xml"], "xmlSvg"],
    ["text/plain", ["text/*"], "text"],
    ["text/csv", ["text/csv"], "html"],
    ["video/quicktime", ["video/quicktime"], "mp4"],
    ["audio/x-m4a", ["audio/*"], "mp4"],
    [
      "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
      ["application/vnd.openxmlformats-officedocument.wordprocessingml.document"],
      "zip",
    ],
    ["image/x-unheard-of", ["image/*"], "text"],
    ["text/plain", ["*/*"], "elf"],
  ] as const)("%s into %o: %s is kept", async (declared, allowed, head) => {
    expect(await verdict(declared, allowed, head)).toBe("kept");
  });

  test.each([
    ["image/png", ["image/png"], "jpeg"],
    ["image/png", ["image/*"], "text"],
    ["image/png", ["image/*"], "html"],
    ["image/png", ["image/*"], "nothing"],
    ["image/png", ["image/*", "application/pdf"], "pdf"],
    ["image/svg+xml", ["image/*"], "text"],
    ["image/svg+xml", ["image/*"], "png"],
    ["text/plain", ["text/*"], "elf"],
    ["text/plain", ["text/plain"], "pdf"],
  ] as const)("%s into %o: %s is refused", async (declared, allowed, head) => {
    expect(await verdict(declared, allowed, head)).toBe("InvalidMimeType");
  });
});

test("a bucket's list is of names, families, and everything", () => {
  expect(isAllowedType("Image/PNG; x=y", ["image/png"])).toBe(true);
  expect(isAllowedType("image/png", ["IMAGE/*"])).toBe(true);
  expect(isAllowedType("a/b", ["*/*"])).toBe(true);
  expect(isAllowedType("imagex/png", ["image/*"])).toBe(false);
  expect(isAllowedType("image/png2", ["image/png"])).toBe(false);
  expect(isAllowedType("image", ["image/*"])).toBe(false);
  expect(isAllowedType("a/b", [])).toBe(false);
  for (const bad of ["", "image", "image/", "a/b\r\nX: y", "a b/c", "a/b; \u00e9"])
    expect(isMediaType(bad), bad).toBe(false);
});

test("an ETag is S3's: of the bytes, or of the parts' digests", () => {
  const md5 = (hex: string) => ({ md5: Buffer.from(hex, "hex") });
  expect(etagOf([])).toBe('"d41d8cd98f00b204e9800998ecf8427e"');
  expect(etagOf([md5("5d41402abc4b2a76b9719d911017c592")])).toBe('"5d41402abc4b2a76b9719d911017c592"');
  expect(etagOf([md5("5d41402abc4b2a76b9719d911017c592"), md5("5d41402abc4b2a76b9719d911017c592")])).toMatch(
    /^"[0-9a-f]{32}-2"$/,
  );
});
