import { AuthApiError, AuthSessionMissingError } from "@supabase/supabase-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type AuthApp,
  claimsOf,
  deepLink,
  eventsOf,
  newAddress,
  newNumber,
  password,
  pkceClient,
  signedUp,
  startAuthApp,
} from "./auth-app.ts";
import { fragmentOf, press } from "./inbox.ts";

let app: AuthApp;
beforeAll(async () => {
  app = await startAuthApp();
});
afterAll(() => app.stop());

describe("updateUser: a new address", () => {
  it("waits for both confirmations, the first of which gives no session", async () => {
    const { client, email, user } = await signedUp(app);
    const events = eventsOf(client);
    const next = newAddress();
    const asked = await client.auth.updateUser({ email: next });
    expect(asked.error).toBeNull();
    expect(asked.data.user).toMatchObject({ email, new_email: next, email_change_sent_at: expect.any(String) });
    expect(events).toEqual(["USER_UPDATED"]);

    const [toOld, toNew] = [await app.inbox.mail(email, "email_change"), await app.inbox.mail(next, "email_change")];
    const first = await client.auth.verifyOtp({ type: "email_change", email, token: toOld.code });
    expect(first).toEqual({ data: { user: null, session: null }, error: null });
    expect((await client.auth.getUser()).data.user).toMatchObject({ email, new_email: next });
    const second = await client.auth.verifyOtp({ type: "email_change", email: next, token: toNew.code });
    expect(second.error).toBeNull();
    expect(second.data.user).toMatchObject({ id: user.id, email: next });
    expect(second.data.user).not.toHaveProperty("new_email");
    expect(second.data.user?.identities).toMatchObject([{ provider: "email", identity_data: { email: next } }]);
    expect(events).toEqual(["USER_UPDATED", "SIGNED_IN"]);
    expect((await app.client().auth.signInWithPassword({ email, password })).error?.code).toBe("invalid_credentials");
    expect((await app.client().auth.signInWithPassword({ email: next, password })).error).toBeNull();
  });

  it("by the links: the first says what is missing, the second signs in", async () => {
    const { client, email } = await signedUp(app);
    const next = newAddress();
    await client.auth.updateUser({ email: next }, { emailRedirectTo: deepLink });
    const half = await press((await app.inbox.mail(next, "email_change")).link);
    expect(half.href.split("#")[0]).toBe(deepLink);
    expect(fragmentOf(half).message).toMatch(/other email/);
    expect(fragmentOf(half)).not.toHaveProperty("access_token");
    const whole = fragmentOf(await press((await app.inbox.mail(email, "email_change")).link));
    expect(whole.type).toBe("email_change");
    expect(claimsOf(whole.access_token ?? "").email).toBe(next);
  });

  it("with PKCE: a code for the app that asked", async () => {
    const client = pkceClient(app);
    const { email } = await signedUp(app, client);
    const next = newAddress();
    await client.auth.updateUser({ email: next }, { emailRedirectTo: deepLink });
    const half = await press((await app.inbox.mail(email, "email_change")).link);
    expect(half.searchParams.get("message")).toMatch(/other email/);
    const whole = await press((await app.inbox.mail(next, "email_change")).link);
    const { data, error } = await client.auth.exchangeCodeForSession(whole.searchParams.get("code") ?? "");
    expect([error, data.user?.email]).toEqual([null, next]);
  });

  it("the first one, of somebody with a number only, needs one confirmation", async () => {
    const client = app.client();
    const phone = newNumber();
    await client.auth.signInWithOtp({ phone });
    await client.auth.verifyOtp({ type: "sms", phone, token: await app.inbox.smsCode(phone) });
    const email = newAddress();
    await client.auth.updateUser({ email });
    const { code } = await app.inbox.mail(email, "email_change");
    const { data, error } = await client.auth.verifyOtp({ type: "email_change", email, token: code });
    expect([error, data.user?.email, data.user?.phone]).toEqual([null, email, phone]);
    expect(data.user?.app_metadata.providers?.toSorted()).toEqual(["email", "phone"]);
  });

  it("needs one where that is set", async () => {
    const lax = await startAuthApp({ mailerSecureEmailChange: false });
    try {
      const { client, email } = await signedUp(lax);
      const next = newAddress();
      await client.auth.updateUser({ email: next });
      const { code } = await lax.inbox.mail(next, "email_change");
      const { data } = await client.auth.verifyOtp({ type: "email_change", email: next, token: code });
      expect(data.user?.email).toBe(next);
      expect(await lax.inbox.kindsTo(email)).not.toContain("email_change");
    } finally {
      await lax.stop();
    }
  });

  it("the same one is no change", async () => {
    const { client, email } = await signedUp(app);
    const { data, error } = await client.auth.updateUser({ email });
    expect(error).toBeNull();
    expect(data.user).not.toHaveProperty("new_email");
  });

  it("is refused when it is somebody's, or none", async () => {
    const [{ client }, other] = [await signedUp(app), await signedUp(app)];
    const taken = await client.auth.updateUser({ email: other.email });
    expect(taken.error).toBeInstanceOf(AuthApiError);
    expect(taken.error).toMatchObject({ status: 422, code: "email_exists" });
    expect(taken.data).toEqual({ user: null });
    expect((await client.auth.updateUser({ email: "nobody@" })).error).toMatchObject({
      status: 400,
      code: "validation_failed",
    });
  });
});

