import type { Config } from "@mainstay/server";
import { type Check, type Finding, fail, ok, warn } from "./finding.ts";

const dayMs = 86_400_000;
/** So long before their end it is said that fixed codes end. */
const soonDays = 14;

/** Text messages: somebody sends them, not to everywhere, and the numbers for store review still work. */
export const checkTextMessages: Check = async ({ config }) => {
  if (config === null) return [];
  const { phoneEnabled, phoneAutoconfirm, mfaPhoneEnroll, mfaPhoneVerify, smsProvider, sendSmsHookEnabled } =
    config.auth;
  const uses = [
    ...(phoneEnabled && !phoneAutoconfirm ? ["sign-in with a phone number"] : []),
    ...(mfaPhoneEnroll || mfaPhoneVerify ? ["the second factor by phone"] : []),
  ];
  const findings: Finding[] = [];
  if (uses.length > 0 && smsProvider === null && !sendSmsHookEnabled) {
    findings.push(
      fail(
        "text-messages",
        `${uses.join(" and ")} is on, and nobody sends text messages`,
        "Set MAINSTAY_SMS_PROVIDER, or a send-sms hook.",
      ),
    );
  } else if (uses.length > 0) {
    const { isPublic } = await import("@mainstay/server/preflight");
    const by = sendSmsHookEnabled ? "the send-sms hook" : `${smsProvider}`;
    findings.push(
      isPublic(config) && config.auth.smsAllowedCountries.length === 0
        ? warn(
            "text-messages",
            `${by} sends them to every country, and some people ask for them to earn by it`,
            "Set MAINSTAY_SMS_ALLOWED_COUNTRIES to those your users live in: DE,AT,CH",
          )
        : ok("text-messages", `${by} sends them`),
    );
  }
  return [...findings, ...testNumberFindings(config)];
};

function testNumberFindings({ auth: { smsTestOtp, smsTestOtpValidUntil: until } }: Config): readonly Finding[] {
  // What cannot be read is refused by the settings' own check.
  if (smsTestOtp.length === 0 || until === null || Number.isNaN(Date.parse(until))) return [];
  const endMs = Date.parse(until.length === 10 ? `${until}T23:59:59Z` : until);
  const daysLeft = Math.floor((endMs - Date.now()) / dayMs);
  const found = `${smsTestOtp.length} ${smsTestOtp.length === 1 ? "number has" : "numbers have"} a fixed code`;
  const remedy = "Set MAINSTAY_SMS_TEST_OTP_VALID_UNTIL anew, or unset MAINSTAY_SMS_TEST_OTP.";
  if (endMs < Date.now())
    return [warn("test-numbers", `the fixed codes ended on ${until}: real messages are sent`, remedy)];
  if (daysLeft < soonDays) return [warn("test-numbers", `${found}, which ends on ${until}`, remedy)];
  return [ok("test-numbers", `${found} until ${until}`)];
}
