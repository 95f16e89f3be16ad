import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { openTestAuth, type TestAuth, type TestReply } from "../testing.ts";
import { factsOf, type LocalIssuer, type LocalService, openIssuer, openService, s256, sha256hex } from "./testing.ts";

const app = "myapp://login-callback";
const verifier = "verifier-".repeat(6);
let auth: TestAuth;
let google: LocalIssuer;
let apple: LocalIssuer;
let github: LocalService;
let person = 100;

beforeAll(async () => {
  [google, apple, github] = await Promise.all([openIssuer(), openIssuer("ES256"), openService()]);
  auth = await openTestAuth({
    mailerAutoconfirm: false,
    manualLinkingEnabled: true,
    redirectAllowList: [app],
    googleEnabled: true,
    googleClientIds: ["google-web", "google-ios"],
    googleSecret: "google-secret",
    googleUrl: google.url,
    appleEnabled: true,
    appleClientIds: ["com.example.app"],
    appleSecret: "apple-secret",
    appleUrl: apple.url,
    githubEnabled: true,
    githubClientIds: ["github-client"],
    githubSecret: "github-secret",
    githubUrl: github.url,
    mailMinIntervalSeconds: 0,
  });
});
afterAll(async () => {
  await auth.close();
  await Promise.all([google.close(), apple.close(), github.close()]);
});
afterEach(() => {
  auth.sent.mails.length = 0;
});

const newEmail = (): string => `person${++person}@example.com`;

/** As a browser: begins, and comes back from the provider with `code`. */
async function begin(provider: string, query: Record<string, string> = {}, on = auth): Promise<URL> {
  const params = new URLSearchParams({ provider, redirect_to: app, ...query });
  const reply = await on.send("GET", `/authorize?${params}`);
  expect(reply.status).toBe(302);
  return new URL(reply.headers.location!);
}
async function comeBack(answer: Record<string, string>, on = auth): Promise<TestReply> {
  const reply = await on.send("GET", `/callback?${new URLSearchParams(answer)}`);
  expect(reply.status).toBe(302);
  return reply;
}
async function signIn(provider: string, code: string, query: Record<string, string> = {}, on = auth) {
  const url = await begin(provider, query, on);
  const reply = await comeBack({ code, state: url.searchParams.get("state")! }, on);
  return { location: reply.headers.location!, ...factsOf(reply.headers.location!) };
}
/** The next answer of the issuer's, with the nonce that was sent. */
async function signInOidc(
  issuer: LocalIssuer,
  provider: string,
  claims: Record<string, unknown>,
  query = {},
  on = auth,
) {
  const url = await begin(provider, query, on);
  const nonce = url.searchParams.get("nonce");
  const code = issuer.willSay({ aud: url.searchParams.get("client_id"), nonce, ...claims });
  const reply = await comeBack({ code, state: url.searchParams.get("state")! }, on);
  return { location: reply.headers.location!, ...factsOf(reply.headers.location!) };
}
const me = async (token: string, on = auth) => (await on.send("GET", "/user", { token })).body;
const pkce = { code_challenge: s256(verifier), code_challenge_method: "s256" };
const exchange = (code: string, on = auth) =>
  on.send("POST", "/token?grant_type=pkce", { body: { auth_code: code, code_verifier: verifier } });

