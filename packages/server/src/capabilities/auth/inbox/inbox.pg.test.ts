import { request } from "node:http";
import { type BootedApp, boot } from "@mainstay/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openTestSmtpServer, type TestSmtpServer } from "../../../adapters/smtp/test-server.ts";
import { hasInbox } from "./enabled.ts";

let app: BootedApp;
let smtp: TestSmtpServer;

beforeAll(async () => {
  smtp = await openTestSmtpServer();
  app = await boot({
    env: {
      MAINSTAY_INBOX: "on",
      MAINSTAY_SMTP_HOST: "127.0.0.1",
      MAINSTAY_SMTP_PORT: String(smtp.port),
      MAINSTAY_SMTP_FROM: "no-reply@roam.example",
      MAINSTAY_SMTP_FROM_NAME: "Roam",
      MAINSTAY_PHONE_SIGNIN: "true",
      MAINSTAY_INBOX_MAX_MESSAGES: "5",
      MAINSTAY_OUTBOX_RETRY_FIRST_MS: "50",
      MAINSTAY_MAIL_MIN_INTERVAL_SECONDS: "0",
      MAINSTAY_CODE_ANSWER_MS: "0",
    },
  });
});
afterAll(async () => {
  await app?.stop();
  await smtp?.close();
});

const auth = (path: string, body: unknown) =>
  fetch(`${app.url}/auth/v1${path}`, {
    method: "POST",
    headers: { apikey: app.publishableKey, "content-type": "application/json" },
    body: JSON.stringify(body),
  });

interface Listed {
  readonly id: string;
  readonly kind: string;
  readonly to: string;
  readonly subject?: string;
  readonly text?: string;
  readonly html?: string;
  readonly body?: string;
  readonly template?: string;
  readonly is_read: boolean;
}

async function messages(query = ""): Promise<Listed[]> {
  const response = await fetch(`${app.url}/inbox/api/messages${query}`);
  expect(response.status).toBe(200);
  return ((await response.json()) as { messages: Listed[] }).messages;
}

async function arrived(query: string, count = 1): Promise<Listed[]> {
  await expect.poll(async () => (await messages(query)).length).toBeGreaterThanOrEqual(count);
  return messages(query);
}

/** As a browser sends it: `fetch` sets neither `Host` nor `Sec-Fetch-Site`. */
function raw(path: string, headers: Record<string, string>, method = "GET") {
  const { promise, resolve, reject } = Promise.withResolvers<{
    status: number;
    headers: Record<string, unknown>;
    body: string;
  }>();
  request(`${app.url}${path}`, { method, headers }, (response) => {
    let body = "";
    response.on("data", (chunk) => {
      body += chunk;
    });
    response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
  })
    .on("error", reject)
    .end();
  return promise;
}

describe("mails on their way", () => {
  it("go out by the mail server and into the inbox, once, although the server first says no", async () => {
    smtp.faults.RCPT = ["450 4.2.1 busy", "450 4.2.1 busy"];
    const reply = await auth("/signup", { email: "Ada@Example.com", password: "correct horse battery" });
    expect(reply.status).toBe(200);
    // With a mail server addresses are confirmed: there is no session yet.
    expect(await reply.json()).not.toHaveProperty("access_token");
    await expect.poll(() => smtp.mails.length).toBe(1);
    const [mail] = await arrived("?to=ada@example.com");
    expect(mail).toMatchObject({
      kind: "mail",
      template: "confirmation",
      subject: "Confirm your e-mail address for Roam",
    });
    expect(smtp.mails[0]?.to).toEqual(["ada@example.com"]);
    expect(smtp.mails[0]?.data).toContain(`Message-ID: <${mail?.id}@roam.example>`);
    expect(await messages("?to=ada@example.com")).toHaveLength(1);
    await expect.poll(async () => (await app.sql("select 1 from mainstay.outbox")).length).toBe(0);
  });

  it("carry the code that confirms", async () => {
    const [mail] = await arrived("?to=ada@example.com");
    const token = /\b\d{6}\b/.exec(mail?.text ?? "")?.[0];
    const reply = await auth("/verify", { type: "signup", email: "ada@example.com", token });
    expect(reply.status).toBe(200);
    expect(await reply.json()).toHaveProperty("access_token");
  });

  it("that are refused for good are told to whoever runs the server, and nothing of them stays", async () => {
    smtp.faults.RCPT = ["550 5.1.1 nobody"];
    await auth("/otp", { email: "nobody@example.com" });
    await expect.poll(() => app.observations.some(({ kind }) => kind === "outbox.given-up")).toBe(true);
    const find = () =>
      app.sql<{ payload: string }>(
        "select payload::text from auth.audit_log_entries where payload::text like '%undelivered%'",
      );
    await expect.poll(async () => (await find()).length).toBe(1);
    const [entry] = await find();
    expect(entry?.payload).toMatch(/confirmation|magic_link/);
    // An id may have six digits in a row; a code stands alone.
    expect(entry?.payload).not.toMatch(/(?<![\da-f-])\d{6}(?![\da-f-])/);
    expect(await app.sql("select 1 from mainstay.outbox")).toEqual([]);
  });

  it("text messages are caught where nobody sends them", async () => {
    const reply = await auth("/otp", { phone: "+491701234567" });
    expect(reply.status).toBe(200);
    const [sms] = await arrived("?kind=sms");
    expect(sms).toMatchObject({ kind: "sms", to: "491701234567", is_read: false });
    expect(sms?.body).toMatch(/^Your code is \d{6}$/);
  });
});

