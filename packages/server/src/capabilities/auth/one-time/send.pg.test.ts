import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Method } from "../../../kernel/route.ts";
import { openTestAuth, type TestAuth } from "../testing.ts";

let auth: TestAuth;
beforeAll(async () => {
  auth = await openTestAuth({
    mailerAutoconfirm: false,
    phoneEnabled: true,
    codeAnswerMs: 0,
    siteUrl: "https://app.example.com",
    redirectAllowList: ["myapp://login-callback"],
    publicUrl: "https://api.example.com",
  });
});
afterAll(() => auth.close());
beforeEach(() => {
  auth.sent.mails.length = 0;
  auth.sent.sms.length = 0;
});

let count = 0;
const freshEmail = () => `send${++count}@example.com`;
const freshPhone = () => `4915112${String(++count).padStart(5, "0")}`;
const challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const post = (target: string, body: unknown, from = auth) => from.send("POST", target, { body });
const user = async (email: string) => (await auth.sql("select * from auth.users where email = $1", [email]))[0]!;
const confirmed = async (): Promise<string> => {
  const email = freshEmail();
  await auth.admin("POST", "/admin/users", { email, password: "correct horse", email_confirm: true });
  return email;
};

describe("/otp by mail", () => {
  test("somebody new gets an account without a password, unconfirmed, and the mail that sign-up sends", async () => {
    const email = freshEmail();
    const body = { email: email.toUpperCase(), data: { name: "Ada" } };
    const { status, body: answer, headers } = await post("/otp?redirect_to=myapp://login-callback", body);
    expect([status, answer]).toEqual([200, {}]);
    expect(headers["cache-control"]).toBe("private, no-store");
    const row = await user(email);
    expect(row).toMatchObject({ encrypted_password: "", email_confirmed_at: null, is_anonymous: false });
    expect(row.confirmation_sent_at).not.toBeNull();
    expect(row.raw_user_meta_data).toMatchObject({ name: "Ada", email_verified: false });
    expect(auth.sent.mails).toMatchObject([
      { kind: "confirmation", to: email, verifyType: "signup", redirectTo: "myapp://login-callback", newEmail: "" },
    ]);
    expect(auth.sent.mails[0]!.otp).toMatch(/^\d{6}$/);
    expect(auth.sent.mails[0]!.tokenHash).toMatch(/^[0-9a-f]{56}$/);
  });

  test("somebody known gets a magic link, and keeps their metadata", async () => {
    const email = await confirmed();
    expect((await post("/otp", { email, create_user: false, data: { name: "Eve" } })).status).toBe(200);
    expect(auth.sent.mails).toMatchObject([{ kind: "magic_link", verifyType: "magiclink", to: email }]);
    const row = await user(email);
    expect(row.recovery_sent_at).not.toBeNull();
    expect(row.raw_user_meta_data).not.toHaveProperty("name");
  });

  test("/magiclink is the same for older clients", async () => {
    const email = await confirmed();
    expect((await post("/magiclink", { email })).body).toEqual({});
    expect(auth.sent.mails).toMatchObject([{ kind: "magic_link", to: email }]);
  });

  test("what the database has opens nothing: neither code nor link is in it", async () => {
    const email = freshEmail();
    await post("/otp", { email });
    const { otp, tokenHash } = auth.sent.mails[0]!;
    const dump = JSON.stringify([
      await auth.sql("select * from mainstay.one_time_tokens where address = $1", [email]),
      await user(email),
    ]);
    expect(dump).not.toContain(`"${otp}"`);
    expect(dump).not.toContain(tokenHash);
  });

  test("the length of codes is a setting", async () => {
    const long = auth.with({ mailCodeLength: 10, mailerAutoconfirm: false, codeAnswerMs: 0 });
    await post("/otp", { email: freshEmail() }, long);
    expect(auth.sent.mails[0]!.otp).toMatch(/^\d{10}$/);
  });

  test("PKCE: the link says so, and the challenge is kept", async () => {
    const email = freshEmail();
    await post("/otp", { email, code_challenge: challenge, code_challenge_method: "s256" });
    expect(auth.sent.mails[0]!.tokenHash).toMatch(/^pkce_[0-9a-f]{56}$/);
    const [flow] = await auth.sql("select * from auth.flow_state where user_id = $1", [(await user(email)).id]);
    expect(flow).toMatchObject({ code_challenge: challenge, code_challenge_method: "s256", auth_code: null });
  });

  test("a refusal says what is wrong and changes nothing", async () => {
    const unknown = freshEmail();
    const rows = () => auth.sql("select count(*)::int as n from auth.users");
    const before = await rows();
    const off = auth.with({ disableSignup: true, codeAnswerMs: 0 });
    const noMail = auth.with({ emailEnabled: false, phoneEnabled: false, codeAnswerMs: 0 });
    const cases: [unknown, number, string, TestAuth?][] = [
      [{ email: unknown, create_user: false }, 422, "otp_disabled"],
      [{ email: unknown }, 422, "signup_disabled", off],
      [{ email: unknown }, 422, "email_provider_disabled", noMail],
      [{ phone: "15550100" }, 422, "phone_provider_disabled", noMail],
      [{ email: "nobody" }, 400, "validation_failed"],
      [{ phone: "x" }, 400, "validation_failed"],
      [{}, 400, "validation_failed"],
      [{ email: unknown, phone: "15550100" }, 400, "validation_failed"],
      [{ email: unknown, channel: "sms" }, 400, "validation_failed"],
      [{ phone: "15550100", channel: "pigeon" }, 400, "validation_failed"],
      [{ email: unknown, code_challenge: challenge }, 400, "validation_failed"],
      [{ email: unknown, code_challenge: "short", code_challenge_method: "s256" }, 400, "validation_failed"],
      [{ email: 7 }, 400, "bad_json"],
      [{ email: unknown, data: [] }, 400, "bad_json"],
      ["{", 400, "bad_json"],
    ];
    for (const [body, status, code, from] of cases) {
      const reply = await post("/otp", body, from);
      expect.soft([reply.status, reply.body.error_code], JSON.stringify(body)).toEqual([status, code]);
    }
    expect(await rows()).toEqual(before);
    expect(auth.sent).toEqual({ mails: [], sms: [] });
  });
});

