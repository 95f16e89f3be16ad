import { describe, expect, test } from "vitest";
import { smsSettings } from "../../capabilities/auth/sms/settings.ts";
import { readSettings, SettingError } from "../../kernel/settings.ts";
import { smsGateway } from "./index.ts";

const gatewayOf = (env: Record<string, string>) => smsGateway(readSettings(smsSettings, { env }).values);
const secret = `v1,whsec_${Buffer.alloc(24, 7).toString("base64")}`;

const complete: Record<string, Record<string, string>> = {
  twilio: {
    GOTRUE_SMS_PROVIDER: "twilio",
    GOTRUE_SMS_TWILIO_ACCOUNT_SID: "AC1",
    GOTRUE_SMS_TWILIO_AUTH_TOKEN: "token",
    GOTRUE_SMS_TWILIO_MESSAGE_SERVICE_SID: "MG1",
  },
  vonage: {
    GOTRUE_SMS_PROVIDER: "vonage",
    GOTRUE_SMS_VONAGE_API_KEY: "key",
    GOTRUE_SMS_VONAGE_API_SECRET: "secret",
    GOTRUE_SMS_VONAGE_FROM: "Mainstay",
  },
  messagebird: {
    GOTRUE_SMS_PROVIDER: "messagebird",
    GOTRUE_SMS_MESSAGEBIRD_ACCESS_KEY: "key",
    GOTRUE_SMS_MESSAGEBIRD_ORIGINATOR: "Mainstay",
  },
  textlocal: {
    GOTRUE_SMS_PROVIDER: "textlocal",
    GOTRUE_SMS_TEXTLOCAL_API_KEY: "key",
    GOTRUE_SMS_TEXTLOCAL_SENDER: "MNSTAY",
  },
  webhook: {
    MAINSTAY_SMS_PROVIDER: "webhook",
    MAINSTAY_SMS_URL: "https://sms.example.com/send",
    MAINSTAY_SMS_WEBHOOK_SECRET: secret,
  },
};

describe("who sends text messages", () => {
  test("is nobody until somebody is named", () => expect(gatewayOf({})).toBeNull());

  test.each(Object.keys(complete))("is %s, with all that needs", (provider) => {
    expect(gatewayOf(complete[provider]!)?.name).toBe(provider);
    const [named, ...needed] = Object.keys(complete[provider]!);
    for (const name of needed) {
      const { [name]: _, ...rest } = complete[provider]!;
      expect(() => gatewayOf(rest), name).toThrow(SettingError);
      expect(() => gatewayOf(rest), name).toThrow(`smsProvider is "${provider}", which needs sms`);
    }
    expect(named).toMatch(/SMS_PROVIDER$/);
  });

  test.each([
    ["no address", { MAINSTAY_SMS_URL: "sms.example.com" }],
    ["an address of another kind", { MAINSTAY_SMS_URL: "file:///etc/passwd" }],
    ["a short secret", { MAINSTAY_SMS_WEBHOOK_SECRET: "v1,whsec_c2hvcnQ=" }],
    ["a secret of another form", { MAINSTAY_SMS_WEBHOOK_SECRET: "secret" }],
  ])("is not a webhook with %s", (_what, wrong) => {
    expect(() => gatewayOf({ ...complete.webhook, ...wrong })).toThrow(SettingError);
  });

  test("is told apart from what nobody knows", () => {
    expect(() => gatewayOf({ GOTRUE_SMS_PROVIDER: "pigeon" })).toThrow(SettingError);
  });
});
