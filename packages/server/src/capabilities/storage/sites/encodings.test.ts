import { describe, expect, test } from "vitest";
import { cacheControlOf, isHashed } from "./caching.ts";
import { acceptedCodings } from "./encodings.ts";
import { isCompressible, typeByName } from "./site-types.ts";

describe("codings a client takes", () => {
  test.each([
    [undefined, []],
    ["", []],
    ["identity", []],
    ["gzip, deflate, br", ["br", "gzip"]],
    ["br;q=0.5, gzip", ["gzip", "br"]],
    ["gzip;q=0, br", ["br"]],
    ["*", ["br", "gzip"]],
    ["*;q=0", []],
    ["br;q=0, *", ["gzip"]],
    ["x-gzip", ["gzip"]],
    ["GZIP ; Q=0.8", ["gzip"]],
    ["identity;q=1, gzip;q=0.5", []],
    ["identity;q=0.5, gzip;q=0.5", ["gzip"]],
    ["br;q=2", []], // no weight at all
    ["br;q=x, gzip;q=0.001", ["gzip"]],
    [`${"x,".repeat(100)}br`, []],
  ])("of %j are %j", (header, names) => {
    expect(acceptedCodings(header).map(({ name }) => name)).toEqual(names);
  });
});

describe("copies", () => {
  test.each(["app.3f9c2b1a.js", "index-BxK3d9aZ.js", "assets/main.0a1b2c3d4e5f.chunk.css"])(
    "of %s are for ever",
    (path) => {
      expect(isHashed(path)).toBe(true);
      expect(cacheControlOf(path, "text/css", "max-age=60")).toBe("public, max-age=31536000, immutable");
    },
  );

  test.each([
    "app.js",
    "photo-20261121.png",
    "background-wallpaper.png",
    "report-version2a.pdf",
    "3f9c2b1a.js/index",
    "facade-deadbeef.js",
  ])("of %s are not", (path) => {
    expect(isHashed(path)).toBe(false);
  });

  test("live as long as their source says, and pages are asked after", () => {
    expect(cacheControlOf("a.css", "text/css", "max-age=60")).toBe("max-age=60");
    expect(cacheControlOf("a.css", "text/css", null)).toBe("no-cache");
    expect(cacheControlOf("a.3f9c2b1a.html", "text/html; charset=utf-8", "max-age=60")).toBe("no-cache");
  });
});

describe("types", () => {
  test.each([
    ["a/index.html", "text/html; charset=utf-8"],
    ["APP.JS", "text/javascript; charset=utf-8"],
    ["x.tar.gz", null],
    [".well-known/apple-app-site-association", "application/json"],
    ["noending", null],
    ["a.constructor", null],
    ["constructor", null],
  ])("of %s is %s", (path, type) => {
    expect(typeByName(path)).toBe(type);
  });

  test("of media have no smaller variants", () => {
    expect(isCompressible("image/svg+xml; charset=utf-8")).toBe(true);
    expect(isCompressible("image/png")).toBe(false);
  });
});
