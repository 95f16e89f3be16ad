import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openTestAuth, type TestAuth } from "./testing.ts";

let auth: TestAuth;
beforeAll(async () => {
  auth = await openTestAuth();
});
afterAll(() => auth.close());

let count = 0;
const freshEmail = () => `user${++count}@example.com`;
const rfc3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/;
const claimsOf = (token: string) => JSON.parse(Buffer.from(token.split(".")[1]!, "base64url").toString());
const signUp = async (body: Record<string, unknown> = {}) => {
  const email = freshEmail();
  const reply = await auth.send("POST", "/signup", { body: { email, password: "correct horse", ...body } });
  return { email, ...reply };
};
const signIn = (email: string, password: string, from = auth) =>
  from.send("POST", "/token?grant_type=password", { body: { email, password } });

describe("sign-up", () => {
  test("gives a session with exactly the claims and the user of the protocol", async () => {
    const { email, status, body, headers } = await signUp({ data: { name: "Ada" } });
    expect(status).toBe(200);
    expect(headers["cache-control"]).toBe("private, no-store");
    expect(Object.keys(body).sort()).toEqual(
      ["access_token", "expires_at", "expires_in", "refresh_token", "token_type", "user"].sort(),
    );
    expect(body).toMatchObject({ token_type: "bearer", expires_in: 3600 });
    const metadata = { name: "Ada", sub: body.user.id, email, email_verified: true, phone_verified: false };
    expect(body.user).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      aud: "authenticated",
      role: "authenticated",
      email,
      phone: "",
      email_confirmed_at: expect.stringMatching(rfc3339),
      confirmed_at: expect.stringMatching(rfc3339),
      last_sign_in_at: expect.stringMatching(rfc3339),
      app_metadata: { provider: "email", providers: ["email"] },
      user_metadata: metadata,
      identities: [
        {
          identity_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
          id: body.user.id,
          user_id: body.user.id,
          identity_data: metadata,
          provider: "email",
          email,
          last_sign_in_at: expect.stringMatching(rfc3339),
          created_at: expect.stringMatching(rfc3339),
          updated_at: expect.stringMatching(rfc3339),
        },
      ],
      created_at: expect.stringMatching(rfc3339),
      updated_at: expect.stringMatching(rfc3339),
      is_anonymous: false,
    });
    const iat = Math.floor(auth.clock.ms / 1000);
    expect(body.expires_at).toBe(iat + 3600);
    expect(claimsOf(body.access_token)).toEqual({
      iss: "http://127.0.0.1:54321/auth/v1",
      sub: body.user.id,
      aud: "authenticated",
      exp: iat + 3600,
      iat,
      email,
      phone: "",
      app_metadata: { provider: "email", providers: ["email"] },
      user_metadata: metadata,
      role: "authenticated",
      aal: "aal1",
      amr: [{ method: "password", timestamp: expect.any(Number) }],
      session_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      is_anonymous: false,
    });
    expect(auth.identity.identity.verify(body.access_token)).toMatchObject({
      role: "authenticated",
      subject: body.user.id,
    });
  });

  test("a known address is refused where addresses confirm themselves", async () => {
    const { email } = await signUp();
    const again = await auth.send("POST", "/signup", { body: { email: email.toUpperCase(), password: "another one" } });
    expect(again.status).toBe(422);
    expect(again.body).toEqual({ code: 422, error_code: "user_already_exists", msg: "User already registered" });
  });

  test("twenty sign-ups of one address at once make one user", async () => {
    const email = freshEmail();
    const replies = await Promise.all(
      Array.from({ length: 20 }, () => auth.send("POST", "/signup", { body: { email, password: "correct horse" } })),
    );
    expect(replies.filter((reply) => reply.status === 200)).toHaveLength(1);
    expect(replies.filter((reply) => reply.body.error_code === "user_already_exists")).toHaveLength(19);
    expect(await auth.sql("select count(*)::int as n from auth.users where email = $1", [email])).toEqual([{ n: 1 }]);
    expect(await auth.sql("select count(*)::int as n from auth.identities where email = $1", [email])).toEqual([
      { n: 1 },
    ]);
  });

  test("what the request lacks is said with GoTrue's codes", async () => {
    const cases: [unknown, number, string][] = [
      ["{", 400, "bad_json"],
      ["[]", 400, "bad_json"],
      [Buffer.from([0x22, 0xff, 0x22]), 400, "bad_json"],
      [{ email: 1, password: "x" }, 400, "bad_json"],
      [{ email: "a@b.example", password: "secret", data: [] }, 400, "bad_json"],
      [{ email: "nobody", password: "correct horse" }, 400, "validation_failed"],
      [{ email: "a@b.example" }, 400, "validation_failed"],
      [{ email: "a@b.example", password: "correct horse", data: { x: "\0" } }, 400, "validation_failed"],
      [{ email: "a@b.example", password: "correct horse", data: { x: "\ud800" } }, 400, "validation_failed"],
      [{ email: "a@b.example", password: "correct horse", data: { x: "y".repeat(7_000) } }, 400, "validation_failed"],
      ['{"email":"a@b.example","password":"correct horse","data":{"__proto__":{"x":1}}}', 400, "validation_failed"],
      [{ email: "a@b.example", phone: "15550100", password: "correct horse" }, 400, "validation_failed"],
      [{ phone: "15550100", password: "correct horse" }, 400, "phone_provider_disabled"],
      [{ email: "a@b.example", password: "short" }, 422, "weak_password"],
      [{}, 422, "anonymous_provider_disabled"],
    ];
    for (const [body, status, code] of cases) {
      const reply = await auth.send("POST", "/signup", { body });
      expect.soft([reply.status, reply.body.error_code], JSON.stringify(body)).toEqual([status, code]);
      expect.soft(reply.headers["x-sb-error-code"]).toBe(code);
    }
    const deep = JSON.parse(`${'{"a":'.repeat(40)}1${"}".repeat(40)}`);
    const nested = await auth.send("POST", "/signup", {
      body: { email: "a@b.example", password: "correct horse", data: deep },
    });
    expect(nested.body.error_code).toBe("validation_failed");
  });

  test("a weak password says why, in both shapes", async () => {
    const body = { email: freshEmail(), password: "12345" };
    const message = "Password should be at least 6 characters.";
    expect((await auth.send("POST", "/signup", { body })).body).toEqual({
      code: 422,
      error_code: "weak_password",
      msg: message,
      weak_password: { reasons: ["length"] },
    });
    const newer = await auth.send("POST", "/signup", { body, headers: { "x-supabase-api-version": "2024-01-01" } });
    expect(newer.body).toEqual({ code: "weak_password", message, weak_password: { reasons: ["length"] } });
    expect(newer.headers["x-supabase-api-version"]).toBe("2024-01-01");
  });

  test("sign-ups can be off", async () => {
    const closed = auth.with({ disableSignup: true, anonymousEnabled: true });
    for (const body of [{ email: freshEmail(), password: "correct horse" }, {}]) {
      expect((await closed.send("POST", "/signup", { body })).body).toEqual({
        code: 422,
        error_code: "signup_disabled",
        msg: "Signups not allowed for this instance",
      });
    }
  });

  test("A16 with confirmation, a known address gets a look-alike and nothing is stored", async () => {
    const confirming = auth.with({ mailerAutoconfirm: false });
    const { email } = await signUp();
    const body = { email, password: "somebody else", data: { name: "Eve" } };
    const known = await confirming.send("POST", "/signup", { body });
    const fresh = await confirming.send("POST", "/signup", { body: { ...body, email: freshEmail() } });
    expect([known.status, fresh.status]).toEqual([200, 200]);
    expect(known.body).not.toHaveProperty("access_token");
    expect(known.body).toMatchObject({ email, identities: [], role: "" });
    const isIn = ["identities", "role", "user_metadata"];
    expect(Object.keys(known.body).sort()).toEqual(Object.keys(fresh.body).sort());
    expect(isIn.every((key) => key in known.body)).toBe(true);
    expect((await signIn(email, "correct horse")).status).toBe(200);
    expect((await signIn(email, "somebody else")).status).toBe(400);
  });

  test("with confirmation, sign-in waits for it, and only who knows the password hears so", async () => {
    const confirming = auth.with({ mailerAutoconfirm: false });
    const email = freshEmail();
    const made = await confirming.send("POST", "/signup", { body: { email, password: "correct horse" } });
    expect(made.body).toMatchObject({ email, role: "authenticated" });
    expect(made.body).not.toHaveProperty("email_confirmed_at");
    expect((await signIn(email, "correct horse", confirming)).body).toEqual({
      code: 400,
      error_code: "email_not_confirmed",
      msg: "Email not confirmed",
    });
    expect((await signIn(email, "wrong horse", confirming)).body.error_code).toBe("invalid_credentials");
  });

  test("A18 no auth field can be set by sign-up or by oneself", async () => {
    const columns = await auth.sql(
      "select table_name, column_name from information_schema.columns where table_schema = 'auth'",
    );
    const evil = Object.fromEntries(
      columns.map(({ column_name: name }) => [
        name as string,
        /_at$|until/.test(name as string) ? "2020-01-01" : "evil",
      ]),
    );
    const {
      email: _e,
      phone: _p,
      code_challenge: _c,
      code_challenge_method: _m,
      ...injected
    } = {
      ...evil,
      role: "service_role",
      is_super_admin: true,
      is_anonymous: true,
      app_metadata: { role: "admin" },
      user_id: "00000000-0000-4000-8000-000000000000",
    } as Record<string, unknown>;
    const made = await signUp({
      ...injected,
      data: { sub: "evil", email: "evil@example.com", email_verified: "evil" },
    });
    expect(made.status).toBe(200);
    const [row] = await auth.sql("select * from auth.users where id = $1", [made.body.user.id]);
    expect(JSON.stringify(row)).not.toContain("evil");
    expect(row).toMatchObject({ role: "authenticated", is_super_admin: null, is_anonymous: false, banned_until: null });
    expect(made.body.user.app_metadata).toEqual({ provider: "email", providers: ["email"] });

    const token = made.body.access_token;
    const refused = await auth.send("PUT", "/user", { token, body: injected });
    expect([refused.status, refused.body.error_code]).toEqual([403, "not_admin"]);
    const { app_metadata: _a, ...rest } = injected;
    const changed = await auth.send("PUT", "/user", { token, body: { ...rest, data: { hue: 1 } } });
    expect(changed.status).toBe(200);
    const [after] = await auth.sql("select * from auth.users where id = $1", [made.body.user.id]);
    expect(JSON.stringify(after)).not.toContain("evil");
    expect({ ...after, updated_at: 0, raw_user_meta_data: 0 }).toEqual({
      ...row,
      updated_at: 0,
      raw_user_meta_data: 0,
    });
  });

  test("an app's trigger sees the metadata, and its refusal undoes everything", async () => {
    await auth.sql(`
      create table public.profiles (id uuid primary key references auth.users (id) on delete cascade, name text not null);
      create function public.handle_new_user() returns trigger language plpgsql security definer set search_path = '' as $$
      begin
        insert into public.profiles values (new.id, new.raw_user_meta_data ->> 'name');
        return new;
      end $$;
      create trigger on_auth_user_created after insert on auth.users
        for each row execute function public.handle_new_user();`);
    try {
      const good = await signUp({ data: { name: "Grace" } });
      expect(await auth.sql("select name from public.profiles where id = $1", [good.body.user.id])).toEqual([
        { name: "Grace" },
      ]);
      const bad = await signUp();
      expect(bad.body).toEqual({ code: 500, error_code: "unexpected_failure", msg: "Database error saving new user" });
      expect(await auth.sql("select 1 from auth.users where email = $1", [bad.email])).toEqual([]);
    } finally {
      await auth.sql("drop trigger on_auth_user_created on auth.users; drop function public.handle_new_user()");
    }
  });
});

