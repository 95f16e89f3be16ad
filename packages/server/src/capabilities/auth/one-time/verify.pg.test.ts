import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { openTestAuth, type TestAuth } from "../testing.ts";

let auth: TestAuth;
beforeAll(async () => {
  auth = await openTestAuth({
    mailerAutoconfirm: false,
    phoneEnabled: true,
    codeAnswerMs: 0,
    siteUrl: "https://app.example.com",
    redirectAllowList: ["myapp://login-callback"],
  });
});
afterAll(() => auth.close());
beforeEach(() => {
  auth.sent.mails.length = 0;
  auth.sent.sms.length = 0;
});

let count = 0;
const freshEmail = () => `verify${++count}@example.com`;
const freshPhone = () => `4915113${String(++count).padStart(5, "0")}`;
const post = (target: string, body: unknown, from = auth) => from.send("POST", target, { body });
const claimsOf = (token: string) => JSON.parse(Buffer.from(token.split(".")[1]!, "base64url").toString());
const lastMail = () => auth.sent.mails.at(-1)!;
const locationOf = (reply: { headers: Readonly<Record<string, string>> }) => new URL(reply.headers.location!);
const hashOf = (url: URL) => Object.fromEntries(new URLSearchParams(url.hash.slice(1)));
const form = (fields: Record<string, string>, headers = {}, from = auth) =>
  from.send("POST", "/verify", {
    body: new URLSearchParams(fields).toString(),
    headers: { "content-type": "application/x-www-form-urlencoded", ...headers },
  });
const linkOf = (mail = lastMail()) =>
  `/verify?${new URLSearchParams({ token: mail.tokenHash, type: mail.verifyType, redirect_to: mail.redirectTo })}`;
const confirmed = async (): Promise<string> => {
  const email = freshEmail();
  await auth.admin("POST", "/admin/users", { email, password: "correct horse", email_confirm: true });
  return email;
};
/** A wrong code for certain. */
const other = (code: string) => String((Number(code) + 1) % 10 ** code.length).padStart(code.length, "0");

