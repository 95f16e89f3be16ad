import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { googleAt, type Issuer, openIssuer } from "./issuer.ts";
import { type AuthServer, newEmail, newPhone, type Person, type Reply, startAuth, totpCode } from "./server.ts";

/** Threat A18: every column of every table of auth, sent with every call that takes a body. */
let issuer: Issuer;
let auth: AuthServer;
let injected: Record<string, unknown>;
beforeAll(async () => {
  issuer = await openIssuer();
  auth = await startAuth({ auth: googleAt(issuer) });
  const columns = await auth.sql<{ name: string; type: string }>(`
    select distinct column_name as name, data_type as type from information_schema.columns
    where table_schema in ('auth', 'mainstay')`);
  injected = Object.fromEntries(columns.map(({ name, type }) => [name, sampleOf(type)]));
});
afterAll(async () => {
  await Promise.all([auth.stop(), issuer.close()]);
});

const mark = "evil-mark";
const time = "2001-02-03T04:05:06Z";
const stranger = "99999999-0000-4000-8000-000000000009";

function sampleOf(type: string): unknown {
  if (type === "boolean") return true;
  if (type === "uuid") return stranger;
  if (type.startsWith("timestamp")) return time;
  if (type.startsWith("json")) return { [mark]: true };
  return /int|numeric|double/.test(type) ? 20_010_203 : mark;
}

/** Not columns of ours, and what other servers have taken by mistake. */
const more = {
  app_metadata: undefined,
  is_super_admin: true,
  user: { id: stranger, role: "service_role" },
  claims: { role: "service_role" },
  scope: mark,
  amr: [{ method: mark, timestamp: 1 }],
  session: { id: stranger, aal: "aal2" },
  confirm: true,
  email_confirm: true,
  phone_confirm: true,
  ban_duration: "none",
  email_verified: true,
  aud: mark,
  sub: stranger,
  exp: 20_010_203,
};

/** The columns, but for those that this call reads by these names. */
const around = (fields: Readonly<Record<string, unknown>>, reads: readonly string[] = []) => {
  const rest = { ...injected, ...more };
  for (const name of reads) delete rest[name as keyof typeof rest];
  return { ...rest, ...fields };
};

/** Rows that hold anything of what was sent along, table by table; and accounts that have become something else. */
async function traces(): Promise<unknown[]> {
  const tables = await auth.sql<{ name: string }>(`
    select format('%I.%I', table_schema, table_name) as name from information_schema.tables
    where table_schema in ('auth', 'mainstay') and table_type = 'BASE TABLE'`);
  const found: unknown[] = [];
  for (const { name } of tables) {
    const rows = await auth.sql(
      `select '${name}' as table_name, to_jsonb(t) as row from ${name} t
       where to_jsonb(t)::text like any (array['%${mark}%', '%2001-02-03%', '%20010203%', '%${stranger}%'])`,
    );
    found.push(...rows);
  }
  const risen = await auth.sql(`
    select id, role, is_super_admin, is_sso_user, raw_app_meta_data from auth.users
    where role <> 'authenticated' or is_super_admin or is_sso_user or deleted_at is not null or banned_until is not null
      or raw_app_meta_data - 'provider' - 'providers' <> '{}'`);
  return [...found, ...risen];
}

const ok = (reply: Reply): Reply => {
  expect([reply.status, reply.text]).toEqual([expect.toSatisfy((status: number) => status < 300), reply.text]);
  return reply;
};

