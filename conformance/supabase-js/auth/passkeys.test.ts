import { randomUUID } from "node:crypto";
import { AuthApiError, type SupabaseClient } from "@supabase/supabase-js";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { type AuthApp, claimsOf, eventsOf, signedUp, siteUrl, startAuthApp } from "./auth-app.ts";
import { type Authenticator, openAuthenticator, type SentCredential } from "./authenticator.ts";

let app: AuthApp;
beforeAll(async () => {
  app = await startAuthApp({ passkeysEnabled: true, mfaWebauthnEnroll: true, mfaWebauthnVerify: true });
});
afterAll(() => app.stop());
afterEach(() => void vi.unstubAllGlobals());

const newClient = () => app.client();
const admin = () => app.client(app.serviceRoleKey).auth.admin;

/** The ceremony with the browser left out: what the client asks of the server, and an authenticator between. */
async function register(client: SupabaseClient, authenticator: Authenticator) {
  const { data: begun, error } = await client.auth.passkey.startRegistration();
  expect(error).toBeNull();
  if (begun === null) throw new Error("no options");
  const made = authenticator.create(begun.options as never);
  const challengeId = begun.challenge_id;
  return {
    begun,
    made,
    done: await client.auth.passkey.verifyRegistration({ challengeId, credential: made as never }),
  };
}

describe("passkey", () => {
  it("is registered, listed, named and deleted by its owner", async () => {
    const { client } = await signedUp(app, newClient());
    const { begun, done } = await register(client, openAuthenticator(siteUrl));
    expect(begun).toMatchObject({
      challenge_id: expect.any(String),
      expires_at: expect.any(Number),
      options: { challenge: expect.any(String), rp: { id: "roam.example" }, user: { id: expect.any(String) } },
    });
    expect(done.error).toBeNull();
    expect(done.data).toMatchObject({ id: expect.any(String), created_at: expect.any(String) });
    const passkeyId = done.data?.id ?? "";
    const listed = await client.auth.passkey.list();
    expect([listed.error, listed.data?.map(({ id }) => id)]).toEqual([null, [passkeyId]]);
    const renamed = await client.auth.passkey.update({ passkeyId, friendlyName: "Kitchen tablet" });
    expect(renamed.data).toMatchObject({ id: passkeyId, friendly_name: "Kitchen tablet" });
    const long = await client.auth.passkey.update({ passkeyId, friendlyName: "x".repeat(121) });
    expect(long.error).toMatchObject({ status: 400, code: "validation_failed" });
    expect(await client.auth.passkey.delete({ passkeyId })).toEqual({ data: null, error: null });
    expect((await client.auth.passkey.list()).data).toEqual([]);
    expect((await client.auth.passkey.delete({ passkeyId })).error).toMatchObject({
      status: 404,
      code: "webauthn_credential_not_found",
    });
  });

  it("signs in, each challenge once", async () => {
    const authenticator = openAuthenticator(siteUrl);
    const { client, user } = await signedUp(app, newClient());
    expect((await register(client, authenticator)).done.error).toBeNull();
    const phone = newClient();
    const events = eventsOf(phone);
    const { data: begun } = await phone.auth.passkey.startAuthentication();
    if (begun === null) throw new Error("no options");
    const answer = {
      challengeId: begun.challenge_id,
      credential: authenticator.get(begun.options as never) as never,
    };
    const { data, error } = await phone.auth.passkey.verifyAuthentication(answer);
    expect(error).toBeNull();
    expect(data).toMatchObject({ user: { id: user.id }, session: { expires_at: expect.any(Number) } });
    expect(claimsOf(data?.session?.access_token ?? "")).toMatchObject({ amr: [{ method: "passkey" }] });
    expect(events).toEqual(["SIGNED_IN"]);
    const replayed = await newClient().auth.passkey.verifyAuthentication(answer);
    expect(replayed.error).toBeInstanceOf(AuthApiError);
    expect(replayed.error).toMatchObject({ status: 400, code: "webauthn_challenge_not_found" });
    expect((await phone.auth.passkey.list()).data?.[0]).toMatchObject({ last_used_at: expect.any(String) });
  });

  it("of nobody's, or for another page, opens nothing", async () => {
    const authenticator = openAuthenticator("https://evil.example");
    const { client } = await signedUp(app, newClient());
    const elsewhere = await register(client, authenticator);
    expect(elsewhere.done.error).toMatchObject({ status: 400, code: "webauthn_verification_failed" });
    const { data: begun } = await newClient().auth.passkey.startAuthentication();
    if (begun === null) throw new Error("no options");
    const stranger = openAuthenticator(siteUrl);
    stranger.create({ challenge: "", rp: {}, user: { id: Buffer.from(randomUUID()) } });
    const { error } = await newClient().auth.passkey.verifyAuthentication({
      challengeId: begun.challenge_id,
      credential: stranger.get(begun.options as never) as never,
    });
    expect(error).toMatchObject({ status: 400, code: "webauthn_verification_failed" });
    expect((await newClient().auth.passkey.list()).error).toMatchObject({ name: "AuthSessionMissingError" });
  });

  it("can be taken away by an admin", async () => {
    const { client, user } = await signedUp(app, newClient());
    const { done } = await register(client, openAuthenticator(siteUrl));
    const passkeyId = done.data?.id ?? "";
    const { data, error } = await admin().passkey.listPasskeys({ userId: user.id });
    expect([error, data?.map(({ id }) => id)]).toEqual([null, [passkeyId]]);
    expect((await admin().passkey.deletePasskey({ userId: user.id, passkeyId })).error).toBeNull();
    expect((await admin().passkey.listPasskeys({ userId: user.id })).data).toEqual([]);
    const { passkey } = client.auth.admin;
    expect((await passkey.listPasskeys({ userId: user.id })).error).toMatchObject({ status: 403, code: "not_admin" });
  });

  it("is off unless it is on", async () => {
    const off = await startAuthApp();
    try {
      const { auth } = off.client();
      expect((await auth.passkey.startAuthentication()).error).toMatchObject({ status: 404, code: "passkey_disabled" });
    } finally {
      await off.stop();
    }
  });
});

