import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startServer } from "./compose.ts";
import { loadConfig } from "./config.ts";
import { authSettingsOf, settingErrors } from "./preflight.ts";

type Env = Readonly<Record<string, string>>;

let projectDir: string;
beforeAll(async () => {
  projectDir = await mkdtemp(join(tmpdir(), "mainstay-preflight-"));
});
afterAll(() => rm(projectDir, { recursive: true, force: true }));

const configOf = (env: Env) => loadConfig({ projectDir, env });
const errorsOf = async (env: Env) =>
  settingErrors(await configOf(env), {
    isDevelopment: false,
    clock: { nowMs: () => Date.parse("2026-11-21T12:00:00Z") },
  }).map(({ message }) => message);

describe("settings that keep the server from starting", () => {
  it("are none when none are given", async () => {
    expect(await errorsOf({})).toEqual([]);
  });

  it.each<[string, Env, RegExp]>([
    ["a site URL that is none", { SITE_URL: "example.com" }, /^siteUrl must be/],
    ["an entry that matches any host", { MAINSTAY_REDIRECT_ALLOW_LIST: "https://*/**" }, /must end in a domain/],
    ["a mail server without a sender", { SMTP_HOST: "smtp.example.com" }, /MAINSTAY_SMTP_FROM/],
    ["half of a provider of text messages", { MAINSTAY_SMS_PROVIDER: "twilio" }, /smsTwilioAccountSid/],
    ["a text without its code", { MAINSTAY_SMS_TEMPLATE: "Hello" }, /\{\{ \.Code \}\}/],
    ["a country there is not", { MAINSTAY_SMS_ALLOWED_COUNTRIES: "UK" }, /"UK"/],
    ["fixed codes without an end", { MAINSTAY_SMS_TEST_OTP: "16505550100=123456" }, /VALID_UNTIL/],
    ["a hook without an address", { MAINSTAY_HOOK_SEND_SMS_ENABLED: "true" }, /MAINSTAY_HOOK_SEND_SMS_URI/],
    ["a captcha without a secret", { MAINSTAY_CAPTCHA: "true" }, /MAINSTAY_CAPTCHA_SECRET/],
    ["an Android app without a fingerprint", { MAINSTAY_ANDROID_APPS: "com.example.app" }, /androidApps/],
    ["a provider nobody knows", { MAINSTAY_OAUTH_PROVIDERS: '{"acme": {}}' }, /there is no "acme"/],
    ["an inbox for everybody", { MAINSTAY_INBOX: "on", HOST: "0.0.0.0" }, /MAINSTAY_INBOX is on/],
  ])("%s", async (_, env, message) => {
    const errors = await errorsOf(env);
    expect(errors).toHaveLength(1);
    expect(errors[0]).toMatch(message);
  });

  it("are told all at once", async () => {
    expect(await errorsOf({ SITE_URL: "x", MAINSTAY_CAPTCHA: "true", SMTP_HOST: "smtp.example.com" })).toHaveLength(3);
  });

  it("are told before anything is made", async () => {
    const start = startServer({ projectDir, env: { MAINSTAY_CAPTCHA: "true" }, observe: () => {} });
    await expect(start).rejects.toThrow("MAINSTAY_CAPTCHA_SECRET");
    expect(existsSync(join(projectDir, ".mainstay"))).toBe(false);
  });
});

describe("settings in force", () => {
  it("confirm addresses by themselves only as long as no mail can leave, unless somebody says", async () => {
    const isAutomatic = async (env: Env) => authSettingsOf(await configOf(env)).mailerAutoconfirm;
    expect(await isAutomatic({})).toBe(true);
    expect(await isAutomatic({ SMTP_HOST: "smtp.example.com" })).toBe(false);
    expect(await isAutomatic({ MAINSTAY_HOOK_SEND_EMAIL_ENABLED: "true" })).toBe(false);
    expect(await isAutomatic({ SMTP_HOST: "smtp.example.com", MAINSTAY_MAILER_AUTOCONFIRM: "true" })).toBe(true);
    expect(await isAutomatic({ MAINSTAY_MAILER_AUTOCONFIRM: "false" })).toBe(false);
  });
});
