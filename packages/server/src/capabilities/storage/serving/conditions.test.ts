import { describe, expect, test } from "vitest";
import { conditionOf, isRangeOfThis } from "./conditions.ts";

const lastModifiedMs = Date.parse("2026-03-01T10:00:00.750Z");
const same = "Sun, 01 Mar 2026 10:00:00 GMT";
const before = "Sun, 01 Mar 2026 09:59:59 GMT";
const file = { etag: '"abc"', lastModifiedMs };

describe("conditions, in the order of RFC 9110 §13.2.2", () => {
  test.each([
    [{}, "send"],
    [{ "if-none-match": '"abc"' }, "not-modified"],
    [{ "if-none-match": 'W/"abc"' }, "not-modified"],
    [{ "if-none-match": '"x", W/"abc" , "y"' }, "not-modified"],
    [{ "if-none-match": "*" }, "not-modified"],
    [{ "if-none-match": '"x","y"' }, "send"],
    [{ "if-none-match": "abc" }, "send"],
    [{ "if-none-match": '"a,b", "abc"' }, "not-modified"],
    [{ "if-modified-since": same }, "not-modified"],
    [{ "if-modified-since": before }, "send"],
    [{ "if-modified-since": "never" }, "send"],
    // An entity tag decides alone.
    [{ "if-none-match": '"x"', "if-modified-since": same }, "send"],
    [{ "if-match": '"abc"' }, "send"],
    [{ "if-match": "*" }, "send"],
    [{ "if-match": '"x", "abc"' }, "send"],
    [{ "if-match": 'W/"abc"' }, "failed"],
    [{ "if-match": '"x"' }, "failed"],
    [{ "if-unmodified-since": before }, "failed"],
    [{ "if-unmodified-since": same }, "send"],
    [{ "if-match": '"abc"', "if-unmodified-since": before }, "send"],
    [{ "if-match": '"x"', "if-none-match": '"abc"' }, "failed"],
    [{ "if-match": '"abc"', "if-none-match": '"abc"' }, "not-modified"],
  ])("%o → %s", (headers, expected) => {
    expect(conditionOf(headers, file)).toBe(expected);
  });

  test.each([
    [{}, true],
    [{ "if-range": '"abc"' }, true],
    [{ "if-range": 'W/"abc"' }, false],
    [{ "if-range": '"x"' }, false],
    [{ "if-range": same }, true],
    [{ "if-range": before }, false],
    [{ "if-range": "rubbish" }, false],
  ])("a range is of use: %o → %s", (headers, expected) => {
    expect(isRangeOfThis(headers, file)).toBe(expected);
  });

  test("S09: a list of 16 KB takes no time that counts", () => {
    expect(conditionOf({ "if-none-match": '"'.repeat(16_000) }, file)).toBe("send");
    expect(conditionOf({ "if-none-match": 'W/"a'.repeat(4_000) }, file)).toBe("send");
  });
});
