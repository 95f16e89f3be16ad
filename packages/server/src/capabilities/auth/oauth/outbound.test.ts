import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { Problem } from "../../../kernel/problem.ts";
import { askApi, redeemCode } from "./oauth2.ts";
import { createIssuer } from "./oidc.ts";
import { boundedFetch } from "./outbound.ts";
import { type LocalServer, sendJson, serve } from "./testing.ts";

const bounds = { timeoutMs: 300, maxBytes: 20_000 };
let handle: Parameters<typeof serve>[0] = () => {};
let server: LocalServer;
let trap: LocalServer;
let wasTrapped = false;

beforeAll(async () => {
  server = await serve((...call) => handle(...call));
  trap = await serve((_, reply) => {
    wasTrapped = true;
    sendJson(reply, { access_token: "stolen", token_type: "bearer" });
  });
});
beforeEach(() => {
  wasTrapped = false;
});
afterAll(() => Promise.all([server.close(), trap.close()]));

const redeem = () =>
  redeemCode(bounds, {
    url: `${server.url}/token`,
    clientId: "the id",
    clientSecret: "the:secret",
    clientAuth: "basic",
    code: "the-code",
    redirectUri: "https://api.example.com/auth/v1/callback",
    codeVerifier: "the-verifier",
  });
const problemOf = (work: Promise<unknown>): Promise<Problem> =>
  work.then(
    () => expect.fail("It went well."),
    (error: Problem) => error,
  );

/** What a provider may do instead of answering. */
const faults: Record<string, Parameters<typeof serve>[0]> = {
  "302 to another place": (_, reply) => void reply.writeHead(302, { Location: trap.url }).end(),
  "307 with the body again": (_, reply) => void reply.writeHead(307, { Location: trap.url }).end(),
  "5 MB": (_, reply) => void reply.writeHead(200, { "Content-Type": "application/json" }).end("1".repeat(5_000_000)),
  "no answer": () => {},
  "half an answer": (_, reply) => void reply.writeHead(200, { "Content-Type": "application/json" }).write("{"),
  "another content type": (_, reply) =>
    void reply.writeHead(200, { "Content-Type": "text/html" }).end('{"access_token":"t","token_type":"bearer"}'),
  "no JSON": (_, reply) => void reply.writeHead(200, { "Content-Type": "application/json" }).end("access_token=t"),
  "a closed connection": (request) => void request.socket.destroy(),
  "500": (_, reply) => sendJson(reply, { access_token: "t", token_type: "bearer" }, 500),
};

describe("the token endpoint of a plain OAuth 2.0 service", () => {
  test("is asked as the standard says, and answers without all of it", async () => {
    let seen = {};
    handle = (request, reply, body) => {
      seen = { authorization: request.headers.authorization, ...Object.fromEntries(body) };
      sendJson(reply, { access_token: "t", scope: ["a"], refresh_token: "r" });
    };
    expect(await redeem()).toMatchObject({ accessToken: "t", refreshToken: "r" });
    expect(seen).toEqual({
      authorization: `Basic ${Buffer.from("the+id:the%3Asecret").toString("base64")}`,
      grant_type: "authorization_code",
      code: "the-code",
      redirect_uri: "https://api.example.com/auth/v1/callback",
      code_verifier: "the-verifier",
    });
  });

  test.each(Object.keys(faults))(
    "A30 that gives %s is not there: 503, in time, and nothing is followed",
    async (name) => {
      handle = faults[name]!;
      const problem = await problemOf(redeem());
      expect([problem.code, problem.status]).toEqual(["auth/unexpected_failure", 503]);
      expect(wasTrapped).toBe(false);
    },
  );

  test.each([
    ["an error under 200", { error: "bad_verification_code" }, 200],
    ["an error", { error: "invalid_grant" }, 400],
    ["no token", { token_type: "bearer" }, 200],
    ["a token that is no text", { access_token: { $ne: "" } }, 200],
    ["a list", [], 200],
    ["null", null, 200],
  ])("that gives %s has refused: 400", async (_, value, status) => {
    handle = (__, reply) => sendJson(reply, value, status);
    const problem = await problemOf(redeem());
    expect([problem.code, problem.status]).toEqual(["auth/bad_oauth_callback", 400]);
    expect(JSON.stringify([problem.message, problem.details, String(problem.cause)])).not.toContain("secret");
  });
});

describe("A30 other questions", () => {
  test.each(Object.keys(faults))("an API that gives %s: 503", async (name) => {
    handle = faults[name]!;
    expect((await problemOf(askApi(bounds, `${server.url}/me`, "the-token"))).status).toBe(503);
    expect(wasTrapped).toBe(false);
  });

  test.each(Object.keys(faults).filter((name) => name !== "500"))("a discovery that gives %s: 503", async (name) => {
    handle = faults[name]!;
    const clock = { nowMs: () => Date.now() };
    const issuer = createIssuer({
      url: server.url,
      clientId: "a",
      clientAuth: () => {},
      bounds,
      rememberMs: 60_000,
      clock,
    });
    expect((await problemOf(issuer.discover())).status).toBe(503);
    expect(wasTrapped).toBe(false);
  });

  test("a discovery that names another issuer, or no place for its keys: 503", async () => {
    const clock = { nowMs: () => Date.now() };
    const issuer = createIssuer({
      url: server.url,
      clientId: "a",
      clientAuth: () => {},
      bounds,
      rememberMs: 60_000,
      clock,
    });
    handle = (_, reply) => sendJson(reply, { issuer: "https://evil.example", jwks_uri: "https://evil.example/keys" });
    expect((await problemOf(issuer.discover())).status).toBe(503);
    handle = (_, reply) => sendJson(reply, { issuer: server.url });
    expect((await problemOf(issuer.discover())).status).toBe(503);
  });

  test("what an issuer says is remembered for a while, asked once by many, and not when it failed", async () => {
    let [asked, nowMs] = [0, 0];
    const issuer = createIssuer({
      url: server.url,
      clientId: "a",
      clientAuth: () => {},
      bounds,
      rememberMs: 60_000,
      clock: { nowMs: () => nowMs },
    });
    handle = (_, reply) => {
      asked++;
      sendJson(reply, asked === 1 ? {} : { issuer: server.url, jwks_uri: `${server.url}/keys` });
    };
    await problemOf(issuer.discover());
    await Promise.all(Array.from({ length: 20 }, () => issuer.discover()));
    expect(asked).toBe(2);
    nowMs = 59_999;
    await issuer.discover();
    expect(asked).toBe(2);
    nowMs = 60_000;
    await issuer.discover();
    expect(asked).toBe(3);
  });

  test("libraries get an answer without a body where there is none", async () => {
    handle = (_, reply) => void reply.writeHead(204).end();
    expect((await boundedFetch(bounds)(server.url, {})).status).toBe(204);
    await expect(boundedFetch(bounds)(server.url, { method: "DELETE" })).rejects.toThrow("DELETE");
  });
});