describe("updateUser: a new number", () => {
  it("counts once its code is there", async () => {
    const { client, user } = await signedUp(app);
    const phone = newNumber();
    const asked = await client.auth.updateUser({ phone: `+${phone}` });
    expect(asked.data.user).toMatchObject({ phone: "", new_phone: phone, phone_change_sent_at: expect.any(String) });
    const token = await app.inbox.smsCode(phone);
    // A11: not a code to sign in with.
    expect((await app.client().auth.verifyOtp({ type: "sms", phone, token })).error?.code).toBe("otp_expired");
    const { data, error } = await client.auth.verifyOtp({ type: "phone_change", phone: `+${phone}`, token });
    expect(error).toBeNull();
    expect(data.user).toMatchObject({ id: user.id, phone, phone_confirmed_at: expect.any(String) });
    expect(data.user).not.toHaveProperty("new_phone");
    expect((await app.client().auth.signInWithPassword({ phone, password })).error).toBeNull();
    const taken = await (await signedUp(app)).client.auth.updateUser({ phone });
    expect(taken.error).toMatchObject({ status: 422, code: "phone_exists" });
  });
});

describe("without a session", () => {
  it("nothing is sent: the client says that there is none", async () => {
    const { auth } = app.client();
    for (const answer of [
      await auth.getUser(),
      await auth.updateUser({ data: {} }),
      await auth.reauthenticate(),
      await auth.refreshSession(),
      await auth.getUserIdentities(),
    ]) {
      expect(answer.error).toBeInstanceOf(AuthSessionMissingError);
    }
    expect((await auth.getSession()).data.session).toBeNull();
    expect(await auth.signOut()).toEqual({ error: null });
  });
});

describe("reauthenticate", () => {
  let strict: AuthApp;
  beforeAll(async () => {
    strict = await startAuthApp({ passwordReauthentication: true });
  });
  afterAll(() => strict.stop());

  const twoDaysAgo = (userId: string) =>
    strict.sql(`update auth.sessions set created_at = created_at - interval '2 days' where user_id = '${userId}'`);

  it("an old session changes the password with the nonce from the mail, once", async () => {
    const { client, email, user } = await signedUp(strict);
    await twoDaysAgo(user.id);
    const needed = await client.auth.updateUser({ password: "an entirely new one" });
    expect(needed.error).toMatchObject({ status: 400, code: "reauthentication_needed" });
    expect(await client.auth.reauthenticate()).toEqual({ data: { user: null, session: null }, error: null });
    const { code: nonce } = await strict.inbox.mail(email, "reauthentication");
    expect((await client.auth.getUser()).data.user).toMatchObject({ reauthentication_sent_at: expect.any(String) });
    const wrong = nonce === "000000" ? "000001" : "000000";
    expect((await client.auth.updateUser({ password: "an entirely new one", nonce: wrong })).error).toMatchObject({
      status: 422,
      code: "reauthentication_not_valid",
    });
    expect((await client.auth.updateUser({ password: "an entirely new one", nonce })).error).toBeNull();
    const { error } = await strict.client().auth.signInWithPassword({ email, password: "an entirely new one" });
    expect(error).toBeNull();
    expect((await client.auth.updateUser({ password: "yet another one", nonce })).error).toMatchObject({
      code: "reauthentication_not_valid",
    });
    // A11: a nonce is no way in.
    expect((await strict.client().auth.verifyOtp({ type: "email", email, token: nonce })).error?.code).toBe(
      "otp_expired",
    );
  });

  it("somebody with a number only gets a text message", async () => {
    const client = strict.client();
    const phone = newNumber();
    await client.auth.signUp({ phone, password });
    const token = await strict.inbox.smsCode(phone);
    const { data } = await client.auth.verifyOtp({ type: "sms", phone, token });
    await twoDaysAgo(data.user?.id ?? "");
    expect((await client.auth.reauthenticate()).error).toBeNull();
    const nonce = await strict.inbox.smsCode(phone, 2);
    expect((await client.auth.updateUser({ password: "an entirely new one", nonce })).error).toBeNull();
  });
});

