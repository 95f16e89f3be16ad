import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openTestAuth, type TestAuth, type TestReply } from "./testing.ts";

let auth: TestAuth;
beforeAll(async () => {
  auth = await openTestAuth();
});
afterAll(() => auth.close());

const unknown = "00000000-0000-4000-8000-000000000000";
const code = ({ status, body }: TestReply) => [status, body.error_code];
const signIn = (email: string, password: string) =>
  auth.send("POST", "/token?grant_type=password", { body: { email, password } });

describe("admin users", () => {
  test("made with everything, found, changed and deleted", async () => {
    const made = await auth.admin("POST", "/admin/users", {
      email: "Admin-Made@Example.com",
      password: "correct horse",
      email_confirm: true,
      user_metadata: { name: "Ada" },
      app_metadata: { plan: "gold" },
    });
    expect(made.status).toBe(200);
    expect(made.body).toMatchObject({
      email: "admin-made@example.com",
      user_metadata: { name: "Ada" },
      app_metadata: { plan: "gold", provider: "email", providers: ["email"] },
      identities: [expect.objectContaining({ provider: "email" })],
    });
    const { id } = made.body;
    expect((await signIn("admin-made@example.com", "correct horse")).status).toBe(200);
    expect((await auth.admin("GET", `/admin/users/${id}`)).body.id).toBe(id);
    const changed = await auth.admin("PUT", `/admin/users/${id}`, {
      user_metadata: { name: null, age: 36 },
      app_metadata: { plan: "iron" },
      email: "other@example.com",
    });
    expect(changed.body).toMatchObject({
      email: "other@example.com",
      app_metadata: { plan: "iron", provider: "email" },
    });
    expect(changed.body.user_metadata).toMatchObject({ age: 36 });
    expect(changed.body.user_metadata).not.toHaveProperty("name");
    const gone = await auth.admin("DELETE", `/admin/users/${id}`);
    expect([gone.status, gone.body]).toEqual([200, {}]);
    expect(code(await auth.admin("GET", `/admin/users/${id}`))).toEqual([404, "user_not_found"]);
  });

  test("its refusals", async () => {
    await auth.admin("POST", "/admin/users", { email: "taken@example.com", phone: "15550100300" });
    const post = async (body: unknown) => code(await auth.admin("POST", "/admin/users", body));
    expect(await post({})).toEqual([400, "validation_failed"]);
    expect(await post({ email: "taken@example.com" })).toEqual([422, "email_exists"]);
    expect(await post({ phone: "+1 555 010 0300" })).toEqual([422, "phone_exists"]);
    expect(await post({ id: "x", email: "a@b.example" })).toEqual([400, "validation_failed"]);
    expect(await post({ email: "a@b.example", password: "tiny" })).toEqual([422, "weak_password"]);
    expect(await post({ email: "a@b.example", password_hash: "plain" })).toEqual([400, "validation_failed"]);
    expect(await post({ email: "a@b.example", email_confirm: "yes" })).toEqual([400, "bad_json"]);
    expect(await post({ email: "a@b.example", ban_duration: "forever" })).toEqual([400, "validation_failed"]);
    for (const method of ["GET", "PUT", "DELETE"] as const) {
      const body = method === "PUT" ? {} : undefined;
      expect(code(await auth.admin(method, `/admin/users/${unknown}`, body))).toEqual([404, "user_not_found"]);
      expect(code(await auth.admin(method, "/admin/users/..%2fadmin", body))).toEqual([404, "validation_failed"]);
    }
  });

  test("B18 A18 a user cannot be given the service role", async () => {
    for (const role of ["service_role", "supabase_admin", "postgres", "a b", 'x"; drop', "é"]) {
      const reply = await auth.admin("POST", "/admin/users", { email: "role@example.com", role });
      expect(code(reply)).toEqual([400, "validation_failed"]);
    }
    const editor = await auth.admin("POST", "/admin/users", {
      email: "role@example.com",
      password: "correct horse",
      email_confirm: true,
      role: "authenticated",
    });
    expect(editor.body.role).toBe("authenticated");
  });

  test("is for the service role only, and tells why", async () => {
    const user = await auth.send("POST", "/signup", {
      body: { email: "plain@example.com", password: "correct horse" },
    });
    const { keys } = auth.identity;
    const as = (headers: Record<string, string>) => auth.send("GET", "/admin/users", { headers });
    expect(code(await as({}))).toEqual([401, "no_authorization"]);
    expect(code(await as({ authorization: `Bearer ${keys.anonKey}` }))).toEqual([403, "not_admin"]);
    expect(code(await as({ authorization: `Bearer ${user.body.access_token}` }))).toEqual([403, "not_admin"]);
    expect(code(await as({ authorization: "Bearer rubbish" }))).toEqual([403, "bad_jwt"]);
    expect((await as({ authorization: `Bearer ${keys.secretKey}` })).status).toBe(200);
    expect((await as({ apikey: keys.serviceRoleKey, authorization: `Bearer ${keys.serviceRoleKey}` })).status).toBe(
      200,
    );
  });

  test("imported hashes open the door", async () => {
    const [row] = await auth.sql("select extensions.crypt('their password', extensions.gen_salt('bf', 5)) as hash");
    await auth.admin("POST", "/admin/users", {
      email: "imported@example.com",
      password_hash: row?.hash,
      email_confirm: true,
    });
    expect((await signIn("imported@example.com", "their password")).status).toBe(200);
  });

  test("A22 a ban ends the sessions and shuts the door until it is lifted", async () => {
    const made = await auth.send("POST", "/signup", {
      body: { email: "banned@example.com", password: "correct horse" },
    });
    const { id } = made.body.user;
    const banned = await auth.admin("PUT", `/admin/users/${id}`, { ban_duration: "24h" });
    expect(Date.parse(banned.body.banned_until)).toBeGreaterThan(Date.now() + 23 * 3_600_000);
    expect(code(await auth.send("GET", "/user", { token: made.body.access_token }))).toEqual([403, "user_banned"]);
    expect(code(await signIn("banned@example.com", "correct horse"))).toEqual([400, "user_banned"]);
    expect(code(await signIn("banned@example.com", "wrong horse"))).toEqual([400, "invalid_credentials"]);
    const refreshed = await auth.send("POST", "/token?grant_type=refresh_token", {
      body: { refresh_token: made.body.refresh_token },
    });
    expect(refreshed.status).toBe(400);
    const lifted = await auth.admin("PUT", `/admin/users/${id}`, { ban_duration: "none" });
    expect(lifted.body).not.toHaveProperty("banned_until");
    expect((await signIn("banned@example.com", "correct horse")).status).toBe(200);
  });

  test("A22 deletion ends everything; softly, the row stays and the person is gone from it", async () => {
    for (const isSoft of [false, true]) {
      const email = `leaving${isSoft}@example.com`;
      const body = { email, password: "correct horse", data: { name: "Leaving Person" } };
      const made = await auth.send("POST", "/signup", { body });
      const { id } = made.body.user;
      await auth.admin("DELETE", `/admin/users/${id}`, { should_soft_delete: isSoft });
      expect(code(await auth.send("GET", "/user", { token: made.body.access_token }))).toEqual([403, "user_not_found"]);
      expect(code(await signIn(email, "correct horse"))).toEqual([400, "invalid_credentials"]);
      const rows = await auth.sql("select * from auth.users where id = $1", [id]);
      expect(rows).toHaveLength(isSoft ? 1 : 0);
      expect(JSON.stringify(rows)).not.toMatch(/leaving|Leaving|argon2/);
      expect(await auth.sql("select 1 from auth.identities where user_id = $1", [id])).toEqual([]);
      expect((await auth.send("POST", "/signup", { body })).status).toBe(200);
    }
  });

  test("lists a page at a time, with links clients can read", async () => {
    await auth.sql("delete from auth.users");
    for (let n = 0; n < 5; n++) await auth.admin("POST", "/admin/users", { email: `list${n}@example.com` });
    const first = await auth.admin("GET", "/admin/users?page=1&per_page=2");
    expect(first.body.aud).toBe("authenticated");
    expect(first.body.users.map((user: { email: string }) => user.email)).toEqual([
      "list4@example.com",
      "list3@example.com",
    ]);
    expect(first.headers["x-total-count"]).toBe("5");
    expect(first.headers.link).toBe(
      '</admin/users?page=2&per_page=2>; rel="next", </admin/users?page=3&per_page=2>; rel="last"',
    );
    const last = await auth.admin("GET", "/admin/users?page=3&per_page=2");
    expect(last.headers.link).toBe('</admin/users?page=3&per_page=2>; rel="last"');
    expect(last.body.users).toHaveLength(1);
    expect((await auth.admin("GET", "/admin/users?page=&per_page=")).body.users).toHaveLength(5);
    const found = await auth.admin("GET", "/admin/users?filter=LIST3");
    expect(found.body.users).toHaveLength(1);
    expect((await auth.admin("GET", "/admin/users?filter=%25")).body.users).toHaveLength(0);
    for (const query of ["page=0", "page=x", "per_page=-1", "page=1e9"]) {
      expect(code(await auth.admin("GET", `/admin/users?${query}`))).toEqual([400, "validation_failed"]);
    }
  });
});

