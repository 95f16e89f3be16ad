import { createHmac, createSign, generateKeyPairSync } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { adminEntrances, enter, nameOf, ownEntrances } from "./entrances.ts";
import { forgedTokens } from "./forgeries.ts";
import { clientId, googleAt, type Issuer, openIssuer } from "./issuer.ts";
import { type AuthServer, newEmail, type Person, startAuth } from "./server.ts";

/** Threats A01, A02, A03 and A17 at every entrance that reads a token. */
const jwtSecret = "a shared secret of the days before asymmetric keys, 64 bytes long";

let issuer: Issuer;
let auth: AuthServer;
let person: Person;
beforeAll(async () => {
  issuer = await openIssuer();
  auth = await startAuth({ identity: { jwtSecret, jwtAlgorithm: "ES256" }, auth: googleAt(issuer) });
  person = await auth.newPerson();
});
afterAll(async () => {
  await Promise.all([auth.stop(), issuer.close()]);
});

const state = () =>
  auth.sql(`select (select jsonb_agg(u order by id) from auth.users u) as users,
    (select jsonb_agg(s order by id) from auth.sessions s) as sessions,
    (select count(*)::int from auth.mfa_factors) as factors`);

describe("A03 forged tokens", () => {
  test("A03 are refused at every entrance, and change nothing", async () => {
    const forged = await forgedTokens({ server: auth, person, jwtSecret, issuer });
    expect(Object.keys(forged).length).toBeGreaterThanOrEqual(40);
    const before = await state();
    for (const [what, token] of Object.entries(forged)) {
      for (const entrance of [...ownEntrances, ...adminEntrances]) {
        const { status, code } = await enter(auth, entrance, token);
        expect.soft([status, code], `${what} at ${nameOf(entrance)}`).toEqual([403, "bad_jwt"]);
      }
      // As a key, which decides the role where nobody is signed in.
      for (const entrance of [adminEntrances[0]!, ownEntrances[0]!]) {
        const { status } = await auth.ask(entrance.method, entrance.path, { headers: { apikey: token } });
        expect.soft(status, `${what} as apikey`).toBe(401);
      }
      const rest = await fetch(`${auth.url}/rest/v1/`, {
        headers: { apikey: auth.publishableKey, authorization: `Bearer ${token}` },
      });
      expect.soft(rest.status, `${what} at the data API`).toBe(401);
      const linked = await auth.ask("POST", "/token?grant_type=id_token", {
        token,
        body: { provider: "google", id_token: issuer.idToken({ sub: "x" }), link_identity: true },
      });
      expect.soft([linked.status, linked.code], `${what} to link`).toEqual([403, "bad_jwt"]);
    }
    expect(await state()).toEqual(before);
    expect((await auth.ask("GET", "/user", { token: person.token })).status).toBe(200);
  });

  test("A17 without a user's token every entrance says so first, whatever is asked", async () => {
    const before = await state();
    for (const entrance of ownEntrances) {
      for (const body of [entrance.body, "{", '{"email":1}', { email: person.email, password: "x" }]) {
        const isRead = entrance.method === "GET" || entrance.method === "DELETE";
        const call = { ...entrance, body: isRead ? undefined : body };
        const nobody = await enter(auth, call);
        expect.soft([nobody.status, nobody.code], nameOf(entrance)).toEqual([401, "no_authorization"]);
        const key = await enter(auth, call, auth.anonKey);
        expect.soft([key.status, key.code], nameOf(entrance)).toEqual([403, "bad_jwt"]);
      }
    }
    for (const entrance of adminEntrances) {
      for (const [token, expected] of [
        [undefined, [401, "no_authorization"]],
        [auth.anonKey, [403, "not_admin"]],
        [person.token, [403, "not_admin"]],
      ] as const) {
        const { status, code } = await enter(auth, entrance, token);
        expect.soft([status, code], nameOf(entrance)).toEqual(expected);
      }
    }
    expect(await state()).toEqual(before);
  });
});