describe("the redirect flow", () => {
  test("implicit: the session and the provider's tokens come in the fragment, and are good", async () => {
    const email = newEmail();
    const { location, fragment, query } = await signInOidc(google, "google", {
      sub: "g-1",
      email,
      email_verified: true,
      name: "Ada",
      picture: "https://example.com/a.png",
    });
    expect(location.startsWith(`${app}#`)).toBe(true);
    expect([...query.keys()]).toEqual([]);
    expect(Object.fromEntries(fragment)).toMatchObject({
      token_type: "bearer",
      expires_in: "3600",
      provider_token: "local-access-token",
      provider_refresh_token: "local-refresh-token",
      sb: "",
    });
    const user = await me(fragment.get("access_token")!);
    expect(user).toMatchObject({
      email,
      app_metadata: { provider: "google", providers: ["google"] },
      user_metadata: {
        email,
        email_verified: true,
        full_name: "Ada",
        avatar_url: "https://example.com/a.png",
        sub: "g-1",
      },
      identities: [{ provider: "google", id: "g-1", email, identity_data: { sub: "g-1", provider_id: "g-1" } }],
    });
    expect(user.email_confirmed_at).toBeTruthy();
    const refreshed = await auth.send("POST", "/token?grant_type=refresh_token", {
      body: { refresh_token: fragment.get("refresh_token") },
    });
    expect(refreshed.status).toBe(200);
    expect(refreshed.body.provider_token).toBeUndefined();
  });

  test("PKCE: a code in the query, and nothing else; only the verifier gets the session", async () => {
    const email = newEmail();
    const { query, fragment } = await signInOidc(google, "google", { sub: "g-2", email, email_verified: true }, pkce);
    expect([...query.keys()]).toEqual(["code"]);
    expect([...fragment.keys()]).toEqual([]);
    const [row] = await auth.sql(
      "select provider_access_token, provider_refresh_token from auth.flow_state where auth_code = $1",
      [query.get("code")],
    );
    expect(row!.provider_access_token).toBeTruthy();
    expect(JSON.stringify(row)).not.toContain("local-");
    expect(Buffer.from(String(row!.provider_access_token), "base64").toString()).not.toContain("local-");
    const session = await exchange(query.get("code")!);
    expect(session.status).toBe(200);
    expect(session.body).toMatchObject({
      provider_token: "local-access-token",
      provider_refresh_token: "local-refresh-token",
      user: { email },
    });
    const [amr] = JSON.parse(Buffer.from(session.body.access_token.split(".")[1], "base64url").toString()).amr;
    expect(amr.method).toBe("oauth");
  });

  test("what the app sends along goes to the provider, what is ours does not come from it", async () => {
    const url = await begin("google", {
      scopes: "https://www.googleapis.com/auth/calendar profile",
      prompt: "select_account",
      access_type: "offline",
      login_hint: "ada@example.com",
      client_id: "evil",
      redirect_uri: "https://evil.example",
      state: "evil",
      STATE: "evil",
      response_type: "token",
      response_mode: "fragment",
      nonce: "evil",
      code_verifier: "evil",
      apikey: "a-key",
      request_uri: "https://evil.example",
    });
    const sent = Object.fromEntries(url.searchParams);
    expect(sent).toMatchObject({
      client_id: "google-web",
      redirect_uri: "http://127.0.0.1:54321/auth/v1/callback",
      response_type: "code",
      scope: "openid email profile https://www.googleapis.com/auth/calendar",
      prompt: "select_account",
      access_type: "offline",
      login_hint: "ada@example.com",
      code_challenge_method: "S256",
    });
    expect(url.href).not.toMatch(/evil|a-key/);
    expect(sent.state).toMatch(/^[0-9a-f-]{36}$/);
  });

  test("our own PKCE and nonce are never in the database, and differ from flow to flow", async () => {
    const [one, other] = [await begin("google"), await begin("google")];
    for (const name of ["state", "nonce", "code_challenge"]) {
      expect(one.searchParams.get(name)).not.toBe(other.searchParams.get(name));
    }
    const [row] = await auth.sql("select to_jsonb(f)::text as text from auth.flow_state f where id = $1", [
      one.searchParams.get("state"),
    ]);
    expect(row!.text).not.toContain(one.searchParams.get("nonce"));
    expect(row!.text).not.toContain(one.searchParams.get("code_challenge"));
    const code = google.willSay({ sub: "g-3", aud: "google-web", nonce: one.searchParams.get("nonce") });
    await comeBack({ code, state: one.searchParams.get("state")! });
    const sent = google.redeemed.find((body) => body.get("code") === code)!.get("code_verifier")!;
    expect(s256(sent)).toBe(one.searchParams.get("code_challenge"));
  });

  test("A15 a place that is not allowed becomes the site", async () => {
    for (const redirect_to of ["https://evil.example", "//evil.example", "javascript:alert(1)", "myapp2://x"]) {
      const { location } = await signInOidc(
        google,
        "google",
        { sub: "g-4", email: "g4@example.com", email_verified: true },
        { redirect_to },
      );
      expect(location.startsWith("http://127.0.0.1:3000")).toBe(true);
    }
  });

  test("Apple answers with a form: the name in it is taken, the address is not (A05)", async () => {
    const [email, victim] = [newEmail(), newEmail()];
    const url = await begin("apple");
    expect(url.searchParams.get("response_mode")).toBe("form_post");
    const nonce = url.searchParams.get("nonce");
    const code = apple.willSay({ sub: "a-1", aud: "com.example.app", nonce, email, email_verified: "true" });
    const form = new URLSearchParams({
      code,
      state: url.searchParams.get("state")!,
      user: JSON.stringify({
        name: { firstName: "Ada", lastName: "Lovelace" },
        email: victim,
        sub: "x",
        role: "admin",
      }),
    });
    const reply = await auth.send("POST", "/callback", { body: form.toString() });
    expect(reply.status).toBe(302);
    const user = await me(factsOf(reply.headers.location!).fragment.get("access_token")!);
    expect(user).toMatchObject({
      email,
      role: "authenticated",
      user_metadata: { full_name: "Ada Lovelace", name: "Ada Lovelace", sub: "a-1" },
    });
    expect(JSON.stringify(user)).not.toContain(victim);
    expect(apple.redeemed.at(-1)!.get("client_secret")).toBe("apple-secret");
  });

  test("a plain OAuth 2.0 service", async () => {
    const email = newEmail();
    const { fragment } = await signIn("github", github.willBe({ id: 1, email, isVerified: true, name: "Grace" }));
    expect(await me(fragment.get("access_token")!)).toMatchObject({
      email,
      app_metadata: { provider: "github", providers: ["github"] },
      user_metadata: { full_name: "Grace", user_name: "user1" },
    });
    expect(github.redeemed.at(-1)!.get("code_verifier")).toMatch(/^[\w-]{43}$/);
  });

  test("the same person comes back to the same account, with what the provider says now", async () => {
    const email = newEmail();
    const first = await signIn("github", github.willBe({ id: 2, email, isVerified: true, name: "Old" }));
    const second = await signIn("github", github.willBe({ id: 2, email: newEmail(), isVerified: true, name: "New" }));
    const [one, two] = [await me(first.fragment.get("access_token")!), await me(second.fragment.get("access_token")!)];
    expect([two.id, two.email, two.user_metadata.full_name]).toEqual([one.id, email, "New"]);
  });

  test("two first sign-ins at once make one account", async () => {
    const email = newEmail();
    const urls = await Promise.all(Array.from({ length: 6 }, () => begin("github")));
    const replies = await Promise.all(
      urls.map((url) =>
        comeBack({ code: github.willBe({ id: 3, email, isVerified: true }), state: url.searchParams.get("state")! }),
      ),
    );
    const tokens = replies.map((reply) => factsOf(reply.headers.location!).fragment.get("access_token")!);
    const ids = await Promise.all(tokens.map(async (token) => (await me(token)).id));
    expect(new Set(ids).size).toBe(1);
    expect(await auth.sql("select id from auth.users where email = $1", [email])).toHaveLength(1);
  });
});

