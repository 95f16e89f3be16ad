import { randomUUID } from "node:crypto";
import { freePort } from "@mainstay/testing";
import { AuthApiError, type Provider } from "@supabase/supabase-js";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import {
  type AuthApp,
  claimsOf,
  deepLink,
  deviceStorage,
  eventsOf,
  newAddress,
  password,
  pkceClient,
  signedUp,
  siteUrl,
  startAuthApp,
} from "./auth-app.ts";
import { fragmentOf } from "./inbox.ts";
import { browse, type OidcIssuer, openOidc } from "./oidc.ts";

let app: AuthApp;
let issuer: OidcIssuer;
beforeAll(async () => {
  const port = await freePort();
  const publicUrl = `http://127.0.0.1:${port}`;
  const client = (id: string, auth: "client_secret_basic" | "client_secret_post", isPkce: boolean) => ({
    id,
    secret: `${id}-secret-of-some-length`,
    callback: `${publicUrl}/auth/v1/callback`,
    auth,
    isPkce,
  });
  const [acme, google, apple] = [
    client("acme-app", "client_secret_basic", true),
    client("google-web", "client_secret_post", true),
    client("com.roam.web", "client_secret_post", false),
  ];
  issuer = await openOidc([acme, google, apple]);
  app = await startAuthApp(
    {
      publicUrl,
      googleEnabled: true,
      googleClientIds: [google.id],
      googleSecret: google.secret,
      googleUrl: issuer.url,
      appleEnabled: true,
      appleClientIds: [apple.id],
      appleSecret: apple.secret,
      appleUrl: issuer.url,
      providers: { "custom:acme": { issuer: issuer.url, client_id: acme.id, secret: acme.secret } },
    },
    { http: { port } },
  );
});
afterAll(async () => {
  await app.stop();
  await issuer.close();
});
beforeEach(() => {
  issuer.visitor = { sub: randomUUID(), email: newAddress(), isVerified: true, agrees: true };
});

const isApp = (url: URL) => url.protocol === "com.roam.app:" || url.origin === siteUrl;
// Apple asks for no `openid`; the provider that stands for it holds to the standard.
const providers = [
  ["custom:acme", {}],
  ["google", {}],
  ["apple", { scopes: "openid" }],
] as const;
/** Where the person ends up who goes where the client says. */
const follow = async ({ data }: { readonly data: { readonly url?: string | null } }): Promise<URL> =>
  browse(data.url ?? "", isApp);