describe("POST /verify", () => {
  test("a code confirms the address and signs in", async () => {
    const email = freshEmail();
    const made = await post("/signup", { email, password: "correct horse", data: { name: "Ada" } });
    expect(made.status).toBe(200);
    expect(made.body).toMatchObject({ email, role: "authenticated", user_metadata: { email_verified: false } });
    expect(made.body.confirmation_sent_at).toBeDefined();
    expect(made.body.access_token).toBeUndefined();
    expect((await post("/token?grant_type=password", { email, password: "correct horse" })).body.error_code).toBe(
      "email_not_confirmed",
    );
    const { status, body, headers } = await post("/verify", { type: "signup", email, token: lastMail().otp });
    expect(status).toBe(200);
    expect(headers["cache-control"]).toBe("private, no-store");
    expect(body).toMatchObject({ token_type: "bearer", user: { email, user_metadata: { email_verified: true } } });
    expect(body.user.email_confirmed_at).toBeDefined();
    expect(body.user.identities[0].identity_data.email_verified).toBe(true);
    expect(claimsOf(body.access_token).amr).toMatchObject([{ method: "otp" }]);
    expect((await post("/token?grant_type=refresh_token", { refresh_token: body.refresh_token })).status).toBe(200);
    expect((await post("/token?grant_type=password", { email, password: "correct horse" })).status).toBe(200);
  });

  test("a link's token does so too, sent as token_hash", async () => {
    const email = await confirmed();
    await post("/recover", { email });
    const reply = await post("/verify", { type: "recovery", token_hash: lastMail().tokenHash });
    expect([reply.status, reply.body.user.email]).toEqual([200, email]);
    expect((await post("/verify", { type: "recovery", email, token: lastMail().otp })).status).toBe(403);
  });

  test("every type by mail that sign-in knows, and a phone's code", async () => {
    for (const type of ["email", "signup", "magiclink"]) {
      const email = freshEmail();
      await post("/otp", { email });
      expect.soft((await post("/verify", { type, email, token: ` ${lastMail().otp} ` })).status, type).toBe(200);
    }
    const phone = freshPhone();
    await post("/otp", { phone });
    const { body } = await post("/verify", { type: "sms", phone: `+${phone}`, token: auth.sent.sms.at(-1)!.otp });
    expect(body.user).toMatchObject({ phone, user_metadata: { phone_verified: true } });
    expect(body.user.phone_confirmed_at).toBeDefined();
    expect(body.user.app_metadata).toMatchObject({ provider: "phone", providers: ["phone"] });
  });

  test("whatever is not right is one and the same answer", async () => {
    const email = freshEmail();
    const phone = freshPhone();
    await post("/otp", { email });
    const { otp, tokenHash } = lastMail();
    await post("/otp", { phone });
    const sms = auth.sent.sms.at(-1)!.otp;
    const expected = { code: 403, error_code: "otp_expired" };
    for (const body of [
      { type: "email", email, token: other(otp) },
      { type: "email", email, token: `${otp}0` },
      { type: "email", email: freshEmail(), token: otp },
      { type: "email", email: "nobody", token: otp },
      { type: "sms", phone, token: other(sms) },
      { type: "sms", phone: freshPhone(), token: sms },
      { type: "sms", phone: "x", token: sms },
    ]) {
      const reply = await post("/verify", body);
      expect.soft(reply.body, JSON.stringify(body)).toEqual({ ...expected, msg: "Token has expired or is invalid" });
    }
    for (const token of [otp, `${tokenHash}0`, "pkce_", `pkce_${tokenHash}`, "x".repeat(10_000)]) {
      const reply = await post("/verify", { type: "email", token_hash: token });
      expect.soft(reply.body).toEqual({ ...expected, msg: "Email link is invalid or has expired" });
    }
    expect((await post("/verify", { type: "email", email, token: otp })).status).toBe(200);
  });

  test("what is malformed is told", async () => {
    const email = freshEmail();
    for (const body of [
      {},
      { type: "email" },
      { token: "123456", email },
      { type: "email", token: "123456" },
      { type: "email", token: "123456", token_hash: "ab", email },
      { type: "email", token_hash: "ab", email },
      { type: "email", token: "123456", email, phone: "15550100" },
      { type: "sms", token: "123456", email },
      { type: "email", token: "123456", phone: "15550100" },
      { type: "sms", token_hash: "ab" },
      { type: "reauthentication", token: "123456", email },
      { type: "constructor", token_hash: "ab" },
    ]) {
      const reply = await post("/verify", body);
      expect.soft([reply.status, reply.body.error_code], JSON.stringify(body)).toEqual([400, "validation_failed"]);
    }
    expect((await post("/verify", "[")).body.error_code).toBe("bad_json");
    expect((await post("/verify", { type: 7 })).body.error_code).toBe("bad_json");
  });

  test("a code lives as long as the settings say, and so does its link", async () => {
    const email = freshEmail();
    await post("/otp", { email });
    const [row] = await auth.sql(
      "select extract(epoch from expires_at - created_at)::int as life from mainstay.one_time_tokens where address = $1",
      [email],
    );
    expect(row).toEqual({ life: 3_600 });
    const phone = freshPhone();
    await post("/otp", { phone });
    expect(
      await auth.sql(
        "select extract(epoch from expires_at - created_at)::int as life from mainstay.one_time_tokens where address = $1",
        [phone],
      ),
    ).toEqual([{ life: 60 }]);
    await auth.sql("update mainstay.one_time_tokens set expires_at = now() - interval '1 ms' where address = any($1)", [
      [email, phone],
    ]);
    const { otp, tokenHash } = lastMail();
    for (const body of [
      { type: "email", email, token: otp },
      { type: "email", token_hash: tokenHash },
      { type: "sms", phone, token: auth.sent.sms.at(-1)!.otp },
    ]) {
      expect((await post("/verify", body)).body.error_code).toBe("otp_expired");
    }
  });

  test("a banned account stays out, whoever holds the code", async () => {
    const email = await confirmed();
    await post("/otp", { email });
    await auth.sql("update auth.users set banned_until = now() + interval '1 h' where email = $1", [email]);
    const reply = await post("/verify", { type: "email", email, token: lastMail().otp });
    expect([reply.status, reply.body.error_code]).toEqual([403, "user_banned"]);
  });

  test("a code sent to an address the account has left opens nothing", async () => {
    const email = await confirmed();
    await post("/recover", { email });
    const mail = lastMail();
    await auth.sql("update auth.users set email = $2 where email = $1", [email, freshEmail()]);
    expect((await post("/verify", { type: "recovery", email, token: mail.otp })).status).toBe(403);
    expect((await post("/verify", { type: "recovery", token_hash: mail.tokenHash })).status).toBe(403);
  });
});