describe("errors go where the app looks for them", () => {
  const errorOf = (location: string) => {
    const { query, fragment } = factsOf(location);
    for (const name of ["error", "error_code", "error_description"]) expect(query.get(name)).toBe(fragment.get(name));
    expect(fragment.has("access_token") || query.has("code")).toBe(false);
    return [query.get("error"), query.get("error_code"), query.get("error_description")];
  };

  test.each([
    ["no state", {}, "invalid_request", "bad_oauth_callback"],
    ["no state of ours", { state: "x", code: "y" }, "invalid_request", "bad_oauth_state"],
    [
      "a state nobody began",
      { state: "00000000-0000-4000-8000-000000000000", code: "y" },
      "invalid_request",
      "bad_oauth_state",
    ],
  ] as const)("%s: to the site", async (_, answer, error, code) => {
    const location = (await comeBack(answer)).headers.location!;
    expect(location.startsWith("http://127.0.0.1:3000")).toBe(true);
    expect(errorOf(location).slice(0, 2)).toEqual([error, code]);
  });

  test.each([
    [
      "the person said no",
      { error: "access_denied", error_description: "No.\r\nSet-Cookie: a=b" },
      "access_denied",
      "access_denied",
    ],
    ["the provider failed", { error: "server_error" }, "invalid_request", "bad_oauth_callback"],
    ["no code", {}, "invalid_request", "bad_oauth_callback"],
    ["a code of nobody's", { code: "made-up" }, "invalid_request", "bad_oauth_callback"],
  ] as const)("%s: to the app", async (_, answer, error, code) => {
    for (const provider of ["google", "github"]) {
      const url = await begin(provider);
      const location = (await comeBack({ ...answer, state: url.searchParams.get("state")! })).headers.location!;
      expect(location.startsWith(app)).toBe(true);
      expect(location).not.toMatch(/[\r\n]/);
      expect(errorOf(location).slice(0, 2)).toEqual([error, code]);
    }
  });

  test.each([
    ["a nonce of another flow", { nonce: "another" }],
    ["no nonce", { nonce: undefined }],
    ["A02 another audience", { aud: "another-app" }],
    ["A01 another issuer", { iss: "https://evil.example" }],
    ["a past life", { exp: 1_000_000_000 }],
    ["no subject", { sub: undefined }],
    ["a subject that cannot be kept", { sub: "a\0" }],
  ])("a token with %s opens nothing", async (_, claims) => {
    const [{ count: before }] = (await auth.sql("select count(*) from auth.users")) as [{ count: string }];
    const base = { sub: "g-90", email: newEmail(), email_verified: true };
    const { location } = await signInOidc(google, "google", { ...base, ...claims });
    expect(errorOf(location)[0]).toBe("invalid_request");
    expect(await auth.sql("select count(*) from auth.users")).toEqual([{ count: before }]);
  });

  test("A30 a provider that redirects, floods, hangs or breaks off is unavailable, and its state is used up", async () => {
    const faults: Parameters<LocalService["nextToken"]>[0][] = [
      (_, reply) => void reply.writeHead(302, { Location: "http://127.0.0.1:1/" }).end(),
      (_, reply) => void reply.writeHead(200, { "Content-Type": "application/json" }).end("x".repeat(5_000_000)),
      () => {},
      (_, reply) => void reply.writeHead(200, { "Content-Type": "text/plain" }).end("access_token=t"),
    ];
    const hasty = auth.with({ ...shared(), oauthTimeoutMs: 500 });
    for (const fault of faults) {
      github.nextToken(fault);
      const url = await begin("github", {}, hasty);
      const state = url.searchParams.get("state")!;
      const code = github.willBe({ id: 4, email: newEmail(), isVerified: true });
      const failed = errorOf((await comeBack({ code, state }, hasty)).headers.location!);
      expect(failed).toEqual([
        "temporarily_unavailable",
        "unexpected_failure",
        "The sign-in provider could not be asked",
      ]);
      expect(errorOf((await comeBack({ code, state })).headers.location!)[1]).toBe("bad_oauth_state");
    }
    github.nextUser((_, reply) => void reply.writeHead(302, { Location: "http://127.0.0.1:1/" }).end());
    const { location } = await signIn("github", github.willBe({ id: 4, email: newEmail(), isVerified: true }));
    expect(errorOf(location)[0]).toBe("temporarily_unavailable");
  });

  test("too late is too late", async () => {
    const url = await begin("github");
    const state = url.searchParams.get("state")!;
    await auth.sql("update auth.flow_state set created_at = created_at - interval '301 s' where id = $1", [state]);
    const code = github.willBe({ id: 5, email: newEmail(), isVerified: true });
    expect(errorOf((await comeBack({ code, state })).headers.location!).slice(1)).toEqual([
      "bad_oauth_state",
      "OAuth state has expired",
    ]);
  });

  test("no address, and one is asked for", async () => {
    const { location } = await signIn("github", github.willBe({ id: 6, email: "", isVerified: false }));
    expect(errorOf(location)).toEqual([
      "server_error",
      "email_address_not_provided",
      "Error getting user email from external provider",
    ]);
    const relaxed = auth.with({ ...shared(), githubEmailOptional: true });
    const { fragment } = await signIn("github", github.willBe({ id: 6, email: "", isVerified: false }), {}, relaxed);
    expect(await me(fragment.get("access_token")!)).toMatchObject({ email: "", user_metadata: { user_name: "user6" } });
    // Once in, always in: the identity is known.
    const again = await signIn("github", github.willBe({ id: 6, email: "", isVerified: false }));
    expect(again.fragment.has("access_token")).toBe(true);
  });

  test("sign-ups off: those who are known come in", async () => {
    const email = newEmail();
    await signIn("github", github.willBe({ id: 7, email, isVerified: true }));
    const closed = auth.with({ ...shared(), disableSignup: true });
    const known = await signIn("github", github.willBe({ id: 7, email, isVerified: true }), {}, closed);
    expect(known.fragment.has("access_token")).toBe(true);
    const stranger = { id: 8, email: newEmail(), isVerified: true };
    const refused = await signIn("github", github.willBe(stranger), {}, closed);
    expect(errorOf(refused.location).slice(0, 2)).toEqual(["access_denied", "signup_disabled"]);
    expect(await auth.sql("select id from auth.users where email = $1", [stranger.email])).toEqual([]);
  });

  test("a banned user stays out", async () => {
    const email = newEmail();
    const first = await signIn("github", github.willBe({ id: 9, email, isVerified: true }));
    const { id } = await me(first.fragment.get("access_token")!);
    await auth.admin("PUT", `/admin/users/${id}`, { ban_duration: "24h" });
    const { location } = await signIn("github", github.willBe({ id: 9, email, isVerified: true }));
    expect(errorOf(location).slice(0, 2)).toEqual(["access_denied", "user_banned"]);
  });

  test.each([
    ["an unknown provider", { provider: "myspace" }],
    ["none", { provider: "" }],
    ["one that is off", { provider: "gitlab" }],
    ["half of PKCE", { provider: "google", code_challenge: s256("x") }],
    ["a short challenge", { provider: "google", code_challenge: "short", code_challenge_method: "s256" }],
    ["a scope that is none", { provider: "google", scopes: 'a"b' }],
    [
      "too many parameters",
      { provider: "google", ...Object.fromEntries(Array.from({ length: 21 }, (_, at) => [`p${at}`, "x"])) },
    ],
    ["an invitation of nobody's", { provider: "google", invite_token: "abc" }],
  ])("%s is said as JSON, before anybody is sent anywhere", async (_, query) => {
    const reply = await auth.send("GET", `/authorize?${new URLSearchParams(query)}`);
    expect([400, 404]).toContain(reply.status);
    expect(reply.headers.location).toBeUndefined();
    expect(["validation_failed", "user_not_found"]).toContain(reply.body.error_code);
  });

  test("with oauthPkceRequired no session is ever in a URL", async () => {
    const strict = auth.with({ ...shared(), oauthPkceRequired: true });
    expect((await strict.send("GET", "/authorize?provider=google")).status).toBe(400);
    expect((await begin("google", pkce, strict)).searchParams.has("state")).toBe(true);
  });
});