describe("/otp by phone", () => {
  test("somebody new gets an account and a code; so does somebody known", async () => {
    const phone = freshPhone();
    for (const channel of [undefined, "whatsapp"]) {
      const reply = await post("/otp", { phone: `+${phone}`, channel });
      expect(reply).toMatchObject({ status: 200, body: { message_id: `message-${auth.sent.sms.length}` } });
    }
    expect(auth.sent.sms).toMatchObject([
      { purpose: "sms", to: phone, channel: "sms" },
      { purpose: "sms", to: phone, channel: "whatsapp" },
    ]);
    const [row] = await auth.sql("select * from auth.users where phone = $1", [phone]);
    expect(row).toMatchObject({ phone_confirmed_at: null, encrypted_password: "" });
    expect(row!.confirmation_sent_at).not.toBeNull();
    expect((await post("/otp", { phone: freshPhone(), create_user: false })).body.error_code).toBe("otp_disabled");
  });

  test("a test number has its fixed code, for as long as it is allowed, and nothing is sent or counted", async () => {
    const phone = freshPhone();
    const until = new Date(Date.now() + 86_400_000).toISOString().slice(0, 10);
    const review = auth.with({
      phoneEnabled: true,
      smsTestOtp: [`${phone}=424242`],
      smsTestOtpValidUntil: until,
      codeAnswerMs: 0,
      rateLimits: true,
    });
    for (let at = 0; at < 2; at++) expect((await post("/otp", { phone }, review)).body).toEqual({});
    expect(auth.sent.sms).toEqual([]);
    const verified = await post("/verify", { type: "sms", phone, token: "424242" }, review);
    expect(verified.status).toBe(200);
    expect((await post("/verify", { type: "sms", phone, token: "424242" }, review)).status).toBe(403);
  });
});

