import { AuthApiError, AuthInvalidCredentialsError } from "@supabase/supabase-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type AuthApp,
  claimsOf,
  deepLink,
  deviceStorage,
  eventsOf,
  newAddress,
  newNumber,
  password,
  pkceClient,
  signedUp,
  siteUrl,
  startAuthApp,
} from "./auth-app.ts";
import { fragmentOf, press } from "./inbox.ts";

let app: AuthApp;
beforeAll(async () => {
  app = await startAuthApp();
});
afterAll(() => app.stop());

const wrongCode = (code: string) => (code === "000000" ? "000001" : "000000");

describe("signInWithOtp by mail", () => {
  it("signs somebody new up, and in with the code of type email", async () => {
    const client = app.client();
    const events = eventsOf(client);
    const email = newAddress();
    const asked = await client.auth.signInWithOtp({ email, options: { data: { nickname: "Nick" } } });
    expect(asked).toEqual({ data: { user: null, session: null }, error: null });
    // Somebody new confirms the address with it, so that is the template.
    const { code } = await app.inbox.mail(email, "confirmation");
    const { data, error } = await client.auth.verifyOtp({ type: "email", email, token: code });
    expect(error).toBeNull();
    expect(data.user).toMatchObject({ email, user_metadata: { nickname: "Nick", email_verified: true } });
    expect(claimsOf(data.session?.access_token ?? "")).toMatchObject({ amr: [{ method: "otp" }], aal: "aal1" });
    expect(events).toEqual(["SIGNED_IN"]);
  });

  it.each(["email", "magiclink"] as const)(
    "a known address gets a magic link, whose code is of type %s",
    async (type) => {
      const { email, user } = await signedUp(app);
      const client = app.client();
      await client.auth.signInWithOtp({ email: email.toUpperCase() });
      const { code } = await app.inbox.mail(email, "magic_link");
      const { data, error } = await client.auth.verifyOtp({ type, email, token: code });
      expect([error, data.user?.id]).toEqual([null, user.id]);
      expect((await client.auth.verifyOtp({ type, email, token: code })).error).toMatchObject({
        status: 403,
        code: "otp_expired",
        message: "Token has expired or is invalid",
      });
    },
  );

  it("token_hash, which templates of one's own put into links, signs in without the address", async () => {
    const { email, user } = await signedUp(app);
    const client = app.client();
    await client.auth.signInWithOtp({ email });
    const token_hash = new URL((await app.inbox.mail(email, "magic_link")).link).searchParams.get("token") ?? "";
    const { data, error } = await client.auth.verifyOtp({ type: "email", token_hash });
    expect([error, data.user?.id]).toEqual([null, user.id]);
    const again = await client.auth.verifyOtp({ type: "email", token_hash });
    expect(again.error).toMatchObject({
      status: 403,
      code: "otp_expired",
      message: "Email link is invalid or has expired",
    });
  });

  it.each(["signup", "magiclink"] as const)("the code of somebody new is of type %s too", async (type) => {
    const email = newAddress();
    await app.client().auth.signInWithOtp({ email });
    const { code } = await app.inbox.mail(email, "confirmation");
    expect((await app.client().auth.verifyOtp({ type, email, token: code })).error).toBeNull();
  });

  it("A11 token_hash is for what it was sent for", async () => {
    const email = newAddress();
    const { auth } = app.client();
    const hashOf = async (kind: string) =>
      new URL((await app.inbox.mail(email, kind)).link).searchParams.get("token") ?? "";
    await auth.signUp({ email, password });
    expect((await auth.verifyOtp({ type: "email", token_hash: await hashOf("confirmation") })).error).toBeNull();
    await auth.resetPasswordForEmail(email);
    const token_hash = await hashOf("recovery");
    expect((await auth.verifyOtp({ type: "email", token_hash })).error?.code).toBe("otp_expired");
    expect((await auth.verifyOtp({ type: "recovery", token_hash })).error).toBeNull();
  });

  it("A10 one code opens one session, however many ask at once", async () => {
    const { email } = await signedUp(app);
    await app.client().auth.signInWithOtp({ email });
    const { code } = await app.inbox.mail(email, "magic_link");
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => app.client().auth.verifyOtp({ type: "email", email, token: code })),
    );
    expect(answers.filter(({ error }) => error === null)).toHaveLength(1);
    expect(new Set(answers.map(({ error }) => error?.code))).toEqual(new Set([undefined, "otp_expired"]));
  });

  it("the link leads where it was asked to with a session", async () => {
    const { email, user } = await signedUp(app);
    const emailRedirectTo = "https://app.roam.example/welcome?from=mail";
    await app.client().auth.signInWithOtp({ email, options: { emailRedirectTo } });
    const url = await press((await app.inbox.mail(email, "magic_link")).link);
    expect(url.href.split("#")[0]).toBe(emailRedirectTo);
    const session = fragmentOf(url);
    expect(session).toMatchObject({ type: "magiclink", token_type: "bearer" });
    expect(claimsOf(session.access_token ?? "").sub).toBe(user.id);
  });

  it("a link that is used up leads on with the error, in words and codes", async () => {
    const { email } = await signedUp(app);
    await app.client().auth.signInWithOtp({ email });
    const { link } = await app.inbox.mail(email, "magic_link");
    await press(link);
    const url = await press(link);
    expect(url.origin).toBe(siteUrl);
    expect(fragmentOf(url)).toMatchObject({
      error: "access_denied",
      error_code: "otp_expired",
      error_description: "Email link is invalid or has expired",
    });
  });

  it("a new code puts an end to the last one", async () => {
    const { email } = await signedUp(app);
    const client = app.client();
    await client.auth.signInWithOtp({ email });
    const first = await app.inbox.mail(email, "magic_link");
    await client.auth.signInWithOtp({ email });
    const second = await app.inbox.mail(email, "magic_link", 2);
    if (first.code !== second.code) {
      expect((await client.auth.verifyOtp({ type: "email", email, token: first.code })).error?.code).toBe(
        "otp_expired",
      );
    }
    expect((await client.auth.verifyOtp({ type: "email", email, token: second.code })).error).toBeNull();
  });

  it("shouldCreateUser: false signs nobody up", async () => {
    const email = newAddress();
    const { error, data } = await app.client().auth.signInWithOtp({ email, options: { shouldCreateUser: false } });
    expect(error).toBeInstanceOf(AuthApiError);
    expect(error).toMatchObject({
      status: 422,
      code: "otp_disabled",
      message: "Signups not allowed for otp",
    });
    expect(data).toEqual({ user: null, session: null });
    expect(await app.inbox.kindsTo(email)).toEqual([]);
  });

  it("wrong codes, wrong types and half requests are told apart as GoTrue does", async () => {
    const { auth } = app.client();
    const { email } = await signedUp(app);
    await auth.signInWithOtp({ email });
    const { code } = await app.inbox.mail(email, "magic_link");
    const verify = async (params: object) => (await auth.verifyOtp(params as never)).error;
    const expired = { status: 403, code: "otp_expired" };
    const malformed = { status: 400, code: "validation_failed" };
    expect(await verify({ type: "email", email, token: wrongCode(code) })).toMatchObject(expired);
    expect(await verify({ type: "email", email: newAddress(), token: code })).toMatchObject(expired);
    // A11: what it was sent for is part of it.
    expect(await verify({ type: "recovery", email, token: code })).toMatchObject(expired);
    expect(await verify({ type: "email_change", email, token: code })).toMatchObject(expired);
    expect(await verify({ email, token: code })).toMatchObject(malformed);
    expect(await verify({ type: "email", email })).toMatchObject(malformed);
    expect(await verify({ type: "email", token: code })).toMatchObject(malformed);
    expect(await verify({ type: "email", email, token: code, token_hash: "x" })).toMatchObject(malformed);
    expect(await verify({ type: "sideways", email, token: code })).toMatchObject(malformed);
    expect(await verify({ type: "email", email, token: code })).toBeNull();
  });

  it("needs one of the two", async () => {
    // @ts-expect-error what an app in JavaScript may send
    const { error } = await app.client().auth.signInWithOtp({});
    expect(error).toBeInstanceOf(AuthInvalidCredentialsError);
  });
});