/** The settings of the file, for another instance on the same database. */
const shared = () => ({
  mailerAutoconfirm: false,
  manualLinkingEnabled: true,
  redirectAllowList: [app],
  googleEnabled: true,
  googleClientIds: ["google-web", "google-ios"],
  googleSecret: "google-secret",
  googleUrl: google.url,
  githubEnabled: true,
  githubClientIds: ["github-client"],
  githubSecret: "github-secret",
  githubUrl: github.url,
});

describe("A09 one use", () => {
  test("of a state: 50 answers at once, one session", async () => {
    const url = await begin("github");
    const state = url.searchParams.get("state")!;
    const email = newEmail();
    const replies = await Promise.all(
      Array.from({ length: 50 }, () => comeBack({ code: github.willBe({ id: 20, email, isVerified: true }), state })),
    );
    const tokens = replies.filter((reply) => factsOf(reply.headers.location!).fragment.has("access_token"));
    expect(tokens).toHaveLength(1);
    expect(
      await auth.sql("select s.id from auth.sessions s join auth.users u on u.id = s.user_id where u.email = $1", [
        email,
      ]),
    ).toHaveLength(1);
  });

  test("of a code: 50 exchanges at once, one session, and that ends when somebody comes again", async () => {
    const email = newEmail();
    const { query } = await signIn("github", github.willBe({ id: 21, email, isVerified: true }), pkce);
    const replies = await Promise.all(Array.from({ length: 50 }, () => exchange(query.get("code")!)));
    const good = replies.filter(({ status }) => status === 200);
    expect(good).toHaveLength(1);
    expect((await auth.send("GET", "/user", { token: good[0]!.body.access_token })).body.error_code).toBe(
      "session_not_found",
    );
  });

  test("A11 of a state by a flow of another kind: none", async () => {
    const { query } = await signIn("github", github.willBe({ id: 22, email: newEmail(), isVerified: true }), pkce);
    const [row] = await auth.sql("select id from auth.flow_state where auth_code = $1", [query.get("code")]);
    const reply = await comeBack({
      code: github.willBe({ id: 23, email: newEmail(), isVerified: true }),
      state: String(row!.id),
    });
    expect(factsOf(reply.headers.location!).query.get("error_code")).toBe("bad_oauth_state");
    expect((await exchange(query.get("code")!)).status).toBe(200);
  });
});

