import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SettingError } from "../../../kernel/settings.ts";
import type { AuthSettings } from "../context.ts";
import { openTestAuth, type Request, type TestAuth } from "../testing.ts";

type Handler = (form: URLSearchParams, reply: ServerResponse) => void;

/** A provider's siteverify address: what it was asked, and an answer of the test's choosing. */
const asked: URLSearchParams[] = [];
let answer: Handler;
let server: Server;
let auth: TestAuth;
let protectedAuth: TestAuth;

const passes: Handler = (_, reply) => reply.end(JSON.stringify({ success: true, hostname: "app.example.com" }));
const says =
  (body: unknown, status = 200): Handler =>
  (_, reply) =>
    reply.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(body));

beforeAll(async () => {
  server = createServer(async (request: IncomingMessage, reply) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const form = new URLSearchParams(Buffer.concat(chunks).toString());
    asked.push(form);
    answer(form, reply);
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  auth = await openTestAuth({ anonymousEnabled: true });
  protectedAuth = withCaptcha();
});

afterAll(async () => {
  await auth.close();
  server.closeAllConnections();
  server.close();
});

const withCaptcha = (settings: Partial<AuthSettings> = {}): TestAuth =>
  auth.with({
    anonymousEnabled: true,
    captchaEnabled: true,
    captchaSecret: "the secret",
    captchaUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/siteverify`,
    captchaTimeoutMs: 300,
    ...settings,
  });

let count = 0;
const freshToken = (): string => `token-${++count}`;
const anonymously = (token: unknown = freshToken(), on = protectedAuth, request: Request = {}) =>
  on.send("POST", "/signup", { body: { gotrue_meta_security: { captcha_token: token } }, ...request });
const disallowed = (reasons: string) => ({
  code: 400,
  error_code: "captcha_failed",
  msg: `captcha protection: request disallowed (${reasons})`,
});

describe("a solved captcha", () => {
  test("lets one pass; the provider gets secret, token and the caller's address", async () => {
    answer = passes;
    const reply = await anonymously("solved", protectedAuth, { address: "198.51.100.9" });
    expect(reply.status).toBe(200);
    expect(Object.fromEntries(asked.at(-1)!)).toEqual({
      secret: "the secret",
      response: "solved",
      remoteip: "198.51.100.9",
    });
  });

  test("is needed for sign-up and for signing in with a password", async () => {
    answer = passes;
    const account = { email: "captcha@example.com", password: "correct horse" };
    const solved = () => ({ ...account, gotrue_meta_security: { captcha_token: freshToken() } });
    for (const target of ["/signup", "/token?grant_type=password"]) {
      const refused = await protectedAuth.send("POST", target, { body: account });
      expect([refused.status, refused.body]).toEqual([400, disallowed("no captcha_token found")]);
      expect((await protectedAuth.send("POST", target, { body: solved() })).status).toBe(200);
    }
    expect(await auth.sql("select 1 from auth.users where email = $1", [account.email])).toHaveLength(1);
  });

  test("is not needed to refresh, nor by whoever has the service key", async () => {
    answer = passes;
    const { body } = await anonymously();
    const before = asked.length;
    const refresh = { body: { refresh_token: body.refresh_token } };
    expect((await protectedAuth.send("POST", "/token?grant_type=refresh_token", refresh)).status).toBe(200);
    expect((await protectedAuth.admin("POST", "/signup", {})).status).toBe(200);
    expect(asked).toHaveLength(before);
  });

  test("works once, also of many at the same time, and the provider is asked once", async () => {
    answer = (_, reply) => setTimeout(() => reply.end('{"success":true}'), 20);
    const before = asked.length;
    const replies = await Promise.all(Array.from({ length: 20 }, () => anonymously("shared")));
    expect(replies.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(replies.find(({ status }) => status !== 200)?.body).toEqual(disallowed("timeout-or-duplicate"));
    expect(asked).toHaveLength(before + 1);
  });

  test.each([
    ["nothing", undefined],
    ["null", null],
    ["a number", 5],
    ["spaces", "   "],
    ["an object", { captcha_token: "x" }],
  ])("is not %s", async (_what, token) => {
    const before = asked.length;
    const body = { gotrue_meta_security: token === undefined ? {} : { captcha_token: token } };
    const reply = await protectedAuth.send("POST", "/signup", { body });
    expect([reply.status, reply.body]).toEqual([400, disallowed("no captcha_token found")]);
    expect(asked).toHaveLength(before);
  });
});

describe("a captcha that does not pass", () => {
  test("is refused in the provider's words, in both shapes of an error", async () => {
    answer = says({ success: false, "error-codes": ["invalid-input-response", "bad-request"] });
    expect((await anonymously()).body).toEqual(disallowed("invalid-input-response, bad-request"));
    const headers = { "x-supabase-api-version": "2024-01-01" };
    expect((await anonymously(freshToken(), protectedAuth, { headers })).body).toEqual({
      code: "captcha_failed",
      message: "captcha protection: request disallowed (invalid-input-response, bad-request)",
    });
  });

  test("does not bring the provider's prose, markup or secrets to the caller", async () => {
    answer = says({ success: false, "error-codes": ["<script>", "The secret is 123!", 7] });
    expect((await anonymously()).body).toEqual(disallowed("invalid-input-response"));
  });

  test("was solved elsewhere, or for something else", async () => {
    const strict = withCaptcha({
      captchaProvider: "turnstile",
      captchaHostnames: ["app.example.com"],
      captchaAction: "login",
    });
    answer = says({ success: true, hostname: "app.example.com", action: "login" });
    expect((await anonymously(freshToken(), strict)).status).toBe(200);
    answer = says({ success: true, hostname: "evil.example.com", action: "comment" });
    expect((await anonymously(freshToken(), strict)).body).toEqual(disallowed("hostname-mismatch, action-mismatch"));
    answer = says({ success: true });
    expect((await anonymously(freshToken(), strict)).body).toEqual(disallowed("hostname-mismatch, action-mismatch"));
  });

  test("has too low a score, where there are scores", async () => {
    const scored = withCaptcha({ captchaProvider: "recaptcha", captchaMinScorePercent: 70 });
    for (const [score, reason] of [
      [0.9, null],
      [0.7, null],
      [0.69, "score-too-low"],
      ["0.9", "score-too-low"],
      [undefined, null],
    ] as const) {
      answer = says({ success: true, score });
      const reply = await anonymously(freshToken(), scored);
      if (reason === null) expect([score, reply.status]).toEqual([score, 200]);
      else expect([score, reply.body]).toEqual([score, disallowed(reason)]);
    }
  });
});

describe("a provider out of order", () => {
  test.each<[string, Handler]>([
    ["hangs", () => {}],
    ["answers 500", says({ success: true }, 500)],
    ["answers no JSON", (_, reply) => reply.end("<html>")],
    ["answers JSON of another kind", says({ ok: true })],
    ["answers success as text", says({ success: "true" })],
    ["redirects", (_, reply) => reply.writeHead(302, { Location: "http://127.0.0.1/yes" }).end()],
    ["breaks off", (_, reply) => reply.destroy()],
    ["answers without end", (_, reply) => reply.end("x".repeat(100_000))],
  ])("that %s lets nobody pass, and the token can be shown again", async (_what, fault) => {
    const token = freshToken();
    const users = await auth.sql("select count(*) from auth.users");
    answer = fault;
    const reply = await anonymously(token);
    expect([reply.status, reply.body.error_code, reply.body.msg]).toEqual([
      500,
      "unexpected_failure",
      "captcha verification process failed",
    ]);
    expect(await auth.sql("select count(*) from auth.users")).toEqual(users);
    expect(auth.seen.at(-1)).toMatchObject({ kind: "warning", area: "auth" });
    answer = passes;
    expect((await anonymously(token)).status).toBe(200);
  });
});

test("a flood of made-up tokens asks the provider a few at a time, and beyond a queue nobody", async () => {
  let asking = 0;
  let most = 0;
  answer = (_, reply) => {
    most = Math.max(most, ++asking);
    setTimeout(() => {
      asking--;
      reply.end('{"success":false,"error-codes":["invalid-input-response"]}');
    }, 10);
  };
  const bounded = withCaptcha({ captchaConcurrency: 2, captchaQueueLimit: 3, captchaTimeoutMs: 5_000 });
  const tokens = Array.from({ length: 20 }, freshToken);
  const replies = await Promise.all(tokens.map((token) => anonymously(token, bounded)));
  expect(replies.filter(({ status }) => status === 400)).toHaveLength(5);
  const waved = replies.filter(({ status }) => status === 429);
  expect(waved).toHaveLength(15);
  expect([waved[0]?.body.error_code, waved[0]?.headers["retry-after"]]).toEqual(["over_request_rate_limit", "1"]);
  expect(most).toBe(2);
  answer = passes;
  expect((await anonymously(tokens.at(-1), bounded)).status).toBe(200);
});

test("a captcha without a secret keeps the server from starting", () => {
  expect(() => withCaptcha({ captchaSecret: null })).toThrow(SettingError);
});
