import { describe, expect, it } from "vitest";
import { formatLsn, parseLsn } from "./lsn.ts";

describe("places in the log", () => {
  it.each([
    ["0/0", 0n],
    ["0/1A2B", 0x1a2bn],
    ["16/B374D848", 0x16b374d848n],
    ["FFFFFFFF/FFFFFFFF", 0xffffffffffffffffn],
  ])("%s is read and printed", (text, lsn) => {
    expect(parseLsn(text)).toBe(lsn);
    expect(formatLsn(lsn)).toBe(text);
  });

  it.each(["", "1", "1/", "/1", "1/2/3", "g/1", "123456789/1", "-1/1", " 1/1"])("%j is none", (text) => {
    expect(() => parseLsn(text)).toThrow(RangeError);
  });
});