test("A25 many sign-ins with two providers at once end each in its own account", async () => {
  const logins = Array.from({ length: 100 }, (_, at) => at);
  const seen = await Promise.all(
    logins.flatMap((at) => [
      (async () => {
        const email = `both${at}@github.example`;
        const { fragment } = await signIn("github", github.willBe({ id: 1_000 + at, email, isVerified: true }));
        return [email, "github", await me(fragment.get("access_token")!)] as const;
      })(),
      (async () => {
        const email = `both${at}@google.example`;
        const { fragment } = await signInOidc(google, "google", {
          sub: String(1_000 + at),
          email,
          email_verified: true,
        });
        return [email, "google", await me(fragment.get("access_token")!)] as const;
      })(),
    ]),
  );
  for (const [email, provider, user] of seen) {
    expect([user.email, user.app_metadata.providers]).toEqual([email, [provider]]);
  }
  expect(new Set(seen.map(([, , user]) => user.id)).size).toBe(200);
});

describe("grant_type=id_token", () => {
  const grant = (body: Record<string, unknown>, on = auth, headers = {}) =>
    on.send("POST", "/token?grant_type=id_token", { body, headers });
  const nonce = "kept by the phone";

  test("Apple and Google tokens open a session, with the nonce the app kept", async () => {
    const email = newEmail();
    for (const [provider, issuer, aud] of [
      ["google", google, "google-ios"],
      ["apple", apple, "com.example.app"],
    ] as const) {
      const claims = { sub: `n-${provider}`, aud, email: `${provider}.${email}`, email_verified: true };
      const id_token = await issuer.sign({ ...claims, nonce: sha256hex(nonce) });
      const reply = await grant({ provider, id_token, nonce });
      expect(reply.status).toBe(200);
      expect(reply.body.user).toMatchObject({ email: `${provider}.${email}`, app_metadata: { provider } });
      expect(reply.body).not.toHaveProperty("provider_token");
      const again = await grant({ provider, id_token: await issuer.sign(claims) });
      expect(again.body.user.id).toBe(reply.body.user.id);
    }
  });

  test("A01 A02 A03 what is wrong with a token is said in OAuth's words, and changes nothing", async () => {
    const stranger = await openIssuer();
    const good = { sub: "v-1", aud: "google-web", email: "victim@example.com", email_verified: true };
    const [{ count: before }] = (await auth.sql("select count(*) from auth.users")) as [{ count: string }];
    const refused: Record<string, unknown>[] = [
      { provider: "google" },
      { id_token: await google.sign(good) },
      { provider: "google", id_token: "x" },
      { provider: "google", id_token: await google.sign({ ...good, aud: "another-app" }) },
      { provider: "google", id_token: await google.sign({ ...good, iss: "https://accounts.google.com" }) },
      { provider: "google", id_token: await apple.sign(good) },
      { provider: "apple", id_token: await apple.sign({ ...good, aud: "google-web" }) },
      // A self-hosted issuer with a good signature, named in the token and in the body.
      { provider: "google", id_token: await stranger.sign(good), issuer: stranger.url, client_id: "google-web" },
      { provider: "google", id_token: await stranger.sign({ ...good, iss: google.url }), issuer: stranger.url },
      { provider: "apple", id_token: await stranger.sign({ ...good, aud: "com.example.app" }), issuer: stranger.url },
      { provider: "google", id_token: await google.sign(good, { kid: "another" }) },
      { provider: "google", id_token: await google.sign({ ...good, nonce: sha256hex(nonce) }) },
      { provider: "google", id_token: await google.sign(good), nonce },
      { provider: "google", id_token: await google.sign({ ...good, nonce }), nonce },
      { provider: "google", id_token: await google.sign({ ...good, at_hash: "AAAA" }), access_token: "another" },
      { provider: "google", id_token: await google.sign({ ...good, exp: 1_000 }) },
    ];
    for (const body of refused) {
      const reply = await grant(body);
      expect.soft([reply.status, Object.keys(reply.body).sort()]).toEqual([400, ["error", "error_description"]]);
    }
    expect((await grant(refused[12]!)).body.error).toBe("invalid request");
    expect((await grant(refused[13]!)).body).toEqual({ error: "invalid nonce", error_description: "Nonces mismatch" });
    expect(stranger.keyRequests.count).toBe(0);
    expect(await auth.sql("select count(*) from auth.users")).toEqual([{ count: before }]);
    await stranger.close();
  });

  test("A02 a provider that is off, has no client id, or gives out no such tokens takes none", async () => {
    const id_token = await google.sign({ sub: "1", aud: "" });
    expect((await grant({ provider: "azure", id_token })).body.error_code).toBe("provider_disabled");
    expect((await grant({ provider: "myspace", id_token, issuer: google.url, client_id: "google-web" })).status).toBe(
      400,
    );
    expect((await grant({ provider: "github", id_token })).body.error_code).toBe("validation_failed");
    const without = auth.with({ ...shared(), googleClientIds: [] });
    expect(
      (await grant({ provider: "google", id_token: await google.sign({ sub: "1", aud: [] }) }, without)).body
        .error_code,
    ).toBe("provider_disabled");
  });

  test("keys are asked for when they are new, and not for every made-up name", async () => {
    const issuer = await openIssuer();
    const on = auth.with({ ...shared(), googleUrl: issuer.url });
    const claims = { sub: "k-1", aud: "google-web", email: newEmail(), email_verified: true };
    expect((await grant({ provider: "google", id_token: await issuer.sign(claims) }, on)).status).toBe(200);
    const before = issuer.keyRequests.count;
    for (let at = 0; at < 20; at++) {
      await grant({ provider: "google", id_token: await issuer.sign(claims, { kid: `made-up-${at}` }) }, on);
    }
    expect(issuer.keyRequests.count).toBeLessThanOrEqual(before + 1);
    await issuer.close();
  });

  test("the nonce may be left out where the operator says so", async () => {
    const lax = auth.with({ ...shared(), googleSkipNonceCheck: true });
    const id_token = await google.sign({
      sub: "s-1",
      aud: "google-web",
      email: newEmail(),
      email_verified: true,
      nonce: "as the SDK likes",
    });
    expect((await grant({ provider: "google", id_token })).status).toBe(400);
    expect((await grant({ provider: "google", id_token }, lax)).status).toBe(200);
  });

  test("link_identity adds to the signed-in user, who has to be there", async () => {
    const email = newEmail();
    const { fragment } = await signIn("github", github.willBe({ id: 30, email, isVerified: true }));
    const token = fragment.get("access_token")!;
    const id_token = await google.sign({ sub: "l-1", aud: "google-web", email: newEmail(), email_verified: true });
    const body = { provider: "google", id_token, link_identity: true };
    expect((await grant(body)).status).toBe(400);
    expect((await grant(body, auth, { authorization: "Bearer nonsense" })).status).toBe(403);
    const reply = await grant(body, auth, { authorization: `Bearer ${token}` });
    expect(reply.body.user).toMatchObject({ email, app_metadata: { providers: ["github", "google"] } });
    expect((await grant(body, auth, { authorization: `Bearer ${token}` })).body.error_code).toBe(
      "identity_already_exists",
    );
    const other = await signIn("github", github.willBe({ id: 31, email: newEmail(), isVerified: true }));
    const stolen = await grant(body, auth, { authorization: `Bearer ${other.fragment.get("access_token")}` });
    expect([stolen.status, stolen.body.error_code]).toEqual([422, "identity_already_exists"]);
    const off = auth.with({ ...shared(), manualLinkingEnabled: false });
    expect((await grant(body, off, { authorization: `Bearer ${token}` })).body.error_code).toBe(
      "manual_linking_disabled",
    );
  });
});

test("/settings says which providers are on, and SSO that it is off", async () => {
  const { body } = await auth.send("GET", "/settings");
  expect(body.external).toMatchObject({ google: true, apple: true, github: true, gitlab: false, azure: false });
  for (const [method, path] of [
    ["POST", "/sso"],
    ["GET", "/sso/saml/metadata"],
    ["POST", "/sso/saml/acs"],
  ] as const) {
    const reply = await auth.send(method, path, { body: {} });
    expect([reply.status, reply.body.error_code]).toEqual([404, "saml_provider_disabled"]);
  }
});
