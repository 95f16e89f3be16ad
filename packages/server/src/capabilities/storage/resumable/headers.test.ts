import { describe, expect, test } from "vitest";
import { bringsBytes, bytesIn, concatOf, lengthOf, methodOf, requireVersion } from "./headers.ts";

const refusal = (code: string, status: number) => expect.objectContaining({ code, status });

test("Tus-Resumable must be 1.0.0", () => {
  requireVersion({ "tus-resumable": "1.0.0" });
  for (const headers of [{}, { "tus-resumable": "0.2.2" }, { "tus-resumable": "1.0.0, 1.0.0" }]) {
    expect(() => requireVersion(headers)).toThrow(refusal("TusVersion", 412));
  }
});

describe("the length of an upload", () => {
  test("is announced, or deferred", () => {
    expect(lengthOf({ "upload-length": "0" })).toBe(0);
    expect(lengthOf({ "upload-length": "52428800" })).toBe(52_428_800);
    expect(lengthOf({ "upload-defer-length": "1" })).toBeNull();
  });

  test.each([
    {},
    { "upload-length": "1", "upload-defer-length": "1" },
    { "upload-defer-length": "0" },
    { "upload-length": "" },
    { "upload-length": "-1" },
    { "upload-length": "1.5" },
    { "upload-length": "0x10" },
    { "upload-length": "1e3" },
    { "upload-length": "1, 1" },
    { "upload-length": "9007199254740993" },
    { "upload-length": "99999999999999999999" },
  ])("S12: is refused for %j", (headers) => {
    expect(() => lengthOf(headers)).toThrow(refusal("InvalidRequest", 400));
  });
});

test("an offset is a number or not there", () => {
  expect(bytesIn({}, "upload-offset")).toBeNull();
  expect(bytesIn({ "upload-offset": "7" }, "upload-offset")).toBe(7);
  expect(() => bytesIn({ "upload-offset": "+7" }, "upload-offset")).toThrow(refusal("InvalidRequest", 400));
});

test("bytes come as application/offset+octet-stream", () => {
  expect(bringsBytes({ "content-type": "application/offset+octet-stream" })).toBe(true);
  expect(bringsBytes({ "content-type": "Application/Offset+Octet-Stream; charset=x" })).toBe(true);
  expect(bringsBytes({ "content-type": "application/octet-stream" })).toBe(false);
  expect(bringsBytes({})).toBe(false);
});

describe("Upload-Concat", () => {
  test("is partial or final, or not there", () => {
    expect(concatOf({})).toEqual({ kind: "whole" });
    expect(concatOf({ "upload-concat": "partial" })).toEqual({ kind: "partial" });
    expect(concatOf({ "upload-concat": "final;/a/1 /a/2" })).toEqual({ kind: "final", urls: ["/a/1", "/a/2"] });
  });

  test.each(["", "final", "final;", "final; ", "Partial", "other;/a", `final;${"/a ".repeat(1_001)}`])(
    "is refused for %j",
    (text) => {
      expect(() => concatOf({ "upload-concat": text })).toThrow(refusal("InvalidRequest", 400));
    },
  );
});

test("POST stands for another method where it says so", () => {
  const meant = (method: "POST" | "PATCH", override: string) =>
    methodOf({ method, headers: { "x-http-method-override": override } });
  expect(meant("POST", "PATCH")).toBe("PATCH");
  expect(meant("POST", "delete")).toBe("DELETE");
  expect(meant("POST", "HEAD")).toBe("HEAD");
  expect(meant("POST", "OPTIONS")).toBe("POST");
  expect(meant("PATCH", "DELETE")).toBe("PATCH");
});