describe("signInWithOAuth", () => {
  it.each(providers)("%s: leads through the provider and back with a session", async (provider, more) => {
    const { auth } = app.client();
    const options = { redirectTo: deepLink, skipBrowserRedirect: true, ...more };
    const begun = await auth.signInWithOAuth({ provider, options });
    expect(begun.error).toBeNull();
    expect(begun.data.provider).toBe(provider);
    expect(begun.data.url).toMatch(/\/auth\/v1\/authorize\?provider=/);
    const url = await follow(begun);
    expect(url.href.split("#")[0]).toBe(deepLink);
    const session = fragmentOf(url);
    expect(session).toMatchObject({
      token_type: "bearer",
      expires_in: "3600",
      expires_at: expect.stringMatching(/^\d+$/),
      provider_token: expect.any(String),
    });
    const { access_token = "", refresh_token = "" } = session;
    const { data, error } = await auth.setSession({ access_token, refresh_token });
    expect(error).toBeNull();
    expect(data.user).toMatchObject({
      email: issuer.visitor.email,
      email_confirmed_at: expect.any(String),
      app_metadata: { provider, providers: [provider] },
      identities: [{ provider, id: issuer.visitor.sub, identity_data: { email: issuer.visitor.email } }],
    });
    expect(claimsOf(access_token)).toMatchObject({ amr: [{ method: "oauth" }] });
  });

  it.each(providers)("%s with PKCE: a code, exchanged by the app once it is open again", async (provider, more) => {
    const device = deviceStorage();
    const options = { redirectTo: deepLink, ...more };
    const begun = await pkceClient(app, device).auth.signInWithOAuth({ provider, options });
    const url = await follow(begun);
    expect(url.hash).toBe("");
    const restarted = pkceClient(app, device);
    const events = eventsOf(restarted);
    const { data, error } = await restarted.auth.exchangeCodeForSession(url.searchParams.get("code") ?? "");
    expect(error).toBeNull();
    expect(data.user?.email).toBe(issuer.visitor.email);
    expect(data.session).toMatchObject({ provider_token: expect.any(String), expires_at: expect.any(Number) });
    expect(events).toEqual(["SIGNED_IN"]);
    // Somebody known is the same one next time.
    const again = await follow(await app.client().auth.signInWithOAuth({ provider, options }));
    expect(claimsOf(fragmentOf(again).access_token ?? "").sub).toBe(data.user?.id);
  });

  it("keeps what the app's own URL carries, and two sign-ins begun at once apart", async () => {
    const device = deviceStorage();
    const client = app.client(undefined, {
      auth: {
        flowType: "pkce",
        persistSession: true,
        storage: device,
        experimental: { appendPkceFlowIdToRedirects: true },
      },
    });
    const redirectTo = `${deepLink}?screen=settings`;
    const first = await client.auth.signInWithOAuth({ provider: "google", options: { redirectTo } });
    const second = await client.auth.signInWithOAuth({ provider: "google", options: { redirectTo } });
    const url = await follow(first);
    expect(url.searchParams.get("screen")).toBe("settings");
    const flowId = url.searchParams.get("sb_flow_id") ?? "";
    expect([first, second].map(({ data }) => data.flowId)).toContain(flowId);
    const { error } = await client.auth.exchangeCodeForSession(url.searchParams.get("code") ?? "", { flowId });
    expect(error).toBeNull();
  });

  it("passes scopes and the provider's own parameters on", async () => {
    const { data } = await app.client().auth.signInWithOAuth({
      provider: "google",
      options: { scopes: "offline_access", queryParams: { prompt: "consent", login_hint: "ada@oidc.example" } },
    });
    const reply = await fetch(data.url ?? "", { redirect: "manual" });
    const asked = new URL(reply.headers.get("location") ?? "").searchParams;
    expect(asked.get("scope")?.split(" ")).toEqual(expect.arrayContaining(["openid", "email", "offline_access"]));
    expect(Object.fromEntries(asked)).toMatchObject({ prompt: "consent", login_hint: "ada@oidc.example" });
  });

  it("somebody who says no comes back with the reason, in query and fragment", async () => {
    issuer.visitor.agrees = false;
    const url = await follow(
      await app.client().auth.signInWithOAuth({ provider: "google", options: { redirectTo: deepLink } }),
    );
    const said = { error: "access_denied", error_description: "The person said no." };
    expect(fragmentOf(url)).toMatchObject(said);
    expect(Object.fromEntries(url.searchParams)).toMatchObject(said);
  });

  it("A15 leads nowhere that is not listed", async () => {
    const options = { redirectTo: "https://evil.example/" };
    expect((await follow(await app.client().auth.signInWithOAuth({ provider: "google", options }))).origin).toBe(
      siteUrl,
    );
  });

  it("a provider that is off or unknown is said in JSON", async () => {
    for (const provider of ["github", "nobody"]) {
      const { data } = await app.client().auth.signInWithOAuth({ provider: provider as Provider });
      const reply = await fetch(data.url ?? "", { redirect: "manual" });
      expect([reply.status, await reply.json()]).toMatchObject([400, { code: 400, error_code: "validation_failed" }]);
    }
  });
});

