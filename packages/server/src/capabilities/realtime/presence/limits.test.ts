import { describe, expect, it } from "vitest";
import { PresenceLimits } from "./limits.ts";
import { readPresence } from "./read-presence.ts";

describe("R12: how often clients may track", () => {
  it("is counted per connection in windows, and for all of the node by the second", () => {
    let nowMs = 0;
    const limits = new PresenceLimits(
      { realtimePresenceCalls: 2, realtimePresenceWindowMs: 1_000, realtimePresencePerSecond: 3 },
      () => nowMs,
    );
    const [one, other] = [{}, {}];
    expect([limits.takeCall(one), limits.takeCall(one), limits.takeCall(one)]).toEqual([true, true, false]);
    expect(limits.takeCall(other)).toBe(true);
    expect([1, 2, 3, 4].map(() => limits.takeEvent())).toEqual([true, true, true, false]);
    nowMs = 1_000;
    expect(limits.takeCall(one)).toBe(true);
    expect(limits.takeEvent()).toBe(true);
  });
});

describe("what a client says of itself", () => {
  it("is any object, without what is ours to give", () => {
    const payload = { type: "presence", event: "TRACK", payload: { a: 1, phx_ref: "forged", phx_ref_prev: "forged" } };
    expect(readPresence(payload)).toEqual({ kind: "track", fields: '{"a":1}' });
    expect(readPresence({ event: "track" })).toEqual({ kind: "track", fields: "{}" });
    expect(readPresence({ event: "untrack" })).toEqual({ kind: "untrack" });
  });

  it.each([
    [{ event: "track", payload: [] }],
    [{ event: "track", payload: "x" }],
    [{ event: "track", payload: null }],
    [{ event: "dance" }],
    [{}],
    [null],
    [Buffer.from("track")],
  ])("is refused when it is none: %j", (payload) => {
    expect(readPresence(payload)).toMatchObject({ kind: "invalid" });
  });
});
