import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { openTestAuth, type TestAuth } from "../testing.ts";

let auth: TestAuth;
beforeAll(async () => {
  auth = await openTestAuth({ mailerAutoconfirm: false, phoneEnabled: true, codeAnswerMs: 0 });
});
afterAll(() => auth.close());
beforeEach(() => {
  auth.sent.mails.length = 0;
  auth.sent.sms.length = 0;
});

let count = 0;
const freshEmail = () => `victim${++count}@example.com`;
const freshPhone = () => `4915115${String(++count).padStart(5, "0")}`;
const post = (target: string, body: unknown, from = auth) => from.send("POST", target, { body });
const lastMail = () => auth.sent.mails.at(-1)!;
const signInWith = (who: Record<string, string>, password: string) =>
  post("/token?grant_type=password", { ...who, password });
const byStranger = { password: "the stranger's", data: { name: "Mallory" } };

describe("A05 somebody else was here first, and confirmed nothing", () => {
  test.each([
    ["a magic link", "/otp", "email"],
    ["recovery", "/recover", "recovery"],
  ])("the owner comes by %s: the stranger's password is gone", async (_, path, type) => {
    const email = freshEmail();
    await post("/signup", { email, ...byStranger });
    const strangers = lastMail();
    await post(path, { email });
    const owner = await post("/verify", { type, email, token: lastMail().otp });
    expect(owner.status).toBe(200);
    expect(owner.body.user.email_confirmed_at).toBeDefined();
    expect((await signInWith({ email }, byStranger.password)).body.error_code).toBe("invalid_credentials");
    // What the stranger's sign-up sent confirms nothing any more.
    expect((await post("/verify", { type: "signup", token_hash: strangers.tokenHash })).status).toBe(403);
    const own = await auth.send("PUT", "/user", {
      body: { password: "the owner's own" },
      token: owner.body.access_token,
    });
    expect(own.status).toBe(200);
    expect((await signInWith({ email }, "the owner's own")).status).toBe(200);
  });

  test("by an invitation, or a link an admin made", async () => {
    for (const type of ["invite", "magiclink", "recovery", "signup"]) {
      const email = freshEmail();
      await post("/signup", { email, ...byStranger });
      const made = (await auth.admin("POST", "/admin/generate_link", { type, email })).body;
      const owner = await post("/verify", { type, token_hash: made.hashed_token });
      expect.soft(owner.status, type).toBe(200);
      expect.soft((await signInWith({ email }, byStranger.password)).status, type).toBe(400);
    }
  });

  test("by the same sign-up: the owner's password counts, and none of the stranger's words are left", async () => {
    const email = freshEmail();
    await post("/signup", { email, ...byStranger });
    const strangers = lastMail();
    const again = await post("/signup", { email, password: "the owner's own", data: { city: "Bern" } });
    expect(again.status).toBe(200);
    expect(again.body.user_metadata).toMatchObject({ city: "Bern", email });
    expect(again.body.user_metadata).not.toHaveProperty("name");
    expect((await post("/verify", { type: "signup", token_hash: strangers.tokenHash })).status).toBe(403);
    expect((await post("/verify", { type: "signup", email, token: lastMail().otp })).status).toBe(200);
    expect((await signInWith({ email }, byStranger.password)).status).toBe(400);
    expect((await signInWith({ email }, "the owner's own")).status).toBe(200);
  });

  test("by phone", async () => {
    const phone = freshPhone();
    await post("/signup", { phone, ...byStranger });
    await post("/otp", { phone });
    await post("/resend", { type: "sms", phone });
    const owner = await post("/verify", { type: "sms", phone, token: auth.sent.sms.at(-1)!.otp });
    expect(owner.status).toBe(200);
    expect((await signInWith({ phone }, byStranger.password)).status).toBe(400);
  });

  test("identities, factors, passkeys and sessions a stranger had put there are gone with the password", async () => {
    const email = freshEmail();
    const { body: made } = await post("/signup", { email, ...byStranger });
    await auth.sql(
      "insert into auth.identities (provider_id, user_id, identity_data, provider) values ('m-1', $1, '{}', 'github')",
      [made.id],
    );
    await auth.sql(
      "insert into auth.mfa_factors (id, user_id, factor_type, status, created_at, updated_at) values ($2, $1, 'totp', 'verified', now(), now())",
      [made.id, randomUUID()],
    );
    await auth.sql("insert into auth.sessions (id, user_id, created_at, updated_at) values ($2, $1, now(), now())", [
      made.id,
      randomUUID(),
    ]);
    await post("/otp", { email });
    const owner = await post("/verify", { type: "email", email, token: lastMail().otp });
    expect(owner.body.user.identities.map((identity: { provider: string }) => identity.provider)).toEqual(["email"]);
    expect(owner.body.user.app_metadata).toMatchObject({ provider: "email", providers: ["email"] });
    expect(owner.body.user.factors).toBeUndefined();
    expect(await auth.sql("select count(*)::int as n from auth.sessions where user_id = $1", [made.id])).toEqual([
      { n: 1 },
    ]);
  });

  test("the other order: who confirmed the address keeps everything, whatever a stranger asks for", async () => {
    const email = freshEmail();
    await post("/signup", { email, password: "the owner's own" });
    const owner = await post("/verify", { type: "signup", email, token: lastMail().otp });
    const stranger = await post("/signup", { email, ...byStranger });
    expect(stranger.status).toBe(200);
    await post("/otp", { email });
    await post("/recover", { email });
    expect((await signInWith({ email }, byStranger.password)).status).toBe(400);
    expect((await signInWith({ email }, "the owner's own")).status).toBe(200);
    const { body: user } = await auth.send("GET", "/user", { token: owner.body.access_token });
    expect(user.user_metadata).not.toHaveProperty("name");
    // The owner's own link takes nothing from a confirmed account.
    expect((await post("/verify", { type: "recovery", email, token: lastMail().otp })).status).toBe(200);
    expect((await signInWith({ email }, "the owner's own")).status).toBe(200);
  });

  test("who signed up and lost the mail keeps the password, when it is sent again", async () => {
    const email = freshEmail();
    await post("/signup", { email, password: "the owner's own" });
    await auth.sql("delete from mainstay.one_time_tokens where address = $1", [email]);
    await post("/resend", { type: "signup", email });
    expect((await post("/verify", { type: "signup", email, token: lastMail().otp })).status).toBe(200);
    expect((await signInWith({ email }, "the owner's own")).status).toBe(200);
  });
});

