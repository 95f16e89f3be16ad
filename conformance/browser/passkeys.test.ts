import { randomUUID } from "node:crypto";
import { type BootedApp, boot } from "@mainstay/testing";
import type { SupabaseClient } from "@supabase/supabase-js";
import type { JSHandle } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { addAuthenticator } from "./authenticator.ts";
import { describeInBrowser } from "./harness.ts";
import { openClient, openSite, type Site } from "./site.ts";

const password = "correct horse battery staple";

type Client = JSHandle<SupabaseClient>;

async function signUp(client: Client): Promise<string> {
  const credentials = { email: `${randomUUID()}@browser.example`, password };
  const { id, error } = await client.evaluate(async (client, credentials) => {
    const { data, error } = await client.auth.signUp(credentials);
    return { id: data.user?.id, error: error?.message };
  }, credentials);
  expect(error).toBeUndefined();
  return id as string;
}

const signOut = (client: Client) => client.evaluate((client) => client.auth.signOut());

const registerPasskey = (client: Client) =>
  client.evaluate(async (client) => {
    const { data, error } = await client.auth.registerPasskey();
    return { passkey: data, error: error === null ? null : { name: error.name, code: error.code } };
  });

const signInWithPasskey = (client: Client) =>
  client.evaluate(async (client) => {
    const { data, error } = await client.auth.signInWithPasskey();
    const { data: stored } = await client.auth.getSession();
    return {
      user: data?.user?.id ?? null,
      token: stored.session?.access_token ?? null,
      error: error === null ? null : { name: error.name, code: error.code },
    };
  });

const claimsOf = (token: string | null) =>
  JSON.parse(Buffer.from((token ?? "").split(".")[1] ?? "", "base64url").toString());