describe("/recover and /resend", () => {
  test("a way in for who has lost the password", async () => {
    const email = await confirmed();
    expect(await post("/recover", { email })).toMatchObject({ status: 200, body: {} });
    expect(auth.sent.mails).toMatchObject([{ kind: "recovery", verifyType: "recovery", to: email }]);
    expect((await user(email)).recovery_sent_at).not.toBeNull();
  });

  test("a confirmation sent again makes the earlier one void", async () => {
    const email = freshEmail();
    await post("/signup", { email, password: "correct horse" });
    await post("/resend", { type: "signup", email });
    const [first, second] = auth.sent.mails;
    expect(second).toMatchObject({ kind: "confirmation", verifyType: "signup", to: email });
    expect((await post("/verify", { type: "signup", email, token: first!.otp })).status).toBe(403);
    expect((await post("/verify", { type: "signup", token_hash: first!.tokenHash })).status).toBe(403);
    expect((await post("/verify", { type: "signup", email, token: second!.otp })).status).toBe(200);
    expect((await post("/token?grant_type=password", { email, password: "correct horse" })).status).toBe(200);
  });

  test("what nobody waits for is not sent, and nobody is told", async () => {
    const email = await confirmed();
    const phone = freshPhone();
    for (const body of [
      { type: "signup", email },
      { type: "signup", email: freshEmail() },
      { type: "email_change", email },
      { type: "email_change", email: freshEmail() },
      { type: "sms", phone },
      { type: "phone_change", phone },
    ]) {
      expect.soft(await post("/resend", body), JSON.stringify(body)).toMatchObject({ status: 200, body: {} });
    }
    expect(await post("/recover", { email: freshEmail() })).toMatchObject({ status: 200, body: {} });
    expect(auth.sent).toEqual({ mails: [], sms: [] });
  });

  test("a text message is sent again", async () => {
    const phone = freshPhone();
    await post("/otp", { phone });
    expect((await post("/resend", { type: "sms", phone })).body.message_id).toBe("message-2");
    const [first, second] = auth.sent.sms;
    expect((await post("/verify", { type: "sms", phone, token: second!.otp })).status).toBe(200);
    expect((await post("/verify", { type: "sms", phone, token: first!.otp })).status).toBe(403);
  });

  test("a type goes with its kind of address", async () => {
    for (const body of [
      {},
      { type: "recovery", email: "a@example.com" },
      { type: "signup" },
      { type: "signup", phone: "15550100" },
      { type: "sms", email: "a@example.com" },
      { type: "email_change", email: "a@example.com", phone: "15550100" },
      { type: "sms", phone: "none" },
    ]) {
      const reply = await post("/resend", body);
      expect.soft([reply.status, reply.body.error_code], JSON.stringify(body)).toEqual([400, "validation_failed"]);
    }
  });
});

