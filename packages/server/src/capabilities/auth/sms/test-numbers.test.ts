import { describe, expect, test } from "vitest";
import { SettingError } from "../../../kernel/settings.ts";
import { assertTestNumbers, testOtpOf } from "./test-numbers.ts";

const now = Date.parse("2026-11-21T12:00:00Z");
const day = 24 * 3_600_000;
const withNumbers = (smsTestOtp: readonly string[], smsTestOtpValidUntil: string | null) => ({
  smsTestOtp,
  smsTestOtpValidUntil,
});

describe("fixed codes", () => {
  const settings = withNumbers(["4915112345678=123456", "+1 (601) 983-9224:654321"], "2026-12-31");

  test("belong to their number alone, however it was spelled in the setting", () => {
    expect(testOtpOf(settings, "4915112345678", now)).toBe("123456");
    expect(testOtpOf(settings, "16019839224", now)).toBe("654321");
    for (const other of ["4915112345679", "", "491511234567", "+4915112345678"]) {
      expect(testOtpOf(settings, other, now)).toBeNull();
    }
  });

  test("end with the last moment of their day, or at their time", () => {
    expect(testOtpOf(settings, "16019839224", Date.parse("2026-12-31T23:59:59Z"))).toBe("654321");
    expect(testOtpOf(settings, "16019839224", Date.parse("2027-01-01T00:00:00Z"))).toBeNull();
    const timed = withNumbers(settings.smsTestOtp, "2026-11-21T14:00:00+02:00");
    expect(testOtpOf(timed, "16019839224", now - 1)).toBe("654321");
    expect(testOtpOf(timed, "16019839224", now)).toBeNull();
  });

  test("there are none without a day, and none when nobody wants any", () => {
    expect(testOtpOf(withNumbers(settings.smsTestOtp, null), "16019839224", now)).toBeNull();
    expect(testOtpOf(withNumbers([], null), "16019839224", now)).toBeNull();
    expect(() => assertTestNumbers(withNumbers([], null), now)).not.toThrow();
  });

  test("that are over do not keep the server from starting", () => {
    expect(() => assertTestNumbers(withNumbers(settings.smsTestOtp, "2020-01-01"), now)).not.toThrow();
  });

  test.each([
    ["no day", ["16019839224=123456"], null],
    ["a day nobody can read", ["16019839224=123456"], "soon"],
    ["a day that is none", ["16019839224=123456"], "2026-13-41"],
    ["a time without zone", ["16019839224=123456"], "2026-12-01T10:00:00"],
    ["more than a year", ["16019839224=123456"], new Date(now + 367 * day).toISOString()],
    ["no code", ["16019839224"], "2026-12-31"],
    ["a short code", ["16019839224=123"], "2026-12-31"],
    ["a code of letters", ["16019839224=abcdef"], "2026-12-31"],
    ["no number", ["=123456"], "2026-12-31"],
  ])("are refused with %s", (_what, numbers, until) => {
    expect(() => assertTestNumbers(withNumbers(numbers, until), now)).toThrow(SettingError);
  });
});