describeInBrowser("passkeys in Chromium", (browser) => {
  let app: BootedApp;
  let site: Site;
  beforeAll(async () => {
    site = await openSite();
    app = await boot({
      settings: {
        auth: {
          rateLimits: false,
          mailerAutoconfirm: true,
          siteUrl: site.origin,
          passkeysEnabled: true,
          mfaWebauthnEnroll: true,
          mfaWebauthnVerify: true,
        },
      },
    });
  });
  afterAll(async () => {
    await app?.stop();
    await site?.stop();
  });

  it("are made, and sign in without a name", async (test) => {
    const page = await browser.page(test);
    const authenticator = await addAuthenticator(page);
    const client = await openClient(page, site.origin, app);
    const user = await signUp(client);

    const made = await registerPasskey(client);
    expect(made).toEqual({
      passkey: { id: expect.any(String), friendly_name: expect.any(String), created_at: expect.any(String) },
      error: null,
    });
    expect(await authenticator.credentials()).toMatchObject([{ isResidentCredential: true, rpId: "localhost" }]);

    await signOut(client);
    const signedIn = await signInWithPasskey(client);
    expect(signedIn).toMatchObject({ user, error: null });
    expect(claimsOf(signedIn.token)).toMatchObject({ sub: user, aal: "aal1", amr: [{ method: "passkey" }] });

    // The session is a whole one: it survives a reload and refreshes.
    await page.reload();
    const again = await openClient(page, site.origin, app);
    const refreshed = await again.evaluate(async (client) => {
      const { data } = await client.auth.refreshSession();
      return data.user?.id;
    });
    expect(refreshed).toBe(user);
  });

  it("are listed, renamed and removed; a removed one signs nobody in", async (test) => {
    const page = await browser.page(test);
    await addAuthenticator(page);
    const client = await openClient(page, site.origin, app);
    await signUp(client);
    const { passkey } = await registerPasskey(client);
    const passkeyId = passkey?.id as string;
    const seen = await client.evaluate(async (client, passkeyId) => {
      const { passkey } = client.auth;
      const listed = await passkey.list();
      const renamed = await passkey.update({ passkeyId, friendlyName: "Kitchen tablet" });
      const removed = await passkey.delete({ passkeyId });
      const left = await passkey.list();
      return { listed: listed.data, renamed: renamed.data, removed: removed.error, left: left.data };
    }, passkeyId);
    expect(seen).toMatchObject({
      listed: [{ id: passkeyId }],
      renamed: { id: passkeyId, friendly_name: "Kitchen tablet" },
      removed: null,
      left: [],
    });
    await signOut(client);
    expect(await signInWithPasskey(client)).toMatchObject({
      user: null,
      token: null,
      error: { code: "webauthn_verification_failed" },
    });
  });

  it("are not made twice by one authenticator", async (test) => {
    const page = await browser.page(test);
    const authenticator = await addAuthenticator(page);
    const client = await openClient(page, site.origin, app);
    await signUp(client);
    expect((await registerPasskey(client)).error).toBeNull();
    expect((await registerPasskey(client)).error).toMatchObject({ code: "ERROR_AUTHENTICATOR_PREVIOUSLY_REGISTERED" });
    expect(await authenticator.credentials()).toHaveLength(1);
  });

  it("are not shown for a person who is not verified", async (test) => {
    const page = await browser.page(test);
    const authenticator = await addAuthenticator(page);
    const client = await openClient(page, site.origin, app);
    await signUp(client);
    expect((await registerPasskey(client)).error).toBeNull();
    await signOut(client);
    await authenticator.setVerifies(false);
    const refused = await signInWithPasskey(client);
    expect(refused).toMatchObject({ user: null, token: null });
    expect(refused.error).not.toBeNull();
  });

  it("do not sign in from another origin of the same domain that is not ours", async (test) => {
    const page = await browser.page(test);
    const authenticator = await addAuthenticator(page);
    const client = await openClient(page, site.origin, app);
    await signUp(client);
    expect((await registerPasskey(client)).error).toBeNull();

    const evil = await openSite();
    try {
      const stranger = await browser.page(test);
      const copy = await addAuthenticator(stranger);
      for (const credential of await authenticator.credentials()) await copy.add(credential);
      const refused = await signInWithPasskey(await openClient(stranger, evil.origin, app));
      expect(refused).toMatchObject({ user: null, token: null, error: { code: "webauthn_verification_failed" } });
      // The same copy, where it belongs: it was the origin that was refused.
      expect((await signInWithPasskey(await openClient(stranger, site.origin, app))).error).toBeNull();
    } finally {
      await evil.stop();
    }
  });

  it("beside them a security key is a second factor: it raises a session, and a passkey alone does not", async (test) => {
    const page = await browser.page(test);
    const phone = await addAuthenticator(page, "internal");
    const client = await openClient(page, site.origin, app);
    const user = await signUp(client);
    expect((await registerPasskey(client)).error).toBeNull();

    // supabase-js asks for a key that is plugged in, for a factor.
    const key = await addAuthenticator(page, "usb");
    await phone.setTouched(false);
    const enrolled = await client.evaluate(async (client) => {
      const { data, error } = await client.auth.mfa.webauthn.register({ friendlyName: "Blue key" });
      const level = await client.auth.mfa.getAuthenticatorAssuranceLevel();
      const factors = await client.auth.mfa.listFactors();
      return {
        user: data?.user.id,
        error: error?.message,
        level: level.data?.currentLevel,
        factors: factors.data?.webauthn.map(({ id, friendly_name, status }) => ({ id, friendly_name, status })),
      };
    });
    expect(enrolled).toEqual({
      user,
      error: undefined,
      level: "aal2",
      factors: [{ id: expect.any(String), friendly_name: "Blue key", status: "verified" }],
    });

    await signOut(client);
    await key.setTouched(false);
    await phone.setTouched(true);
    const signedIn = await signInWithPasskey(client);
    expect(signedIn).toMatchObject({ user, error: null });
    expect(claimsOf(signedIn.token)).toMatchObject({ sub: user, aal: "aal1" });
    expect((await registerPasskey(client)).error).toMatchObject({ code: "insufficient_aal" });

    await phone.setTouched(false);
    await key.setTouched(true);
    const raised = await client.evaluate(async (client, factorId) => {
      const before = await client.auth.mfa.getAuthenticatorAssuranceLevel();
      const { error } = await client.auth.mfa.webauthn.authenticate({ factorId });
      const { data } = await client.auth.getSession();
      return { next: before.data?.nextLevel, error: error?.message, token: data.session?.access_token ?? null };
    }, enrolled.factors?.[0]?.id as string);
    expect(raised).toMatchObject({ next: "aal2", error: undefined });
    const { aal, amr } = claimsOf(raised.token);
    expect([aal, amr.map(({ method }: { method: string }) => method).sort()]).toEqual([
      "aal2",
      ["mfa/webauthn", "passkey"],
    ]);
  });
});