describe("/invite and /admin/generate_link", () => {
  test("an invitation is mailed, and taken up without a password", async () => {
    const email = freshEmail();
    const reply = await auth.admin("POST", "/invite?redirect_to=myapp://login-callback", { email, data: { team: 7 } });
    expect(reply.status).toBe(200);
    expect(reply.body).toMatchObject({ email, user_metadata: { team: 7 } });
    expect(reply.body.invited_at).toBeDefined();
    expect(auth.sent.mails).toMatchObject([
      { kind: "invite", verifyType: "invite", to: email, redirectTo: "myapp://login-callback" },
    ]);
    const { otp } = auth.sent.mails[0]!;
    expect((await post("/verify", { type: "email", email, token: otp })).status).toBe(403);
    expect((await auth.admin("POST", "/invite", { email })).status).toBe(200);
    const taken = await post("/verify", { type: "invite", email, token: auth.sent.mails[1]!.otp });
    expect(taken.body.user.email_confirmed_at).toBeDefined();
    const again = await auth.admin("POST", "/invite", { email });
    expect([again.status, again.body.error_code]).toEqual([422, "email_exists"]);
  });

  test("admins only", async () => {
    for (const target of ["/invite", "/admin/generate_link"]) {
      const reply = await post(target, { email: freshEmail(), type: "magiclink" });
      expect([reply.status, reply.body.error_code]).toEqual([401, "no_authorization"]);
    }
    expect(auth.sent.mails).toEqual([]);
  });

  test("every kind of link is made, with user and facts in one object, and works; nothing is sent", async () => {
    const known = await confirmed();
    const cases: [Record<string, unknown>, string, string][] = [
      [{ type: "signup", email: freshEmail(), password: "correct horse" }, "signup", "signup"],
      [{ type: "invite", email: freshEmail() }, "invite", "invite"],
      [{ type: "magiclink", email: known }, "magiclink", "magiclink"],
      [{ type: "magiclink", email: freshEmail() }, "signup", "signup"],
      [{ type: "recovery", email: known }, "recovery", "recovery"],
    ];
    for (const [body, type, linkType] of cases) {
      const { status, body: made } = await auth.admin("POST", "/admin/generate_link", {
        ...body,
        redirect_to: "myapp://login-callback",
      });
      expect(status).toBe(200);
      expect(made).toMatchObject({ email: body.email, verification_type: type, redirect_to: "myapp://login-callback" });
      expect(made.email_otp).toMatch(/^\d{6}$/);
      const link = new URL(made.action_link);
      expect(link.origin + link.pathname).toBe("https://api.example.com/auth/v1/verify");
      expect(Object.fromEntries(link.searchParams)).toEqual({
        token: made.hashed_token,
        type: linkType,
        redirect_to: "myapp://login-callback",
      });
      const verified = await post("/verify", { type, token_hash: made.hashed_token });
      expect.soft(verified.body.user?.email, type).toBe(body.email);
    }
    expect(auth.sent.mails).toEqual([]);
  });

  test("links of a change of address are made one by one, and both are needed", async () => {
    const [email, newEmail] = [await confirmed(), freshEmail()];
    const make = async (type: string) =>
      (await auth.admin("POST", "/admin/generate_link", { type, email, new_email: newEmail })).body;
    const fresh = await make("email_change_new");
    expect((await post("/verify", { type: "email_change", token_hash: fresh.hashed_token })).body.code).toBe("200");
    expect((await user(email)).email_change_confirm_status).toBe(1);
    const current = await make("email_change_current");
    expect(current.verification_type).toBe("email_change_current");
    const done = await post("/verify", { type: "email_change", email, token: current.email_otp });
    expect(done.body.user.email).toBe(newEmail);
  });

  test("what cannot be made is refused", async () => {
    const known = await confirmed();
    const single = auth.with({ mailerSecureEmailChange: false });
    const cases: [unknown, number, string, TestAuth?][] = [
      [{ type: "recovery", email: freshEmail() }, 404, "user_not_found"],
      [{ type: "email_change_new", email: freshEmail(), new_email: freshEmail() }, 404, "user_not_found"],
      [{ type: "email_change_new", email: known, new_email: known }, 422, "email_exists"],
      [{ type: "email_change_new", email: known }, 400, "validation_failed"],
      [{ type: "email_change_current", email: known, new_email: freshEmail() }, 400, "validation_failed", single],
      [{ type: "signup", email: freshEmail() }, 400, "validation_failed"],
      [{ type: "signup", email: freshEmail(), password: "x" }, 422, "weak_password"],
      [{ type: "signup", email: known, password: "correct horse" }, 422, "email_exists"],
      [{ type: "invite", email: known }, 422, "email_exists"],
      [{ type: "sms", email: known }, 400, "validation_failed"],
      [{ email: known }, 400, "validation_failed"],
      [{ type: "magiclink" }, 400, "validation_failed"],
    ];
    for (const [body, status, code, from = auth] of cases) {
      const reply = await from.admin("POST", "/admin/generate_link", body);
      expect.soft([reply.status, reply.body.error_code], JSON.stringify(body)).toEqual([status, code]);
    }
  });
});