describe("A20 one spelling per address", () => {
  test("twins of a registered address are that address, or none", async () => {
    const made = await auth.send("POST", "/signup", { body: { email: "Kim@Example.com", password: "correct horse" } });
    expect(made.body.user.email).toBe("kim@example.com");
    for (const twin of [
      "\u212aim@example.com",
      "ｋｉｍ@example.com",
      "kim＠example.com",
      "kim@EXAMPLE.com",
      " kim@example.com ",
    ]) {
      const reply = await auth.send("POST", "/signup", { body: { email: twin, password: "correct horse" } });
      expect.soft(reply.body.error_code, twin).toBe("user_already_exists");
      expect.soft((await signIn(twin, "correct horse")).status, twin).toBe(200);
    }
    for (const none of [
      "k\u200bim@example.com",
      "kim\u00ad@example.com",
      "kim@exam\u200dple.com",
      "\u202ekim@example.com",
    ]) {
      const reply = await auth.send("POST", "/signup", { body: { email: none, password: "correct horse" } });
      expect.soft(reply.body.error_code, JSON.stringify(none)).toBe("validation_failed");
    }
  });

  test("a seeded address in another case is found, and blocks its twin", async () => {
    await auth.sql(`
      insert into auth.users (id, instance_id, aud, role, email, encrypted_password, email_confirmed_at,
        raw_app_meta_data, raw_user_meta_data, created_at, updated_at, confirmation_token, recovery_token,
        email_change_token_new, email_change)
      values (gen_random_uuid(), null, 'authenticated', 'authenticated', 'Seeded@Example.com',
        extensions.crypt('seeded password', extensions.gen_salt('bf')), now(), '{}', '{}', now(), now(), '', '', '', '')`);
    expect((await signIn("seeded@example.com", "seeded password")).status).toBe(200);
    const twin = await auth.send("POST", "/signup", {
      body: { email: "seeded@example.com", password: "correct horse" },
    });
    expect(twin.body.error_code).toBe("user_already_exists");
  });
});

