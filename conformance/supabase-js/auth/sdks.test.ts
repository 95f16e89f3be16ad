import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Answer, RequestOptions } from "../app.ts";
import { type AuthApp, deepLink, newAddress, newNumber, password, signedUp, startAuthApp } from "./auth-app.ts";
import { press } from "./inbox.ts";

/*
 * What the clients of other languages send and must be able to read, as plain requests: each differs from supabase-js in what it
 * insists on.
 */
let app: AuthApp;
beforeAll(async () => {
  app = await startAuthApp();
});
afterAll(() => app.stop());

const version = { "X-Supabase-Api-Version": "2024-01-01" };
const ask = (path: string, options: RequestOptions = {}): Promise<Answer> => app.request(`/auth/v1${path}`, options);
const post = (path: string, body: unknown, headers: Record<string, string> = {}, as?: string) =>
  ask(path, { method: "POST", body, headers, ...(as === undefined ? {} : { as }) });

/** Refusals of every kind, with the code that all clients get. */
const refusals: readonly [
  what: string,
  code: string,
  status: number,
  send: (headers: Record<string, string>) => Promise<Answer>,
][] = [
  [
    "a wrong password",
    "invalid_credentials",
    400,
    (headers) => post("/token?grant_type=password", { email: newAddress(), password }, headers),
  ],
  [
    "a refresh token of nobody's",
    "refresh_token_not_found",
    400,
    (headers) => post("/token?grant_type=refresh_token", { refresh_token: "x" }, headers),
  ],
  [
    "a code that is over",
    "otp_expired",
    403,
    (headers) => post("/verify", { type: "email", email: newAddress(), token: "123456" }, headers),
  ],
  [
    "a short password",
    "weak_password",
    422,
    (headers) => post("/signup", { email: newAddress(), password: "12345" }, headers),
  ],
  ["a token that is none", "bad_jwt", 403, (headers) => ask("/user", { as: "a.b.c", headers })],
  [
    "a PKCE code that is none",
    "flow_state_not_found",
    404,
    (headers) =>
      post(
        "/token?grant_type=pkce",
        { auth_code: "5f0c8d2e-0000-4000-8000-000000000009", code_verifier: "v".repeat(43) },
        headers,
      ),
  ],
  [
    "no JSON",
    "bad_json",
    400,
    (headers) =>
      ask("/signup", { method: "POST", body: "{", headers: { "Content-Type": "application/json", ...headers } }),
  ],
  ["nothing to verify", "validation_failed", 400, (headers) => post("/verify", {}, headers)],
  ["not an admin", "not_admin", 403, (headers) => ask("/admin/users", { headers })],
];

describe("supabase-kt: sends no version", () => {
  it.each(refusals)("%s: error_code and a number as code", async (_, error_code, status, send) => {
    const answer = await send({});
    expect(answer).toMatchObject({ status, json: { code: status, error_code, msg: expect.any(String) } });
    expect(answer.headers.get("x-sb-error-code")).toBe(error_code);
    expect(answer.headers.get("x-supabase-api-version")).toBeNull();
    expect(answer.headers.get("content-type")).toMatch(/^application\/json/);
  });

  it("reasons of a weak password are in this shape too", async () => {
    const answer = await post("/signup", { email: newAddress(), password: "12345" });
    expect(answer.json).toMatchObject({ weak_password: { reasons: ["length"] } });
  });

  it("identity_data is an object, whatever the way in", async () => {
    const { session } = await signedUp(app);
    const phone = newNumber();
    await post("/signup", { phone, password });
    const token = await app.inbox.smsCode(phone);
    const byPhone = await post("/verify", { type: "sms", phone, token });
    for (const user of [
      (await ask("/user", { as: session.access_token })).json,
      (byPhone.json as { user: unknown }).user,
    ]) {
      const { id, aud, identities } = user as { id: string; aud: string; identities: { identity_data: unknown }[] };
      expect([id, aud]).toEqual([expect.any(String), "authenticated"]);
      expect(identities.length).toBeGreaterThan(0);
      for (const { identity_data } of identities) expect(identity_data).toEqual(expect.objectContaining({ sub: id }));
    }
  });

  it("signs out with a session that is gone already, and is told by a code that it knows", async () => {
    const { session } = await signedUp(app);
    expect((await post("/logout?scope=local", undefined, {}, session.access_token)).status).toBe(204);
    const again = await post("/logout?scope=local", undefined, {}, session.access_token);
    expect([401, 403, 404]).toContain(again.status);
    expect(again.json).toMatchObject({ error_code: "session_not_found" });
  });
});

describe("supabase-swift: code is a text, times are needed", () => {
  it.each(refusals)("%s: code as a text, message, and the version again", async (_, code, status, send) => {
    const answer = await send(version);
    expect(answer).toMatchObject({ status, json: { code, message: expect.any(String) } });
    expect(answer.json).not.toHaveProperty("error_code");
    expect(answer.headers.get("x-supabase-api-version")).toBe("2024-01-01");
    expect(answer.headers.get("x-sb-error-code")).toBe(code);
  });

  const instant = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);

  it("every session has expires_in, expires_at and a user with parseable times", async () => {
    const { email, session } = await signedUp(app);
    const now = Math.floor(Date.now() / 1000);
    const answers = [
      await post("/token?grant_type=password", { email, password }, version),
      await post("/token?grant_type=refresh_token", { refresh_token: session.refresh_token }, version),
      await post("/signup", { data: {} }, version),
    ];
    for (const { status, json } of answers) {
      expect([status, json]).toMatchObject([
        200,
        {
          access_token: expect.any(String),
          token_type: "bearer",
          expires_in: 3600,
          expires_at: expect.any(Number),
          refresh_token: expect.any(String),
          user: {
            aud: "authenticated",
            created_at: instant,
            updated_at: instant,
            app_metadata: expect.any(Object),
            user_metadata: expect.any(Object),
            email: expect.any(String),
            phone: expect.any(String),
            is_anonymous: expect.any(Boolean),
          },
        },
      ]);
      const { expires_at, expires_in } = json as { expires_at: number; expires_in: number };
      expect(Math.abs(expires_at - expires_in - now)).toBeLessThan(30);
    }
  });

  it("a sign-up to be confirmed is the user itself, with nothing that is null", async () => {
    const { json } = await post("/signup", { email: newAddress(), password }, version);
    expect(json).toMatchObject({ id: expect.any(String), confirmation_sent_at: instant });
    expect(json).not.toHaveProperty("access_token");
    expect(Object.entries(json as object).filter(([, value]) => value === null)).toEqual([]);
  });
});