describe("signInWithOtp by text message", () => {
  it("says the message's id, and the code signs in", async () => {
    const client = app.client();
    const phone = newNumber();
    const asked = await client.auth.signInWithOtp({ phone: `+${phone}` });
    expect(asked).toEqual({ data: { user: null, session: null, messageId: expect.any(String) }, error: null });
    const token = await app.inbox.smsCode(phone);
    const { data, error } = await client.auth.verifyOtp({ type: "sms", phone: `+${phone}`, token });
    expect([error, data.user?.phone]).toEqual([null, phone]);
    expect(data.user).toMatchObject({ phone_confirmed_at: expect.any(String), email: "" });
    expect((await client.auth.verifyOtp({ type: "sms", phone, token })).error).toMatchObject({
      status: 403,
      code: "otp_expired",
    });
  });

  it("a known number signs in to the same account, by WhatsApp too", async () => {
    const phone = newNumber();
    const [first, second] = [app.client(), app.client()];
    await first.auth.signInWithOtp({ phone });
    const one = await first.auth.verifyOtp({ type: "sms", phone, token: await app.inbox.smsCode(phone) });
    const asked = await second.auth.signInWithOtp({ phone, options: { channel: "whatsapp", shouldCreateUser: false } });
    expect(asked.error).toBeNull();
    const two = await second.auth.verifyOtp({ type: "sms", phone, token: await app.inbox.smsCode(phone, 2) });
    expect(two.data.user?.id).toBe(one.data.user?.id);
  });
});

