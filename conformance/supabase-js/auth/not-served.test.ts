import { AuthApiError } from "@supabase/supabase-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type AuthApp, signedUp, startAuthApp } from "./auth-app.ts";

let app: AuthApp;
beforeAll(async () => {
  app = await startAuthApp();
});
afterAll(() => app.stop());

const id = "5f0c8d2e-0000-4000-8000-000000000009";

type Answered = Promise<{ readonly data: unknown; readonly error: unknown }>;

/** Off, with the code that GoTrue has for it where it is off: never a path that is unknown, and never an error of ours. */
async function isOff(answered: Answered, status: number, code: string): Promise<void> {
  const { error } = await answered;
  expect(error).toBeInstanceOf(AuthApiError);
  expect(error).toMatchObject({ status, code, message: expect.stringMatching(/disabled|not served/) });
}

describe("signInWithSSO", () => {
  it("by domain and by provider", async () => {
    const { auth } = app.client();
    await isOff(auth.signInWithSSO({ domain: "roam.example" }), 404, "saml_provider_disabled");
    await isOff(auth.signInWithSSO({ providerId: id }), 404, "saml_provider_disabled");
  });
});

describe("signInWithWeb3", () => {
  it.each(["ethereum", "solana"] as const)("%s", async (chain) => {
    const { auth } = app.client();
    const signature = chain === "ethereum" ? "0x00" : new Uint8Array(64);
    const signed = { chain, message: "roam.example wants you to sign in", signature };
    const answer = auth.signInWithWeb3(signed as Parameters<typeof auth.signInWithWeb3>[0]);
    await isOff(answer, 422, "web3_provider_disabled");
    expect((await answer).data).toEqual({ user: null, session: null });
  });
});

describe("oauth: consent to other apps", () => {
  it.each([
    ["getAuthorizationDetails", [id]],
    ["approveAuthorization", [id, { skipBrowserRedirect: true }]],
    ["denyAuthorization", [id, { skipBrowserRedirect: true }]],
    ["listGrants", []],
    ["revokeGrant", [{ clientId: id }]],
  ] as const)("auth.oauth.%s", async (method, args) => {
    const { client } = await signedUp(app);
    const call = client.auth.oauth[method] as (...given: readonly unknown[]) => Answered;
    await isOff(call(...args), 404, "feature_disabled");
  });
});

describe("admin: OAuth clients and custom providers", () => {
  it.each([
    ["listClients", [{ page: 1, perPage: 10 }]],
    ["createClient", [{ client_name: "other", redirect_uris: ["https://other.example/callback"] }]],
    ["getClient", [id]],
    ["updateClient", [id, { client_name: "another" }]],
    ["deleteClient", [id]],
    ["regenerateClientSecret", [id]],
  ] as const)("auth.admin.oauth.%s", async (method, args) => {
    const { oauth } = app.client(app.serviceRoleKey).auth.admin;
    const call = oauth[method] as (...given: readonly unknown[]) => Answered;
    await isOff(call(...args), 404, "feature_disabled");
    const asAnybody = app.client().auth.admin.oauth[method] as typeof call;
    expect((await asAnybody(...args)).error).toMatchObject({ status: 403, code: "not_admin" });
  });

  it.each([
    ["listProviders", [{ type: "oidc" }]],
    [
      "createProvider",
      [
        {
          provider_type: "oidc",
          identifier: "custom:acme",
          name: "Acme",
          client_id: "a",
          client_secret: "s",
          issuer: "https://acme.example",
        },
      ],
    ],
    ["getProvider", ["custom:acme"]],
    ["updateProvider", ["custom:acme", { name: "Acme" }]],
    ["deleteProvider", ["custom:acme"]],
  ] as const)("auth.admin.customProviders.%s", async (method, args) => {
    const { customProviders } = app.client(app.serviceRoleKey).auth.admin;
    const call = customProviders[method] as (...given: readonly unknown[]) => Answered;
    await isOff(call(...args), 404, "feature_disabled");
    const asAnybody = app.client().auth.admin.customProviders[method] as typeof call;
    expect((await asAnybody(...args)).error).toMatchObject({ status: 403, code: "not_admin" });
  });

  it("SAML providers, which only plain requests ask for", async () => {
    const answer = await app.request("/auth/v1/admin/sso/providers", { as: app.serviceRoleKey });
    expect(answer).toMatchObject({ status: 404, json: { code: 404, error_code: "saml_provider_disabled" } });
  });
});
