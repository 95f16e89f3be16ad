import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, type TestDatabase, templateDatabase, testDatabase } from "@mainstay/testing";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Run, runMainstay, servesOrEnds, stop } from "../command.ts";
import { clientId, type Issuer, openIssuer, providerTokens, s256 } from "./issuer.ts";
import { type AuthClient, authClient, newEmail, newPhone, type Reply, totpCode } from "./server.ts";

/** Threats A19 and A28: after a day of sign-ins, where do the secrets lie about? */
let dir: string;
let database: TestDatabase;
let db: pg.Client;
let issuer: Issuer;
let run: Run;
let auth: AuthClient;
/** What opens something, by what it is. */
const secrets = new Map<string, string>();
/** What a stored answer may repeat: one that hands it over. */
const handed = new Set<Reply>();

beforeAll(async () => {
  [dir, database, issuer] = await Promise.all([
    mkdtemp(join(tmpdir(), "mainstay-secrets-")),
    templateDatabase().then(testDatabase),
    openIssuer(),
  ]);
  db = new pg.Client({ connectionString: database.url });
  await db.connect();
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  run = runMainstay(["start", "--port", String(port), "--debug"], dir, {
    DATABASE_URL: database.url,
    MAINSTAY_LOG_LEVEL: "trace",
    MAINSTAY_LOG_REQUESTS: "debug",
    MAINSTAY_INBOX: "on",
    MAINSTAY_AUTH_RATE_LIMITS: "false",
    MAINSTAY_MAILER_AUTOCONFIRM: "false",
    MAINSTAY_PHONE_SIGNIN: "true",
    MAINSTAY_ANONYMOUS_SIGNIN: "true",
    MAINSTAY_MANUAL_LINKING: "true",
    MAINSTAY_PASSKEYS: "true",
    MAINSTAY_MFA_PHONE_ENROLL: "true",
    MAINSTAY_MFA_PHONE_VERIFY: "true",
    MAINSTAY_MAIL_MIN_INTERVAL_SECONDS: "0",
    MAINSTAY_SMS_MIN_INTERVAL_SECONDS: "0",
    MAINSTAY_AUDIT_REFRESHES: "true",
    MAINSTAY_OAUTH_GOOGLE_ENABLED: "true",
    MAINSTAY_OAUTH_GOOGLE_CLIENT_ID: clientId,
    MAINSTAY_OAUTH_GOOGLE_SECRET: "provider-client-secret",
    MAINSTAY_OAUTH_GOOGLE_URL: issuer.url,
  });
  expect(await servesOrEnds(run, url), run.output()).toBe("serves");
  const shown = runMainstay(["keys", "show", "--json"], dir, { DATABASE_URL: database.url });
  expect(await shown.ended).toBe(0);
  const keys = JSON.parse(shown.output());
  secrets.set("secret key", keys.secretKey);
  secrets.set("service key", keys.serviceRoleKey);
  auth = authClient({ url, ...keys });
  await live();
}, 120_000);
afterAll(async () => {
  await stop(run);
  await db.end();
  await Promise.all([issuer.close(), database.drop(), rm(dir, { recursive: true, force: true })]);
});

const keep = (what: string, value: unknown): string => {
  expect([typeof value, value], what).toEqual(["string", expect.stringMatching(/./)]);
  secrets.set(`${what} ${secrets.size}`, value as string);
  return value as string;
};
const ok = (reply: Reply): Reply => {
  expect(reply.status, reply.text).toBeLessThan(400);
  return reply;
};
/** An answer that hands over a session. */
const session = (reply: Reply): { readonly token: string; readonly refreshToken: string; readonly id: string } => {
  handed.add(ok(reply));
  const token = keep("access token", reply.body.access_token);
  // Whoever has the last third has what cannot be had otherwise.
  keep("signature of an access token", token.split(".").at(-1));
  return { token, refreshToken: keep("refresh token", reply.body.refresh_token), id: reply.body.user.id };
};