describe("the inbox", () => {
  it("lists by recipient and kind, shows one whole, and removes one or all", async () => {
    await auth("/otp", { email: "grace@example.com" });
    const [listed] = await arrived("?to=grace@example.com");
    expect(listed).not.toHaveProperty("html");
    const whole = (await (await fetch(`${app.url}/inbox/api/messages/${listed?.id}`)).json()) as Listed;
    expect(whole).toMatchObject({ id: listed?.id, is_read: true });
    expect(whole.html).toContain("<!doctype html>");
    expect((await messages("?limit=1")).length).toBe(1);
    expect((await fetch(`${app.url}/inbox/api/messages?limit=0`)).status).toBe(400);
    expect((await fetch(`${app.url}/inbox/api/messages/${listed?.id}`, { method: "DELETE" })).status).toBe(204);
    expect((await fetch(`${app.url}/inbox/api/messages/${listed?.id}`)).status).toBe(404);
    expect((await fetch(`${app.url}/inbox/api/messages/nonsense`)).status).toBe(404);
    expect((await fetch(`${app.url}/inbox/api/messages`, { method: "DELETE" })).status).toBe(204);
    expect(await messages()).toEqual([]);
  });

  it("keeps no more than it may", async () => {
    for (let n = 0; n < 8; n++) await auth("/otp", { email: `many${n}@example.com` });
    await arrived("?to=many7@example.com");
    await expect.poll(async () => (await app.sql("select 1 from mainstay.outbox")).length).toBe(0);
    expect(await messages("?limit=500")).toHaveLength(5);
  });

  it("X05: shows mails shut in, and serves everything under a policy that runs nothing foreign", async () => {
    await auth("/otp", { email: "shut@example.com" });
    const [mail] = await arrived("?to=shut@example.com");
    const shown = await raw(`/inbox/mails/${mail?.id}`, {});
    const policy = String(shown.headers["content-security-policy"]);
    expect(policy).toMatch(/^sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'/);
    expect(policy).not.toMatch(/script-src|allow-scripts|allow-same-origin/);
    expect(shown.body).toContain('<base target="_blank">');
    for (const path of ["/inbox", "/inbox/", "/inbox/inbox.js", "/inbox/inbox.css"]) {
      const page = await raw(path, {});
      expect(page.status).toBe(200);
      expect(String(page.headers["content-security-policy"])).toContain("default-src 'none'; script-src 'self'");
      expect(page.headers["x-content-type-options"]).toBe("nosniff");
      expect(page.body).not.toMatch(/ on\w+="|<script>/);
    }
  });

  it("is for this machine: foreign names that lead here, and pages of other sites, get nothing", async () => {
    const before = await messages("?limit=500");
    const port = new URL(app.url).port;
    const foreign: Record<string, string>[] = [
      { host: "evil.example" },
      { host: `evil.example:${port}` },
      { host: "127.0.0.1.evil.example" },
      { host: "localhost.evil.example" },
      { host: "127.0.0.1@evil.example" },
      { host: "0.0.0.0" },
      { origin: "https://evil.example" },
      { origin: "null" },
      { origin: "http://localhost:3000", host: `localhost:${port}` },
      { "sec-fetch-site": "cross-site", "sec-fetch-mode": "cors" },
      { "sec-fetch-site": "same-site", "sec-fetch-mode": "no-cors" },
      { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe" },
    ];
    for (const headers of foreign) {
      for (const path of ["/inbox", "/inbox/api/messages"]) {
        const reply = await raw(path, headers);
        expect(reply.status).toBe(403);
        expect(reply.headers).not.toHaveProperty("access-control-allow-origin");
      }
      expect((await raw("/inbox/api/messages", headers, "DELETE")).status).toBe(403);
    }
    const preflight = await raw(
      "/inbox/api/messages",
      { origin: "https://evil.example", "access-control-request-method": "DELETE" },
      "OPTIONS",
    );
    expect(preflight.headers).not.toHaveProperty("access-control-allow-origin");
    expect(await messages("?limit=500")).toEqual(before);
    for (const host of [`localhost:${port}`, `app.localhost:${port}`, `[::1]:${port}`]) {
      expect((await raw("/inbox", { host })).status).toBe(200);
    }
    const followed = { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" };
    expect((await raw("/inbox", followed)).status).toBe(200);
  });
});

describe("whether there is an inbox", () => {
  const decide = (
    inbox: "auto" | "on" | "off",
    isDevelopment: boolean,
    host = "127.0.0.1",
    environment: string | null = null,
  ) => hasInbox({ settings: { inbox, environment }, isDevelopment, host });

  it("is so in development on this machine, or where it is asked for there", () => {
    expect(decide("auto", true)).toBe(true);
    expect(decide("auto", false)).toBe(false);
    expect(decide("on", false)).toBe(true);
    expect(decide("off", true)).toBe(false);
    expect(decide("auto", true, "::1")).toBe(true);
  });

  it("is never so where others can reach it, or in production", () => {
    expect(decide("auto", true, "0.0.0.0")).toBe(false);
    expect(decide("auto", true, "127.0.0.1", "production")).toBe(false);
    expect(() => decide("on", true, "0.0.0.0")).toThrow(/listens on 0\.0\.0\.0/);
    expect(() => decide("on", true, "192.168.1.4")).toThrow(/listens on/);
    expect(() => decide("on", true, "127.0.0.1", "production")).toThrow(/production/);
  });
});
