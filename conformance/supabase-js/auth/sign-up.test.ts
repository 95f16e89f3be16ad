import {
  AuthApiError,
  AuthInvalidCredentialsError,
  AuthRetryableFetchError,
  AuthWeakPasswordError,
} from "@supabase/supabase-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type AuthApp,
  claimsOf,
  deepLink,
  eventsOf,
  newAddress,
  newNumber,
  password,
  siteUrl,
  startAuthApp,
} from "./auth-app.ts";
import { fragmentOf, press } from "./inbox.ts";

let app: AuthApp;
beforeAll(async () => {
  app = await startAuthApp();
});
afterAll(() => app.stop());

describe("signUp with an address to be confirmed", () => {
  it("gives the user, no session, and sends a mail whose code signs in", async () => {
    const client = app.client();
    const events = eventsOf(client);
    const email = newAddress();
    const { data, error } = await client.auth.signUp({ email, password, options: { data: { nickname: "Nick" } } });
    expect(error).toBeNull();
    expect(data.session).toBeNull();
    expect(data.user).toMatchObject({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      aud: "authenticated",
      role: "authenticated",
      email,
      phone: "",
      confirmation_sent_at: expect.any(String),
      app_metadata: { provider: "email", providers: ["email"] },
      user_metadata: { nickname: "Nick", email, email_verified: false, phone_verified: false },
      identities: [{ provider: "email", identity_data: { email, email_verified: false } }],
      is_anonymous: false,
    });
    expect(data.user).not.toHaveProperty("email_confirmed_at");
    expect(events).toEqual([]);

    const { subject, code } = await app.inbox.mail(email, "confirmation");
    expect(subject).toMatch(/confirm/i);
    const verified = await client.auth.verifyOtp({ type: "signup", email, token: code });
    expect(verified.error).toBeNull();
    expect(verified.data.user).toMatchObject({
      id: data.user?.id,
      email_confirmed_at: expect.any(String),
      user_metadata: { nickname: "Nick", email_verified: true },
    });
    expect(events).toEqual(["SIGNED_IN"]);
    expect((await client.auth.getUser()).data.user?.id).toBe(data.user?.id);
    expect((await app.client().auth.signInWithPassword({ email, password })).error).toBeNull();
  });

  it("the mail's link leads to the app with a session in the fragment, and setSession takes it", async () => {
    const email = newAddress();
    await app.client().auth.signUp({ email, password, options: { emailRedirectTo: deepLink } });
    const { link } = await app.inbox.mail(email, "confirmation");
    const url = await press(link);
    expect(url.href.split("#")[0]).toBe(deepLink);
    const session = fragmentOf(url);
    expect(session).toMatchObject({ type: "signup", token_type: "bearer", expires_in: "3600" });
    const client = app.client();
    const events = eventsOf(client);
    const { access_token = "", refresh_token = "" } = session;
    const { data, error } = await client.auth.setSession({ access_token, refresh_token });
    expect([error, data.user?.email]).toEqual([null, email]);
    expect(events).toEqual(["SIGNED_IN"]);
    expect((await client.auth.refreshSession()).error).toBeNull();
  });

  it("without an address of its own the link leads to the site", async () => {
    const email = newAddress();
    await app.client().auth.signUp({ email, password, options: { emailRedirectTo: "https://evil.example/" } });
    expect((await press((await app.inbox.mail(email, "confirmation")).link)).origin).toBe(siteUrl);
  });

  it("nobody signs in before, with the code that apps look for", async () => {
    const email = newAddress();
    const client = app.client();
    await client.auth.signUp({ email, password });
    const { data, error } = await client.auth.signInWithPassword({ email, password });
    expect(error).toBeInstanceOf(AuthApiError);
    expect(error).toMatchObject({ status: 400, code: "email_not_confirmed", message: "Email not confirmed" });
    expect(data).toEqual({ user: null, session: null });
  });

  it("A16 an address that is taken gets a look-alike without identities", async () => {
    const email = newAddress();
    const client = app.client();
    const first = await client.auth.signUp({ email, password });
    const { code } = await app.inbox.mail(email, "confirmation");
    await client.auth.verifyOtp({ type: "signup", email, token: code });
    const { data, error } = await app.client().auth.signUp({ email, password: "somebody else's" });
    expect([error, data.session]).toEqual([null, null]);
    expect(data.user).toMatchObject({ email, role: "", identities: [], confirmation_sent_at: expect.any(String) });
    expect(data.user?.id).not.toBe(first.data.user?.id);
    expect((await app.client().auth.signInWithPassword({ email, password: "somebody else's" })).error?.code).toBe(
      "invalid_credentials",
    );
  });

  it("A05 a second sign-up before anybody has confirmed takes the first one's place", async () => {
    const email = newAddress();
    const first = await app.client().auth.signUp({ email, password });
    const second = await app.client().auth.signUp({ email, password: "another good one" });
    expect(second.data.user?.id).toBe(first.data.user?.id);
    const { code } = await app.inbox.mail(email, "confirmation", 2);
    expect((await app.client().auth.verifyOtp({ type: "signup", email, token: code })).error).toBeNull();
    expect((await app.client().auth.signInWithPassword({ email, password })).error?.code).toBe("invalid_credentials");
    expect((await app.client().auth.signInWithPassword({ email, password: "another good one" })).error).toBeNull();
  });

  it("says no in the client's own classes", async () => {
    const { auth } = app.client();
    expect((await auth.signUp({ email: newAddress(), password: "" })).error).toMatchObject({
      status: 400,
      code: "validation_failed",
    });
    const weak = await auth.signUp({ email: newAddress(), password: "12345" });
    expect(weak.error).toBeInstanceOf(AuthWeakPasswordError);
    expect(weak.error).toMatchObject({ status: 422, code: "weak_password", reasons: ["length"] });
    const common = await auth.signUp({ email: newAddress(), password: "password123" });
    expect(common.error).toMatchObject({ status: 422, code: "weak_password", reasons: ["pwned"] });
    const bad = await auth.signUp({ email: "nobody@", password });
    expect(bad.error).toMatchObject({ status: 400, code: "validation_failed" });
    expect(bad.error?.message).toMatch(/^Unable to validate email address/);
    const away = app.client(undefined, {
      global: { fetch: () => Promise.reject(new TypeError("fetch failed")) },
    });
    expect((await away.auth.signUp({ email: newAddress(), password })).error).toBeInstanceOf(AuthRetryableFetchError);
    // @ts-expect-error neither of the two: what an app in JavaScript may send
    expect((await auth.signUp({ password })).error).toBeInstanceOf(AuthInvalidCredentialsError);
  });
});

