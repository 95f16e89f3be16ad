import { describe, expect, it } from "vitest";
import { Snapshot } from "./snapshot.ts";

describe("a snapshot", () => {
  it("sees what was over, and nothing that ran or came later", () => {
    const snapshot = new Snapshot("100:110:103,105");
    expect([99, 100, 102, 104, 109].map((xid) => snapshot.sees(xid))).toEqual([true, true, true, true, true]);
    expect([103, 105, 110, 111].map((xid) => snapshot.sees(xid))).toEqual([false, false, false, false]);
  });

  it("takes a number without its epoch for the nearest", () => {
    const after = new Snapshot(`${2n ** 32n + 5n}:${2n ** 32n + 7n}:`);
    expect(after.sees(0xffff_ffff)).toBe(true);
    expect(after.sees(6)).toBe(true);
    expect(after.sees(7)).toBe(false);
    const before = new Snapshot(`${2n ** 32n - 5n}:${2n ** 32n - 2n}:`);
    expect(before.sees(3)).toBe(false);
    expect(before.sees(0xffff_fffd)).toBe(true);
  });

  it("is refused when it is none", () => {
    expect(() => new Snapshot("100:x:")).toThrow(RangeError);
  });
});
