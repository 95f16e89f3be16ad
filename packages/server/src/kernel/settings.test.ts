import { describe, expect, test } from "vitest";
import { integer, parseSetting, readSettings, SettingError } from "./settings.ts";

const seconds = integer({ env: ["A_SECONDS"], default: 60, unit: "s", min: 0, max: 86_400, summary: "" });
const ms = integer({ env: ["A_MS"], default: 60, unit: "ms", min: 10, summary: "" });
const requests = integer({ env: ["REQUESTS"], default: 30, unit: "requests", min: 1, summary: "" });

describe("a number with a unit of time", () => {
  test.each([
    [seconds, "5m0s", 300],
    [seconds, "24h", 86_400],
    [seconds, "0s", 0],
    [seconds, "90", 90],
    [seconds, " 1m30s ", 90],
    [ms, "300ms", 300],
    [ms, "1m30s", 90_000],
    [ms, "10", 10],
  ])("may be a Go duration: %#", (setting, raw, value) => {
    expect(parseSetting(setting, raw, "A")).toBe(value);
  });

  test("is a whole one, and not shorter than asked for", () => {
    expect(parseSetting(seconds, "300ms", "A")).toBe(1);
    expect(parseSetting(seconds, "1.5s", "A")).toBe(2);
    expect(parseSetting(ms, "10001us", "A")).toBe(11);
  });

  test("keeps to its bounds, and says what it takes", () => {
    expect(() => parseSetting(seconds, "25h", "GOTRUE_A")).toThrow(
      'GOTRUE_A must be a whole number from 0 to 86400 (s), or a duration like 1h30m, not "25h".',
    );
    expect(() => parseSetting(ms, "1ms", "A")).toThrow(SettingError);
    for (const bad of ["-1h", "1d", "1h30", "soon", "", "1e3", "30/1h"]) {
      expect(() => parseSetting(seconds, bad, "A")).toThrow(SettingError);
    }
  });

  test("is read so from every variable", () => {
    expect(readSettings({ a: seconds, b: ms }, { env: { A_SECONDS: "2h", A_MS: "1.5s" } }).values).toEqual({
      a: 7_200,
      b: 1_500,
    });
  });
});

test("other numbers take no duration, and a rate is refused by name", () => {
  expect(() => parseSetting(requests, "5m", "REQUESTS")).toThrow(
    'REQUESTS must be a whole number of at least 1, not "5m".',
  );
  expect(() => parseSetting(requests, "30/1h", "GOTRUE_RATE_LIMIT_EMAIL_SENT")).toThrow(
    'GOTRUE_RATE_LIMIT_EMAIL_SENT must be a whole number of at least 1, without a time to count them in, not "30/1h".',
  );
});
