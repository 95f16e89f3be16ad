import { randomUUID } from "node:crypto";
import type { Session, SupabaseClient } from "@supabase/supabase-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type App, startApp } from "../app.ts";

let app: App;
beforeAll(async () => {
  app = await startApp();
});
afterAll(() => app.stop());

const password = "correct horse battery staple";
const address = () => `${randomUUID()}@conformance.example`;

async function signUp(data: object = {}): Promise<{ client: SupabaseClient; email: string; session: Session }> {
  const client = app.client();
  const email = address();
  const answer = await client.auth.signUp({ email, password, options: { data } });
  expect(answer.error).toBeNull();
  expect(answer.data.session).not.toBeNull();
  return { client, email, session: answer.data.session as Session };
}
const payloadOf = (token: string) => JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());

describe("auth: signUp", () => {
  it("gives a session whose user is as GoTrue describes it", async () => {
    const { session, email } = await signUp({ nickname: "Nick" });
    expect(session).toMatchObject({
      token_type: "bearer",
      expires_in: 3600,
      expires_at: expect.any(Number),
      refresh_token: expect.any(String),
      user: {
        id: expect.stringMatching(/^[0-9a-f-]{36}$/),
        aud: "authenticated",
        role: "authenticated",
        email,
        phone: "",
        app_metadata: { provider: "email", providers: ["email"] },
        user_metadata: { nickname: "Nick", email, email_verified: true, phone_verified: false, sub: session.user.id },
        identities: [
          {
            provider: "email",
            user_id: session.user.id,
            id: session.user.id,
            identity_data: { email, sub: session.user.id },
          },
        ],
        is_anonymous: false,
        created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
        email_confirmed_at: expect.any(String),
      },
    });
    expect(session.user).not.toHaveProperty("invited_at");
  });

  it("the token carries the claims policies read", async () => {
    const { session, email } = await signUp();
    expect(payloadOf(session.access_token)).toMatchObject({
      iss: expect.stringMatching(/\/auth\/v1$/),
      sub: session.user.id,
      aud: "authenticated",
      role: "authenticated",
      email,
      phone: "",
      aal: "aal1",
      amr: [{ method: "password", timestamp: expect.any(Number) }],
      session_id: expect.any(String),
      is_anonymous: false,
      app_metadata: { provider: "email", providers: ["email"] },
      user_metadata: { email },
      exp: session.expires_at,
    });
  });

  it("twice is user_already_exists, whatever the case of the address", async () => {
    const { email } = await signUp();
    for (const again of [email, email.toUpperCase()]) {
      const { error } = await app.client().auth.signUp({ email: again, password });
      expect(error).toMatchObject({ status: 422, code: "user_already_exists", message: "User already registered" });
    }
  });

  it("a short password is weak_password with its reasons", async () => {
    const { error } = await app.client().auth.signUp({ email: address(), password: "12345" });
    expect(error).toMatchObject({ status: 422, code: "weak_password", reasons: ["length"] });
  });

  it("a bad address is validation_failed", async () => {
    const { error } = await app.client().auth.signUp({ email: "not an address", password });
    expect(error).toMatchObject({ status: 400, code: "validation_failed" });
    expect(error?.message).toMatch(/^Unable to validate email address/);
  });

  it("A18 cannot set what is not the user's to set", async () => {
    const answer = await app.request("/auth/v1/signup", {
      method: "POST",
      body: {
        email: address(),
        password,
        role: "service_role",
        app_metadata: { admin: true },
        raw_app_meta_data: { admin: true },
        is_super_admin: true,
        id: "6f0c8d2e-0000-4000-8000-000000000009",
        aud: "other",
      },
    });
    expect(answer.status).toBe(200);
    const { user, access_token } = answer.json as { user: Record<string, unknown>; access_token: string };
    expect(user).toMatchObject({
      role: "authenticated",
      aud: "authenticated",
      app_metadata: { provider: "email", providers: ["email"] },
    });
    expect(user.id).not.toBe("6f0c8d2e-0000-4000-8000-000000000009");
    expect(user.app_metadata).not.toHaveProperty("admin");
    expect(payloadOf(access_token).role).toBe("authenticated");
  });

  it("runs the app's trigger on auth.users in the same transaction", async () => {
    await app.sql(`
      create table public.profiles (id uuid primary key references auth.users (id) on delete cascade, nickname text);
      create function public.make_profile() returns trigger language plpgsql security definer set search_path = '' as $$
      begin
        insert into public.profiles values (new.id, new.raw_user_meta_data ->> 'nickname');
        return new;
      end $$;
      create trigger make_profile after insert on auth.users for each row execute function public.make_profile();`);
    const { session } = await signUp({ nickname: "Trig" });
    expect(await app.sql(`select nickname from public.profiles where id = '${session.user.id}'`)).toEqual([
      { nickname: "Trig" },
    ]);
  });
});

