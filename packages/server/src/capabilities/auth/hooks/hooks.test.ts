import { createServer } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { Problem } from "../../../kernel/problem.ts";
import { readSettings, SettingError } from "../../../kernel/settings.ts";
import type { Database } from "../../../platform/postgres/database.ts";
import type { AuthSettings } from "../context.ts";
import type { AuthMail } from "../messages.ts";
import { authSettings } from "../settings.ts";
import type { User } from "../user.ts";
import { checkedClaims } from "./claims.ts";
import { createHooks } from "./index.ts";
import { isSigned, openTestHook, secret, type TestHook } from "./testing.ts";

const defaults = readSettings(authSettings, { env: {} }).values as AuthSettings;
const clock = { nowMs: () => 1_700_000_000_500 };
// None of these hooks is in the database.
const db = {} as Database;
const opened: TestHook[] = [];

afterEach(async () => {
  await Promise.all(opened.splice(0).map((hook) => hook.close()));
});

async function hookOf(answer: Parameters<typeof openTestHook>[0]): Promise<TestHook> {
  const hook = await openTestHook(answer);
  opened.push(hook);
  return hook;
}

const hooksWith = (settings: Partial<AuthSettings>) =>
  createHooks({ settings: { ...defaults, ...settings }, db, clock });

const passwordHook = (url: string, secrets = secret) =>
  hooksWith({
    passwordVerificationHookEnabled: true,
    passwordVerificationHookUri: url,
    passwordVerificationHookSecrets: secrets,
  });

const failure = async (work: Promise<unknown>): Promise<Problem> => {
  const error = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(Problem);
  return error as Problem;
};

const goOn = { decision: "continue" };

