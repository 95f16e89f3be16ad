import { describe, expect, test } from "vitest";
import { durationMs, spanMs } from "./duration.ts";

describe("Go's durations", () => {
  test.each([
    ["0", 0],
    ["0s", 0],
    ["300ms", 300],
    ["5m0s", 300_000],
    ["1m30s", 90_000],
    ["24h", 86_400_000],
    ["1h30m5s", 5_405_000],
    ["1.5h", 5_400_000],
    ["1.1h", 3_960_000],
    [".5s", 500],
    ["2.s", 2_000],
    ["1500us", 1.5],
    ["3µs", 0.003],
    ["3μs", 0.003],
    ["2000ns", 0.002],
    ["1s1s", 2_000],
    ["2540400h10m10s", 9_145_440_610_000],
  ])("%s is %d ms", (text, ms) => {
    expect(durationMs(text)).toBe(ms);
  });

  test.each([
    "",
    "5",
    "1d",
    "h",
    "-1h",
    "+1h",
    "1 h",
    " 1h",
    "1h ",
    "1h30",
    "1H",
    "s1",
    ".s",
    "1..5s",
    "1e3s",
    "30/1h",
  ])("%j is none", (text) => {
    expect(durationMs(text)).toBeNull();
  });

  test("one of a thousand parts is none, at once", () => {
    expect(durationMs("1h".repeat(1_000))).toBeNull();
    expect(durationMs(`${"1".repeat(100_000)}x`)).toBeNull();
  });
});

describe("durations as people write them", () => {
  test.each([
    ["3 days", 259_200_000],
    ["1 day", 86_400_000],
    ["2h30m", 9_000_000],
    ["1 hour 30 minutes", 5_400_000],
    ["90s", 90_000],
    ["1.5 h", 5_400_000],
    [" 2  Weeks ", 1_209_600_000],
    ["500 ms", 500],
    ["10 secs", 10_000],
    ["0s", 0],
  ])("%j is %d ms", (text, expected) => {
    expect(spanMs(text)).toBe(expected);
  });

  test.each([
    "",
    "5",
    "days",
    "3 months",
    "1y",
    "-1 day",
    "1 day ago",
    "1,5 h",
    "constructor",
    "1 constructor",
    `${"1s ".repeat(30)}`,
  ])("%j is none", (text) => {
    expect(spanMs(text)).toBeNull();
  });
});