describe("A01 A02 A03 id tokens", () => {
  test("A01 A02 A03 forged ones are refused at the grant, make nobody, and fetch nothing from where they say", async () => {
    const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2_048 });
    const email = newEmail();
    const claims = { sub: "victim", email, email_verified: true };
    const kid = issuer.publicJwk.kid;
    const header = { alg: "RS256", kid, typ: "JWT" };
    const theirs = (signed: string) => createSign("sha256").update(signed).sign(privateKey);
    const other = await openIssuer();
    const evil = `${other.url}/keys`;
    const hmac = (key: string) => (signed: string) => createHmac("sha256", key).update(signed).digest();
    const past = Math.floor(Date.now() / 1000) - 7_200;
    const forged: Record<string, string> = {
      "A03 alg none": issuer.forge({ alg: "none" }, claims, () => Buffer.alloc(0)),
      "A03 alg nOnE": issuer.forge({ alg: "nOnE", kid }, claims, () => Buffer.from("x")),
      "A03 HS256 with the public key in PEM": issuer.forge({ alg: "HS256", kid }, claims, hmac(issuer.publicPem)),
      "A03 HS256 with n": issuer.forge({ alg: "HS256", kid }, claims, hmac(String(issuer.publicJwk.n))),
      "A03 HS256 with the client's secret": issuer.forge({ alg: "HS256" }, claims, hmac("provider-client-secret")),
      "A03 another key under its kid": issuer.forge(header, claims, theirs),
      "A03 no kid": issuer.forge({ alg: "RS256" }, claims, theirs),
      "A03 unknown kid": issuer.forge({ ...header, kid: "other" }, claims, theirs),
      "A03 embedded jwk": issuer.forge({ ...header, jwk: publicKey.export({ format: "jwk" }) }, claims, theirs),
      "A03 jku": issuer.forge({ ...header, jku: evil }, claims, theirs),
      "A03 x5u": issuer.forge({ ...header, x5u: evil }, claims, theirs),
      "A03 crit": issuer.forge({ ...header, crit: ["x"], x: 1 }, claims, issuer.sign),
      "A03 alg RS512": issuer.forge({ ...header, alg: "RS512" }, claims, issuer.sign),
      "A03 alg PS256": issuer.forge({ ...header, alg: "PS256" }, claims, issuer.sign),
      "A01 another issuer with keys of its own": other.idToken(claims),
      "A01 another issuer by its word": other.idToken({ ...claims, iss: issuer.url }),
      "A01 our issuer's key for another's name": issuer.idToken({ ...claims, iss: other.url }),
      "A01 no issuer": issuer.idToken({ ...claims, iss: null }),
      "A01 issuer with a slash": issuer.idToken({ ...claims, iss: `${issuer.url}/` }),
      "A02 another audience": issuer.idToken({ ...claims, aud: "another-app" }),
      "A02 no audience": issuer.idToken({ ...claims, aud: null }),
      "A02 an empty list": issuer.idToken({ ...claims, aud: [] }),
      "A02 an object": issuer.idToken({ ...claims, aud: { [clientId]: true } }),
      "A02 a piece of ours": issuer.idToken({ ...claims, aud: clientId.slice(0, -1) }),
      "A02 ours and another, asked for by that": issuer.idToken({
        ...claims,
        aud: [clientId, "another-app"],
        azp: "another-app",
      }),
      "A03 over": issuer.idToken({ ...claims, iat: past, exp: past + 600 }),
      "A03 no end": issuer.idToken({ ...claims, exp: null }),
      "A03 an access token of ours": person.token,
    };
    const count = () => auth.sql("select count(*)::int as n from auth.users");
    const before = await count();
    for (const [what, token] of Object.entries(forged)) {
      for (const more of [{}, { issuer: other.url }, { client_id: "another-app" }]) {
        const reply = await auth.post("/token?grant_type=id_token", { provider: "google", id_token: token, ...more });
        expect.soft(reply.status, `${what}: ${reply.text}`).toBe(400);
      }
    }
    expect(await count()).toEqual(before);
    expect(other.asked).toEqual([]);
    const good = await auth.post("/token?grant_type=id_token", {
      provider: "google",
      id_token: issuer.idToken(claims),
    });
    expect(good.status).toBe(200);
    await other.close();
  });
});

describe("X03 seals", () => {
  test("X03 a refresh token with any bit flipped, cut or longer was never given out, and ends nothing", async () => {
    const { refreshToken, token } = await auth.newPerson();
    const bytes = Buffer.from(refreshToken, "base64url");
    const forged = [refreshToken.slice(0, -1), `${refreshToken}A`, `${refreshToken}==`, refreshToken.toUpperCase()];
    for (let bit = 0; bit < bytes.length * 8; bit += 5) {
      const other = Buffer.from(bytes);
      other[bit >> 3]! ^= 1 << (bit & 7);
      forged.push(other.toString("base64url"));
    }
    for (const refresh_token of forged) {
      const { status, code } = await auth.post("/token?grant_type=refresh_token", { refresh_token });
      expect([status, code]).toEqual([400, "refresh_token_not_found"]);
    }
    expect((await auth.ask("GET", "/user", { token })).status).toBe(200);
    expect((await auth.post("/token?grant_type=refresh_token", { refresh_token: refreshToken })).status).toBe(200);
  });
});