describe("resend", () => {
  it("signup: another mail, whose code counts", async () => {
    const client = app.client();
    const email = newAddress();
    await client.auth.signUp({ email, password });
    await app.inbox.mail(email, "confirmation");
    const { data, error } = await client.auth.resend({ type: "signup", email, options: { emailRedirectTo: deepLink } });
    expect({ data, error }).toEqual({ data: { user: null, session: null }, error: null });
    const { code, link } = await app.inbox.mail(email, "confirmation", 2);
    expect(new URL(link).searchParams.get("redirect_to")).toBe(deepLink);
    expect((await client.auth.verifyOtp({ type: "signup", email, token: code })).error).toBeNull();
    expect((await app.client().auth.signInWithPassword({ email, password })).error).toBeNull();
  });

  it("sms: another text message, with its id", async () => {
    const client = app.client();
    const phone = newNumber();
    await client.auth.signUp({ phone, password });
    await app.inbox.smsCode(phone);
    const { data, error } = await client.auth.resend({ type: "sms", phone });
    expect({ data, error }).toEqual({
      data: { user: null, session: null, messageId: expect.any(String) },
      error: null,
    });
    const token = await app.inbox.smsCode(phone, 2);
    expect((await client.auth.verifyOtp({ type: "sms", phone, token })).error).toBeNull();
  });

  it("email_change and phone_change: again to where the change leads", async () => {
    const { client, email } = await signedUp(app);
    const next = newAddress();
    await client.auth.updateUser({ email: next });
    await app.inbox.mail(next, "email_change");
    expect((await client.auth.resend({ type: "email_change", email })).error).toBeNull();
    expect((await app.inbox.mail(next, "email_change", 2)).code).toMatch(/^\d{6}$/);
    const phone = newNumber();
    await client.auth.updateUser({ phone });
    await app.inbox.smsCode(phone);
    expect((await client.auth.resend({ type: "phone_change", phone })).error).toBeNull();
    const token = await app.inbox.smsCode(phone, 2);
    const { data, error } = await client.auth.verifyOtp({ type: "phone_change", phone, token });
    expect([error, data.user?.phone]).toEqual([null, phone]);
  });

  it("A16 says the same for those it sends nothing to", async () => {
    const { email } = await signedUp(app);
    const { auth } = app.client();
    const stranger = newAddress();
    for (const address of [email, stranger]) {
      expect(await auth.resend({ type: "signup", email: address })).toEqual({
        data: { user: null, session: null },
        error: null,
      });
    }
    expect(await app.inbox.kindsTo(stranger)).toEqual([]);
    expect((await auth.resend({ type: "sms", phone: newNumber() })).error).toBeNull();
  });

  it("refuses what it does not know", async () => {
    const { auth } = app.client();
    expect((await auth.resend({ type: "recovery", email: newAddress() } as never)).error).toMatchObject({
      status: 400,
      code: "validation_failed",
    });
    expect((await auth.resend({ type: "signup" } as never)).error).toBeInstanceOf(AuthInvalidCredentialsError);
  });
});

describe("resetPasswordForEmail", () => {
  it("the code signs in for a new password, and tells the app so", async () => {
    const { email, client: other } = await signedUp(app);
    const client = app.client();
    const events = eventsOf(client);
    expect(await client.auth.resetPasswordForEmail(email, { redirectTo: deepLink })).toEqual({ data: {}, error: null });
    const { code } = await app.inbox.mail(email, "recovery");
    const { data, error } = await client.auth.verifyOtp({ type: "recovery", email, token: code });
    expect(error).toBeNull();
    expect(events).toEqual(["PASSWORD_RECOVERY"]);
    expect(claimsOf(data.session?.access_token ?? "")).toMatchObject({
      amr: [{ method: expect.stringMatching(/^(otp|recovery)$/) }],
    });
    expect((await client.auth.updateUser({ password: "an entirely new one" })).error).toBeNull();
    expect(events).toEqual(["PASSWORD_RECOVERY", "USER_UPDATED"]);
    expect((await app.client().auth.signInWithPassword({ email, password })).error?.code).toBe("invalid_credentials");
    expect((await app.client().auth.signInWithPassword({ email, password: "an entirely new one" })).error).toBeNull();
    // A22: whoever was signed in with the old one is out.
    expect((await other.auth.getUser()).error).toMatchObject({ name: "AuthSessionMissingError" });
    expect(await app.inbox.mail(email, "password_changed")).toMatchObject({ code: "", link: "" });
  });

  it("the link leads to the app with a session of type recovery", async () => {
    const { email, user } = await signedUp(app);
    await app.client().auth.resetPasswordForEmail(email, { redirectTo: deepLink });
    const { access_token = "", type } = fragmentOf(await press((await app.inbox.mail(email, "recovery")).link));
    expect([type, claimsOf(access_token).sub]).toEqual(["recovery", user.id]);
  });

  it("A16 says the same to somebody unknown", async () => {
    const email = newAddress();
    expect(await app.client().auth.resetPasswordForEmail(email)).toEqual({ data: {}, error: null });
    expect(await app.inbox.kindsTo(email)).toEqual([]);
  });
});

