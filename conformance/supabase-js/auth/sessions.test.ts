import { AuthApiError, AuthInvalidJwtError, AuthRetryableFetchError, type Session } from "@supabase/supabase-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { mint } from "../app.ts";
import {
  type AuthApp,
  claimsOf,
  deviceStorage,
  eventsOf,
  newAddress,
  password,
  signedUp,
  startAuthApp,
} from "./auth-app.ts";

let app: AuthApp;
beforeAll(async () => {
  app = await startAuthApp();
});
afterAll(() => app.stop());

describe("initialize", () => {
  it("an app that starts again finds the session it had, and says so before anything else", async () => {
    const storage = deviceStorage();
    const first = app.client(undefined, { auth: { persistSession: true, storage } });
    const { session } = await signedUp(app, first);
    const restarted = app.client(undefined, { auth: { persistSession: true, storage } });
    const seen: [string, string | undefined][] = [];
    restarted.auth.onAuthStateChange((event, kept) => void seen.push([event, kept?.access_token]));
    expect(await restarted.auth.initialize()).toEqual({ error: null });
    await expect.poll(() => seen.map(([event]) => event)).toContain("INITIAL_SESSION");
    expect(seen.every(([, token]) => token === session.access_token)).toBe(true);
    expect((await restarted.auth.getSession()).data.session?.refresh_token).toBe(session.refresh_token);
    await restarted.auth.dispose();
  });

  it("an app without a session is told that there is none", async () => {
    const events: [string, unknown][] = [];
    const { auth } = app.client();
    const { data } = auth.onAuthStateChange((event, session) => void events.push([event, session]));
    await expect.poll(() => events).toEqual([["INITIAL_SESSION", null]]);
    data.subscription.unsubscribe();
    await auth.signInAnonymously();
    expect(events).toHaveLength(1);
  });
});

describe("onAuthStateChange", () => {
  it("tells what happened in the order in which it happened", async () => {
    const client = app.client();
    const events = eventsOf(client);
    const email = newAddress();
    await client.auth.signUp({ email, password });
    await client.auth.verifyOtp({ type: "signup", email, token: (await app.inbox.mail(email, "confirmation")).code });
    await client.auth.updateUser({ data: { seen: true } });
    await client.auth.refreshSession();
    await client.auth.signOut();
    await client.auth.signInWithPassword({ email, password });
    await client.auth.signOut({ scope: "local" });
    expect(events).toEqual(["SIGNED_IN", "USER_UPDATED", "TOKEN_REFRESHED", "SIGNED_OUT", "SIGNED_IN", "SIGNED_OUT"]);
  });

  it("failures are no events", async () => {
    const client = app.client();
    const events = eventsOf(client);
    await client.auth.signInWithPassword({ email: newAddress(), password });
    await client.auth.verifyOtp({ type: "email", email: newAddress(), token: "123456" });
    await client.auth.refreshSession({ refresh_token: "never-issued" });
    expect(events.filter((event) => event !== "SIGNED_OUT")).toEqual([]);
  });
});