describe("A10 once", () => {
  const parallel = async (body: unknown) => {
    const replies = await Promise.all(Array.from({ length: 50 }, () => post("/verify", body)));
    return replies.map((reply) => reply.status).sort();
  };
  const oneOf50 = [200, ...Array(49).fill(403)];

  test("50 at once with one code, one link, one invitation, one phone's code: one gets in", async () => {
    // As many tries as callers, so that the count of tries decides nothing here.
    const open = auth.with({ codeMaxAttempts: 100, mailerAutoconfirm: false, phoneEnabled: true, codeAnswerMs: 0 });
    const tries = async (body: unknown) => {
      const replies = await Promise.all(Array.from({ length: 50 }, () => post("/verify", body, open)));
      return replies.map((reply) => reply.status).sort();
    };
    const email = await confirmed();
    await post("/otp", { email });
    expect(await tries({ type: "email", email, token: lastMail().otp })).toEqual(oneOf50);
    await post("/recover", { email });
    expect(await parallel({ type: "recovery", token_hash: lastMail().tokenHash })).toEqual(oneOf50);
    await auth.admin("POST", "/invite", { email: freshEmail() });
    expect(await parallel({ type: "invite", token_hash: lastMail().tokenHash })).toEqual(oneOf50);
    const phone = freshPhone();
    await post("/otp", { phone });
    expect(await tries({ type: "sms", phone, token: auth.sent.sms.at(-1)!.otp })).toEqual(oneOf50);
    expect(
      await auth.sql(
        "select count(*)::int as n from auth.sessions s join auth.users u on u.id = s.user_id where u.email = $1 or u.phone = $2",
        [email, phone],
      ),
    ).toEqual([{ n: 3 }]);
  });

  test("A12 a code allows so many tries, one by one or all at once, and the count is the server's", async () => {
    const email = freshEmail();
    await post("/otp", { email });
    const { otp, tokenHash } = lastMail();
    const replies = await Promise.all(
      Array.from({ length: 40 }, (_, at) =>
        auth.send("POST", "/verify", {
          body: {
            type: ["email", "signup", "magiclink"][at % 3],
            email: at % 2 ? email : email.toUpperCase(),
            token: at === 39 ? otp : other(otp),
          },
          headers: { "x-forwarded-for": `198.51.100.${at}`, cookie: `tries=${at}` },
          address: `2001:db8:${at}::1`,
        }),
      ),
    );
    expect(replies.filter((reply) => reply.status === 200).length).toBeLessThanOrEqual(1);
    expect(await auth.sql("select attempts from mainstay.one_time_tokens where address = $1", [email])).toEqual([
      { attempts: expect.toSatisfy((attempts: number) => attempts <= 5) },
    ]);
    await post("/otp", { email });
    const fresh = lastMail();
    for (let at = 0; at < 5; at++) await post("/verify", { type: "email", email, token: other(fresh.otp) });
    expect((await post("/verify", { type: "email", email, token: fresh.otp })).status).toBe(403);
    // The link was not guessed at.
    expect((await post("/verify", { type: "email", token_hash: tokenHash })).status).toBe(403);
    expect((await post("/verify", { type: "email", token_hash: fresh.tokenHash })).status).toBe(200);
  });

  test("A12 wrong codes for an account are counted through all its codes, from wherever they come", async () => {
    const from = auth.with({ rateLimits: true, lockoutAccountAfter: 3, mailMinIntervalSeconds: 0, codeAnswerMs: 0 });
    const email = await confirmed();
    const statuses = [];
    for (let at = 0; at < 4; at++) {
      await post("/otp", { email });
      const body = { type: "email", email, token: other(lastMail().otp) };
      statuses.push((await from.send("POST", "/verify", { body, address: `198.51.100.${at}` })).status);
    }
    expect(statuses).toEqual([403, 403, 403, 429]);
    const right = { type: "email", email, token: lastMail().otp };
    expect((await from.send("POST", "/verify", { body: right, address: "198.51.100.9" })).status).toBe(429);
    // A link cannot be guessed, so it is not held up.
    expect((await post("/verify", { type: "email", token_hash: lastMail().tokenHash }, from)).status).toBe(200);
  });

  test("verifying is counted by network", async () => {
    const from = auth.with({ rateLimits: true, rateLimitVerify: 2 });
    const statuses = [];
    for (let at = 0; at < 3; at++)
      statuses.push((await post("/verify", { type: "email", token_hash: "x" }, from)).status);
    expect(statuses).toEqual([403, 403, 429]);
  });
});

