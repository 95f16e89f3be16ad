import { createServer, type Server } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { mainstayHere } from "../in-process.testing.ts";
import { temporaryFolder } from "../testing.ts";

interface Found {
  readonly name: string;
  readonly state: "ok" | "warn" | "fail";
  readonly found: string;
  readonly remedy: string | null;
}

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
const servers: { close(): unknown }[] = [];

beforeAll(async () => {
  folder = await temporaryFolder();
  await mainstayHere(["init"], { cwd: folder.path });
});
afterAll(async () => {
  for (const server of servers) server.close();
  await folder.remove();
});

/** What the command says, without what is about the machine. */
async function examine(env: Readonly<Record<string, string>>) {
  const { code, out } = await mainstayHere(["doctor", "--json"], { cwd: folder.path, env });
  const findings = JSON.parse(out) as readonly Found[];
  return {
    code,
    text: out,
    of: (name: string) => findings.filter((finding) => finding.name === name),
    /** `name state` of all that calls for attention and is about sign-in. */
    troubles: findings
      .filter(({ name, state }) => state !== "ok" && !["node", "npm", "disk", "postgres", "port"].includes(name))
      .map(({ name, state }) => `${name} ${state}`),
  };
}

async function listen(server: Server): Promise<string> {
  servers.push(server);
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const sealed = `v1,whsec_${Buffer.alloc(32, 7).toString("base64")}`;

describe("mainstay doctor, about sign-in", () => {
  it("has nothing against a project nobody has set up yet, nor against one that is", async () => {
    expect((await examine({})).troubles).toEqual([]);
    const { troubles, of } = await examine({
      MAINSTAY_HOST: "0.0.0.0",
      MAINSTAY_PUBLIC_URL: "https://api.example.com",
      MAINSTAY_SITE_URL: "https://app.example.com",
      MAINSTAY_REDIRECT_ALLOW_LIST: "myapp://**,https://*.example.com/**",
      MAINSTAY_TRUSTED_PROXIES: "loopback",
      MAINSTAY_HOOK_SEND_EMAIL_ENABLED: "true",
      MAINSTAY_HOOK_SEND_EMAIL_URI: await listen(createServer((_, reply) => reply.writeHead(401).end())),
      MAINSTAY_HOOK_SEND_EMAIL_SECRETS: sealed,
      MAINSTAY_OAUTH_GOOGLE_ENABLED: "true",
      MAINSTAY_OAUTH_GOOGLE_CLIENT_ID: "id",
      MAINSTAY_OAUTH_GOOGLE_SECRET: "hidden-one",
      MAINSTAY_PASSKEYS: "true",
      MAINSTAY_WEBAUTHN_RP_ID: "example.com",
    });
    expect(troubles).toEqual([]);
    expect(of("providers")[0]?.found).toContain("https://api.example.com/auth/v1/callback");
    expect(of("hooks")[0]?.found).toMatch(/^sendEmail: 127\.0\.0\.1:\d+ answers$/);
  });

  it("finds what is wrong on an address that others reach", async () => {
    const { troubles } = await examine({
      MAINSTAY_HOST: "0.0.0.0",
      MAINSTAY_ANONYMOUS_SIGNIN: "true",
      MAINSTAY_AUTH_RATE_LIMITS: "false",
      MAINSTAY_REDIRECT_ALLOW_LIST: "https://*.vercel.app/**",
    });
    expect(troubles.toSorted()).toEqual([
      "captcha warn",
      "confirmation warn",
      "limits warn",
      "public-url warn",
      "redirects warn",
      "site-url warn",
    ]);
    const behindProxy = await examine({
      MAINSTAY_PUBLIC_URL: "https://api.example.com",
      SITE_URL: "http://example.com",
    });
    expect(behindProxy.troubles.toSorted()).toEqual(["confirmation warn", "proxies warn", "site-url warn"]);
  });

  it("finds what is half set up, and ends with 1", async () => {
    const { code, troubles, of } = await examine({
      MAINSTAY_PHONE_SIGNIN: "true",
      MAINSTAY_OAUTH_GITHUB_ENABLED: "true",
      MAINSTAY_MAILER_AUTOCONFIRM: "false",
      MAINSTAY_PASSKEYS: "true",
      MAINSTAY_SITE_URL: "https://app.example.com",
      MAINSTAY_WEBAUTHN_RP_ID: "example.org",
    });
    expect(code).toBe(1);
    expect(troubles.toSorted()).toEqual(["confirmation warn", "passkeys warn", "providers fail", "text-messages fail"]);
    expect(of("providers")[0]).toMatchObject({ remedy: "Set MAINSTAY_OAUTH_GITHUB_CLIENT_ID." });
  });

  it("tells all that keeps the server from starting", async () => {
    const { code, of } = await examine({ MAINSTAY_CAPTCHA: "true", SMTP_HOST: "smtp.example.com" });
    expect(code).toBe(1);
    expect(of("sign-in").map(({ state }) => state)).toEqual(["fail", "fail"]);
  });

  it("knocks at the mail server and at hooks", async () => {
    const closed = createTcpServer();
    await new Promise<void>((listening) => closed.listen(0, "127.0.0.1", listening));
    const { port } = closed.address() as AddressInfo;
    await new Promise((done) => closed.close(done));
    const { of } = await examine({
      SMTP_HOST: "127.0.0.1",
      SMTP_PORT: String(port),
      SMTP_ADMIN_EMAIL: "no-reply@host.invalid",
      MAINSTAY_HOOK_SEND_SMS_ENABLED: "true",
      MAINSTAY_HOOK_SEND_SMS_URI: `http://127.0.0.1:${port}/sms`,
      MAINSTAY_HOOK_SEND_SMS_SECRETS: sealed,
      MAINSTAY_HOOK_BEFORE_USER_CREATED_ENABLED: "true",
      MAINSTAY_HOOK_BEFORE_USER_CREATED_URI: await listen(
        createServer((_, reply) => reply.writeHead(302, { Location: "https://example.com" }).end()),
      ),
      MAINSTAY_HOOK_BEFORE_USER_CREATED_SECRETS: sealed,
    });
    expect(of("mail")[0]).toMatchObject({ state: "fail", found: expect.stringContaining("cannot be reached") });
    const hooks = of("hooks").map(({ state, found }) => `${state} ${found}`);
    expect(hooks.find((text) => text.includes("sendSms"))).toMatch(/^fail .*cannot be reached/);
    expect(hooks.find((text) => text.includes("beforeUserCreated"))).toMatch(/^fail .*redirect/);
  });

  it("looks at days: of fixed codes, and of Apple's client secret", async () => {
    const day = (days: number) => new Date(Date.now() + days * 86_400_000);
    const codes = (days: number) => ({
      MAINSTAY_SMS_TEST_OTP: "16505550100=123456",
      MAINSTAY_SMS_TEST_OTP_VALID_UNTIL: day(days).toISOString().slice(0, 10),
    });
    const exp = Math.floor(day(10).getTime() / 1000);
    const soon = await examine({
      ...codes(3),
      MAINSTAY_OAUTH_APPLE_ENABLED: "true",
      MAINSTAY_OAUTH_APPLE_CLIENT_ID: "com.example.app",
      MAINSTAY_OAUTH_APPLE_SECRET: `e30.${Buffer.from(JSON.stringify({ exp })).toString("base64url")}.x`,
    });
    expect(soon.troubles).toEqual(["test-numbers warn", "providers warn"]);
    expect((await examine(codes(-2))).of("test-numbers")[0]).toMatchObject({ state: "warn" });
    expect((await examine(codes(90))).of("test-numbers")[0]).toMatchObject({ state: "ok" });
  });

  it("says where keys are that only one machine has, and shows no secret (threat A28)", async () => {
    const url = "postgres://owner:hidden-one@127.0.0.1:1/app";
    const alone = await examine({ DATABASE_URL: url });
    expect(alone.of("keys")[0]).toMatchObject({
      state: "warn",
      remedy: expect.stringContaining("MAINSTAY_MASTER_KEY"),
    });
    const master = "hidden-two-hidden-two-hidden-two-hidden-two";
    const shared = await examine({ DATABASE_URL: url, MAINSTAY_MASTER_KEY: master });
    expect(shared.of("keys")[0]?.state).toBe("ok");
    expect(alone.text + shared.text).not.toMatch(/hidden-/);
  });
});
