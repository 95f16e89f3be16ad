import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { AuthSettings } from "../context.ts";
import { openTestAuth, type TestAuth } from "../testing.ts";

const nextYear = (): string => new Date(Date.now() + 300 * 86_400_000).toISOString();
const reviewer = "16505550100";

let auth: TestAuth;
beforeAll(async () => {
  auth = await openTestAuth();
});
afterAll(() => auth.close());
beforeEach(async () => {
  await auth.sql("delete from mainstay.sms_budget");
  auth.sent.sms.length = 0;
});

let count = 0;
const newPhone = (): string => `4915110${String(++count).padStart(6, "0")}`;
const phones = (settings: Partial<AuthSettings> = {}): TestAuth =>
  auth.with({
    phoneEnabled: true,
    rateLimits: true,
    rateLimitOtp: 1_000,
    rateLimitSms: 1_000,
    rateLimitVerify: 1_000,
    smsMinIntervalSeconds: 0,
    smsTestOtp: [`${reviewer}=246810`],
    smsTestOtpValidUntil: nextYear(),
    ...settings,
  });
const otp = (on: TestAuth, phone: string) => on.send("POST", "/otp", { body: { phone: `+${phone}` } });
const verify = (on: TestAuth, phone: string, token: string) =>
  on.send("POST", "/verify", { body: { type: "sms", phone: `+${phone}`, token } });
const usersWith = (phone: string) => auth.sql("select 1 from auth.users where phone = $1", [phone]);

describe("a code by text message", () => {
  test("beyond the budget is 429 with Retry-After, leaves no account and no code behind, and spends nothing", async () => {
    const on = phones({ smsBudgetCountry: 2 });
    for (let at = 0; at < 2; at++) expect((await otp(on, newPhone())).status).toBe(200);
    const before = await auth.sql("select * from mainstay.sms_budget order by scope, key");
    const phone = newPhone();
    const refused = await otp(on, phone);
    expect([refused.status, refused.body.error_code]).toEqual([429, "over_sms_send_rate_limit"]);
    expect(Number(refused.headers["retry-after"])).toBeGreaterThan(0);
    expect(await usersWith(phone)).toEqual([]);
    expect(auth.sent.sms).toHaveLength(2);
    expect(await auth.sql("select * from mainstay.sms_budget order by scope, key")).toEqual(before);
  });

  test("A12 is bounded by number, whatever address, headers and fields come with it", async () => {
    const on = phones({ smsBudgetNumber: 3 });
    const phone = newPhone();
    const statuses: number[] = [];
    for (let at = 0; at < 6; at++) {
      const reply = await on.send("POST", "/otp", {
        body: {
          phone: at % 2 === 0 ? phone : ` +${phone.slice(0, 2)} (${phone.slice(2)})`,
          data: { at },
          channel: "sms",
        },
        address: `2001:db8:${at}::1`,
        headers: { "x-forwarded-for": `198.51.100.${at}`, "user-agent": `phone ${at}` },
      });
      statuses.push(reply.status);
    }
    expect(statuses).toEqual([200, 200, 200, 429, 429, 429]);
  });

  test("to a country that gets none is 422, and leaves nothing behind", async () => {
    const on = phones({ smsAllowedCountries: ["US"] });
    const phone = newPhone();
    const refused = await otp(on, phone);
    expect([refused.status, refused.body]).toEqual([
      422,
      { code: 422, error_code: "sms_send_failed", msg: "Text messages are not sent to this country" },
    ]);
    expect(await usersWith(phone)).toEqual([]);
    expect(auth.sent.sms).toEqual([]);
  });

  test("A16 to such a country is refused alike for known and unknown numbers", async () => {
    const [known, unknown] = [newPhone(), newPhone()];
    await otp(phones(), known);
    const on = phones({ smsDeniedCountries: ["DE"] });
    const resend = (phone: string) => on.send("POST", "/resend", { body: { type: "sms", phone } });
    const replies = [await resend(known), await resend(unknown), await otp(on, known), await otp(on, unknown)];
    expect(replies.map(({ status }) => status)).toEqual([422, 422, 422, 422]);
    expect(new Set(replies.map(({ body }) => JSON.stringify(body))).size).toBe(1);
  });

  test("counts as come back when it is verified", async () => {
    const on = phones({ smsConversionMinPercent: 1 });
    const phone = newPhone();
    await otp(on, phone);
    expect((await verify(on, phone, auth.sent.sms.at(-1)!.otp)).status).toBe(200);
    expect(await auth.sql("select sent, verified from mainstay.sms_budget where scope = 'country'")).toEqual([
      { sent: 1, verified: 1 },
    ]);
  });
});

describe("a number with a fixed code", () => {
  test("signs in with it, as often as it likes; nothing is sent or counted", async () => {
    const on = phones({ smsBudgetNumber: 1, smsMinIntervalSeconds: 60 });
    for (let at = 0; at < 3; at++) {
      expect((await otp(on, reviewer)).status).toBe(200);
      expect((await verify(on, reviewer, "135791")).body.error_code).toBe("otp_expired");
      expect((await verify(on, reviewer, "246810")).status).toBe(200);
    }
    expect(auth.sent.sms).toEqual([]);
    expect(await auth.sql("select * from mainstay.sms_budget")).toEqual([]);
  });

  test("is one like any other once its day is over", async () => {
    const on = phones({ smsTestOtpValidUntil: "2020-01-01" });
    expect((await otp(on, reviewer)).status).toBe(200);
    expect(auth.sent.sms.map(({ to }) => to)).toEqual([reviewer]);
    expect((await verify(on, reviewer, "246810")).body.error_code).toBe("otp_expired");
    expect((await verify(on, reviewer, auth.sent.sms.at(-1)!.otp)).status).toBe(200);
  });
});

test("who sends text messages is told to whoever asks", async () => {
  expect((await phones({ smsProvider: "vonage" }).send("GET", "/settings")).body.sms_provider).toBe("vonage");
  expect((await auth.send("GET", "/settings")).body.sms_provider).toBe("");
});