describe("linkIdentity, getUserIdentities, unlinkIdentity", () => {
  it("adds an account of a provider, and takes it away again", async () => {
    const { client, email, user } = await signedUp(app);
    const begun = await client.auth.linkIdentity({ provider: "google", options: { redirectTo: deepLink } });
    expect(begun.error).toBeNull();
    const { access_token = "", refresh_token = "" } = fragmentOf(await follow(begun));
    expect(claimsOf(access_token).sub).toBe(user.id);
    await client.auth.setSession({ access_token, refresh_token });
    const { data, error } = await client.auth.getUserIdentities();
    expect(error).toBeNull();
    expect(data?.identities).toHaveLength(2);
    const google = data?.identities.find(({ provider }) => provider === "google");
    const own = data?.identities.find(({ provider }) => provider === "email");
    expect(google).toMatchObject({
      id: issuer.visitor.sub,
      user_id: user.id,
      identity_data: { email: issuer.visitor.email },
      created_at: expect.any(String),
      last_sign_in_at: expect.any(String),
    });
    if (google === undefined || own === undefined) throw new Error("no identities");
    const signedIn = await follow(
      await app.client().auth.signInWithOAuth({ provider: "google", options: { redirectTo: deepLink } }),
    );
    expect(claimsOf(fragmentOf(signedIn).access_token ?? "").sub).toBe(user.id);

    const removed = await client.auth.unlinkIdentity(google);
    expect(removed.error).toBeNull();
    expect((await client.auth.getUserIdentities()).data?.identities.map(({ provider }) => provider)).toEqual(["email"]);
    const last = await client.auth.unlinkIdentity(own);
    expect(last.error).toBeInstanceOf(AuthApiError);
    expect(last.error).toMatchObject({ status: 422, code: "single_identity_not_deletable" });
    expect(last.data).toBeNull();
    expect((await app.client().auth.signInWithPassword({ email, password })).error).toBeNull();
    expect(await app.inbox.kindsTo(email)).toEqual(expect.arrayContaining(["identity_linked", "identity_unlinked"]));
  });

  it("with PKCE, and without a way round the session", async () => {
    const client = pkceClient(app);
    const { user } = await signedUp(app, client);
    const begun = await client.auth.linkIdentity({ provider: "custom:acme", options: { redirectTo: deepLink } });
    const url = await follow(begun);
    const { data, error } = await client.auth.exchangeCodeForSession(url.searchParams.get("code") ?? "");
    expect([error, data.user?.id]).toEqual([null, user.id]);
    expect(data.user?.app_metadata.providers).toHaveLength(2);
    const stranger = await app.client().auth.linkIdentity({ provider: "google" });
    // The client brings its key as the token, and a key names nobody.
    expect(stranger.error).toMatchObject({ status: 403, code: "bad_jwt" });
  });

  it("an identity that is somebody else's comes back as an error", async () => {
    await follow(await app.client().auth.signInWithOAuth({ provider: "google", options: { redirectTo: deepLink } }));
    const { client } = await signedUp(app);
    const begun = await client.auth.linkIdentity({ provider: "google", options: { redirectTo: deepLink } });
    expect(fragmentOf(await follow(begun))).toMatchObject({ error_code: "identity_already_exists" });
  });

  it("an identity of nobody's cannot be taken away", async () => {
    const { client } = await signedUp(app);
    await client.auth.setSession(
      await client.auth.linkIdentity({ provider: "google", options: { redirectTo: deepLink } }).then(async (begun) => {
        const { access_token = "", refresh_token = "" } = fragmentOf(await follow(begun));
        return { access_token, refresh_token };
      }),
    );
    const [identity] = (await client.auth.getUserIdentities()).data?.identities ?? [];
    if (identity === undefined) throw new Error("no identity");
    const { error } = await client.auth.unlinkIdentity({ ...identity, identity_id: randomUUID() });
    expect(error).toMatchObject({ status: 422, code: "identity_not_found" });
  });

  it("an anonymous account becomes permanent by it", async () => {
    const client = app.client();
    const { data: begun } = await client.auth.signInAnonymously();
    const url = await follow(await client.auth.linkIdentity({ provider: "google", options: { redirectTo: deepLink } }));
    expect(claimsOf(fragmentOf(url).access_token ?? "")).toMatchObject({
      sub: begun.user?.id,
      is_anonymous: false,
      email: issuer.visitor.email,
    });
  });
});

describe("A05, A06 accounts of one address", () => {
  const signIn = async () =>
    claimsOf(
      fragmentOf(
        await follow(
          await app.client().auth.signInWithOAuth({ provider: "google", options: { redirectTo: deepLink } }),
        ),
      ).access_token ?? "",
    );

  it("join when both have verified it", async () => {
    const { email, user } = await signedUp(app);
    issuer.visitor.email = email;
    expect((await signIn()).sub).toBe(user.id);
  });

  it("are taken from whoever signed up with it and never confirmed it", async () => {
    const email = newAddress();
    await app.client().auth.signUp({ email, password: "the attacker's own" });
    issuer.visitor.email = email;
    expect((await signIn()).email).toBe(email);
    expect((await app.client().auth.signInWithPassword({ email, password: "the attacker's own" })).error?.code).toBe(
      "invalid_credentials",
    );
  });

  it("do not join by an address nobody vouches for", async () => {
    const { email } = await signedUp(app);
    Object.assign(issuer.visitor, { email, isVerified: false });
    const url = await follow(
      await app.client().auth.signInWithOAuth({ provider: "google", options: { redirectTo: deepLink } }),
    );
    expect(fragmentOf(url)).toMatchObject({ error_code: "provider_email_needs_verification" });
    expect(fragmentOf(url)).not.toHaveProperty("access_token");
  });
});
