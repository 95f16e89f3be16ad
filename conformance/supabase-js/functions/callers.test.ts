import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { mint } from "../app.ts";
import { openTokenIssuer, type TokenIssuer } from "../auth/token-issuer.ts";
import { type FunctionsApp, ok, startFunctionsApp } from "./functions-app.ts";

let app: FunctionsApp;
let issuer: TokenIssuer;
beforeAll(async () => {
  issuer = await openTokenIssuer();
  app = await startFunctionsApp({
    identity: { thirdPartyIssuers: [`${issuer.url}|${issuer.url}/keys|my-app`] },
    auth: { mailerAutoconfirm: true },
  });
});
afterAll(async () => {
  await app?.stop();
  await issuer?.close();
});

/** What `who` and `open` tell. */
interface Caller {
  readonly user: string | null;
  readonly authorization: string | null;
  readonly caller?: { readonly role: string; readonly sub: string | null };
}
type Client = ReturnType<FunctionsApp["client"]>;
const who = async (client: Client): Promise<Caller> => ok<Caller>(await client.functions.invoke("who"));
const nobody = { user: null, caller: { role: "anon", sub: null } };

describe("a function that asks for a key or a token is called by", () => {
  it("nobody who is signed in, with the anon key", async () => {
    expect(await who(app.client())).toEqual({ ...nobody, authorization: `Bearer ${app.anonKey}` });
  });

  it("the publishable key, which this client sends as no token", async () => {
    expect(await who(app.client(app.publishableKey))).toEqual({ ...nobody, authorization: null });
  });

  it.each(["serviceRoleKey", "secretKey"] as const)("the service: %s", async (name) => {
    const { user, caller } = await who(app.client(app[name]));
    expect([user, caller]).toEqual([null, { role: "service_role", sub: null }]);
  });

  it("somebody who has signed in, whichever key the app carries", async () => {
    for (const key of [app.anonKey, app.publishableKey]) {
      const client = app.client(key);
      const { data, error } = await client.auth.signUp({
        email: `${randomUUID()}@call.example`,
        password: "a b c d e f g",
      });
      expect(error).toBeNull();
      const id = data.user!.id;
      expect(await who(client)).toEqual({
        user: id,
        authorization: `Bearer ${data.session!.access_token}`,
        caller: { role: "authenticated", sub: id },
      });
      await client.auth.signOut();
      expect((await who(client)).user).toBeNull();
    }
  });

  it("a token of one's own minting (accessToken), or nobody when that gives null", async () => {
    const person = app.person();
    expect(await who(person.client)).toMatchObject({
      user: person.id,
      caller: { role: "authenticated", sub: person.id },
    });
    const signedOut = app.client(undefined, { accessToken: async () => null });
    expect(await who(signedOut)).toMatchObject(nobody);
  });

  it("a token of a third party's", async () => {
    const sub = randomUUID();
    const token = issuer.idToken({ sub, aud: "my-app", role: "authenticated" });
    const client = app.client(app.publishableKey, { accessToken: async () => token });
    // Its keys are fetched in the background.
    await expect.poll(async () => (await client.functions.invoke("who")).error, { interval: 50 }).toBeNull();
    expect(await who(client)).toMatchObject({ user: sub, caller: { role: "authenticated", sub } });
  });

  it("setAuth: that token, with all calls of this client of functions", async () => {
    const person = app.person();
    const { functions } = app.client();
    functions.setAuth(person.token);
    for (let call = 0; call < 2; call += 1) {
      expect(ok(await functions.invoke("who"))).toMatchObject({ user: person.id });
    }
    // The call's own header wins.
    const headers = { Authorization: `Bearer ${app.serviceRoleKey}` };
    expect(ok(await functions.invoke("who", { headers }))).toMatchObject({ caller: { role: "service_role" } });
  });
});

describe("a function that asks for one is not called by", () => {
  const other = "another-secret-of-at-least-thirty-two-bytes";
  const bad: readonly [what: string, headers: () => Record<string, string>][] = [
    ["nobody", () => ({})],
    ["a key that is not ours", () => ({ apikey: "sb_publishable_0000000000000000000000_00000000" })],
    ["a bearer that is no token", () => ({ apikey: app.anonKey, Authorization: "Bearer nonsense" })],
    [
      "a token that somebody else signed",
      () => ({
        apikey: app.anonKey,
        Authorization: `Bearer ${mint({ sub: randomUUID(), role: "authenticated" }, other)}`,
      }),
    ],
    [
      "a token whose time is over",
      () => ({
        apikey: app.anonKey,
        Authorization: `Bearer ${mint({ sub: randomUUID(), role: "authenticated", exp: 1 })}`,
      }),
    ],
    [
      "a service of somebody else's making",
      () => ({ Authorization: `Bearer ${mint({ role: "service_role" }, other)}` }),
    ],
  ];

  it.each(bad)("%s", async (_, headers) => {
    const response = await fetch(`${app.url}/functions/v1/who`, { method: "POST", headers: headers() });
    expect([response.status, response.headers.get("x-relay-error")]).toEqual([401, "true"]);
    expect(await response.json()).toEqual({ code: "UNAUTHORIZED", message: expect.any(String) });
  });

  it.each(bad)("%s, but one that asks for none is", async (_, headers) => {
    const given = headers();
    const response = await fetch(`${app.url}/functions/v1/open`, { method: "POST", headers: given });
    expect([response.status, await response.json()]).toEqual([
      200,
      { user: null, authorization: given.Authorization ?? null },
    ]);
  });
});

it("a function that asks for none knows all the same who is signed in", async () => {
  const person = app.person();
  expect(ok(await person.client.functions.invoke("open"))).toEqual({
    user: person.id,
    authorization: `Bearer ${person.token}`,
  });
});
