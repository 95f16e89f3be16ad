import { describe, expect, test } from "vitest";
import type { Channel, Socket } from "../types.ts";
import { FirstJoins, firstJoinOf, isFreshStart } from "./counting.ts";

const channel = (joinRef: string | null, clientInfo = "", lastRef = 0): Channel =>
  ({ joinRef, socket: { clientInfo, lastRef } as Socket }) as Channel;

describe("how clients count", () => {
  test.each([
    ["7", "supabase-js-web/2.112", 7],
    ["1", "Mozilla/5.0", 1],
    ["12", "supabase-flutter/3.0.0", 12],
    ["0", "supabase-kt/3.7.0; platform=android", null],
    ["5", "supabase-kt/3.7.0", null],
    ["5", "supabase-swift/3.0.0", null],
    ["0", "", null],
    [null, "", 9],
    ["not a number", "", 9],
  ])("join_ref %s of %s", (joinRef, clientInfo, ref) => {
    expect(firstJoinOf(channel(joinRef, clientInfo, 9), 5)).toEqual({ ref, atMs: 5 });
  });

  test("only the first join of a socket tells: later ones are larger, whenever the app began", () => {
    const joins = new FirstJoins();
    const first = channel("1");
    expect(joins.of(first, 5)).toEqual({ ref: 1, atMs: 5 });
    expect(joins.of({ ...first, joinRef: "40" } as Channel, 9)).toEqual({ ref: 1, atMs: 5 });
    expect(isFreshStart(joins.of(first, 9))).toBe(true);
    expect(isFreshStart({ ref: 2, atMs: 0 })).toBe(false);
    expect(isFreshStart({ ref: null, atMs: 0 })).toBe(false);
  });
});
