import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openTestAuth, type TestAuth, type TestReply } from "./testing.ts";

let auth: TestAuth;
beforeAll(async () => {
  auth = await openTestAuth();
});
afterAll(() => auth.close());

let count = 0;
const password = "correct horse";
interface SignedIn {
  readonly id: string;
  readonly email: string;
  readonly access_token: string;
  readonly refresh_token: string;
  readonly session: string;
}
const claimsOf = (token: string) => JSON.parse(Buffer.from(token.split(".")[1]!, "base64url").toString());
const held = (email: string, { body }: TestReply): SignedIn => ({
  ...body,
  id: body.user.id,
  email,
  session: claimsOf(body.access_token).session_id,
});
async function newUser(): Promise<SignedIn> {
  const email = `someone${++count}@example.com`;
  return held(email, await auth.send("POST", "/signup", { body: { email, password } }));
}
const signIn = async ({ email }: { email: string }, word = password) =>
  held(email, await auth.send("POST", "/token?grant_type=password", { body: { email, password: word } }));
const refresh = (token: unknown, from = auth) =>
  from.send("POST", "/token?grant_type=refresh_token", { body: { refresh_token: token } });
const next = async (token: string): Promise<string> => {
  const reply = await refresh(token);
  expect(reply.status).toBe(200);
  return reply.body.refresh_token;
};
const outcome = async (reply: TestReply | Promise<TestReply>) => {
  const { status, body } = await reply;
  return status < 300 ? status : [status, body.error_code];
};
const getUser = (token: string) => outcome(auth.send("GET", "/user", { token }));
const age = (session: string, seconds: number) =>
  auth.sql("update auth.sessions set refreshed_at = refreshed_at - make_interval(secs => $2) where id = $1", [
    session,
    seconds,
  ]);

