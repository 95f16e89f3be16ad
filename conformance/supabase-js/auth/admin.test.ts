import { randomUUID } from "node:crypto";
import { AuthApiError, type SupabaseClient, type User } from "@supabase/supabase-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  type AuthApp,
  claimsOf,
  deepLink,
  newAddress,
  newNumber,
  password,
  signedUp,
  siteUrl,
  startAuthApp,
} from "./auth-app.ts";
import { fragmentOf, press } from "./inbox.ts";

let app: AuthApp;
let admin: SupabaseClient["auth"]["admin"];
beforeAll(async () => {
  app = await startAuthApp();
  admin = app.client(app.serviceRoleKey).auth.admin;
});
afterAll(() => app.stop());

const signsIn = (email: string, secret = password) => app.client().auth.signInWithPassword({ email, password: secret });

describe("admin.createUser, getUserById", () => {
  it("makes a user with all that may be said of one", async () => {
    const [id, email, phone] = [randomUUID(), newAddress(), newNumber()];
    const { data, error } = await admin.createUser({
      id,
      email,
      phone: `+${phone}`,
      password,
      email_confirm: true,
      phone_confirm: true,
      user_metadata: { name: "Ada" },
      app_metadata: { plan: "gold" },
    });
    expect(error).toBeNull();
    expect(data.user).toMatchObject({
      id,
      email,
      phone,
      email_confirmed_at: expect.any(String),
      phone_confirmed_at: expect.any(String),
      user_metadata: { name: "Ada" },
      app_metadata: { plan: "gold", provider: "email", providers: ["email", "phone"] },
    });
    expect((await admin.getUserById(id)).data.user).toMatchObject({ id, email, phone });
    expect((await signsIn(email)).data.user?.id).toBe(id);
    expect((await app.client().auth.signInWithPassword({ phone, password })).data.user?.id).toBe(id);
    expect(await app.inbox.kindsTo(email)).not.toContain("confirmation");
  });

  it("takes a password's hash from elsewhere", async () => {
    const email = newAddress();
    const [row] = await app.sql(`select extensions.crypt('brought from elsewhere', extensions.gen_salt('bf')) as hash`);
    const { error } = await admin.createUser({ email, password_hash: String(row?.hash), email_confirm: true });
    expect(error).toBeNull();
    expect((await signsIn(email, "brought from elsewhere")).error).toBeNull();
  });

  it("refuses what cannot be", async () => {
    const { email } = await signedUp(app);
    for (const [attributes, status, code] of [
      [{ email, password }, 422, "email_exists"],
      [{ email: "nobody@", password }, 400, "validation_failed"],
      [{ password }, 400, "validation_failed"],
      [{ email: newAddress(), password: "12345" }, 422, "weak_password"],
      [{ email: newAddress(), role: "service_role" }, 400, "validation_failed"],
      [{ email: newAddress(), ban_duration: "a while" }, 400, "validation_failed"],
    ] as const) {
      const { data, error } = await admin.createUser(attributes);
      expect(error).toMatchObject({ status, code });
      expect(data).toEqual({ user: null });
    }
    const unknown = await admin.getUserById(randomUUID());
    expect(unknown.error).toBeInstanceOf(AuthApiError);
    expect(unknown.error).toMatchObject({ status: 404, code: "user_not_found" });
  });
});

describe("admin.updateUserById", () => {
  it("sets addresses without asking their owners, merges metadata, and bans", async () => {
    const { client, email, user, session } = await signedUp(app);
    const next = newAddress();
    const { data, error } = await admin.updateUserById(user.id, {
      email: next,
      email_confirm: true,
      app_metadata: { plan: "silver" },
      user_metadata: { name: "Ada" },
    });
    expect(error).toBeNull();
    expect(data.user).toMatchObject({ email: next, app_metadata: { plan: "silver", provider: "email" } });
    expect((await signsIn(email)).error?.code).toBe("invalid_credentials");
    const merged = await admin.updateUserById(user.id, { app_metadata: { plan: null, seats: 3 } });
    expect(merged.data.user?.app_metadata).toEqual({ provider: "email", providers: ["email"], seats: 3 });

    const banned = await admin.updateUserById(user.id, { ban_duration: "1h30m" });
    const until = Date.parse((banned.data.user as User & { banned_until: string }).banned_until);
    expect(Math.abs(until - Date.now() - 5_400_000)).toBeLessThan(60_000);
    expect((await signsIn(next)).error).toMatchObject({ status: 400, code: "user_banned" });
    expect((await client.auth.getUser(session.access_token)).error?.status).toBe(403);
    expect((await client.auth.refreshSession()).error?.status).toBe(400);
    const lifted = await admin.updateUserById(user.id, { ban_duration: "none" });
    expect(lifted.data.user).not.toHaveProperty("banned_until");
    expect((await signsIn(next)).error).toBeNull();
  });

  it("sets the role that policies see", async () => {
    const { email, user } = await signedUp(app);
    expect((await admin.updateUserById(user.id, { role: "service_role" })).error?.code).toBe("validation_failed");
    expect((await admin.updateUserById(user.id, { role: "anon" })).data.user?.role).toBe("anon");
    expect(claimsOf((await signsIn(email)).data.session?.access_token ?? "").role).toBe("anon");
    expect((await admin.updateUserById(randomUUID(), { role: "anon" })).error?.code).toBe("user_not_found");
  });
});

