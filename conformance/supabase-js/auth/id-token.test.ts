import { randomUUID } from "node:crypto";
import { AuthApiError } from "@supabase/supabase-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type AuthApp, claimsOf, eventsOf, newAddress, signedUp, startAuthApp } from "./auth-app.ts";
import { halfHash, openTokenIssuer, sha256Hex, type TokenIssuer } from "./token-issuer.ts";

const [bundleId, iosClient, webClient] = ["com.roam.app", "1.apps.example", "2.apps.example"];

let app: AuthApp;
let apple: TokenIssuer;
let google: TokenIssuer;
let stranger: TokenIssuer;
beforeAll(async () => {
  [apple, google, stranger] = await Promise.all([openTokenIssuer(), openTokenIssuer(), openTokenIssuer()]);
  app = await startAuthApp({
    appleEnabled: true,
    appleClientIds: ["com.roam.web", bundleId],
    appleUrl: apple.url,
    googleEnabled: true,
    googleClientIds: [webClient, iosClient],
    googleUrl: google.url,
  });
});
afterAll(async () => {
  await app.stop();
  await Promise.all([apple, google, stranger].map((issuer) => issuer.close()));
});

/** What an iPhone's dialogue gives the app: the nonce's hash is in the token, the address may be one of Apple's own. */
const appleToken = (claims: object = {}, nonce = "") =>
  apple.idToken({
    aud: bundleId,
    sub: `00${randomUUID().replaceAll("-", "")}.0000`,
    email: `${randomUUID()}@privaterelay.example`,
    email_verified: true,
    is_private_email: true,
    nonce_supported: true,
    ...(nonce === "" ? {} : { nonce: sha256Hex(nonce) }),
    ...claims,
  });

/** What Google's dialogue on Android gives: made out to the web client, asked for by the phone's. */
const googleToken = (claims: object = {}) =>
  google.idToken({
    aud: webClient,
    azp: iosClient,
    sub: randomUUID(),
    email: newAddress(),
    email_verified: true,
    name: "Ada Lovelace",
    picture: "https://example.com/ada.png",
    ...claims,
  });