describe("refresh", () => {
  test("gives a new pair for the same session, and says who it is for", async () => {
    const user = await newUser();
    const reply = await refresh(user.refresh_token);
    expect(reply.status).toBe(200);
    expect(reply.headers["cache-control"]).toBe("private, no-store");
    expect(reply.body.refresh_token).not.toBe(user.refresh_token);
    expect(reply.body.user.id).toBe(user.id);
    const before = claimsOf(user.access_token);
    expect(claimsOf(reply.body.access_token)).toEqual(before);
    expect(reply.headers["sb-auth-session-id"]).toBe(user.session);
  });

  test("the database holds nothing of a token", async () => {
    const user = await newUser();
    const second = await next(user.refresh_token);
    expect(await auth.sql("select * from auth.refresh_tokens where session_id = $1", [user.session])).toEqual([]);
    const rows = await auth.sql("select * from auth.sessions where id = $1", [user.session]);
    expect(rows).toHaveLength(1);
    const dump = JSON.stringify(rows);
    for (const token of [user.refresh_token, second]) {
      // Beyond the id and the number there is the seal.
      expect(dump).not.toContain(token.slice(-32));
      expect(dump).not.toContain(Buffer.from(token, "base64url").subarray(-16).toString("hex"));
    }
    expect(await outcome(refresh(second))).toBe(200);
  });

  test("a token with a bit changed, anywhere, is none", async () => {
    const user = await newUser();
    const bytes = Buffer.from(user.refresh_token, "base64url");
    expect(bytes).toHaveLength(48);
    for (let at = 0; at < bytes.length; at++) {
      const forged = Buffer.from(bytes);
      forged[at]! ^= 1;
      expect
        .soft(await outcome(refresh(forged.toString("base64url"))), `byte ${at}`)
        .toEqual([400, "refresh_token_not_found"]);
    }
    expect(await outcome(refresh(user.refresh_token))).toBe(200);
  });

  test("a phone that remembers more than a restored backup does goes on", async () => {
    const user = await newUser();
    const third = await next(await next(user.refresh_token));
    await auth.sql("update auth.sessions set refresh_token_counter = 1 where id = $1", [user.session]);
    const fourth = await next(third);
    expect(await next(fourth)).not.toBe(fourth);
    await age(user.session, 60);
    expect(await outcome(refresh(user.refresh_token))).toEqual([400, "refresh_token_already_used"]);
  });

  test("what is no token of ours is not found", async () => {
    for (const token of [
      "x",
      "abcdefghijkl",
      "sha256:x",
      "a".repeat(500),
      "tok\0en-tok",
      "' or 1=1 --",
      "é".repeat(20),
    ]) {
      expect(await outcome(refresh(token))).toEqual([400, "refresh_token_not_found"]);
    }
    expect(await outcome(refresh(""))).toEqual([400, "validation_failed"]);
    expect(await outcome(refresh(7))).toEqual([400, "bad_json"]);
    const text = (await refresh("abcdefghijkl")).body.msg;
    expect(text).toBe("Invalid Refresh Token: Refresh Token Not Found");
  });

  test("A07 fifty refreshes of one token at once give one live value", async () => {
    const user = await newUser();
    const replies = await Promise.all(Array.from({ length: 50 }, () => refresh(user.refresh_token)));
    expect(replies.map((reply) => reply.status)).toEqual(Array.from({ length: 50 }, () => 200));
    expect(new Set(replies.map((reply) => reply.body.refresh_token)).size).toBe(1);
    const [session] = await auth.sql("select refresh_token_counter::int as n from auth.sessions where id = $1", [
      user.session,
    ]);
    expect(session).toEqual({ n: 2 });
    expect(await outcome(refresh(replies[0]?.body.refresh_token))).toBe(200);
  });

  test("A08 a lost answer can be asked for again, any time later, until the successor is used", async () => {
    const user = await newUser();
    const second = await next(user.refresh_token);
    await age(user.session, 86_400);
    expect(await next(user.refresh_token)).toBe(second);
    expect(await next(user.refresh_token)).toBe(second);
    const third = await next(second);
    await age(user.session, 60);
    const reused = await refresh(user.refresh_token);
    expect([reused.status, reused.body]).toEqual([
      400,
      { code: 400, error_code: "refresh_token_already_used", msg: "Invalid Refresh Token: Already Used" },
    ]);
    expect(await outcome(refresh(third))).toEqual([400, "refresh_token_not_found"]);
    expect(await getUser(user.access_token)).toEqual([403, "session_not_found"]);
  });

  test("A08 within the reuse interval an older token gives the current one, outside it ends the session", async () => {
    const user = await newUser();
    const second = await next(user.refresh_token);
    const third = await next(second);
    expect(await next(user.refresh_token)).toBe(third);
    const fourth = await next(third);
    expect(await next(user.refresh_token)).toBe(fourth);
    await age(user.session, 11);
    expect(await next(third)).toBe(fourth);
    expect(await outcome(refresh(second))).toEqual([400, "refresh_token_already_used"]);
  });

  test("A07 a stolen token used by two leaves neither of them in", async () => {
    const user = await newUser();
    const thief = await next(user.refresh_token);
    const thiefs = await next(thief);
    await age(user.session, 60);
    expect(await outcome(refresh(user.refresh_token))).toEqual([400, "refresh_token_already_used"]);
    expect(await outcome(refresh(thiefs))).toEqual([400, "refresh_token_not_found"]);
    expect(auth.seen).toContainEqual(expect.objectContaining({ kind: "auth.event", event: "token_reused" }));
  });

  test("reuse ends that session only", async () => {
    const phone = await newUser();
    const tablet = await signIn(phone);
    const second = await next(phone.refresh_token);
    await next(second);
    await age(phone.session, 60);
    await refresh(phone.refresh_token);
    expect(await getUser(phone.access_token)).toEqual([403, "session_not_found"]);
    expect(await getUser(tablet.access_token)).toBe(200);
  });

  test("sessions of an imported database go on, with the tokens they had", async () => {
    const imported = async () => {
      const user = await newUser();
      const named = (name: string) => `${name}${count}`;
      await auth.sql("update auth.sessions set refresh_token_counter = null where id = $1", [user.session]);
      await auth.sql(
        `insert into auth.refresh_tokens (token, user_id, session_id, parent, revoked, created_at, updated_at) values
          ($3, $1, $2, null, true, now(), now() - interval '2 days'),
          ($4, $1, $2, $3, true, now(), now() - interval '1 day'),
          ($5, $1, $2, $4, false, now(), now())`,
        [user.id, user.session, named("plainOldest"), named("plainParent"), named("plainActive")],
      );
      return { ...user, oldest: named("plainOldest"), parent: named("plainParent"), active: named("plainActive") };
    };
    const user = await imported();
    const first = await next(user.parent);
    expect(await next(user.active)).toBe(first);
    expect(await next(user.parent)).toBe(first);
    const second = await next(first);
    await age(user.session, 60);
    expect(await next(first)).toBe(second);
    expect(await outcome(refresh(user.active))).toEqual([400, "refresh_token_already_used"]);
    expect(await outcome(refresh(second))).toEqual([400, "refresh_token_not_found"]);

    const other = await imported();
    await next(other.active);
    await age(other.session, 60);
    expect(await outcome(refresh(other.oldest))).toEqual([400, "refresh_token_already_used"]);
    expect(await getUser(other.access_token)).toEqual([403, "session_not_found"]);
  });

  test("without rotation the token stays", async () => {
    const still = auth.with({ refreshTokenRotation: false });
    const user = await newUser();
    for (let n = 0; n < 2; n++)
      expect((await refresh(user.refresh_token, still)).body.refresh_token).toBe(user.refresh_token);
  });

  test("a session has an end when the settings say so", async () => {
    const idle = auth.with({ sessionInactivitySeconds: 3_600 });
    const boxed = auth.with({ sessionTimeboxSeconds: 3_600 });
    for (const limited of [idle, boxed]) {
      const user = await newUser();
      const second = await refresh(user.refresh_token, limited);
      expect(second.status).toBe(200);
      await auth.sql(
        "update auth.sessions set created_at = created_at - interval '2 h', refreshed_at = refreshed_at - interval '2 h' where id = $1",
        [user.session],
      );
      expect(await outcome(refresh(second.body.refresh_token, limited))).toEqual([400, "session_expired"]);
      expect(await outcome(refresh(second.body.refresh_token, limited))).toEqual([400, "refresh_token_not_found"]);
    }
  });

  test("a refresh that waits too long for another is told to come again", async () => {
    const user = await newUser();
    await auth.db.transaction(async (tx) => {
      const { sql } = await import("pg-sql2");
      await tx.query(sql`select id from auth.sessions where id = ${sql.value(user.session)} for update`);
      const reply = await refresh(user.refresh_token);
      expect([reply.status, reply.body.error_code]).toEqual([409, "conflict"]);
    });
    expect(await outcome(refresh(user.refresh_token))).toBe(200);
  });
});