describe("A16 known and unknown addresses", () => {
  const known = async () => {
    const email = freshEmail();
    await auth.admin("POST", "/admin/users", { email, password: "correct horse", email_confirm: true });
    return email;
  };

  test("are answered alike, to the byte where nothing names the account", async () => {
    for (const [path, body] of [
      ["/otp", {}],
      ["/magiclink", {}],
      ["/recover", {}],
      ["/resend", { type: "signup" }],
      ["/resend", { type: "email_change" }],
    ] as const) {
      const [one, two] = [
        await post(path, { ...body, email: await known() }),
        await post(path, { ...body, email: freshEmail() }),
      ];
      expect.soft(two, path).toEqual(one);
    }
  });

  test("sign-up gives the stranger an account that looks new, field by field, and is nothing", async () => {
    const body = { password: "correct horse", data: { name: "Ada" } };
    const real = (await post("/signup", { ...body, email: freshEmail() })).body;
    const email = await known();
    const { status, body: fake } = await post("/signup", { ...body, email });
    expect(status).toBe(200);
    expect(Object.keys(fake)).toEqual(Object.keys(real));
    expect(fake).toMatchObject({ email, role: "", identities: [], app_metadata: real.app_metadata });
    expect(Object.keys(fake.user_metadata).sort()).toEqual(Object.keys(real.user_metadata).sort());
    expect(fake.user_metadata.sub).toBe(fake.id);
    expect(await auth.sql("select id from auth.users where id = $1", [fake.id])).toEqual([]);
    expect(auth.sent.mails.filter((mail) => mail.to === email)).toEqual([]);
  });

  test("take as long: the wait covers the work", async () => {
    const slow = auth.with({ mailerAutoconfirm: false, codeAnswerMs: 60 });
    const emails = { known: await known(), unknown: freshEmail() };
    const times: Record<keyof typeof emails, number[]> = { known: [], unknown: [] };
    for (let at = 0; at < 15; at++) {
      for (const who of ["known", "unknown"] as const) {
        const began = performance.now();
        await post("/recover", { email: emails[who] }, slow);
        times[who].push(performance.now() - began);
      }
    }
    const median = (list: number[]) => list.sort((a, b) => a - b)[Math.floor(list.length / 2)]!;
    const [one, two] = [median(times.known), median(times.unknown)];
    // Without the wait a known address takes several times as long: it writes.
    expect(Math.abs(one - two) / one, `${one} ms and ${two} ms`).toBeLessThan(0.1);
  });
});