describe("the tables", () => {
  test("are closed to the API roles", async () => {
    const tables = await auth.sql("select tablename from pg_tables where schemaname = 'auth'");
    expect(tables.length).toBeGreaterThanOrEqual(9);
    for (const { tablename } of tables) {
      const rights = await auth.sql(
        `select r as role, c.relrowsecurity as rls, has_table_privilege(r, c.oid, 'select, insert, update, delete') as can
         from unnest(array['anon', 'authenticated', 'service_role']) r, pg_class c where c.oid = ('auth.' || $1)::regclass`,
        [tablename],
      );
      for (const right of rights) expect(right, String(tablename)).toMatchObject({ rls: true, can: false });
    }
  });

  test("a seed may leave the tokens empty for many users, and refer to them", async () => {
    await auth.sql(`
      create table public.things (id int primary key, owner uuid references auth.users (id));
      insert into auth.users (id, email, confirmation_token, recovery_token, email_change_token_new, email_change)
        select gen_random_uuid(), 'seed' || n || '@example.com', '', '', '', '' from generate_series(1, 3) n;
      insert into public.things select 1, id from auth.users where email = 'seed1@example.com'`);
    const { status, body } = await auth.admin("GET", "/admin/users?filter=seed");
    expect([status, body.users.length]).toEqual([200, 3]);
    expect(body.users[0]).toMatchObject({ aud: "authenticated", role: "authenticated", app_metadata: {}, phone: "" });
  });
});

describe("metadata", () => {
  test("settings, health, keys", async () => {
    const settings = await auth.send("GET", "/settings");
    expect(settings.body).toMatchObject({
      external: { email: true, phone: false, anonymous_users: false, google: false, apple: false },
      disable_signup: false,
      mailer_autoconfirm: true,
    });
    const open = { headers: { apikey: "" } };
    expect((await auth.send("GET", "/health", open)).body).toMatchObject({ name: "GoTrue" });
    const jwks = await auth.send("GET", "/.well-known/jwks.json", open);
    expect(jwks.headers["cache-control"]).toBe("public, max-age=600");
    expect(jwks.body).toEqual(auth.identity.signer.jwks());
    const discovery = await auth.send("GET", "/.well-known/openid-configuration", open);
    expect(discovery.body).toMatchObject({
      issuer: "http://127.0.0.1:54321/auth/v1",
      jwks_uri: "http://127.0.0.1:54321/auth/v1/.well-known/jwks.json",
    });
    expect(code(await auth.send("GET", "/settings", open))).toEqual([401, "no_authorization"]);
  });
});