describe("refreshSession, setSession", () => {
  it("setSession with an expired access token refreshes", async () => {
    const { session, user } = await signedUp(app);
    const expired = mint({ ...claimsOf(session.access_token), exp: 1_700_000_000 });
    const client = app.client();
    const events = eventsOf(client);
    const { data, error } = await client.auth.setSession({
      access_token: expired,
      refresh_token: session.refresh_token,
    });
    expect([error, data.user?.id]).toEqual([null, user.id]);
    expect(data.session?.refresh_token).not.toBe(session.refresh_token);
    expect(events).toEqual(["TOKEN_REFRESHED"]);
  });

  it("setSession refuses tokens of nobody's", async () => {
    const { session } = await signedUp(app);
    const forged = `${session.access_token.slice(0, -8)}AAAAAAAA`;
    const { data, error } = await app.client().auth.setSession({ ...session, access_token: forged });
    expect(error).toBeInstanceOf(AuthApiError);
    expect(error).toMatchObject({ status: 403, code: "bad_jwt" });
    expect(data.session).toBeNull();
  });

  it("what has ended is final: the client gives the session up", async () => {
    const { client, session } = await signedUp(app);
    await client.auth.signOut();
    const other = app.client();
    const { error } = await other.auth.refreshSession({ refresh_token: session.refresh_token });
    expect(error).toBeInstanceOf(AuthApiError);
    expect(error).toMatchObject({ status: 400 });
    expect(["refresh_token_not_found", "session_not_found"]).toContain(error?.code);
  });

  it("getUser says why a token is worth nothing any more", async () => {
    const { admin } = app.client(app.serviceRoleKey).auth;
    const ask = async (token: string) => (await app.client().auth.getUser(token)).error;
    const [banned, deleted, here] = [await signedUp(app), await signedUp(app), await signedUp(app)];
    await admin.updateUserById(banned.user.id, { ban_duration: "1h" });
    expect(await ask(banned.session.access_token)).toMatchObject({ status: 403, code: "user_banned" });
    await admin.deleteUser(deleted.user.id);
    expect(await ask(deleted.session.access_token)).toMatchObject({ status: 403, code: "user_not_found" });
    const claims = claimsOf(here.session.access_token);
    expect(await ask(mint({ ...claims, exp: 1_700_000_000 }))).toMatchObject({ status: 403, code: "bad_jwt" });
    const forged = mint(claims, "another secret of at least thirty-two bytes");
    expect(await ask(forged)).toMatchObject({ status: 403, code: "bad_jwt" });
    expect(await ask(mint(claims))).toBeNull();
  });

  it("sessions have an end where that is set: by age, by idleness, by the next one", async () => {
    const strict = await startAuthApp({
      sessionTimeboxSeconds: 3_600,
      sessionInactivitySeconds: 600,
      singleSessionPerUser: true,
    });
    try {
      const expired = { status: 400, code: "session_expired" };
      const [old, idle, first] = [await signedUp(strict), await signedUp(strict), await signedUp(strict)];
      const ago = (userId: string, columns: readonly string[], interval: string) =>
        strict.sql(
          `update auth.sessions set ${columns.map((name) => `${name} = now() - interval '${interval}'`).join(", ")}
           where user_id = '${userId}'`,
        );
      await ago(old.user.id, ["created_at"], "2 hours");
      expect((await old.client.auth.refreshSession()).error).toMatchObject(expired);
      await ago(idle.user.id, ["created_at", "updated_at", "refreshed_at"], "20 minutes");
      expect((await idle.client.auth.refreshSession()).error).toMatchObject(expired);
      expect((await strict.client().auth.signInWithPassword({ email: first.email, password })).error).toBeNull();
      expect((await first.client.auth.refreshSession()).error?.status).toBe(400);
    } finally {
      await strict.stop();
    }
  });

  it("a server that is away is no reason to sign anybody out", async () => {
    let isAway = false;
    const client = app.client(undefined, {
      global: {
        fetch: (...given: Parameters<typeof fetch>) =>
          isAway ? Promise.resolve(new Response("bad gateway", { status: 502 })) : fetch(...given),
      },
    });
    await signedUp(app, client);
    const events = eventsOf(client);
    isAway = true;
    expect((await client.auth.getUser()).error).toBeInstanceOf(AuthRetryableFetchError);
    isAway = false;
    expect((await client.auth.refreshSession()).error).toBeNull();
    expect(events).toEqual(["TOKEN_REFRESHED"]);
  });
});