/** Everything there is to do, with every secret written down. */
async function live(): Promise<void> {
  const email = newEmail();
  const password = keep("password", "a very correct horse 8");
  const verifier = keep("verifier", "verifier-".repeat(6));
  const challenge = { code_challenge: s256(verifier), code_challenge_method: "s256" };
  const mailed = async (what: string, to = email) => {
    const message = await auth.received(to);
    if (message.otp !== "") keep(`code: ${what}`, message.otp);
    if (message.link.has("token")) keep(`link: ${what}`, message.link.get("token"));
    return message;
  };

  ok(await auth.post("/signup", { email, password }));
  session(await auth.post("/verify", { type: "signup", email, token: (await mailed("sign-up")).otp }));
  const first = session(await auth.post("/token?grant_type=password", { email, password }));
  session(await auth.post("/token?grant_type=refresh_token", { refresh_token: first.refreshToken }));
  await auth.post("/token?grant_type=password", {
    email,
    password: keep("wrong password", "not the horse of the day"),
  });

  ok(await auth.post("/otp", { email, ...challenge }));
  const led = ok(await auth.ask("GET", `/verify?${(await mailed("magic link with PKCE")).link}`));
  const code = keep("redirect's code", new URL(led.headers.get("location")!).searchParams.get("code"));
  session(await auth.post("/token?grant_type=pkce", { auth_code: code, code_verifier: verifier }));
  ok(await auth.post("/recover", { email }));
  const recovery = await mailed("recovery");
  const opened = await auth.ask("POST", "/verify", {
    body: recovery.link.toString(),
    headers: { "content-type": "application/x-www-form-urlencoded" },
  });
  const fragment = new URLSearchParams(new URL(opened.headers.get("location")!).hash.slice(1));
  keep("access token of a redirect", fragment.get("access_token"));
  keep("refresh token of a redirect", fragment.get("refresh_token"));

  const phone = newPhone();
  ok(await auth.post("/otp", { phone }));
  session(await auth.post("/verify", { type: "sms", phone, token: (await mailed("text message", phone)).otp }));
  session(await auth.post("/signup", { data: { hue: 1 } }));

  ok(await auth.ask("GET", "/reauthenticate", { token: first.token }));
  const nonce = (await mailed("nonce")).otp;
  const next = keep("new password", "another very correct horse 9");
  ok(await auth.ask("PUT", "/user", { token: first.token, body: { password: next, nonce } }));
  ok(await auth.ask("PUT", "/user", { token: first.token, body: { email: newEmail(), phone: newPhone() } }));
  await mailed("change of address");

  const enrolled = ok(await auth.post("/factors", { factor_type: "totp", friendly_name: "app" }, first.token));
  handed.add(enrolled);
  const totp = keep("authenticator's secret", enrolled.body.totp.secret);
  const { body: asked } = ok(await auth.post(`/factors/${enrolled.body.id}/challenge`, {}, first.token));
  const raised = session(
    await auth.post(
      `/factors/${enrolled.body.id}/verify`,
      { challenge_id: asked.id, code: keep("code: authenticator", totpCode(totp)) },
      first.token,
    ),
  );
  const made = ok(await auth.post("/factors/recovery-codes", {}, raised.token));
  handed.add(made);
  const codes = (made.body.codes as string[]).map((each) => keep("recovery code", each));
  session(await auth.post("/factors/recovery-codes/verify", { code: codes[0] }, raised.token));
  ok(await auth.post("/passkeys/registration/options", {}, raised.token));
  ok(await auth.post("/passkeys/authentication/options", {}));

  const begun = ok(await auth.ask("GET", "/authorize?provider=google"));
  const query = new URL(begun.headers.get("location")!).searchParams;
  const providerCode = keep(
    "provider's code",
    issuer.codeFor({ sub: "g1", email: newEmail(), email_verified: true, nonce: query.get("nonce") }),
  );
  const back = ok(await auth.ask("GET", `/callback?state=${query.get("state")}&code=${providerCode}`));
  const facts = new URLSearchParams(new URL(back.headers.get("location")!).hash.slice(1));
  keep("access token of a provider's redirect", facts.get("access_token"));
  keep("provider's access token", providerTokens.access_token);
  keep("provider's refresh token", providerTokens.refresh_token);
  keep("client's secret", "provider-client-secret");
  const idToken = keep("id token", issuer.idToken({ sub: "g2", email: newEmail(), email_verified: true }));
  session(await auth.post("/token?grant_type=id_token", { provider: "google", id_token: idToken }));

  const generated = ok(await auth.admin("POST", "/admin/generate_link", { type: "recovery", email }));
  handed.add(generated);
  keep("generated link", generated.body.hashed_token);
  keep("code: generated", generated.body.email_otp);
  ok(await auth.admin("POST", "/invite", { email: newEmail() }));
  const set = keep("password of an admin's", "the admin's correct horse 7");
  ok(await auth.admin("POST", "/admin/users", { email: newEmail(), password: set }));

  // Everything that shows something.
  for (const path of [
    "/user",
    "/user/sessions",
    "/factors",
    "/factors/recovery-codes",
    "/passkeys",
    "/user/export",
    "/user/deletion-preview",
  ]) {
    ok(await auth.ask("GET", path, { token: raised.token }));
  }
  for (const path of ["", "/factors", "/passkeys", "/sessions", "/export", "/deletion-preview"]) {
    ok(await auth.admin("GET", `/admin/users/${first.id}${path}`));
  }
  for (const path of ["/admin/users", "/admin/audit", "/settings", "/health"]) ok(await auth.admin("GET", path));

  // And every secret where it does not belong: in bodies, queries, headers, paths.
  for (const secret of [...secrets.values()]) {
    const to = encodeURIComponent(secret);
    await auth.post("/token?grant_type=refresh_token", { refresh_token: `${secret}x` });
    await auth.post("/token?grant_type=password", { email: secret, password: secret, phone: secret });
    await auth.post("/verify", { type: secret, token_hash: secret });
    await auth.ask("POST", "/token?grant_type=password", { body: `{"password":"${secret}",` });
    await auth.ask("GET", `/verify?token=${to}&type=signup`, { headers: { cookie: `sb-access-token=${secret}` } });
    await auth.ask("GET", `/callback?state=${to}&code=${to}`, { headers: { authorization: `Bearer ${secret}` } });
    await auth.ask("GET", `/user?access_token=${to}&apikey=${to}`, { headers: { authorization: `Basic ${secret}` } });
    await auth.ask("GET", "/user", { headers: { apikey: secret } });
  }
  ok(await auth.ask("POST", "/logout", { token: raised.token }));
}