describe("auth: signInWithPassword", () => {
  it("gives a session of its own", async () => {
    const { email, session } = await signUp();
    const { data, error } = await app.client().auth.signInWithPassword({ email: email.toUpperCase(), password });
    expect(error).toBeNull();
    expect(data.user?.id).toBe(session.user.id);
    expect(data.user?.last_sign_in_at).toEqual(expect.any(String));
    expect(payloadOf(data.session?.access_token ?? "").session_id).not.toBe(payloadOf(session.access_token).session_id);
  });

  it("A16 a wrong password and an unknown address get the same answer", async () => {
    const { email } = await signUp();
    const wrong = await app.client().auth.signInWithPassword({ email, password: "wrong password" });
    const unknown = await app.client().auth.signInWithPassword({ email: address(), password });
    for (const { error, data } of [wrong, unknown]) {
      expect(error).toMatchObject({ status: 400, code: "invalid_credentials", message: "Invalid login credentials" });
      expect(data.session).toBeNull();
    }
  });

  it("reads hashes that apps seed with crypt()", async () => {
    const [id, email] = [randomUUID(), address()];
    await app.sql(`
      insert into auth.users (instance_id, id, aud, role, email, encrypted_password, email_confirmed_at, raw_app_meta_data,
        raw_user_meta_data, created_at, updated_at, confirmation_token, recovery_token, email_change, email_change_token_new)
      values ('00000000-0000-0000-0000-000000000000', '${id}', 'authenticated', 'authenticated', '${email}',
        extensions.crypt('seeded password', extensions.gen_salt('bf')), now(), '{"provider":"email","providers":["email"]}', '{}',
        now(), now(), '', '', '', '')`);
    const { data, error } = await app.client().auth.signInWithPassword({ email, password: "seeded password" });
    expect([error, data.user?.id]).toEqual([null, id]);
  });

  it("the session decides what the data client may see", async () => {
    const [ann, bob] = [await signUp(), await signUp()];
    const inserted = await ann.client.from("notes").insert({ body: "mine" }).select("owner_id").single();
    expect(inserted.data).toEqual({ owner_id: ann.session.user.id });
    expect((await bob.client.from("notes").select()).data).toEqual([]);
    expect((await app.client().from("notes").select()).data).toEqual([]);
    expect((await ann.client.from("notes").select("body")).data).toEqual([{ body: "mine" }]);
  });
});