describe("A18 fields that are not the caller's to set", () => {
  const reads = ["email", "phone", "password", "data", "channel", "redirect_to", "code_challenge"];
  const pkce = ["code_challenge_method", "token", "type", "nonce", "token_hash", "provider"];

  test("A18 at every entrance of strangers: sign-up, sign-in, codes, links", async () => {
    const [email, password] = [newEmail(), "correct horse 8"];
    const send = (path: string, fields: Record<string, unknown>) =>
      auth.post(path, around(fields, [...reads, ...pkce]));
    const made = ok(await send("/signup", { email, password, data: { hue: 1 } }));
    expect([made.body.role, made.body.app_metadata]).toEqual([
      "authenticated",
      { provider: "email", providers: ["email"] },
    ]);
    await auth.received(email); // first: two mails under way may overtake each other, and only the newer code counts
    ok(await send("/resend", { type: "signup", email }));
    const { otp } = await auth.received(email);
    ok(await send("/verify", { type: "signup", email, token: otp }));
    const session = ok(await send("/token?grant_type=password", { email, password }));
    const claims = JSON.parse(Buffer.from(session.body.access_token.split(".")[1], "base64url").toString());
    expect([claims.role, claims.aal, claims.aud, claims.sub]).toEqual([
      "authenticated",
      "aal1",
      "authenticated",
      session.body.user.id,
    ]);
    ok(await auth.post("/token?grant_type=refresh_token", around({ refresh_token: session.body.refresh_token })));
    ok(await send("/signup", { data: { hue: 2 } }));
    ok(await send("/otp", { email: newEmail(), data: { hue: 3 } }));
    ok(await auth.post("/otp", around({ phone: newPhone(), data: {} }, [...reads, ...pkce])));
    ok(await send("/magiclink", { email: newEmail(), data: { hue: 4 } }));
    ok(await send("/recover", { email }));
    const id = issuer.idToken({ sub: newEmail(), email: newEmail(), email_verified: true });
    ok(
      await auth.post(
        "/token?grant_type=id_token",
        around({ provider: "google", id_token: id }, ["access_token", "nonce", "link_identity"]),
      ),
    );
    ok(await auth.post("/passkeys/authentication/options", around({})));
    expect(await traces()).toEqual([]);
  });

  test("A18 what a provider says of itself in a token is metadata, and no more", async () => {
    const email = newEmail();
    const token = issuer.idToken({
      ...around({}, ["aud", "exp", "nbf", "iat", "iss", "nonce", "name", "picture", "phone", "email_verified"]),
      aud: "local-client",
      exp: Math.floor(Date.now() / 1000) + 600,
      sub: email,
      email,
      email_verified: true,
      role: "service_role",
      app_metadata: { role: "admin" },
    });
    const { body } = ok(await auth.post("/token?grant_type=id_token", { provider: "google", id_token: token }));
    expect([body.user.role, body.user.app_metadata]).toEqual([
      "authenticated",
      { provider: "google", providers: ["google"] },
    ]);
    await auth.admin("DELETE", `/admin/users/${body.user.id}`);
  });

  test("A18 at every entrance of one's own: account, factors, passkeys, sessions", async () => {
    const person = await auth.newPerson();
    const { token } = person;
    const own = around({ data: { hue: 5 } }, [...reads, ...pkce, "current_password"]);
    ok(await auth.ask("PUT", "/user", { token, body: own }));
    const { body: factor } = ok(
      await auth.post("/factors", around({ factor_type: "totp", friendly_name: "app", issuer: "x" }), token),
    );
    expect(factor.id).not.toBe(stranger);
    const { body: challenge } = ok(await auth.post(`/factors/${factor.id}/challenge`, around({}, ["channel"]), token));
    const raised = ok(
      await auth.post(
        `/factors/${factor.id}/verify`,
        around({ challenge_id: challenge.id, code: totpCode(factor.totp.secret) }),
        token,
      ),
    ).body.access_token;
    ok(await auth.post("/factors/recovery-codes", around({ friendly_name: "spare" }), raised));
    ok(await auth.post("/factors/recovery-codes/regenerate", around({}), raised));
    ok(await auth.post("/passkeys/registration/options", around({}), raised));
    const passkey = await passkeyOf(person);
    ok(await auth.ask("PATCH", `/passkeys/${passkey}`, { token: raised, body: around({ friendly_name: "key" }) }));
    ok(await auth.ask("POST", "/logout?scope=others", { token: raised, body: around({}) }));
    expect(await traces()).toEqual([]);
    const [row] = await auth.sql(
      "select user_id, friendly_name, sign_count::int from auth.webauthn_credentials where id = $1",
      [passkey],
    );
    expect(row).toEqual({ user_id: person.id, friendly_name: "key", sign_count: 0 });
  });

  test("A18 nobody but a backend sets what is an admin's: not even by asking as one", async () => {
    const person = await auth.newPerson();
    const before = await auth.sql("select to_jsonb(u) - 'updated_at' as u from auth.users u order by id");
    for (const token of [person.token, auth.anonKey, undefined]) {
      for (const [method, path] of [
        ["POST", "/admin/users"],
        ["PUT", `/admin/users/${person.id}`],
        ["PUT", `/admin/users/${person.id}/factors/${stranger}`],
        ["POST", "/admin/generate_link"],
        ["POST", "/invite"],
      ] as const) {
        const body = around({ email: newEmail(), app_metadata: { role: "admin" }, role: "service_role" });
        const { status, code } = await auth.ask(method, path, { token, body });
        expect.soft([status, code], path).toEqual(token ? [403, "not_admin"] : [401, "no_authorization"]);
      }
    }
    for (const field of ["app_metadata", "raw_app_meta_data"]) {
      const { status } = await auth.ask("PUT", "/user", { token: person.token, body: { [field]: { role: "admin" } } });
      expect(status).toBe(field === "app_metadata" ? 403 : 200);
    }
    expect(await auth.sql("select to_jsonb(u) - 'updated_at' as u from auth.users u order by id")).toEqual(before);
  });

  test("A18 a backend's own mistakes: a role that is not a user's, an id that is taken", async () => {
    const person = await auth.newPerson();
    for (const role of ["service_role", "supabase_admin", "postgres"]) {
      const { status } = await auth.admin("PUT", `/admin/users/${person.id}`, { role });
      expect(status).toBe(400);
    }
    const { status } = await auth.admin("POST", "/admin/users", { id: person.id, email: newEmail() });
    expect(status).toBe(422);
    expect(await traces()).toEqual([]);
  });

  async function passkeyOf({ id }: Person): Promise<string> {
    const columns = await auth.sql<{ name: string }>(
      "select column_name as name from information_schema.columns where table_schema = 'auth' and table_name = 'webauthn_credentials'",
    );
    expect(columns.map(({ name }) => name)).toEqual(expect.arrayContaining(["user_id", "credential_id", "public_key"]));
    const [row] = await auth.sql<{ id: string }>(
      `insert into auth.webauthn_credentials (user_id, credential_id, public_key, attestation_type, sign_count, friendly_name)
       values ($1, '\\x0102030405', '\\x01', 'none', 0, 'first') returning id`,
      [id],
    );
    return row!.id;
  }
});