const isCode = (what: string): boolean => what.startsWith("code:");
/** Six digits stand in many numbers: a code counts where it stands alone. */
const holds = (text: string, what: string, secret: string): boolean =>
  isCode(what) ? new RegExp(`(?<![\\w.:-])${secret}(?![\\w.:-])`).test(text) : text.includes(secret);

async function tables(): Promise<{ readonly name: string; readonly rows: string }[]> {
  const { rows: names } = await db.query<{ name: string }>(`
    select format('%I.%I', table_schema, table_name) as name from information_schema.tables
    where table_schema not in ('pg_catalog', 'information_schema') and table_type = 'BASE TABLE'`);
  const found = [];
  for (const { name } of names) {
    const { rows } = await db.query<{ rows: string }>(
      `select coalesce(string_agg(to_jsonb(t)::text, E'\\n'), '') as rows from ${name} t`,
    );
    found.push({ name, rows: rows[0]?.rows ?? "" });
  }
  return found;
}

describe("A28 secrets are written down nowhere", () => {
  test("A28 not in any line of the log, at the finest level", () => {
    // Numbers that are measured and not said.
    const log = run.output().replace(/"(?:durationMs|time|pid|port)":[\d.]+/g, "");
    expect(log).toContain('"kind":"request.finished"');
    expect(log.length).toBeGreaterThan(10_000);
    const found = [...secrets].filter(([what, secret]) => holds(log, what, secret));
    expect(found.map(([what]) => what)).toEqual([]);
  });

  test("A28 not in the audit log", async () => {
    const { rows } = await db.query<{ entry: string }>(
      "select to_jsonb(e)::text as entry from auth.audit_log_entries e",
    );
    expect(rows.length).toBeGreaterThan(20);
    const text = rows.map(({ entry }) => entry).join("\n");
    expect([...secrets].filter(([what, secret]) => holds(text, what, secret)).map(([what]) => what)).toEqual([]);
  });

  test("A28 not in the text of any refusal, nor in an address a refused browser is sent on to", () => {
    const refusals = auth.replies.filter(({ status }) => status >= 400);
    expect(refusals.length).toBeGreaterThan(100);
    const texts = refusals.map(({ asked, text, headers }) => ({
      asked,
      text: `${text} ${headers.get("location") ?? ""}`,
    }));
    const redirects = auth.replies
      .filter(({ headers }) => /[?#&]error=/.test(headers.get("location") ?? ""))
      .map(({ asked, headers }) => ({ asked, text: headers.get("location") ?? "" }));
    const found = [...texts, ...redirects].flatMap(({ asked, text }) =>
      [...secrets]
        .filter(([what, secret]) => holds(text, what, secret))
        .map(([what]) => `${what} by ${asked.split("?")[0]}`),
    );
    expect([...new Set(found)]).toEqual([]);
  });

  test("A28 not in the database: whoever has a dump of it opens nothing", async () => {
    // The inbox shows mails as people see them, on a developer's machine and nowhere else.
    const found = (await tables())
      .filter(({ name }) => !name.includes("inbox"))
      .flatMap(({ name, rows }) =>
        [...secrets]
          .filter(([what, secret]) => !isCode(what) && rows.includes(secret))
          .map(([what]) => `${what} in ${name}`),
      );
    expect(found).toEqual([]);
  });
});

describe("A19 answers hold no secret but those they hand over", () => {
  const members = new Set<string>();
  const walk = (value: unknown, path: string, found: string[]): void => {
    if (typeof value !== "object" || value === null) return;
    for (const [name, member] of Object.entries(value)) {
      members.add(name);
      const isSecretName =
        /password|secret|hash|_token$|^token$|otp|public_?key|private|counter|seal|code_challenge|auth_code|nonce/i.test(
          name,
        );
      if (isSecretName) found.push(`${path}.${name}`);
      walk(member, `${path}.${name}`, found);
    }
  };

  test("A19 no member of any answer is called like one", () => {
    const found = auth.replies.flatMap((reply) => {
      const names: string[] = [];
      walk(reply.body, "", names);
      return names.map((name) => `${reply.asked.split("?")[0]!.replace(/[0-9a-f-]{36}/g, ":id")} ${name}`);
    });
    const allowed = [
      ".access_token",
      ".refresh_token",
      ".provider_token",
      ".provider_refresh_token",
      ".totp",
      ".totp.secret",
      ".saml_private_key_next_configured",
      ".hashed_token",
      ".email_otp",
      ".weak_password",
    ];
    expect([...new Set(found)].filter((each) => !allowed.some((name) => each.endsWith(` ${name}`)))).toEqual([]);
    // They were looked into.
    expect([...members]).toEqual(expect.arrayContaining(["access_token", "identities", "factors"]));
  });

  test("A19 no answer repeats what another handed over, or what the database keeps", async () => {
    const { rows } = await db.query<{ name: string }>(`
      select format('select %L as name, %I::text as value from %I.%I where %I is not null', table_name || '.' || column_name,
        column_name, table_schema, table_name, column_name) as name
      from information_schema.columns
      where table_schema in ('auth', 'mainstay') and data_type in ('text', 'character varying', 'bytea')
        and column_name ~ 'password|secret|hash|token|public_key|counter|seal|key|web_authn_session'
        and column_name !~ 'token_type|hash_kind|friendly'`);
    const kept = new Map<string, string>();
    for (const { name: statement } of rows) {
      for (const { name, value } of (await db.query<{ name: string; value: string }>(statement)).rows) {
        if (value.length >= 16) kept.set(`${name} ${kept.size}`, value);
      }
    }
    expect(kept.size).toBeGreaterThan(5);
    const found = auth.replies
      // The page a link shows has the caller's own token in its form.
      .filter(({ headers }) => !headers.get("content-type")?.startsWith("text/html"))
      .filter((reply) => ![...handed].some((each) => each.text === reply.text))
      .flatMap(({ asked, text }) =>
        [...kept, ...[...secrets].filter(([what]) => !isCode(what))]
          .filter(([, value]) => text.includes(value))
          .map(([what]) => `${what.split(" ")[0]} by ${asked.split("?")[0]}`),
      );
    expect([...new Set(found)]).toEqual([]);
  });
});