describe("A11 a code is for one thing", () => {
  test("every code against every other type", async () => {
    const email = await confirmed();
    const session = (await post("/token?grant_type=password", { email, password: "correct horse" })).body;
    const phone = freshPhone();
    const asUser = (body: unknown) => auth.send("PUT", "/user", { body, token: session.access_token });
    const newEmail = freshEmail();
    const newPhone = freshPhone();
    await post("/otp", { email });
    await post("/recover", { email });
    await asUser({ email: newEmail });
    await asUser({ phone: newPhone });
    await auth.send("GET", "/reauthenticate", { token: session.access_token });
    await post("/otp", { phone });
    const mailed = Object.fromEntries(auth.sent.mails.map((mail) => [`${mail.kind} ${mail.to}`, mail]));
    const texted = Object.fromEntries(auth.sent.sms.map((sms) => [sms.purpose, sms]));
    const kinds = [
      { name: "magiclink", accepts: ["email", "signup", "magiclink"], mail: mailed[`magic_link ${email}`]! },
      { name: "recovery", accepts: ["recovery"], mail: mailed[`recovery ${email}`]! },
      { name: "change", accepts: ["email_change", "email_change_current"], mail: mailed[`email_change ${email}`]! },
      { name: "change", accepts: ["email_change", "email_change_new"], mail: mailed[`email_change ${newEmail}`]! },
      { name: "nonce", accepts: [], mail: mailed[`reauthentication ${email}`]! },
    ];
    const types = [
      "email",
      "signup",
      "magiclink",
      "recovery",
      "invite",
      "email_change",
      "email_change_current",
      "email_change_new",
    ];
    const open = auth.with({ codeMaxAttempts: 100, codeAnswerMs: 0 });
    for (const { name, accepts, mail } of kinds) {
      for (const type of types.filter((one) => !accepts.includes(one))) {
        for (const address of [email, newEmail]) {
          const reply = await post("/verify", { type, email: address, token: mail.otp }, open);
          // Two codes of six digits are alike once in a million.
          expect.soft(reply.status, `${name} as ${type}`).toBe(403);
        }
        if (mail.tokenHash === "") continue;
        expect
          .soft((await post("/verify", { type, token_hash: mail.tokenHash }, open)).status, `${name} as ${type}`)
          .toBe(403);
      }
    }
    for (const [purpose, type, to] of [
      ["sms", "phone_change", phone],
      ["sms", "phone_change", newPhone],
      ["phone_change", "sms", newPhone],
      ["phone_change", "sms", phone],
    ]) {
      const reply = await post("/verify", { type, phone: to, token: texted[purpose!]!.otp }, open);
      expect.soft(reply.status, `${purpose} as ${type}`).toBe(403);
    }
    // Each is still good for its own.
    expect((await post("/verify", { type: "magiclink", email, token: kinds[0]!.mail.otp }, open)).status).toBe(200);
    expect((await post("/verify", { type: "sms", phone, token: texted.sms!.otp }, open)).status).toBe(200);
  });
});

describe("A20 mail goes to the stored address", () => {
  test("twins of an address neither get its mail nor open its account", async () => {
    const email = await confirmed();
    for (const twin of [email.replace("i", "\u0131"), email.replace("v", "\u03bd"), email.replace("e", "\u00e9")]) {
      await post("/recover", { email: twin });
    }
    expect(auth.sent.mails).toEqual([]);
    await post("/recover", { email: email.toUpperCase().replaceAll("E", "\uff25") });
    expect(auth.sent.mails.map((mail) => mail.to)).toEqual([email]);
    const reply = await post("/verify", { type: "recovery", email: ` ${email.toUpperCase()} `, token: lastMail().otp });
    expect(reply.body.user.email).toBe(email);
  });

  test("an address that was seeded in another case gets its mail as it was stored", async () => {
    const stored = `Seeded.${freshEmail()}`;
    await auth.sql(
      "insert into auth.users (id, instance_id, aud, role, email, encrypted_password, email_confirmed_at) values (gen_random_uuid(), '00000000-0000-0000-0000-000000000000', 'authenticated', 'authenticated', $1, '', now())",
      [stored],
    );
    await post("/recover", { email: stored.toLowerCase() });
    expect(lastMail().to).toBe(stored);
    expect((await post("/verify", { type: "recovery", email: stored, token: lastMail().otp })).status).toBe(200);
  });
});

