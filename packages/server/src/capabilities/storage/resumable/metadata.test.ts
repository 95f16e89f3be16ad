import { describe, expect, test } from "vitest";
import { readMetadata, readPairs } from "./metadata.ts";

const base64 = (text: string): string => Buffer.from(text).toString("base64");
const header = (pairs: Readonly<Record<string, string>>): string =>
  Object.entries(pairs)
    .map(([name, value]) => `${name} ${base64(value)}`)
    .join(",");
const file = { bucketName: "photos", objectName: "me/a.png" };

describe("Upload-Metadata", () => {
  test("is pairs of names and values in base64", () => {
    expect([...readPairs(`a ${base64("ä")}, b,c ,  d ${base64("x y")}`)]).toEqual([
      ["a", "ä"],
      ["b", ""],
      ["c", ""],
      ["d", "x y"],
    ]);
    expect(readPairs("").size).toBe(0);
  });

  test("S01: a name is what it says, invisible characters too", () => {
    expect(readPairs(`objectName ${base64("\ufeffa")}`).get("objectName")).toBe("\ufeffa");
  });

  test("may leave the padding out", () => {
    expect(readPairs(`a ${base64("x").replaceAll("=", "")}`).get("a")).toBe("x");
  });

  test.each([
    ["a name twice", `a ${base64("1")},a ${base64("2")}`],
    ["a value that is no base64", "a !!!"],
    ["base64 that says nothing", "a QQQQQ"],
    ["bytes that are no text", `a ${Buffer.from([0xff, 0xfe]).toString("base64")}`],
    ["an empty pair", `a ${base64("1")},,b ${base64("2")}`],
    ["a third word", `a ${base64("1")} ${base64("2")}`],
    ["a name with other characters", `ä ${base64("1")}`],
    ["too much", `a ${base64("x".repeat(40_000))}`],
  ])("is refused for %s", (_, text) => {
    expect(() => readPairs(text)).toThrow(expect.objectContaining({ code: "InvalidRequest", status: 400 }));
  });

  test("says what the file is", () => {
    const metadata = { camera: "x", tags: [1, 2] };
    expect(
      readMetadata(
        header({ ...file, contentType: "image/png", cacheControl: "3600", metadata: JSON.stringify(metadata) }),
      ),
    ).toEqual({
      bucketId: "photos",
      key: "me/a.png",
      contentType: "image/png",
      cacheControl: "max-age=3600",
      userMetadata: metadata,
    });
  });

  test("may leave out everything but where the file goes", () => {
    expect(readMetadata(header(file))).toEqual({
      bucketId: "photos",
      key: "me/a.png",
      contentType: "application/octet-stream",
      cacheControl: "no-cache",
      userMetadata: null,
    });
    for (const { bucketName, objectName } of [
      { ...file, bucketName: "" },
      { ...file, objectName: "" },
    ]) {
      expect(() => readMetadata(header({ bucketName, objectName }))).toThrow(/must have/);
    }
    expect(() => readMetadata("")).toThrow(/bucketName/);
  });

  test("S05: lets nothing into Cache-Control but a number", () => {
    for (const cacheControl of ["no-store", "1\r\nX-Evil: 1", "-1", "1e3", "private, max-age=1"]) {
      expect(readMetadata(header({ ...file, cacheControl })).cacheControl).toBe("no-cache");
    }
  });

  test.each(["[]", "1", "null", "{", '"a"'])("is refused for metadata that is no JSON object: %s", (metadata) => {
    expect(() => readMetadata(header({ ...file, metadata }))).toThrow(/JSON object/);
  });
});