describe("mfa.webauthn", () => {
  /** Puts an authenticator where the client looks for the browser's. */
  function plugIn(authenticator: Authenticator): void {
    class PublicKeyCredential {
      readonly sent: SentCredential;
      constructor(sent: SentCredential) {
        this.sent = sent;
      }
      toJSON(): SentCredential {
        return this.sent;
      }
    }
    vi.stubGlobal("PublicKeyCredential", PublicKeyCredential);
    vi.stubGlobal("navigator", {
      credentials: {
        create: async ({ publicKey }: never) => new PublicKeyCredential(authenticator.create(publicKey)),
        get: async ({ publicKey }: never) => new PublicKeyCredential(authenticator.get(publicKey)),
      },
    });
  }

  it("enrolls a key and raises the session, and the next one", async () => {
    plugIn(openAuthenticator(siteUrl));
    const { client, email } = await signedUp(app);
    const party = { rpId: "roam.example", rpOrigins: [siteUrl] };
    const show = async (shown: SupabaseClient, factorId: string) => {
      const { data, error } = await shown.auth.mfa.webauthn.challenge({ factorId, webauthn: party });
      expect(error).toBeNull();
      if (data === null) throw new Error("no challenge");
      return shown.auth.mfa.webauthn.verify({
        factorId,
        challengeId: data.challengeId,
        webauthn: { ...party, ...data.webauthn } as never,
      });
    };
    const { data: factor, error } = await client.auth.mfa.webauthn.enroll({ friendlyName: "Blue key" });
    expect(error).toBeNull();
    expect(factor).toMatchObject({ id: expect.any(String), type: "webauthn", friendly_name: "Blue key" });
    const factorId = factor?.id ?? "";
    const verified = await show(client, factorId);
    expect(verified.error).toBeNull();
    expect(claimsOf(verified.data?.access_token ?? "")).toMatchObject({ aal: "aal2" });
    expect((await client.auth.mfa.listFactors()).data?.webauthn).toMatchObject([{ id: factorId, status: "verified" }]);

    const phone = app.client();
    await phone.auth.signInWithPassword({ email, password: "correct horse battery staple" });
    const events = eventsOf(phone);
    const again = await show(phone, factorId);
    expect(again.error).toBeNull();
    expect(claimsOf(again.data?.access_token ?? "").amr).toMatchObject([
      { method: "mfa/webauthn" },
      { method: "password" },
    ]);
    expect(events).toEqual(["MFA_CHALLENGE_VERIFIED"]);
    plugIn(openAuthenticator(siteUrl));
    // GoTrue says 500 here, which clients would try again.
    expect((await show(phone, factorId)).error).toMatchObject({ status: 400, code: "webauthn_verification_failed" });
  });
});
