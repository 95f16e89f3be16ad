import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openTestAuth, type TestAuth } from "../testing.ts";
import { factsOf, s256 } from "./testing.ts";

/** The parts of `oidc-provider` that are used: it comes without types. */
interface OidcProvider {
  callback(): (request: IncomingMessage, reply: ServerResponse) => void;
  interactionDetails(
    request: IncomingMessage,
    reply: ServerResponse,
  ): Promise<{ params: { client_id: string; scope?: string }; prompt: { name: string } }>;
  interactionFinished(
    request: IncomingMessage,
    reply: ServerResponse,
    result: Record<string, unknown>,
    options: { mergeWithLastSubmission: boolean },
  ): Promise<void>;
  readonly Grant: new (about: {
    accountId: string;
    clientId: string;
  }) => {
    addOIDCScope(scope: string): void;
    addOIDCClaims(names: readonly string[]): void;
    save(): Promise<string>;
  };
  on(event: string, listener: (...seen: unknown[]) => void): void;
}

const callback = "http://127.0.0.1:54321/auth/v1/callback";
const verifier = "verifier-".repeat(6);
const people: Record<string, Record<string, unknown>> = {
  ada: { email: "ada@example.com", email_verified: true, name: "Ada Lovelace", picture: "https://example.com/ada.png" },
  mallory: { email: "victim@example.com", email_verified: false, name: "Mallory" },
};

let auth: TestAuth;
let server: Server;
let issuer: string;
/** Who is sitting in front of the browser, and whether they agree. */
let visitor = { name: "ada", agrees: true };