describe("admin.listUsers", () => {
  it("gives page after page, each user once", async () => {
    for (let i = 0; i < 5; i++) await admin.createUser({ email: newAddress() });
    const seen: string[] = [];
    let page: number | null = 1;
    while (page !== null) {
      const { data, error } = await admin.listUsers({ page, perPage: 4 });
      if (error !== null) throw error;
      expect(data).toMatchObject({ aud: "authenticated", total: expect.any(Number) });
      expect(data.users.length).toBeGreaterThan(0);
      seen.push(...data.users.map(({ id }) => id));
      if (data.nextPage !== null) expect(data.nextPage).toBe(page + 1);
      page = data.nextPage;
      if (page === null) expect(seen).toHaveLength(data.total);
    }
    expect(new Set(seen).size).toBe(seen.length);
    expect((await admin.listUsers()).data.users.length).toBe(seen.length);
    expect((await admin.listUsers({ page: 1_000, perPage: 4 })).data.users).toEqual([]);
    expect((await admin.listUsers({ page: 0, perPage: -1 })).error).toMatchObject({
      status: 400,
      code: "validation_failed",
    });
  });
});

describe("admin.deleteUser", () => {
  it("takes the user away, and whoever is signed in", async () => {
    const { client, email, user, session } = await signedUp(app);
    const { data, error } = await admin.deleteUser(user.id);
    expect([error, data.user?.id]).toEqual([null, user.id]);
    expect((await admin.getUserById(user.id)).error?.code).toBe("user_not_found");
    expect((await admin.deleteUser(user.id)).error).toMatchObject({ status: 404, code: "user_not_found" });
    expect((await client.auth.getUser(session.access_token)).error?.status).toBe(403);
    expect((await client.auth.refreshSession()).error?.status).toBe(400);
    // The address is free again, and none of what was there is found by it.
    const again = await signedUp(app, app.client());
    expect(again.user.id).not.toBe(user.id);
    expect((await app.client().auth.signUp({ email, password })).data.user?.identities).toHaveLength(1);
  });

  it("softly: the row stays, and nothing in it names anybody", async () => {
    const { email, user, session } = await signedUp(app);
    expect((await admin.deleteUser(user.id, true)).error).toBeNull();
    expect((await signsIn(email)).error?.code).toBe("invalid_credentials");
    expect((await app.client().auth.getUser(session.access_token)).error?.status).toBe(403);
    const [row] = await app.sql(`select * from auth.users where id = '${user.id}'`);
    expect(row).toMatchObject({ deleted_at: expect.any(Date) });
    expect(JSON.stringify(row)).not.toContain(email);
    expect((await app.client().auth.signUp({ email, password })).data.user?.identities).toHaveLength(1);
  });
});

describe("admin.inviteUserByEmail", () => {
  it("sends a mail whose code signs in, once", async () => {
    const email = newAddress();
    const { data, error } = await admin.inviteUserByEmail(email, { data: { team: "blue" }, redirectTo: deepLink });
    expect(error).toBeNull();
    expect(data.user).toMatchObject({ email, invited_at: expect.any(String), user_metadata: { team: "blue" } });
    const { code } = await app.inbox.mail(email, "invite");
    const client = app.client();
    const taken = await client.auth.verifyOtp({ type: "invite", email, token: code });
    expect([taken.error, taken.data.user?.id]).toEqual([null, data.user?.id]);
    expect((await client.auth.updateUser({ password })).error).toBeNull();
    expect((await signsIn(email)).error).toBeNull();
    const again = await admin.inviteUserByEmail(email);
    expect(again.error).toMatchObject({ status: 422, code: "email_exists" });
    expect(again.data).toEqual({ user: null });
  });

  it("whoever is invited signs in with a code of their own asking just as well", async () => {
    const email = newAddress();
    const { data } = await admin.inviteUserByEmail(email);
    await app.inbox.mail(email, "invite");
    const { auth } = app.client();
    expect((await auth.signInWithOtp({ email, options: { shouldCreateUser: false } })).error).toBeNull();
    await expect.poll(() => app.inbox.kindsTo(email)).toHaveLength(2);
    const [, kind = ""] = await app.inbox.kindsTo(email);
    const { code } = await app.inbox.mail(email, kind);
    const verified = await auth.verifyOtp({ type: "email", email, token: code });
    expect([verified.error, verified.data.user?.id]).toEqual([null, data.user?.id]);
  });

  it("the link leads to the app with a session of type invite", async () => {
    const email = newAddress();
    await admin.inviteUserByEmail(email, { redirectTo: deepLink });
    const url = await press((await app.inbox.mail(email, "invite")).link);
    expect(url.href.split("#")[0]).toBe(deepLink);
    expect(fragmentOf(url)).toMatchObject({ type: "invite", access_token: expect.any(String) });
  });

  it("is not for anybody else", async () => {
    const { error } = await app.client().auth.admin.inviteUserByEmail(newAddress());
    expect(error).toMatchObject({ status: 403, code: "not_admin" });
  });
});