describe("startAutoRefresh", () => {
  it("refreshes what is about to expire, and stopAutoRefresh puts an end to it", async () => {
    const storage = deviceStorage();
    const { session } = await signedUp(app, app.client(undefined, { auth: { persistSession: true, storage } }));
    const [key = ""] = storage.values.keys();
    const soon = { ...session, expires_at: Math.floor(Date.now() / 1000) + 30 };
    storage.setItem(key, JSON.stringify(soon));
    const client = app.client(undefined, { auth: { persistSession: true, storage } });
    await client.auth.initialize();
    const events = eventsOf(client);
    await client.auth.stopAutoRefresh();
    expect(JSON.parse(storage.values.get(key) ?? "")).toEqual(soon);
    await client.auth.startAutoRefresh();
    await expect.poll(() => events).toEqual(["TOKEN_REFRESHED"]);
    const kept = JSON.parse(storage.values.get(key) ?? "") as Session;
    expect(kept.refresh_token).not.toBe(session.refresh_token);
    expect(kept.expires_at).toBeGreaterThan(soon.expires_at + 3_000);
    await client.auth.stopAutoRefresh();
    await client.auth.dispose();
  });
});

describe("throwOnError", () => {
  it("throws what is given back otherwise", async () => {
    const { auth } = app.client(undefined, { auth: { throwOnError: true } });
    expect(auth.isThrowOnErrorEnabled()).toBe(true);
    expect(app.client().auth.isThrowOnErrorEnabled()).not.toBe(true);
    await expect(auth.signInWithPassword({ email: newAddress(), password })).rejects.toMatchObject({
      name: "AuthApiError",
      code: "invalid_credentials",
    });
  });
});

describe("getClaims", () => {
  it("HS256: asks the server", async () => {
    const { client, session, user } = await signedUp(app);
    const { data, error } = await client.auth.getClaims();
    expect(error).toBeNull();
    expect(data?.header).toMatchObject({ alg: "HS256", typ: "JWT" });
    expect(data?.claims).toMatchObject({ sub: user.id, role: "authenticated", aal: "aal1", is_anonymous: false });
    const forged = `${session.access_token.slice(0, -8)}AAAAAAAA`;
    expect((await client.auth.getClaims(forged)).error).toMatchObject({ status: 403, code: "bad_jwt" });
    await client.auth.signOut();
    expect((await app.client().auth.getClaims(session.access_token)).error).toMatchObject({
      name: "AuthSessionMissingError",
    });
    expect(await app.client().auth.getClaims()).toEqual({ data: null, error: null });
  });

  it("ES256: verifies by the published keys, without asking about the user", async () => {
    const modern = await startAuthApp({}, { identity: { jwtAlgorithm: "ES256" } });
    try {
      const asked: string[] = [];
      const client = modern.client(undefined, {
        global: {
          fetch: (...given: Parameters<typeof fetch>) => {
            asked.push(new URL(String(given[0])).pathname);
            return fetch(...given);
          },
        },
      });
      const { session, user } = await signedUp(modern, client);
      asked.length = 0;
      const { data, error } = await client.auth.getClaims();
      expect([error, data?.claims.sub, data?.header.alg]).toEqual([null, user.id, "ES256"]);
      expect(asked).toEqual(["/auth/v1/.well-known/jwks.json"]);
      expect((await client.auth.getClaims()).data?.claims.session_id).toBe(claimsOf(session.access_token).session_id);
      expect(asked).toHaveLength(1);
      const [header, , signature] = session.access_token.split(".");
      const other = Buffer.from(JSON.stringify({ ...claimsOf(session.access_token), role: "service_role" }));
      const forged = `${header}.${other.toString("base64url")}.${signature}`;
      expect((await client.auth.getClaims(forged)).error).toBeInstanceOf(AuthInvalidJwtError);
      const { keys } = (await modern.request("/auth/v1/.well-known/jwks.json")).json as { keys: never[] };
      const offline = modern.client(undefined, { global: { fetch: () => Promise.reject(new Error("offline")) } });
      expect((await offline.auth.getClaims(session.access_token, { jwks: { keys } })).data?.claims.sub).toBe(user.id);
    } finally {
      await modern.stop();
    }
  });
});