describe("a hook over HTTP", () => {
  test("is told what happens, signed with every secret while they are being rotated", async () => {
    const old = Buffer.from("the secret of before, just as long");
    const hook = await hookOf(() => goOn);
    const hooks = passwordHook(hook.url, `v1,whsec_${old.toString("base64")}|${secret}`);
    expect(await hooks.onPasswordAttempt("u1", true)).toEqual({ rejectedBecause: null, endsSessions: false });
    const [delivery] = hook.seen;
    expect(delivery?.body).toMatchObject({
      user_id: "u1",
      valid: true,
      metadata: { name: "password-verification", time: "2023-11-14T22:13:20.500Z" },
    });
    expect(delivery?.headers["webhook-timestamp"]).toBe("1700000000");
    expect(delivery?.headers["content-type"]).toBe("application/json");
    expect([isSigned(delivery!), isSigned(delivery!, old), isSigned(delivery!, Buffer.alloc(32))]).toEqual([
      true,
      true,
      false,
    ]);
  });

  test("is asked again after 429 and 503 with Retry-After, under the same id, three times at most", async () => {
    const hook = await hookOf((_delivery, at, reply) => {
      if (at === 2) return goOn;
      reply.writeHead(at === 0 ? 429 : 503, { "Retry-After": "0" }).end();
      return undefined;
    });
    await passwordHook(hook.url).onPasswordAttempt("u1", true);
    expect(new Set(hook.seen.map(({ headers }) => headers["webhook-id"])).size).toBe(1);
    expect(hook.seen).toHaveLength(3);
    const busy = await hookOf((_delivery, _at, reply) => void reply.writeHead(503, { "Retry-After": "0" }).end());
    expect(await failure(passwordHook(busy.url).onPasswordAttempt("u1", true))).toMatchObject({ status: 503 });
    expect(busy.seen).toHaveLength(3);
  });

  test("is not waited for longer than its time, nor asked again where it does not say when", async () => {
    for (const headers of [{ "Retry-After": "60" }, {}]) {
      const hook = await hookOf((_delivery, _at, reply) => void reply.writeHead(429, headers).end());
      expect(await failure(passwordHook(hook.url).onPasswordAttempt("u1", true))).toMatchObject({
        code: "auth/unexpected_failure",
        status: 503,
      });
      expect(hook.seen).toHaveLength(1);
    }
  });

  test("that does not answer is given up after 5 seconds in all", async () => {
    const hook = await hookOf((_delivery, at, reply) => {
      if (at === 0) reply.writeHead(503, { "Retry-After": "1" }).end();
      return undefined;
    });
    const beganMs = performance.now();
    const problem = await failure(passwordHook(hook.url).onPasswordAttempt("u1", true));
    expect(problem).toMatchObject({ code: "auth/hook_timeout", status: 504 });
    // The issue names the bound; a second for the machine.
    expect(performance.now() - beganMs).toBeLessThan(6_000);
  });

  test("that is away is hook_timeout_after_retry", async () => {
    let connections = 0;
    const server = createServer((socket) => {
      connections++;
      socket.destroy();
    });
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    const { port } = server.address() as { port: number };
    const problem = await failure(passwordHook(`http://127.0.0.1:${port}/`).onPasswordAttempt("u1", true));
    expect(problem).toMatchObject({ code: "auth/hook_timeout_after_retry", status: 503 });
    expect(connections).toBe(3);
    await new Promise((closed) => server.close(closed));
  });

  test("A30 that answers nonsense, too much, or a redirect decides nothing", async () => {
    const json = { "Content-Type": "application/json" };
    const faults: [Record<string, string>, number, string, string][] = [
      [{ "Content-Type": "text/html" }, 200, "{}", "hook_payload_invalid_content_type"],
      [{ "Content-Type": "application/jsonp" }, 200, "{}", "hook_payload_invalid_content_type"],
      [{}, 200, "{}", "hook_payload_invalid_content_type"],
      [json, 200, JSON.stringify({ decision: "continue", pad: "x".repeat(205_000) }), "hook_payload_over_size_limit"],
      [json, 200, "{", "unexpected_failure"],
      [json, 200, "[]", "unexpected_failure"],
      [json, 200, "{}", "unexpected_failure"],
      [json, 200, '{"decision":"maybe"}', "unexpected_failure"],
      [json, 201, '{"decision":"continue"}', "unexpected_failure"],
      [json, 400, "{}", "unexpected_failure"],
      [json, 401, "{}", "unexpected_failure"],
      [json, 500, '{"decision":"continue"}', "unexpected_failure"],
      [{ Location: "http://169.254.169.254/" }, 302, "", "unexpected_failure"],
    ];
    for (const [headers, status, body, code] of faults) {
      const hook = await hookOf((_delivery, _at, reply) => void reply.writeHead(status, headers).end(body));
      const problem = await failure(passwordHook(hook.url).onPasswordAttempt("u1", true));
      expect([body.slice(0, 40), problem.code, problem.status]).toEqual([body.slice(0, 40), `auth/${code}`, 500]);
    }
  });

  test("refuses with its own status and words", async () => {
    const refusals: [unknown, number][] = [
      [{ error: { http_code: 429, message: "Slow down." } }, 429],
      [{ error: { message: "Slow down." } }, 500],
      [{ error: { http_code: 200, message: "Slow down." } }, 500],
    ];
    for (const [answer, status] of refusals) {
      const hook = await hookOf(() => answer);
      expect(await failure(passwordHook(hook.url).onPasswordAttempt("u1", true))).toMatchObject({
        status,
        message: "Slow down.",
      });
    }
  });

  test("is not told more than 200 KB", async () => {
    const hook = await hookOf(() => ({ claims: {} }));
    const hooks = hooksWith({
      customAccessTokenHookEnabled: true,
      customAccessTokenHookUri: hook.url,
      customAccessTokenHookSecrets: secret,
    });
    const problem = await failure(hooks.customizeAccessToken({ pad: "x".repeat(210_000) }, "u1", "password"));
    expect(problem.code).toBe("auth/hook_payload_over_size_limit");
    expect(hook.seen).toEqual([]);
  });

  test("may decide to end all sessions", async () => {
    const hook = await hookOf(() => ({ decision: "reject", should_logout_user: true }));
    expect(await passwordHook(hook.url).onPasswordAttempt("u1", false)).toEqual({
      rejectedBecause: "Further password verification attempts will be rejected.",
      endsSessions: true,
    });
  });

  test("A16 nobody is asked about an account that is not there, and it takes as long", async () => {
    const hook = await hookOf(async () => {
      await new Promise((later) => setTimeout(later, 300));
      return goOn;
    });
    const hooks = passwordHook(hook.url);
    await hooks.onPasswordAttempt("u1", false);
    const beganMs = performance.now();
    await hooks.onPasswordAttempt(null, false);
    expect(performance.now() - beganMs).toBeGreaterThan(250);
    expect(hook.seen).toHaveLength(1);
  });
});