describe("A14 A15 where links lead", () => {
  test("a request's host, its proxies' headers and its wishes change no link", async () => {
    const email = await confirmed();
    const headers = {
      host: "evil.example",
      "x-forwarded-host": "evil.example",
      "x-forwarded-proto": "http",
      forwarded: "host=evil.example",
      "x-original-url": "https://evil.example/",
      referer: "https://evil.example/auth",
      redirect_to: "https://evil.example/",
      origin: "https://evil.example",
    };
    for (const [method, target] of [
      ["POST", "/otp?redirect_to=https://evil.example"],
      ["POST", "/recover?redirect_to=//evil.example"],
      ["POST", "/magiclink?redirect_to=https:evil.example"],
    ] as [Method, string][]) {
      const body = { email, redirect_to: "https://app.example.com.evil.example" };
      expect((await auth.send(method, target, { body, headers })).status).toBe(200);
    }
    expect(auth.sent.mails.map((mail) => mail.redirectTo)).toEqual(Array(3).fill("https://app.example.com"));
    const made = await auth.admin("POST", "/admin/generate_link", { type: "magiclink", email, redirect_to: "//evil" });
    expect(new URL(made.body.action_link).host).toBe("api.example.com");
    expect(made.body.redirect_to).toBe("https://app.example.com");
  });

  test("query, body, header and referrer, in this order", async () => {
    const email = await confirmed();
    const at = (path: string) => `https://app.example.com/${path}`;
    for (const [query, body, redirectTo, referer, expected] of [
      [at("q"), at("b"), at("h"), at("r"), at("q")],
      ["", at("b"), at("h"), at("r"), at("b")],
      ["", "", at("h"), at("r"), at("h")],
      ["", "", "", at("r"), at("r")],
      ["https://evil.example", "", "", at("r"), at("r")],
    ]) {
      await auth.send("POST", `/otp?redirect_to=${encodeURIComponent(query!)}`, {
        body: { email, redirect_to: body },
        headers: { redirect_to: redirectTo, referer },
      });
      expect(auth.sent.mails.at(-1)!.redirectTo).toBe(expected);
    }
  });
});

describe("limits", () => {
  const limited = (settings = {}) =>
    auth.with({ mailerAutoconfirm: false, phoneEnabled: true, rateLimits: true, codeAnswerMs: 0, ...settings });

  test("A16 one mail of a kind per minute and address, counted alike whether somebody has it", async () => {
    const from = limited();
    for (const email of [await confirmed(), freshEmail()]) {
      expect((await post("/recover", { email }, from)).status).toBe(200);
      const second = await post("/recover", { email: email.toUpperCase() }, from);
      expect([second.status, second.body.error_code]).toEqual([429, "over_email_send_rate_limit"]);
      expect(second.body.msg).toMatch(/you can only request this after \d+ seconds/);
      expect(Number(second.headers["retry-after"])).toBeGreaterThan(50);
      expect((await post("/otp", { email }, from)).status).toBe(200);
    }
    const email = freshEmail();
    expect((await post("/signup", { email, password: "correct horse" }, from)).status).toBe(200);
    expect((await post("/resend", { type: "signup", email }, from)).status).toBe(429);
    expect((await post("/otp", { email }, from)).status).toBe(429);
  });

  test("text messages as well", async () => {
    const from = limited();
    const phone = freshPhone();
    expect((await post("/otp", { phone }, from)).status).toBe(200);
    const second = await post("/otp", { phone }, from);
    expect([second.status, second.body.error_code]).toEqual([429, "over_sms_send_rate_limit"]);
  });

  test("A16 the project's bound refuses known and unknown alike, and only what is sent counts", async () => {
    const from = limited({ rateLimitMail: 1 });
    for (let at = 0; at < 3; at++) expect((await post("/recover", { email: freshEmail() }, from)).status).toBe(200);
    expect((await post("/recover", { email: await confirmed() }, from)).status).toBe(200);
    for (const email of [freshEmail(), await confirmed()]) {
      expect((await post("/recover", { email }, from)).body.error_code).toBe("over_email_send_rate_limit");
    }
  });

  test("A12 asking is counted by network", async () => {
    const from = limited({ rateLimitOtp: 2 });
    const ask = (address: string) => from.send("POST", "/recover", { body: { email: freshEmail() }, address });
    const statuses = [];
    for (const host of ["1", "2", "3"]) statuses.push((await ask(`2001:db8::${host}`)).status);
    expect(statuses).toEqual([200, 200, 429]);
    expect((await ask("2001:db8:0:1::1")).status).toBe(200);
  });
});