describe("signUp with a number", () => {
  it("gives the user, and the code from the text message signs in", async () => {
    const client = app.client();
    const events = eventsOf(client);
    const phone = newNumber();
    const { data, error } = await client.auth.signUp({ phone: `+${phone}`, password });
    expect([error, data.session]).toEqual([null, null]);
    expect(data.user).toMatchObject({
      phone,
      email: "",
      app_metadata: { provider: "phone", providers: ["phone"] },
      user_metadata: { sub: data.user?.id, phone, email_verified: false, phone_verified: false },
      identities: [{ provider: "phone", id: data.user?.id, identity_data: { phone } }],
      confirmation_sent_at: expect.any(String),
    });
    expect((await client.auth.signInWithPassword({ phone, password })).error).toMatchObject({
      status: 400,
      code: "phone_not_confirmed",
      message: "Phone not confirmed",
    });
    const token = await app.inbox.smsCode(phone);
    const verified = await client.auth.verifyOtp({ type: "sms", phone: `+${phone}`, token });
    expect(verified.error).toBeNull();
    expect(verified.data.user).toMatchObject({ id: data.user?.id, phone, phone_confirmed_at: expect.any(String) });
    expect(claimsOf(verified.data.session?.access_token ?? "")).toMatchObject({ phone, amr: [{ method: "otp" }] });
    expect(events).toEqual(["SIGNED_IN"]);
    expect((await app.client().auth.signInWithPassword({ phone: `+${phone}`, password })).error).toBeNull();
  });

  it("refuses what is none", async () => {
    const { error } = await app.client().auth.signUp({ phone: "12", password });
    expect(error).toMatchObject({ status: 400, code: "validation_failed" });
  });
});

describe("ways that are off", () => {
  let closed: AuthApp;
  beforeAll(async () => {
    closed = await startAuthApp({
      disableSignup: true,
      phoneEnabled: false,
      anonymousEnabled: false,
      manualLinkingEnabled: false,
    });
  });
  afterAll(() => closed.stop());

  it("say so", async () => {
    const { auth } = closed.client();
    expect((await auth.signUp({ email: newAddress(), password })).error).toMatchObject({
      status: 422,
      code: "signup_disabled",
      message: "Signups not allowed for this instance",
    });
    expect((await auth.signUp({ phone: newNumber(), password })).error).toMatchObject({ code: "signup_disabled" });
    expect((await auth.signInWithOtp({ phone: newNumber() })).error).toMatchObject({
      status: 422,
      code: "phone_provider_disabled",
    });
    expect((await auth.signInAnonymously()).error?.status).toBe(422);
    expect((await auth.signInWithOtp({ email: newAddress() })).error?.status).toBe(422);
  });
});