describe("A21 links in mails", () => {
  const sendLink = async () => {
    const email = await confirmed();
    await post("/otp?redirect_to=myapp://login-callback", { email });
    return { email, mail: lastMail() };
  };

  test("scanners open it with HEAD and GET, thrice, and then the person gets in", async () => {
    const { email, mail } = await sendLink();
    for (let at = 0; at < 3; at++) {
      expect(await auth.send("HEAD", linkOf(mail))).toMatchObject({ status: 200, body: null });
      const page = await auth.send("GET", linkOf(mail), {
        headers: { "sec-fetch-mode": "navigate", "sec-fetch-user": "?1" },
      });
      expect(page.status).toBe(200);
      expect(page.headers["content-type"]).toBe("text/html; charset=utf-8");
    }
    const page = String((await auth.send("GET", linkOf(mail))).body);
    const fields = Object.fromEntries(
      [...page.matchAll(/name="(\w+)" value="([^"]*)"/g)].map(([, name, value]) => [
        name!,
        value!.replaceAll("&amp;", "&"),
      ]),
    );
    expect(fields).toEqual({ token: mail.tokenHash, type: "magiclink", redirect_to: "myapp://login-callback" });
    const reply = await form(fields, { "sec-fetch-site": "same-origin" });
    expect(reply.status).toBe(303);
    const facts = hashOf(locationOf(reply));
    expect(reply.headers.location).toMatch(/^myapp:\/\/login-callback#access_token=/);
    expect(facts).toMatchObject({ token_type: "bearer", type: "magiclink", expires_in: "3600", sb: "" });
    expect(claimsOf(facts.access_token!).email).toBe(email);
    expect((await post("/token?grant_type=refresh_token", { refresh_token: facts.refresh_token })).status).toBe(200);
  });

  test("a page says nothing of whether there is such a link", async () => {
    const { mail } = await sendLink();
    const unknown = { ...mail, tokenHash: "0".repeat(56) };
    const [real, made] = [await auth.send("GET", linkOf(mail)), await auth.send("GET", linkOf(unknown))];
    expect(String(made.body)).toBe(String(real.body).replaceAll(mail.tokenHash, unknown.tokenHash));
    expect(made.headers).toEqual(real.headers);
  });

  test("a link that is used, wrong, or of another kind leads on with the error", async () => {
    const { mail } = await sendLink();
    const fields = { token: mail.tokenHash, type: "magiclink", redirect_to: "myapp://login-callback" };
    expect((await form(fields)).status).toBe(303);
    for (const bad of [fields, { ...fields, token: "0".repeat(56) }, { ...fields, type: "recovery" }]) {
      const reply = await form(bad);
      expect(reply.status).toBe(303);
      expect(reply.headers.location).toBe(
        "myapp://login-callback#error=access_denied&error_code=otp_expired&error_description=Email+link+is+invalid+or+has+expired&sb=",
      );
    }
    for (const [bad, code] of [
      [{ ...fields, type: "" }, "validation_failed"],
      [{ ...fields, type: "sms" }, "validation_failed"],
      [{ ...fields, token: "" }, "validation_failed"],
    ] as const) {
      const facts = hashOf(locationOf(await form(bad)));
      expect(facts).toMatchObject({ error: "invalid_request", error_code: code });
    }
  });

  test("A15 wherever a link wants to lead, it leads to what is allowed", async () => {
    for (const redirect of [
      "https://evil.example",
      "//evil.example",
      "javascript:alert(1)",
      "",
      "myapp://login-callback.evil",
    ]) {
      const { mail } = await sendLink();
      const page = await auth.send("GET", linkOf({ ...mail, redirectTo: redirect }));
      expect.soft(String(page.body)).toContain(`value="https://app.example.com"`);
      const reply = await form({ token: mail.tokenHash, type: "magiclink", redirect_to: redirect });
      expect.soft(locationOf(reply).origin, redirect).toBe("https://app.example.com");
      expect.soft(hashOf(locationOf(reply)).access_token).toBeDefined();
    }
  });

  test("X04 another site's form is asked again instead of signing its visitor in", async () => {
    const { mail } = await sendLink();
    const fields = { token: mail.tokenHash, type: "magiclink", redirect_to: "myapp://login-callback" };
    const foreign = await form(fields, { "sec-fetch-site": "cross-site" });
    expect(foreign.status).toBe(200);
    expect(foreign.headers.location).toBeUndefined();
    expect((await form(fields)).status).toBe(303);
  });

  test("the page can be turned off; even then HEAD uses nothing up", async () => {
    const direct = auth.with({
      verifyLinkConfirmation: "direct",
      siteUrl: "https://app.example.com",
      redirectAllowList: ["myapp://login-callback"],
    });
    const { mail } = await sendLink();
    expect((await direct.send("HEAD", linkOf(mail))).status).toBe(200);
    const reply = await direct.send("GET", linkOf(mail));
    expect(reply.status).toBe(303);
    expect(hashOf(locationOf(reply)).access_token).toBeDefined();
    expect(hashOf(locationOf(await direct.send("GET", linkOf(mail)))).error_code).toBe("otp_expired");
  });
});