describe("auth: sessions", () => {
  it("getSession and onAuthStateChange see what happens", async () => {
    const { client, email } = await signUp();
    const events: string[] = [];
    const { data } = client.auth.onAuthStateChange((event) => events.push(event));
    await client.auth.refreshSession();
    await client.auth.signOut();
    await client.auth.signInWithPassword({ email, password });
    data.subscription.unsubscribe();
    expect(events.filter((event) => event !== "INITIAL_SESSION")).toEqual([
      "TOKEN_REFRESHED",
      "SIGNED_OUT",
      "SIGNED_IN",
    ]);
    expect((await client.auth.getSession()).data.session?.user.email).toBe(email);
  });

  it("refreshSession gives new tokens for the same session", async () => {
    const { client, session } = await signUp();
    const { data, error } = await client.auth.refreshSession();
    expect(error).toBeNull();
    expect(data.session?.refresh_token).not.toBe(session.refresh_token);
    expect(payloadOf(data.session?.access_token ?? "").session_id).toBe(payloadOf(session.access_token).session_id);
    expect((await client.auth.getUser()).data.user?.id).toBe(session.user.id);
  });

  it("A08 the parent of the active refresh token is accepted again and yields the active one's successor chain", async () => {
    const { session } = await signUp();
    const refresh = (refresh_token: string) => app.client().auth.refreshSession({ refresh_token });
    expect((await refresh(session.refresh_token)).error).toBeNull();
    // The answer is taken as lost: the client only has the old token.
    const retried = await refresh(session.refresh_token);
    expect(retried.error).toBeNull();
    expect((await refresh(retried.data.session?.refresh_token ?? "")).error).toBeNull();
  });

  it("A07 many refreshes at once leave one live token value", async () => {
    const { session } = await signUp();
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => app.client().auth.refreshSession({ refresh_token: session.refresh_token })),
    );
    expect(answers.map(({ error }) => error)).toEqual(answers.map(() => null));
    expect(new Set(answers.map(({ data }) => data.session?.refresh_token)).size).toBe(1);
  });

  it("an unknown refresh token is refresh_token_not_found", async () => {
    const { error } = await app.client().auth.refreshSession({ refresh_token: "neverissued0" });
    expect(error).toMatchObject({
      status: 400,
      code: "refresh_token_not_found",
      message: "Invalid Refresh Token: Refresh Token Not Found",
    });
  });

  it("setSession takes both tokens", async () => {
    const { session } = await signUp();
    const client = app.client();
    const { data, error } = await client.auth.setSession(session);
    expect([error, data.user?.id]).toEqual([null, session.user.id]);
    expect((await client.from("notes").insert({ body: "set" })).error).toBeNull();
  });

  it("signOut ends every session, with scope local only this one, with others the others", async () => {
    const { client, email, session } = await signUp();
    const signedIn = async () => {
      const other = app.client();
      const { data } = await other.auth.signInWithPassword({ email, password });
      return { other, token: data.session?.access_token ?? "", refresh_token: data.session?.refresh_token ?? "" };
    };
    const isAlive = async (token: string) => (await app.client().auth.getUser(token)).error === null;

    const [second, third] = [await signedIn(), await signedIn()];
    expect((await second.other.auth.signOut({ scope: "local" })).error).toBeNull();
    expect([await isAlive(second.token), await isAlive(third.token), await isAlive(session.access_token)]).toEqual([
      false,
      true,
      true,
    ]);

    const fourth = await signedIn();
    expect((await client.auth.signOut({ scope: "others" })).error).toBeNull();
    expect([await isAlive(third.token), await isAlive(fourth.token), await isAlive(session.access_token)]).toEqual([
      false,
      false,
      true,
    ]);

    const fifth = await signedIn();
    expect((await client.auth.signOut()).error).toBeNull();
    expect([await isAlive(fifth.token), await isAlive(session.access_token)]).toEqual([false, false]);
    const { error } = await app.client().auth.refreshSession({ refresh_token: fifth.refresh_token });
    expect(error?.status).toBe(400);
  });

  it("after signOut /user answers 403 session_not_found", async () => {
    const { client, session } = await signUp();
    await client.auth.signOut();
    const answer = await app.request("/auth/v1/user", {
      as: session.access_token,
      headers: { "X-Supabase-Api-Version": "2024-01-01" },
    });
    expect(answer).toMatchObject({ status: 403, json: { code: "session_not_found" } });
    expect(answer.headers.get("x-sb-error-code")).toBe("session_not_found");
  });
});