describe("updateUser: metadata", () => {
  it("that would not go into a token is refused, and changes nothing", async () => {
    const { client } = await signedUp(app);
    const { error } = await client.auth.updateUser({ data: { note: "x".repeat(10_000) } });
    expect(error).toBeInstanceOf(AuthApiError);
    expect(error).toMatchObject({ status: 400, code: "validation_failed" });
    expect((await client.auth.getUser()).data.user?.user_metadata).not.toHaveProperty("note");
  });
});

describe("updateUser: a password", () => {
  it("may ask for the current one", async () => {
    const strict = await startAuthApp({ passwordCurrentRequired: true });
    try {
      const { client } = await signedUp(strict);
      const next = "an entirely new one";
      expect((await client.auth.updateUser({ password: next })).error).toMatchObject({
        status: 400,
        code: "current_password_required",
      });
      expect((await client.auth.updateUser({ password: next, current_password: "guessed" })).error).toMatchObject({
        status: 400,
        code: "current_password_invalid",
      });
      expect((await client.auth.updateUser({ password: next, current_password: password })).error).toBeNull();
    } finally {
      await strict.stop();
    }
  });
});

describe("signInAnonymously", () => {
  it("gives a session without an address, whose data an app may set", async () => {
    const client = app.client();
    const events = eventsOf(client);
    const { data, error } = await client.auth.signInAnonymously({ options: { data: { theme: "dark" } } });
    expect(error).toBeNull();
    expect(data.user).toMatchObject({
      is_anonymous: true,
      email: "",
      phone: "",
      identities: [],
      app_metadata: {},
      user_metadata: { theme: "dark" },
      role: "authenticated",
    });
    expect(claimsOf(data.session?.access_token ?? "")).toMatchObject({
      is_anonymous: true,
      amr: [{ method: "anonymous" }],
    });
    expect(events).toEqual(["SIGNED_IN"]);
  });

  it("becomes permanent by updateUser and the code from the mail, and keeps the id", async () => {
    const client = app.client();
    const events = eventsOf(client);
    const { data: begun } = await client.auth.signInAnonymously();
    expect((await client.auth.updateUser({ password: "too early to say" })).error).toMatchObject({
      code: "validation_failed",
    });
    const email = newAddress();
    const asked = await client.auth.updateUser({ email });
    expect(asked.data.user).toMatchObject({ is_anonymous: true, new_email: email });
    const { code } = await app.inbox.mail(email, "email_change");
    const { data, error } = await client.auth.verifyOtp({ type: "email_change", email, token: code });
    expect(error).toBeNull();
    expect(data.user).toMatchObject({ id: begun.user?.id, email, is_anonymous: false });
    expect(data.user?.identities).toMatchObject([{ provider: "email", identity_data: { email } }]);
    expect((await client.auth.updateUser({ password })).error).toBeNull();
    const refreshed = await client.auth.refreshSession();
    expect(claimsOf(refreshed.data.session?.access_token ?? "")).toMatchObject({ is_anonymous: false, email });
    expect((await app.client().auth.signInWithPassword({ email, password })).data.user?.id).toBe(begun.user?.id);
    expect(events).toEqual(["SIGNED_IN", "USER_UPDATED", "SIGNED_IN", "USER_UPDATED", "TOKEN_REFRESHED"]);
  });

  it("becomes permanent by a number too", async () => {
    const client = app.client();
    const { data: begun } = await client.auth.signInAnonymously();
    const phone = newNumber();
    await client.auth.updateUser({ phone });
    const token = await app.inbox.smsCode(phone);
    const { data, error } = await client.auth.verifyOtp({ type: "phone_change", phone, token });
    expect(error).toBeNull();
    expect(data.user).toMatchObject({ id: begun.user?.id, phone, is_anonymous: false });
  });
});
