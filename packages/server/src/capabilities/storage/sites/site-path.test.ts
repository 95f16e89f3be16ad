import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readSitePath } from "./site-path.ts";

describe("the path of a site", () => {
  test.each([
    ["", "", true],
    ["/", "", true],
    ["/a.html", "a.html", false],
    ["/a/b/", "a/b", true],
    ["/.well-known/assetlinks.json", ".well-known/assetlinks.json", false],
    ["/%C3%BCber%20uns.html", "über uns.html", false],
    ["/a%252e%252e", "a%2e%2e", false],
    ["/a..b/...c".replace("...c", "c..."), "a..b/c...", false],
  ])("%j is %j", (encoded, path, isFolder) => {
    expect(readSitePath(encoded)).toEqual({ path, isFolder });
  });

  test.each([
    "/..",
    "/../x",
    "/a/../b",
    "/a/./b",
    "/%2e%2e/x",
    "/%2E%2e",
    "/.%2e/x",
    "/a%2fb",
    "/..%2fetc",
    "/..%5cetc",
    "/a\\b",
    "/a%00.html",
    "/a%0d%0a",
    "/%7f",
    "//evil.example",
    "/a//b",
    "/C:/x",
    "/c%3A",
    "/.env",
    "/.git/config",
    "/a/.hidden",
    "/a/.well-known/x",
    "/%E0%A4%A",
    "/%c0%ae%c0%ae/x",
    "a",
    `/${"x".repeat(3000)}`,
  ])("S01 %j is none", (encoded) => {
    expect(readSitePath(encoded)).toBeNull();
  });

  test("S01 whatever is sent, no segment steps anywhere", () => {
    const piece = fc.constantFrom("a", ".", "..", "/", "\\", "%2e", "%2f", "%5c", "%00", "%", "C:", "%25", "é");
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const read = readSitePath(`/${pieces.join("")}`);
        if (read === null || read.path === "") return;
        for (const segment of read.path.split("/")) {
          expect(segment).not.toMatch(/^\.|^$|\\|\0/);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