describe("auth: user", () => {
  it("getUser asks the server", async () => {
    const { client, session } = await signUp();
    expect((await client.auth.getUser()).data.user).toMatchObject({ id: session.user.id, email: session.user.email });
  });

  it("a broken token is 403 bad_jwt, none is 401 no_authorization", async () => {
    const version = { "X-Supabase-Api-Version": "2024-01-01" };
    expect(await app.request("/auth/v1/user", { as: "a.b.c", headers: version })).toMatchObject({
      status: 403,
      json: { code: "bad_jwt" },
    });
    const response = await fetch(`${app.url}/auth/v1/user`, { headers: { apikey: app.anonKey, ...version } });
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([401, "no_authorization"]);
  });

  it("updateUser merges data, and null deletes a key", async () => {
    const { client } = await signUp({ keep: 1, drop: 2 });
    const { data, error } = await client.auth.updateUser({ data: { drop: null, add: 3 } });
    expect(error).toBeNull();
    expect(data.user?.user_metadata).toMatchObject({ keep: 1, add: 3 });
    expect(data.user?.user_metadata).not.toHaveProperty("drop");
  });

  it("updateUser changes the password, not to the same one", async () => {
    const { client, email } = await signUp();
    expect((await client.auth.updateUser({ password })).error).toMatchObject({ status: 422, code: "same_password" });
    expect((await client.auth.updateUser({ password: "an entirely new one" })).error).toBeNull();
    expect((await app.client().auth.signInWithPassword({ email, password })).error?.code).toBe("invalid_credentials");
    expect((await app.client().auth.signInWithPassword({ email, password: "an entirely new one" })).error).toBeNull();
  });

  it("A18 updateUser cannot touch app_metadata", async () => {
    const { session } = await signUp();
    const answer = await app.request("/auth/v1/user", {
      method: "PUT",
      as: session.access_token,
      body: { app_metadata: { admin: true } },
      headers: { "X-Supabase-Api-Version": "2024-01-01" },
    });
    expect(answer).toMatchObject({ status: 403, json: { code: "not_admin" } });
  });

  it("getClaims verifies the token", async () => {
    const { client, session } = await signUp();
    const { data, error } = await client.auth.getClaims();
    expect(error).toBeNull();
    expect(data?.claims).toMatchObject({ sub: session.user.id, role: "authenticated", aal: "aal1" });
  });
});

describe("auth: asymmetric keys", () => {
  let modern: App;
  beforeAll(async () => {
    modern = await startApp({ identity: { jwtAlgorithm: "ES256" } });
  });
  afterAll(() => modern.stop());

  it("getClaims verifies locally against the published keys", async () => {
    const client = modern.client();
    const { data: signedUp } = await client.auth.signUp({ email: address(), password });
    const [head = ""] = (signedUp.session?.access_token ?? "").split(".");
    const { alg, kid } = JSON.parse(Buffer.from(head, "base64url").toString());
    expect(alg).toBe("ES256");
    const jwks = await modern.request("/auth/v1/.well-known/jwks.json");
    expect((jwks.json as { keys: object[] }).keys).toContainEqual(
      expect.objectContaining({ kid, kty: "EC", crv: "P-256" }),
    );
    for (const key of (jwks.json as { keys: object[] }).keys) {
      expect(key).not.toHaveProperty("d");
      expect(key).not.toHaveProperty("k");
    }
    expect(jwks.headers.get("cache-control")).toBe("public, max-age=600");
    const { data, error } = await client.auth.getClaims();
    expect([error, data?.claims.sub]).toEqual([null, signedUp.user?.id]);
    expect((await client.from("notes").insert({ body: "signed ES256" })).error).toBeNull();
  });
});