beforeAll(async () => {
  let provider: OidcProvider;
  server = createServer(async (request, reply) => {
    if (!request.url?.startsWith("/interaction/")) return provider.callback()(request, reply);
    const { params, prompt } = await provider.interactionDetails(request, reply);
    if (!visitor.agrees) {
      const refusal = { error: "access_denied", error_description: "The person said no." };
      return provider.interactionFinished(request, reply, refusal, { mergeWithLastSubmission: false });
    }
    if (prompt.name === "login") {
      const login = { login: { accountId: visitor.name } };
      return provider.interactionFinished(request, reply, login, { mergeWithLastSubmission: false });
    }
    const grant = new provider.Grant({ accountId: visitor.name, clientId: params.client_id });
    grant.addOIDCScope(params.scope ?? "openid");
    grant.addOIDCClaims(["email", "email_verified", "name"]);
    const consent = { consent: { grantId: await grant.save() } };
    return provider.interactionFinished(request, reply, consent, { mergeWithLastSubmission: true });
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = (id: string, method: string) => ({
    client_id: id,
    client_secret: `${id}-secret-${"x".repeat(20)}`,
    redirect_uris: [callback],
    token_endpoint_auth_method: method,
    grant_types: ["authorization_code"],
    response_types: ["code"],
  });
  // A name that the compiler does not look up: the package has no types.
  const name: string = "oidc-provider";
  const { default: Provider } = (await import(name)) as {
    default: new (issuer: string, options: Record<string, unknown>) => OidcProvider;
  };
  provider = new Provider(issuer, {
    clients: [
      client("acme-app", "client_secret_basic"),
      client("google-web", "client_secret_post"),
      client("com.example.app", "client_secret_post"),
    ],
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name", "picture"], name: [] },
    scopes: ["openid", "email", "profile", "name"],
    pkce: { required: (_: unknown, { clientId }: { clientId: string }) => clientId !== "com.example.app" },
    features: { devInteractions: { enabled: false }, claimsParameter: { enabled: true } },
    interactions: { url: (_: unknown, { uid }: { uid: string }) => `/interaction/${uid}` },
    ttl: { Interaction: 60, Session: 60, Grant: 60, AccessToken: 60, IdToken: 60, AuthorizationCode: 60 },
    cookies: { keys: ["only for tests"] },
    findAccount: (_: unknown, sub: string) => ({ accountId: sub, claims: () => ({ sub, ...people[sub] }) }),
  });
  auth = await openTestAuth({
    mailerAutoconfirm: false,
    redirectAllowList: ["myapp://login-callback"],
    googleEnabled: true,
    googleClientIds: ["google-web"],
    googleSecret: client("google-web", "").client_secret,
    googleUrl: issuer,
    appleEnabled: true,
    appleClientIds: ["com.example.app"],
    appleSecret: client("com.example.app", "").client_secret,
    appleUrl: issuer,
    providers: {
      "custom:acme": { issuer, client_id: "acme-app", secret: client("acme-app", "").client_secret },
      "custom:liar": { issuer: `${issuer}/other`, client_id: "acme-app", secret: "x" },
    },
  });
});
afterAll(async () => {
  await auth.close();
  server.closeAllConnections();
  await new Promise((closed) => server.close(closed));
});

/** A browser: follows redirects and keeps cookies, until it is sent to our callback. @returns the answer it brings */
async function visit(start: string): Promise<{ readonly method: "GET" | "POST"; readonly answer: URLSearchParams }> {
  const cookies = new Map<string, string>();
  let at = start;
  for (let hops = 0; hops < 12; hops++) {
    const reply = await fetch(at, {
      redirect: "manual",
      headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join("; ") },
    });
    for (const line of reply.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      cookies.set(name, value);
    }
    const next = reply.headers.get("location");
    if (next === null) {
      // A form that posts itself: what Apple answers with.
      const page = await reply.text();
      const fields = [...page.matchAll(/name="([^"]+)" value="([^"]*)"/g)].map(
        ([, name = "", value = ""]): [string, string] => [name, value],
      );
      expect(page).toContain(callback);
      return { method: "POST", answer: new URLSearchParams(fields) };
    }
    at = new URL(next, at).href;
    if (at.startsWith(callback)) return { method: "GET", answer: new URL(at).searchParams };
  }
  return expect.fail("The browser goes round in circles.");
}

async function signIn(provider: string, query: Record<string, string> = {}) {
  // Google and Apple put into the token who it is, Apple whatever it is asked for. The library holds to the standard: there the
  // address is had from the userinfo endpoint, as of the provider of one's own, or by asking for it in the token.
  const inToken = { id_token: { email: null, email_verified: null, name: null } };
  const asked = provider.startsWith("custom:") ? {} : { scopes: "openid", claims: JSON.stringify(inToken) };
  const params = new URLSearchParams({ provider, redirect_to: "myapp://login-callback", ...asked, ...query });
  const begun = await auth.send("GET", `/authorize?${params}`);
  const { method, answer } = await visit(begun.headers.location!);
  const back =
    method === "GET"
      ? await auth.send("GET", `/callback?${answer}`)
      : await auth.send("POST", "/callback", { body: answer.toString() });
  expect(back.status).toBe(302);
  return { method, answer, location: back.headers.location!, ...factsOf(back.headers.location!) };
}
const me = async (token: string) => (await auth.send("GET", "/user", { token })).body;

describe("end to end with a certified provider", () => {
  test.each([
    ["custom:acme", "GET"],
    ["google", "GET"],
    ["apple", "POST"],
  ] as const)("%s: implicit", async (provider, method) => {
    visitor = { name: "ada", agrees: true };
    const result = await signIn(provider);
    expect(result.method).toBe(method);
    expect(result.fragment.get("provider_token")).toBeTruthy();
    const user = await me(result.fragment.get("access_token")!);
    expect(user).toMatchObject({ email: "ada@example.com", user_metadata: { sub: "ada", email_verified: true } });
    expect(user.app_metadata.providers).toContain(provider);
    expect(user.identities.find((one: { provider: string }) => one.provider === provider)).toMatchObject({ id: "ada" });
  });

  test.each(["custom:acme", "google", "apple"])("%s: PKCE", async (provider) => {
    visitor = { name: "ada", agrees: true };
    const { query, fragment } = await signIn(provider, {
      code_challenge: s256(verifier),
      code_challenge_method: "S256",
    });
    expect(fragment.has("access_token")).toBe(false);
    const exchange = (code_verifier: string) =>
      auth.send("POST", "/token?grant_type=pkce", { body: { auth_code: query.get("code"), code_verifier } });
    expect((await exchange("another ".repeat(6))).body.error_code).toBe("bad_code_verifier");
    const session = await exchange(verifier);
    expect(session.body).toMatchObject({ user: { email: "ada@example.com" }, provider_token: expect.any(String) });
  });

  test("all of them led to one account: each vouched for the address", async () => {
    expect(await auth.sql("select id from auth.users where email = 'ada@example.com'")).toHaveLength(1);
  });

  test("a person who says no comes back with that, and a provider that vouches for nothing opens nothing", async () => {
    visitor = { name: "ada", agrees: false };
    const refused = await signIn("custom:acme");
    expect(Object.fromEntries(refused.query)).toMatchObject({
      error: "access_denied",
      error_code: "access_denied",
      error_description: "The person said no.",
    });
    visitor = { name: "mallory", agrees: true };
    const unvouched = await signIn("custom:acme");
    expect(unvouched.query.get("error_code")).toBe("provider_email_needs_verification");
    expect(unvouched.fragment.has("access_token")).toBe(false);
  });

  test("A09 an answer that is brought again opens nothing", async () => {
    visitor = { name: "ada", agrees: true };
    const { answer } = await signIn("google");
    const again = await auth.send("GET", `/callback?${answer}`);
    expect(factsOf(again.headers.location!).query.get("error_code")).toBe("bad_oauth_state");
  });

  test("A01 an answer that another flow's issuer gave is refused", async () => {
    visitor = { name: "ada", agrees: true };
    const begun = await auth.send("GET", "/authorize?provider=google");
    const { answer } = await visit(begun.headers.location!);
    answer.set("iss", "https://evil.example");
    const back = await auth.send("GET", `/callback?${answer}`);
    expect(factsOf(back.headers.location!).query.get("error_code")).toBe("bad_oauth_callback");
  });

  test("an issuer that is not at its place is unavailable, and says so before anybody is sent away", async () => {
    const reply = await auth.send("GET", "/authorize?provider=custom:liar");
    expect([reply.status, reply.body.error_code]).toEqual([503, "unexpected_failure"]);
  });
});