describe("sign-in", () => {
  test("an imported bcrypt hash opens the door and is made anew", async () => {
    const email = freshEmail();
    await auth.sql(
      `insert into auth.users (id, instance_id, aud, role, email, encrypted_password, email_confirmed_at, created_at)
       values (gen_random_uuid(), '00000000-0000-0000-0000-000000000000', 'authenticated', 'authenticated', $1,
         extensions.crypt('seeded password', extensions.gen_salt('bf', 6)), now(), now())`,
      [email],
    );
    const twin = freshEmail();
    await auth.sql(
      `insert into auth.users (id, email, encrypted_password, email_confirmed_at, created_at)
       select gen_random_uuid(), $2, encrypted_password, now(), now() from auth.users where email = $1`,
      [email, twin],
    );
    const together = await Promise.all(Array.from({ length: 5 }, () => signIn(twin, "seeded password")));
    expect(together.map((reply) => reply.status)).toEqual([200, 200, 200, 200, 200]);
    expect((await signIn(email, "seeded passwore")).body.error_code).toBe("invalid_credentials");
    expect((await signIn(email, "seeded password")).status).toBe(200);
    const [row] = await auth.sql("select encrypted_password as hash from auth.users where email = $1", [email]);
    expect(row?.hash).toMatch(/^\$argon2id\$v=19\$m=7168,t=1,p=1\$/);
    expect((await signIn(email, "seeded password")).status).toBe(200);
  });

  test("A16 wrong password, unknown account, account without password and empty password answer alike", async () => {
    const { email } = await signUp();
    const bare = freshEmail();
    await auth.admin("POST", "/admin/users", { email: bare, email_confirm: true });
    const answers = await Promise.all([
      signIn(email, "wrong horse"),
      signIn("nobody@example.com", "wrong horse"),
      signIn("not an address", "wrong horse"),
      signIn(bare, "wrong horse"),
      signIn(email, ""),
      signIn(bare, ""),
      signIn(email, "x".repeat(5_000)),
    ]);
    for (const answer of answers) {
      expect(answer.status).toBe(400);
      expect(answer.body).toEqual({ code: 400, error_code: "invalid_credentials", msg: "Invalid login credentials" });
      expect(answer.headers).toEqual(answers[0]!.headers);
    }
  });

  test("A16 an account that is not there costs the same hashing as one that is", async () => {
    const narrow = auth.with({ hashConcurrency: 1, hashQueueLimit: 0 });
    const { email } = await signUp();
    for (const name of [email, "nobody@example.com", "not an address"]) {
      const replies = await Promise.all(Array.from({ length: 40 }, () => signIn(name, "wrong horse", narrow)));
      // Only work that takes the one place can be in another's way.
      expect(replies.map((reply) => reply.status)).toContain(429);
    }
  });

  test("A27 long, odd and multi-byte passwords count to the last byte", async () => {
    for (const password of ["🦊".repeat(64), "nul\0 inside", `${"a".repeat(72)}1`, "ﬁancée", "x".repeat(1_024)]) {
      const { email, status } = await signUp({ password });
      expect.soft(status, password).toBe(200);
      expect.soft((await signIn(email, password)).status, password).toBe(200);
      for (const near of [password.slice(0, -1), `${password.slice(0, -1)}2`, password.split("\0")[0]!]) {
        if (near !== password) expect.soft((await signIn(email, near)).status, `near ${password}`).toBe(400);
      }
    }
    const { email } = await signUp({ password: "fiancé etcetera" });
    expect((await signIn(email, "ﬁancé etcetera")).status).toBe(200);
    expect((await signUp({ password: "x".repeat(1_025) })).body.error_code).toBe("validation_failed");
    expect((await signUp({ password: "🦊🦊🦊🦊🦊" })).body.error_code).toBe("weak_password");
  });

  test("A27 two passwords alike in 72 bytes are two for an imported bcrypt hash as well", async () => {
    const email = freshEmail();
    await auth.sql(
      `insert into auth.users (id, instance_id, aud, role, email, encrypted_password, email_confirmed_at, created_at)
       values (gen_random_uuid(), null, 'authenticated', 'authenticated', $1,
         extensions.crypt($2, extensions.gen_salt('bf', 4)), now(), now())`,
      [email, "a".repeat(72)],
    );
    expect((await signIn(email, `${"a".repeat(72)}b`)).status).toBe(400);
    expect((await signIn(email, "a".repeat(72))).status).toBe(200);
  });

  test("the grants we do not know are refused", async () => {
    for (const query of ["", "?grant_type=", "?grant_type=password2"]) {
      const reply = await auth.send("POST", `/token${query}`, { body: {} });
      expect([reply.status, reply.body.error_code]).toEqual([400, "invalid_credentials"]);
    }
  });

  test("an expired token beside it does not hinder sign-in", async () => {
    const { email } = await signUp();
    const token = auth.identity.signer.sign({ sub: "x", role: "authenticated", exp: 1 });
    const reply = await auth.send("POST", "/token?grant_type=password", {
      token,
      body: { email, password: "correct horse" },
    });
    expect(reply.status).toBe(200);
  });

  test("a password that no longer meets the rules is told to its owner", async () => {
    const { email } = await signUp({ password: "correct hors" });
    const strict = auth.with({ passwordMinLength: 15 });
    const reply = await signIn(email, "correct hors", strict);
    expect(reply.body.weak_password).toEqual({
      message: "Password should be at least 15 characters.",
      reasons: ["length"],
    });
  });

  test("phone numbers sign up and in, in any spelling, when they may", async () => {
    const phones = auth.with({ phoneEnabled: true, phoneAutoconfirm: true });
    const made = await phones.send("POST", "/signup", {
      body: { phone: "+1 (555) 010-0200", password: "correct horse" },
    });
    expect(made.body.user).toMatchObject({ phone: "15550100200", email: "", app_metadata: { provider: "phone" } });
    const body = { phone: "15550100200", password: "correct horse" };
    expect((await phones.send("POST", "/token?grant_type=password", { body })).status).toBe(200);
    expect((await auth.send("POST", "/token?grant_type=password", { body })).body.error_code).toBe(
      "phone_provider_disabled",
    );
  });

  test("signing in can end the other sessions", async () => {
    const { email, body } = await signUp();
    const single = auth.with({ singleSessionPerUser: true });
    expect((await signIn(email, "correct horse", single)).status).toBe(200);
    const old = await auth.send("GET", "/user", { token: body.access_token });
    expect([old.status, old.body.error_code]).toEqual([403, "session_not_found"]);
  });
});