describe("user", () => {
  test("needs a bearer of a user: the protocol's refusals", async () => {
    const { identity, clock } = auth;
    const user = await newUser();
    const sign = (claims: Record<string, unknown>) =>
      identity.signer.sign({ ...claimsOf(user.access_token), ...claims });
    const cases: [string | undefined, number, string][] = [
      [undefined, 401, "no_authorization"],
      [identity.keys.anonKey, 403, "bad_jwt"],
      [identity.keys.publishableKey, 403, "bad_jwt"],
      ["rubbish", 403, "bad_jwt"],
      [sign({ exp: Math.floor(clock.ms / 1000) - 60 }), 403, "bad_jwt"],
      [sign({ sub: "not-a-uuid" }), 403, "bad_jwt"],
      [sign({ sub: "00000000-0000-4000-8000-000000000000" }), 403, "user_not_found"],
      [sign({ session_id: "00000000-0000-4000-8000-000000000000" }), 403, "session_not_found"],
      [sign({ session_id: { "": 1 } }), 403, "session_not_found"],
      [sign({ session_id: (await newUser()).session }), 403, "session_not_found"],
    ];
    for (const [token, status, code] of cases) {
      for (const [method, target] of [
        ["GET", "/user"],
        ["PUT", "/user"],
        ["POST", "/logout"],
      ] as const) {
        // A17: the refusal is the same whatever the body asks.
        const reply = await auth.send(method, target, { token, body: { password: "x", email: user.email } });
        expect.soft([reply.status, reply.body?.error_code], `${method} ${token}`).toEqual([status, code]);
      }
    }
    expect(await getUser(sign({ session_id: undefined }))).toBe(200);
  });

  test("changes metadata key by key; null takes a key away", async () => {
    const { access_token: token } = await newUser();
    await auth.send("PUT", "/user", { token, body: { data: { a: 1, b: { c: 2 } } } });
    const { body } = await auth.send("PUT", "/user", { token, body: { data: { a: null, d: "x" } } });
    expect(body.user_metadata).toMatchObject({ b: { c: 2 }, d: "x" });
    expect(body.user_metadata).not.toHaveProperty("a");
  });

  test("metadata cannot grow past its limit piece by piece", async () => {
    const { access_token: token } = await newUser();
    const put = (key: string) => auth.send("PUT", "/user", { token, body: { data: { [key]: "x".repeat(2_500) } } });
    expect(await outcome(put("a"))).toBe(200);
    expect(await outcome(put("b"))).toBe(200);
    expect(await outcome(put("c"))).toEqual([400, "validation_failed"]);
    const { body } = await auth.send("GET", "/user", { token });
    expect(Object.keys(body.user_metadata)).not.toContain("c");
  });

  test("an address changes at once where addresses confirm themselves, else it waits", async () => {
    const { access_token: token, email } = await newUser();
    const changed = await auth.send("PUT", "/user", { token, body: { email: `New${email}` } });
    expect(changed.body).toMatchObject({ email: `new${email}`, user_metadata: { email: `new${email}` } });
    expect(changed.body.identities[0]).toMatchObject({ email: `new${email}` });
    const confirming = auth.with({ mailerAutoconfirm: false });
    const waiting = await confirming.send("PUT", "/user", { token, body: { email: `later${email}` } });
    expect(waiting.body).toMatchObject({ email: `new${email}`, new_email: `later${email}` });
    const taken = (await newUser()).email;
    expect(await outcome(auth.send("PUT", "/user", { token, body: { email: taken } }))).toEqual([422, "email_exists"]);
    expect(await outcome(auth.send("PUT", "/user", { token, body: { email: "x" } }))).toEqual([
      400,
      "validation_failed",
    ]);
  });

  test("A22 a new password ends the other sessions, at once and for good", async () => {
    const here = await newUser();
    const there = await signIn(here);
    const put = (body: Record<string, unknown>) => auth.send("PUT", "/user", { token: here.access_token, body });
    expect(await outcome(put({ password }))).toEqual([422, "same_password"]);
    expect(await outcome(put({ password: "tiny" }))).toEqual([422, "weak_password"]);
    expect(await outcome(put({ password: "new password", current_password: "wrong" }))).toEqual([
      400,
      "current_password_invalid",
    ]);
    expect(await getUser(there.access_token)).toBe(200);
    expect(await outcome(put({ password: "new password", current_password: password }))).toBe(200);
    expect(await getUser(here.access_token)).toBe(200);
    expect(await getUser(there.access_token)).toEqual([403, "session_not_found"]);
    expect(await outcome(refresh(there.refresh_token))).toEqual([400, "refresh_token_not_found"]);
    expect(await outcome(refresh(here.refresh_token))).toBe(200);
    const old = auth.send("POST", "/token?grant_type=password", { body: { email: here.email, password } });
    expect(await outcome(old)).toEqual([400, "invalid_credentials"]);
    expect((await signIn(here, "new password")).id).toBe(here.id);
  });

  test("A22 a sign-in that races a password change does not leave the old password a session", async () => {
    for (let n = 0; n < 5; n++) {
      const user = await newUser();
      const attempts = [0, 1, 2].map(() =>
        auth.send("POST", "/token?grant_type=password", { body: { email: user.email, password } }),
      );
      const change = auth.send("PUT", "/user", { token: user.access_token, body: { password: `new password ${n}` } });
      await Promise.all([...attempts, change]);
      expect((await change).status).toBe(200);
      const sessions = await auth.sql("select id from auth.sessions where user_id = $1", [user.id]);
      expect(sessions).toEqual([{ id: user.session }]);
    }
  });

  test("the password can be bound to the current one, or to a fresh session", async () => {
    const user = await newUser();
    const bound = auth.with({ passwordCurrentRequired: true });
    const recent = auth.with({ passwordReauthentication: true });
    const put = (from: TestAuth, body: Record<string, unknown>) =>
      outcome(from.send("PUT", "/user", { token: user.access_token, body }));
    expect(await put(bound, { password: "new password" })).toEqual([400, "current_password_required"]);
    await auth.sql("update auth.sessions set created_at = now() - interval '25 h' where id = $1", [user.session]);
    expect(await put(recent, { password: "new password" })).toEqual([400, "reauthentication_needed"]);
    expect(await put(recent, { password: "new password", nonce: "123456" })).toEqual([
      422,
      "reauthentication_not_valid",
    ]);
    expect(await put(recent, { password: "new password", current_password: password })).toBe(200);
  });

  test("with a second factor, address and password need a session that showed it", async () => {
    const user = await newUser();
    await auth.sql(
      `insert into auth.mfa_factors (id, user_id, factor_type, status, created_at, updated_at, secret)
       values (gen_random_uuid(), $1, 'totp', 'verified', now(), now(), 'hidden secret')`,
      [user.id],
    );
    const put = (body: Record<string, unknown>) =>
      outcome(auth.send("PUT", "/user", { token: user.access_token, body }));
    expect(await put({ password: "new password" })).toEqual([401, "insufficient_aal"]);
    expect(await put({ email: `x${user.email}` })).toEqual([401, "insufficient_aal"]);
    expect(await put({ data: { ok: true } })).toBe(200);
    const { body } = await auth.send("GET", "/user", { token: user.access_token });
    expect(body.factors).toEqual([expect.objectContaining({ factor_type: "totp", status: "verified" })]);
    // A19: what a factor keeps secret is in no answer.
    expect(JSON.stringify(body)).not.toContain("hidden secret");
  });

  test("A19 no answer holds a hash or a token of the account", async () => {
    const user = await newUser();
    await auth.sql(
      "update auth.users set recovery_token = 'secret-r', confirmation_token = 'secret-c', reauthentication_token = 'secret-a' where id = $1",
      [user.id],
    );
    const answers = await Promise.all([
      auth.send("GET", "/user", { token: user.access_token }),
      auth.send("PUT", "/user", { token: user.access_token, body: { data: { a: 1 } } }),
      refresh(user.refresh_token),
      auth.admin("GET", `/admin/users/${user.id}`),
      auth.admin("GET", "/admin/users"),
    ]);
    for (const { status, body } of answers) {
      expect(status).toBe(200);
      expect(JSON.stringify(body)).not.toMatch(/argon2|secret-|encrypted_password|passwordHash/);
    }
  });
});