describe("auth: admin", () => {
  const admin = () => app.client(app.serviceRoleKey).auth.admin;

  it("createUser, getUserById, updateUserById, deleteUser", async () => {
    const email = address();
    const created = await admin().createUser({
      email,
      password,
      email_confirm: true,
      user_metadata: { a: 1, b: 2 },
      app_metadata: { plan: "gold" },
    });
    expect(created.error).toBeNull();
    const id = created.data.user?.id ?? "";
    expect(created.data.user).toMatchObject({ email, app_metadata: { plan: "gold" }, user_metadata: { a: 1 } });
    expect((await app.client().auth.signInWithPassword({ email, password })).error).toBeNull();

    expect((await admin().getUserById(id)).data.user?.email).toBe(email);
    const updated = await admin().updateUserById(id, { user_metadata: { b: null, c: 3 }, password: "set by an admin" });
    expect(updated.data.user?.user_metadata).toMatchObject({ a: 1, c: 3 });
    expect(updated.data.user?.user_metadata).not.toHaveProperty("b");
    expect((await app.client().auth.signInWithPassword({ email, password: "set by an admin" })).error).toBeNull();

    expect((await admin().deleteUser(id)).error).toBeNull();
    expect((await admin().getUserById(id)).error).toMatchObject({ status: 404, code: "user_not_found" });
    expect((await app.client().auth.signInWithPassword({ email, password: "set by an admin" })).error?.code).toBe(
      "invalid_credentials",
    );
  });

  it("an unconfirmed user cannot sign in", async () => {
    const email = address();
    await admin().createUser({ email, password });
    expect((await app.client().auth.signInWithPassword({ email, password })).error).toMatchObject({
      status: 400,
      code: "email_not_confirmed",
      message: "Email not confirmed",
    });
  });

  it("a banned user cannot sign in, until the ban is lifted", async () => {
    const { email, session } = await signUp();
    await admin().updateUserById(session.user.id, { ban_duration: "24h" });
    expect((await app.client().auth.signInWithPassword({ email, password })).error).toMatchObject({
      status: 400,
      code: "user_banned",
    });
    await admin().updateUserById(session.user.id, { ban_duration: "none" });
    expect((await app.client().auth.signInWithPassword({ email, password })).error).toBeNull();
  });

  it("listUsers pages, and says how many there are", async () => {
    for (let i = 0; i < 3; i++) await admin().createUser({ email: address(), password, email_confirm: true });
    const first = await admin().listUsers({ page: 1, perPage: 2 });
    expect(first.error).toBeNull();
    const page = first.data as { users: unknown[]; total: number; nextPage: number | null; lastPage: number };
    expect(page.users).toHaveLength(2);
    expect(page.total).toBeGreaterThanOrEqual(3);
    expect(page.nextPage).toBe(2);
    // The client reads one digit of the last page; the header carries them all.
    const { headers } = await app.request("/auth/v1/admin/users?page=1&per_page=2", {
      as: app.serviceRoleKey,
      headers: { apikey: app.serviceRoleKey },
    });
    expect(headers.get("x-total-count")).toBe(String(page.total));
    expect(headers.get("link")).toMatch(/\?page=2&per_page=2>; rel="next"/);
    expect(headers.get("link")).toContain(`?page=${Math.ceil(page.total / 2)}&per_page=2>; rel="last"`);
    const second = await admin().listUsers({ page: 2, perPage: 2 });
    const idsOf = ({ data }: typeof first) => data.users.map(({ id }) => id);
    expect(idsOf(second).some((id) => idsOf(first).includes(id))).toBe(false);
  });

  it("is not for anybody else", async () => {
    const { session } = await signUp();
    const version = { "X-Supabase-Api-Version": "2024-01-01" };
    for (const [method, path] of [
      ["GET", "/auth/v1/admin/users"],
      ["POST", "/auth/v1/admin/users"],
      ["GET", `/auth/v1/admin/users/${session.user.id}`],
      ["DELETE", `/auth/v1/admin/users/${session.user.id}`],
    ] as const) {
      const body = method === "POST" ? { email: address(), password } : undefined;
      const asUser = await app.request(path, { method, as: session.access_token, body, headers: version });
      expect(asUser).toMatchObject({ status: 403, json: { code: "not_admin" } });
      const asAnon = await app.request(path, { method, body, headers: version });
      expect([401, 403]).toContain(asAnon.status);
    }
    expect((await admin().getUserById(session.user.id)).error).toBeNull();
  });

  it("X02 an id that is no UUID is 404 validation_failed", async () => {
    const answer = await app.request("/auth/v1/admin/users/..%2f..%2fadmin", {
      as: app.serviceRoleKey,
      headers: { apikey: app.serviceRoleKey, "X-Supabase-Api-Version": "2024-01-01" },
    });
    expect(answer).toMatchObject({ status: 404, json: { code: "validation_failed" } });
  });
});