describe("anonymous users", () => {
  test("sign in with nothing, and become permanent with an address and a password", async () => {
    const open = auth.with({ anonymousEnabled: true });
    const made = await open.send("POST", "/signup", { body: { data: { theme: "dark" } } });
    expect(made.body.user).toMatchObject({
      is_anonymous: true,
      email: "",
      identities: [],
      user_metadata: { theme: "dark" },
    });
    expect(claimsOf(made.body.access_token)).toMatchObject({ is_anonymous: true, amr: [{ method: "anonymous" }] });
    const token = made.body.access_token;
    const early = await open.send("PUT", "/user", { token, body: { password: "correct horse" } });
    expect(early.body.error_code).toBe("validation_failed");
    const email = freshEmail();
    const upgraded = await open.send("PUT", "/user", { token, body: { email, password: "correct horse" } });
    expect(upgraded.body).toMatchObject({ is_anonymous: false, email, app_metadata: { providers: ["email"] } });
    expect(upgraded.body.identities).toHaveLength(1);
    const refreshed = await open.send("POST", "/token?grant_type=refresh_token", {
      body: { refresh_token: made.body.refresh_token },
    });
    expect(claimsOf(refreshed.body.access_token)).toMatchObject({ is_anonymous: false, email });
    expect((await signIn(email, "correct horse")).status).toBe(200);
  });
});