describe("supabase-flutter and supabase-kt: deep links", () => {
  const linkTo = async (redirectTo: string): Promise<URL> => {
    const { email } = await signedUp(app);
    await post(`/otp?redirect_to=${encodeURIComponent(redirectTo)}`, { email, create_user: false });
    return press((await app.inbox.mail(email, "magic_link")).link);
  };

  it("the fragment has the keys that they read", async () => {
    const url = await linkTo(deepLink);
    expect(url.href.startsWith(`${deepLink}#`)).toBe(true);
    const keys = [...new URLSearchParams(url.hash.slice(1)).keys()];
    expect(keys).toEqual(
      expect.arrayContaining(["access_token", "expires_at", "expires_in", "refresh_token", "token_type", "type"]),
    );
    // Each once: parsers differ in which of two they take.
    expect(new Set(keys).size).toBe(keys.length);
    const said = Object.fromEntries(new URLSearchParams(url.hash.slice(1)));
    expect(said.expires_in).toMatch(/^\d+$/);
    expect(said.expires_at).toMatch(/^\d+$/);
    expect(said.token_type).toBe("bearer");
    expect((await ask("/user", { as: said.access_token ?? "" })).status).toBe(200);
  });

  it("the app's own path and query stay", async () => {
    const url = await linkTo("com.roam.app://login-callback/deep/er?tab=2&name=a%20b");
    expect(url.href.split(/[?#]/)[0]).toBe("com.roam.app://login-callback/deep/er");
    expect(Object.fromEntries(url.searchParams)).toEqual({ tab: "2", name: "a b" });
  });

  it("with a challenge the answer is a code in the query, and their method is written s256", async () => {
    const { email } = await signedUp(app);
    // RFC 7636, appendix B.
    const code_challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    const code_verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    await post(`/otp?redirect_to=${encodeURIComponent(deepLink)}`, {
      email,
      create_user: false,
      code_challenge,
      code_challenge_method: "s256",
    });
    const url = await press((await app.inbox.mail(email, "magic_link")).link);
    expect(url.hash).toBe("");
    const answer = await post("/token?grant_type=pkce", { auth_code: url.searchParams.get("code"), code_verifier });
    expect(answer).toMatchObject({ status: 200, json: { expires_at: expect.any(Number), user: { email } } });
  });

  it("a link that is over says so where they look", async () => {
    const { email } = await signedUp(app);
    await post(`/otp?redirect_to=${encodeURIComponent(deepLink)}`, { email, create_user: false });
    const { link } = await app.inbox.mail(email, "magic_link");
    await press(link);
    const said = Object.fromEntries(new URLSearchParams((await press(link)).hash.slice(1)));
    expect(said).toMatchObject({
      error: "access_denied",
      error_code: "otp_expired",
      error_description: "Email link is invalid or has expired",
    });
  });
});

describe("any client in a browser", () => {
  it("may send what it sends, and read what it needs (CORS)", async () => {
    const origin = "https://app.roam.example";
    const preflight = await fetch(`${app.url}/auth/v1/token?grant_type=password`, {
      method: "OPTIONS",
      headers: {
        Origin: origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "apikey,authorization,content-type,x-client-info,x-supabase-api-version",
      },
    });
    expect(preflight.ok).toBe(true);
    const allowed = (preflight.headers.get("access-control-allow-headers") ?? "").toLowerCase().split(/,\s*/);
    expect(allowed).toEqual(
      expect.arrayContaining(["apikey", "authorization", "x-client-info", "x-supabase-api-version"]),
    );
    for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE"]) {
      expect(preflight.headers.get("access-control-allow-methods")).toContain(method);
    }
    const answer = await ask("/settings", { headers: { Origin: origin } });
    expect(answer.headers.get("access-control-allow-origin")).toMatch(/^(\*|https:\/\/app\.roam\.example)$/);
    const exposed = (answer.headers.get("access-control-expose-headers") ?? "").toLowerCase();
    for (const name of ["x-total-count", "link", "x-supabase-api-version"]) expect(exposed).toContain(name);
  });
});

describe("supabase-py and older clients", () => {
  it("redirect_to in the body, and the older name of the magic link", async () => {
    const { email } = await signedUp(app);
    expect((await post("/magiclink", { email, redirect_to: deepLink })).json).toEqual({});
    const { link } = await app.inbox.mail(email, "magic_link");
    expect(new URL(link).searchParams.get("redirect_to")).toBe(deepLink);
  });

  it("page must be the first parameter of a list's links", async () => {
    const answer = await ask("/admin/users?per_page=1", { as: app.serviceRoleKey });
    expect(answer.headers.get("link")).toMatch(
      /^<[^?]*\?page=\d+&per_page=1>; rel="next", <[^?]*\?page=\d+&per_page=1>; rel="last"$/,
    );
    expect(answer.headers.get("x-total-count")).toMatch(/^\d+$/);
  });
});