describe("signInWithIdToken", () => {
  it("Apple: signs up with the nonce that the app kept, and in again to the same account", async () => {
    const client = app.client();
    const events = eventsOf(client);
    const nonce = randomUUID();
    const sub = randomUUID();
    const email = newAddress();
    const { data, error } = await client.auth.signInWithIdToken({
      provider: "apple",
      token: appleToken({ sub, email }, nonce),
      nonce,
    });
    expect(error).toBeNull();
    expect(data.user).toMatchObject({
      email,
      email_confirmed_at: expect.any(String),
      app_metadata: { provider: "apple", providers: ["apple"] },
      identities: [{ provider: "apple", id: sub, identity_data: { sub, email, email_verified: true } }],
    });
    expect(claimsOf(data.session?.access_token ?? "")).toMatchObject({ amr: [{ method: "oauth" }], email });
    expect(events).toEqual(["SIGNED_IN"]);
    // The address is in the first token alone.
    const again = await app.client().auth.signInWithIdToken({
      provider: "apple",
      token: appleToken({ sub, email: undefined, email_verified: undefined }),
    });
    expect([again.error, again.data.user?.id, again.data.user?.email]).toEqual([null, data.user?.id, email]);
    // The name is never in it: apps write it down themselves.
    expect((await client.auth.updateUser({ data: { full_name: "Ada" } })).data.user?.user_metadata.full_name).toBe(
      "Ada",
    );
  });

  it("Google: with the access token beside it, whose hash is in the token", async () => {
    const access_token = "ya29.local";
    const token = googleToken({ at_hash: halfHash(access_token) });
    const { data, error } = await app.client().auth.signInWithIdToken({ provider: "google", token, access_token });
    expect(error).toBeNull();
    expect(data.user?.user_metadata).toMatchObject({
      full_name: "Ada Lovelace",
      avatar_url: "https://example.com/ada.png",
      email_verified: true,
    });
    const other = await app.client().auth.signInWithIdToken({ provider: "google", token, access_token: "another" });
    expect(other.error).toMatchObject({ status: 400 });
  });

  it("A06 joins the account whose address both have verified", async () => {
    const { email, user } = await signedUp(app);
    const { data } = await app.client().auth.signInWithIdToken({ provider: "google", token: googleToken({ email }) });
    expect(data.user?.id).toBe(user.id);
    expect(data.user?.app_metadata.providers).toEqual(expect.arrayContaining(["email", "google"]));
  });

  it("refuses what is not the provider's, not for this app, or not in time, in OAuth's words", async () => {
    const { auth } = app.client();
    const nonce = randomUUID();
    const now = Math.floor(Date.now() / 1000);
    for (const [why, provider, given] of [
      [
        "A01 an issuer that the token itself names",
        "google",
        { token: stranger.idToken({ aud: webClient, sub: "1" }) },
      ],
      [
        "A01 another issuer's keys",
        "google",
        { token: stranger.idToken({ iss: google.url, aud: webClient, sub: "1" }) },
      ],
      ["A02 made out to another app", "google", { token: googleToken({ aud: "3.apps.example", azp: undefined }) }],
      ["of another provider", "apple", { token: googleToken() }],
      ["expired", "apple", { token: appleToken({ iat: now - 7_200, exp: now - 3_600 }) }],
      ["a nonce that is not the token's", "apple", { token: appleToken({}, nonce), nonce: "another" }],
      ["a nonce in the token alone", "apple", { token: appleToken({}, nonce) }],
      ["a nonce beside the token alone", "apple", { token: appleToken(), nonce }],
      ["no token", "apple", { token: "" }],
    ] as const) {
      const { data, error } = await auth.signInWithIdToken({ provider, ...given });
      expect(error, why).toBeInstanceOf(AuthApiError);
      expect(error, why).toMatchObject({ status: 400, message: expect.any(String) });
      expect(data, why).toEqual({ user: null, session: null });
    }
    const answer = await app.request("/auth/v1/token?grant_type=id_token", {
      method: "POST",
      body: { provider: "apple", id_token: appleToken({}, nonce), nonce: "another" },
    });
    expect(answer).toMatchObject({
      status: 400,
      json: { error: "invalid nonce", error_description: "Nonces mismatch" },
    });
  });

  it("a provider that is off says so", async () => {
    const { error } = await app.client().auth.signInWithIdToken({ provider: "azure", token: googleToken() });
    expect(error).toMatchObject({ status: 400, code: "provider_disabled" });
  });
});

describe("linkIdentity by ID token", () => {
  it("adds the provider's account to the one signed in", async () => {
    const { client, email, user } = await signedUp(app);
    const events = eventsOf(client);
    const sub = randomUUID();
    const { data, error } = await client.auth.linkIdentity({ provider: "apple", token: appleToken({ sub }) });
    expect(error).toBeNull();
    expect(data.user).toMatchObject({ id: user.id, email });
    expect(events).toEqual(["USER_UPDATED"]);
    const identities = (await client.auth.getUserIdentities()).data?.identities;
    expect(identities?.map(({ provider }) => provider).toSorted()).toEqual(["apple", "email"]);
    const signedIn = await app.client().auth.signInWithIdToken({ provider: "apple", token: appleToken({ sub }) });
    expect(signedIn.data.user?.id).toBe(user.id);
    const other = await signedUp(app);
    const taken = await other.client.auth.linkIdentity({ provider: "apple", token: appleToken({ sub }) });
    expect(taken.error).toMatchObject({ status: 422, code: "identity_already_exists" });
  });

  it("makes an anonymous account permanent", async () => {
    const client = app.client();
    const { data: begun } = await client.auth.signInAnonymously();
    const email = newAddress();
    const { data, error } = await client.auth.linkIdentity({ provider: "google", token: googleToken({ email }) });
    expect(error).toBeNull();
    expect(data.user).toMatchObject({ id: begun.user?.id, email, is_anonymous: false });
    expect(claimsOf(data.session?.access_token ?? "").is_anonymous).toBe(false);
  });
});