describe("admin.generateLink", () => {
  const made = async (params: Parameters<typeof admin.generateLink>[0]) => {
    const { data, error } = await admin.generateLink(params);
    if (error !== null) throw error;
    expect(data.properties).toEqual({
      action_link: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/auth\/v1\/verify\?/),
      email_otp: expect.stringMatching(/^\d{6}$/),
      hashed_token: expect.any(String),
      redirect_to: expect.any(String),
      verification_type: params.type,
    });
    expect(new URL(data.properties.action_link).searchParams.get("token")).toBe(data.properties.hashed_token);
    return data;
  };

  it("signup: makes the user with the password, and sends nothing", async () => {
    const email = newAddress();
    const options = { data: { name: "Ada" }, redirectTo: deepLink };
    const { user, properties } = await made({ type: "signup", email, password, options });
    expect(user).toMatchObject({ email, user_metadata: { name: "Ada" } });
    expect(properties.redirect_to).toBe(deepLink);
    const url = await press(properties.action_link);
    expect(url.href.split("#")[0]).toBe(deepLink);
    expect(fragmentOf(url).type).toBe("signup");
    expect((await signsIn(email)).data.user?.id).toBe(user.id);
    expect(await app.inbox.kindsTo(email)).toEqual([]);
  });

  it("invite: the hash signs in", async () => {
    const email = newAddress();
    const { user, properties } = await made({ type: "invite", email });
    expect(user).toMatchObject({ email, invited_at: expect.any(String) });
    const token_hash = properties.hashed_token;
    const { data, error } = await app.client().auth.verifyOtp({ type: "invite", token_hash });
    expect([error, data.user?.id]).toEqual([null, user.id]);
  });

  it.each(["magiclink", "recovery"] as const)("%s: by code, and by link to the site", async (type) => {
    const { email, user } = await signedUp(app);
    const first = await made({ type, email });
    expect(first.user.id).toBe(user.id);
    const { data, error } = await app.client().auth.verifyOtp({ type, email, token: first.properties.email_otp });
    expect([error, data.user?.id]).toEqual([null, user.id]);
    const url = await press(
      (await made({ type, email, options: { redirectTo: "https://evil.example" } })).properties.action_link,
    );
    expect([url.origin, fragmentOf(url).type]).toEqual([siteUrl, type]);
    expect(await app.inbox.kindsTo(email)).toEqual(["confirmation"]);
  });

  it("email_change_current and email_change_new: both are needed", async () => {
    const { email, user } = await signedUp(app);
    const newEmail = newAddress();
    const current = await made({ type: "email_change_current", email, newEmail });
    const next = await made({ type: "email_change_new", email, newEmail });
    const { auth } = app.client();
    const half = await auth.verifyOtp({ type: "email_change", token_hash: current.properties.hashed_token });
    expect(half).toEqual({ data: { user: null, session: null }, error: null });
    const whole = await auth.verifyOtp({ type: "email_change", token_hash: next.properties.hashed_token });
    expect(whole.error).toBeNull();
    expect(whole.data.user).toMatchObject({ id: user.id, email: newEmail });
  });

  it("refuses what cannot be", async () => {
    const { email } = await signedUp(app);
    for (const [params, status, code] of [
      [{ type: "recovery", email: newAddress() }, 404, "user_not_found"],
      [{ type: "signup", email, password }, 422, "email_exists"],
      [{ type: "signup", email: newAddress() }, 400, "validation_failed"],
      [{ type: "sideways", email }, 400, "validation_failed"],
      [{ type: "magiclink", email: "nobody@" }, 400, "validation_failed"],
      [{ type: "email_change_new", email, newEmail: email }, 422, "email_exists"],
    ] as const) {
      const { data, error } = await admin.generateLink(params as never);
      expect(error, JSON.stringify(params)).toMatchObject({ status, code });
      expect(data).toEqual({ properties: null, user: null });
    }
  });
});

describe("admin.signOut", () => {
  it("ends what the scope says by the user's own token", async () => {
    const { email, session } = await signedUp(app);
    const token = async () => (await signsIn(email)).data.session?.access_token ?? "";
    const isAlive = async (jwt: string) => (await app.client().auth.getUser(jwt)).error === null;
    const [second, third] = [await token(), await token()];
    expect(await admin.signOut(second, "local")).toEqual({ data: null, error: null });
    expect([await isAlive(second), await isAlive(third), await isAlive(session.access_token)]).toEqual([
      false,
      true,
      true,
    ]);
    expect((await admin.signOut(third, "others")).error).toBeNull();
    expect([await isAlive(third), await isAlive(session.access_token)]).toEqual([true, false]);
    expect((await admin.signOut(third)).error).toBeNull();
    expect(await isAlive(third)).toBe(false);
    expect((await admin.signOut(third)).error).toMatchObject({ name: "AuthSessionMissingError" });
    expect((await admin.signOut("a.b.c")).error).toMatchObject({ status: 403, code: "bad_jwt" });
  });
});
