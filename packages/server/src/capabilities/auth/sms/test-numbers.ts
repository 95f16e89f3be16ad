import { SettingError, type Values } from "../../../kernel/settings.ts";
import { canonicalPhone } from "../address.ts";
import type { smsSettings } from "./settings.ts";

type TestNumberSettings = Pick<Values<typeof smsSettings>, "smsTestOtp" | "smsTestOtpValidUntil">;

/** A year and its leap day: a fixed code is a key anyone may have, so it must end within sight. */
const longestMs = 366 * 24 * 3_600_000;

/**
 * The fixed code of a number that stores use to review an app; `null` for every other number, and for all once their time
 * is over. Whoever sends codes asks first: with a fixed code nothing is sent and nothing counted.
 * @param phone E.164 digits without `+`, as stored
 */
export function testOtpOf(settings: TestNumberSettings, phone: string, nowMs: number): string | null {
  if (settings.smsTestOtp.length === 0 || !(nowMs < endOf(settings))) return null;
  for (const entry of settings.smsTestOtp) {
    const [number, code] = split(entry);
    if (number === phone) return code;
  }
  return null;
}

/** @throws SettingError when a fixed code is malformed, or the day they end is missing or more than a year away */
export function assertTestNumbers(settings: TestNumberSettings, nowMs: number): void {
  if (settings.smsTestOtp.length === 0) return;
  for (const entry of settings.smsTestOtp) {
    const [number, code] = split(entry);
    if (number === null || !/^\d{4,10}$/.test(code)) {
      throw new SettingError("smsTestOtp must list phone=code pairs: a number with its country code, 4 to 10 digits.");
    }
  }
  const fix = "Set MAINSTAY_SMS_TEST_OTP_VALID_UNTIL to the day the fixed codes end, as in 2027-01-31.";
  if (settings.smsTestOtpValidUntil === null) {
    throw new SettingError(`smsTestOtp gives numbers a fixed code, and nothing says until when. ${fix}`);
  }
  const endMs = endOf(settings);
  if (Number.isNaN(endMs)) throw new SettingError(`smsTestOtpValidUntil is neither a date nor a time. ${fix}`);
  if (endMs - nowMs > longestMs) {
    throw new SettingError(`smsTestOtpValidUntil is more than a year ahead, and a fixed code opens an account. ${fix}`);
  }
}

/** Unix milliseconds. A date means its whole day in UTC. NaN, before which no time is, when it is neither. */
function endOf({ smsTestOtpValidUntil: until }: TestNumberSettings): number {
  if (until === null) return Number.NaN;
  if (/^\d{4}-\d\d-\d\d$/.test(until)) return Date.parse(`${until}T23:59:59.999Z`);
  return /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d.*([Zz]|[+-]\d\d:?\d\d)$/.test(until) ? Date.parse(until) : Number.NaN;
}

/** Supabase's environment writes `phone:code`, its config.toml `phone = "code"`. */
function split(entry: string): readonly [phone: string | null, code: string] {
  const [, phone = "", code = ""] = /^([^=:]*)[=:](.*)$/s.exec(entry) ?? [];
  return [canonicalPhone(phone), code.trim()];
}