describe("auth: limits", () => {
  let limited: App;
  beforeAll(async () => {
    limited = await startApp({ auth: { rateLimits: true, rateLimitSignIn: 3 } });
  });
  afterAll(() => limited.stop());

  it("A12 too many sign-ins are over_request_rate_limit, whatever the forwarded address says", async () => {
    const statuses: number[] = [];
    for (let i = 0; i < 6; i++) {
      const { status } = await limited.request("/auth/v1/token?grant_type=password", {
        method: "POST",
        body: { email: address(), password },
        headers: { "X-Forwarded-For": `203.0.113.${i}`, "X-Supabase-Api-Version": "2024-01-01" },
      });
      statuses.push(status);
    }
    expect(statuses.slice(0, 3)).toEqual([400, 400, 400]);
    expect(statuses.at(-1)).toBe(429);
    const { error } = await limited.client().auth.signInWithPassword({ email: address(), password });
    expect(error).toMatchObject({ status: 429, code: "over_request_rate_limit" });
  });
});

describe("auth: errors and metadata", () => {
  it("has the older shape without a version, the newer with it", async () => {
    const body = { email: address(), password: "nope nope" };
    const ask = (headers: Record<string, string>) =>
      app.request("/auth/v1/token?grant_type=password", { method: "POST", body, headers });
    expect((await ask({})).json).toMatchObject({
      code: 400,
      error_code: "invalid_credentials",
      msg: "Invalid login credentials",
    });
    const newer = await ask({ "X-Supabase-Api-Version": "2024-01-01" });
    expect(newer.json).toMatchObject({ code: "invalid_credentials", message: "Invalid login credentials" });
    expect(newer.headers.get("x-supabase-api-version")).toBe("2024-01-01");
  });

  it("broken JSON is bad_json", async () => {
    const answer = await app.request("/auth/v1/signup", {
      method: "POST",
      body: "{",
      headers: { "Content-Type": "application/json", "X-Supabase-Api-Version": "2024-01-01" },
    });
    expect(answer).toMatchObject({ status: 400, json: { code: "bad_json" } });
  });

  it("settings and health", async () => {
    expect((await app.request("/auth/v1/settings")).json).toMatchObject({
      external: { email: true },
      disable_signup: false,
      mailer_autoconfirm: true,
    });
    expect((await app.request("/auth/v1/health")).json).toMatchObject({ name: "GoTrue", version: expect.any(String) });
  });

  it("A19 no answer carries a password hash", async () => {
    const { session } = await signUp();
    const [user, list] = [
      await app.request("/auth/v1/user", { as: session.access_token }),
      await app.request("/auth/v1/admin/users", { as: app.serviceRoleKey, headers: { apikey: app.serviceRoleKey } }),
    ];
    for (const { text, status } of [user, list]) {
      expect(status).toBe(200);
      expect(text).not.toMatch(/encrypted_password|\$2[aby]\$|\$argon2|confirmation_token|recovery_token/);
    }
  });
});
