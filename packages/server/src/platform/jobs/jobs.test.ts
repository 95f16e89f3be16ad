import { describe, expect, it } from "vitest";
import { SettingError } from "../../kernel/settings.ts";
import { isStorable } from "./check.ts";
import { Line, waitingOf } from "./line.ts";
import { readQueues } from "./queues.ts";
import { retryDelayMs } from "./retry-delay.ts";
import { RetryLaterError } from "./types.ts";

const limits = { firstMs: 100, maxMs: 1_000 };

describe("the wait before another attempt", () => {
  it("doubles, has jitter and an end", () => {
    expect([1, 2, 3, 4, 5, 60].map((attempt) => retryDelayMs(attempt, null, limits, 1))).toEqual([
      100, 200, 400, 800, 1_000, 1_000,
    ]);
    expect(retryDelayMs(1, null, limits, 0)).toBe(50);
  });

  it("X12 is never shorter than what was asked for, and not the same for all", () => {
    const error = new RetryLaterError("busy", 60_000);
    expect(retryDelayMs(1, error, limits, 0)).toBe(60_000);
    expect(retryDelayMs(1, error, limits, 1)).toBe(61_000);
    expect(retryDelayMs(1, new RetryLaterError("busy", Number.NaN), limits, 1)).toBe(100);
  });
});

describe("what PostgreSQL keeps as JSON", () => {
  it("is anything but NUL and half a character", () => {
    for (const value of ["plain", "\\u0000", "\\\\u0000", "😀", "\\ud800"])
      expect(isStorable(JSON.stringify(value)), value).toBe(true);
    for (const value of ["\0", "\\\0", "\ud800", "a\udc00"])
      expect(isStorable(JSON.stringify(value)), value).toBe(false);
  });
});

describe("limits of queues", () => {
  it("are read, and refused by name", () => {
    expect(readQueues({ mail: { concurrency: 2 }, slow: { paused: true } })).toEqual([
      { name: "mail", concurrency: 2, isPaused: false },
      { name: "slow", concurrency: null, isPaused: true },
    ]);
    for (const queue of [1, [], { concurrency: 0 }, { concurrency: "2" }, { paused: 1 }, { limit: 3 }]) {
      expect(() => readQueues({ mail: queue })).toThrow(SettingError);
    }
  });
});

describe("a line", () => {
  const row = (place: number, priority = 0) =>
    waitingOf([`${place}`, "work", "default", {}, null, 1, 0, 0, null, priority, place, 0, null], 3, place);
  const open = (concurrency = 2) =>
    new Line({ name: "work", run: async () => ({ kind: "done" }) }, { concurrency, aheadMax: 1_000 });

  it("wants what it has places for, and what it begins within 100 ms", () => {
    const line = open();
    expect([line.wants(10), line.wants(1)]).toEqual([2, 1]);
    line.put(Array.from({ length: 100 }, (_, at) => row(at)));
    expect(line.wants(10)).toBe(0);
    for (let at = 0; at < 100; at++) line.take();
    line.measure(50);
    // Two a ms, half believed.
    expect(line.wants(2)).toBe(2 + 100);
  });

  it("gives by priority and place, and gives back what is old", () => {
    const line = open();
    line.put([row(3), row(5)]);
    line.put([row(4), row(9, -1)].sort((a, b) => a.priority - b.priority));
    expect(line.take()[0]!.place).toBe(9);
    expect(line.giveBack(4).map(({ place }) => place)).toEqual([3]);
    expect(line.remove("4")).toBe(true);
    expect(line.remove("4")).toBe(false);
    expect([...line].map(({ place }) => place)).toEqual([5]);
  });
});