describe("logout", () => {
  test("ends all, this one, or the others", async () => {
    const sessionsAfter = async (scope: string) => {
      const [first] = [await newUser()];
      const second = await signIn(first!);
      const reply = await auth.send("POST", `/logout${scope}`, { token: first!.access_token });
      expect([reply.status, reply.body]).toEqual([204, null]);
      const states = [await getUser(first!.access_token), await getUser(second.access_token)];
      return states.map((state) => (state === 200 ? "in" : "out"));
    };
    expect(await sessionsAfter("")).toEqual(["out", "out"]);
    expect(await sessionsAfter("?scope=global")).toEqual(["out", "out"]);
    expect(await sessionsAfter("?scope=local")).toEqual(["out", "in"]);
    expect(await sessionsAfter("?scope=others")).toEqual(["in", "out"]);
    const user = await newUser();
    const odd = auth.send("POST", "/logout?scope=galaxy", { token: user.access_token });
    expect(await outcome(odd)).toEqual([400, "validation_failed"]);
    expect(await getUser(user.access_token)).toBe(200);
  });

  test("a refresh token dies with its session", async () => {
    const user = await newUser();
    await auth.send("POST", "/logout?scope=local", { token: user.access_token });
    expect(await outcome(refresh(user.refresh_token))).toEqual([400, "refresh_token_not_found"]);
    expect(await outcome(auth.send("POST", "/logout", { token: user.access_token }))).toEqual([
      403,
      "session_not_found",
    ]);
  });
});