describe("limits", () => {
  test("A12 A13 sign-ins are counted by network address, whatever the request says of itself", async () => {
    const limited = auth.with({ rateLimits: true, rateLimitSignIn: 3 });
    const attempt = (address: string, n: number) =>
      limited.send("POST", "/token?grant_type=password", {
        address,
        headers: { "x-forwarded-for": `198.51.100.${n}`, "x-client-ip": `198.51.100.${n}`, cookie: `n=${n}` },
        body: { email: `nobody${n}@example.com`, password: "wrong horse", ip: n },
      });
    for (let n = 0; n < 3; n++) expect((await attempt("2001:db8:1:2::1", n)).status).toBe(400);
    for (let n = 3; n < 6; n++) {
      const reply = await attempt(`2001:db8:1:2:ffff::${n}`, n);
      expect([reply.status, reply.body.error_code]).toEqual([429, "over_request_rate_limit"]);
      expect(Number(reply.headers["retry-after"])).toBeGreaterThanOrEqual(1);
    }
    expect((await attempt("2001:db8:1:3::1", 7)).status).toBe(400);
    auth.clock.ms += 100_000;
    expect((await attempt("2001:db8:1:2::9", 8)).status).toBe(400);
    expect((await attempt("2001:db8:1:2::9", 9)).status).toBe(429);
  });

  test("A12 guesses at one account are counted over all addresses, known and unknown alike", async () => {
    const limited = auth.with({ rateLimits: true, lockoutAccountAfter: 3 });
    const { email } = await signUp();
    for (const name of [email, "unknown-account@example.com"]) {
      const statuses: number[] = [];
      for (let n = 0; n < 5; n++) {
        const spelled = n % 2 === 0 ? name : name.toUpperCase();
        const reply = await limited.send("POST", "/token?grant_type=password", {
          address: `192.0.2.${n}`,
          body: { email: spelled, password: "wrong horse" },
        });
        statuses.push(reply.status);
      }
      expect(statuses).toEqual([400, 400, 400, 429, 429]);
    }
  });

  test("A26 more sign-ins than can be hashed are answered 429, and the others are served", async () => {
    const narrow = auth.with({ hashConcurrency: 1, hashQueueLimit: 4 });
    const { email } = await signUp();
    const replies = await Promise.all(Array.from({ length: 40 }, () => signIn(email, "correct horse", narrow)));
    const statuses = replies.map((reply) => reply.status);
    expect(statuses.filter((status) => status === 200).length).toBeGreaterThanOrEqual(5);
    expect(statuses.filter((status) => status === 429).length).toBeGreaterThan(0);
    expect(new Set(statuses)).toEqual(new Set([200, 429]));
  });
});