describe("flowType pkce", () => {
  it.each([
    ["signUp", "confirmation"],
    ["signInWithOtp", "magic_link"],
    ["resetPasswordForEmail", "recovery"],
  ] as const)("%s: the link carries a code for the app that asked, even once restarted", async (method, kind) => {
    const { email } = method === "signUp" ? { email: newAddress() } : await signedUp(app);
    const device = deviceStorage();
    const { auth } = pkceClient(app, device);
    const asked = await (method === "signUp"
      ? auth.signUp({ email, password, options: { emailRedirectTo: deepLink } })
      : method === "signInWithOtp"
        ? auth.signInWithOtp({ email, options: { emailRedirectTo: deepLink } })
        : auth.resetPasswordForEmail(email, { redirectTo: deepLink }));
    expect(asked.error).toBeNull();
    const { link } = await app.inbox.mail(email, kind);
    const url = await press(link);
    expect(url.href.split("?")[0]).toBe(deepLink);
    expect(url.hash).toBe("");
    const code = url.searchParams.get("code") ?? "";
    expect(code).toMatch(/^[0-9a-f-]{36}$/);

    const stranger = await pkceClient(app).auth.exchangeCodeForSession(code);
    expect(stranger.error).toMatchObject({ name: "AuthPKCECodeVerifierMissingError" });
    const restarted = pkceClient(app, device);
    const events = eventsOf(restarted);
    const { data, error } = await restarted.auth.exchangeCodeForSession(code);
    expect([error, data.user?.email]).toEqual([null, email]);
    const isRecovery = method === "resetPasswordForEmail";
    expect(data).toMatchObject({ redirectType: isRecovery ? "recovery" : null });
    expect(events).toEqual([isRecovery ? "PASSWORD_RECOVERY" : "SIGNED_IN"]);
    expect((await restarted.auth.getUser()).data.user?.email).toBe(email);
  });

  it("A09 a code is for one exchange, with the verifier of the app that began", async () => {
    const { email } = await signedUp(app);
    const device = deviceStorage();
    await pkceClient(app, device).auth.signInWithOtp({ email });
    const code = (await press((await app.inbox.mail(email, "magic_link")).link)).searchParams.get("code") ?? "";
    // Another app that has begun something of its own brings its own verifier.
    const thief = pkceClient(app);
    await thief.auth.signInWithOtp({ email: newAddress() });
    expect((await thief.auth.exchangeCodeForSession(code)).error).toMatchObject({
      status: 400,
      code: "bad_code_verifier",
    });
    const kept = new Map(device.values);
    expect((await pkceClient(app, device).auth.exchangeCodeForSession(code)).error).toBeNull();
    const again = deviceStorage();
    for (const [key, value] of kept) again.setItem(key, value);
    expect((await pkceClient(app, again).auth.exchangeCodeForSession(code)).error).toMatchObject({
      status: expect.any(Number),
      code: expect.stringMatching(/^flow_state_(not_found|already_used)$/),
    });
    const unknown = pkceClient(app);
    await unknown.auth.signInWithOtp({ email: newAddress() });
    const missing = await unknown.auth.exchangeCodeForSession("5f0c8d2e-0000-4000-8000-000000000009");
    expect(missing.error).toMatchObject({ status: 404, code: "flow_state_not_found" });
    expect(missing.data).toEqual({ user: null, session: null, redirectType: null });
  });

  it("a code of a confirmation signs in with the mail's code too", async () => {
    const email = newAddress();
    const client = pkceClient(app);
    await client.auth.signUp({ email, password });
    const { code } = await app.inbox.mail(email, "confirmation");
    expect((await client.auth.verifyOtp({ type: "email", email, token: code })).error).toBeNull();
  });

  it("an error comes back in query and fragment", async () => {
    const { email } = await signedUp(app);
    await pkceClient(app).auth.signInWithOtp({ email });
    const { link } = await app.inbox.mail(email, "magic_link");
    const broken = new URL(link);
    broken.searchParams.set("token", `pkce_${"0".repeat(56)}`);
    const url = await press(broken.href);
    const said = { error: "access_denied", error_code: "otp_expired" };
    expect(Object.fromEntries(url.searchParams)).toMatchObject(said);
    expect(fragmentOf(url)).toMatchObject(said);
  });
});