describe("messages", () => {
  const user = { id: "u1", email: "ann@example.com", newEmail: "", identities: [], factors: [] } as unknown as User;
  const mail: AuthMail = {
    kind: "magic_link",
    to: "ann@example.com",
    user,
    otp: "123456",
    tokenHash: "hash",
    verifyType: "magiclink",
    redirectTo: "myapp://in",
    newEmail: "",
    facts: {},
  };
  const send = async (given: AuthMail) => {
    const hook = await hookOf(() => ({}));
    const hooks = hooksWith({ sendEmailHookEnabled: true, sendEmailHookUri: hook.url, sendEmailHookSecrets: secret });
    expect([hooks.sendsMail, hooks.sendsSms]).toEqual([true, false]);
    await hooks.sendMail(given);
    return hook.seen[0]!.body;
  };

  test("go to the app's hook in GoTrue's words", async () => {
    expect(await send(mail)).toMatchObject({
      user: { id: "u1", email: "ann@example.com" },
      email_data: {
        token: "123456",
        token_hash: "hash",
        redirect_to: "myapp://in",
        email_action_type: "magiclink",
        site_url: "http://127.0.0.1:54321/auth/v1",
        token_new: "",
        token_hash_new: "",
      },
    });
  });

  test("of a change of address have their hashes crossed, as GoTrue's are", async () => {
    const change: AuthMail = { ...mail, kind: "email_change", newEmail: "bob@example.com" };
    expect((await send(change)).email_data).toMatchObject({ token: "123456", token_hash_new: "hash", token_hash: "" });
    expect((await send({ ...change, to: "bob@example.com" })).email_data).toMatchObject({
      token_new: "123456",
      token_hash: "hash",
      token_hash_new: "",
      email: "bob@example.com",
    });
  });

  test("by SMS carry code, number and purpose; 204 will do for an answer", async () => {
    const hook = await hookOf((_delivery, _at, reply) => void reply.writeHead(204).end());
    const hooks = hooksWith({ sendSmsHookEnabled: true, sendSmsHookUri: hook.url, sendSmsHookSecrets: secret });
    await hooks.sendSms({ purpose: "sms", to: "4917012345678", otp: "654321", channel: "sms", user });
    expect(hook.seen[0]?.body).toMatchObject({
      user: { id: "u1" },
      sms: { otp: "654321", sms_type: "sms", phone: "4917012345678" },
    });
  });
});

describe("claims", () => {
  const given = {
    iss: "https://host/auth/v1",
    aud: "authenticated",
    exp: 1_000_100,
    iat: 1_000_000,
    sub: "u1",
    email: "",
    phone: "",
    role: "authenticated",
    aal: "aal1",
    session_id: "s1",
    is_anonymous: false,
  };

  test("may be added, left out where nobody needs them, and end the token sooner", () => {
    const { iss: _, ...rest } = given;
    const answer = { ...rest, exp: 1_000_050, role: "editor", user_role: "admin" };
    expect(checkedClaims("x", given, answer)).toEqual(answer);
  });

  test.each([
    ["not an object", []],
    ["missing", undefined],
    ...["aud", "exp", "iat", "sub", "email", "phone", "role", "aal", "session_id", "is_anonymous"].map(
      (name): [string, unknown] => [
        `without ${name}`,
        Object.fromEntries(Object.entries(given).filter(([key]) => key !== name)),
      ],
    ),
    ["another user", { ...given, sub: "u2" }],
    ["another session", { ...given, session_id: "s2" }],
    ["a higher level", { ...given, aal: "aal2" }],
    ["an anonymous user made permanent", { ...given, is_anonymous: true }],
    ["another issuer", { ...given, iss: "https://evil.example" }],
    ["a later end", { ...given, exp: 2_000_000 }],
    ["an end that is no number", { ...given, exp: "soon" }],
    ["another begin", { ...given, iat: 1 }],
    ["A18 the service role", { ...given, role: "service_role" }],
    ["A18 an administrator", { ...given, role: "supabase_admin" }],
    ["no role", { ...given, role: "" }],
  ])("%s is refused", (_name, answer) => {
    expect(() => checkedClaims("x", given, answer)).toThrow(Problem);
  });
});

describe("settings", () => {
  test.each([
    [null, secret, "_URI must be set"],
    ["", secret, "_URI must be set"],
    ["nonsense", secret, "must be a URL"],
    ["http://hooks.example/x", secret, "https://"],
    ["file:///etc/passwd", secret, "https://"],
    ["pg-functions://other/public/f", null, "pg-functions://postgres"],
    ["pg-functions://postgres/public", null, "pg-functions://postgres"],
    ["pg-functions://postgres/public/f/g", null, "pg-functions://postgres"],
    ["pg-functions://postgres/public/f();drop", null, "pg-functions://postgres"],
    ["https://hooks.example/x", null, "_SECRETS must be set"],
    ["https://hooks.example/x", "whsec_abc", "v1,whsec_"],
    ["https://hooks.example/x", "v1,whsec_c2hvcnQ=", "24 to 64 bytes"],
    ["https://hooks.example/x", `${secret}|nonsense`, "v1,whsec_"],
  ])("A29 %j with secret %j is refused at start", (uri, secrets, words) => {
    const settings = { sendSmsHookEnabled: true, sendSmsHookUri: uri, sendSmsHookSecrets: secrets };
    expect(() => hooksWith(settings)).toThrow(SettingError);
    expect(() => hooksWith(settings)).toThrow(words);
    // Off, it is nobody's concern.
    expect(hooksWith({ ...settings, sendSmsHookEnabled: false }).sendsSms).toBe(false);
  });
});
