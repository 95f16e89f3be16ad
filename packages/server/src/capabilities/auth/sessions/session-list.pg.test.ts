import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openTestAuth, type TestAuth } from "../testing.ts";

let auth: TestAuth;
beforeAll(async () => {
  auth = await openTestAuth();
});
afterAll(() => auth.close());

const password = "correct horse";

async function signedIn(on = auth, times = 1) {
  const email = `${randomUUID()}@example.com`;
  const made = await on.send("POST", "/signup", { body: { email, password }, headers: { "user-agent": "first" } });
  const sessions = [sessionOf(made)];
  for (let n = 1; n < times; n++) sessions.push(await signIn(email, on, `device ${n}`));
  return { id: made.body.user.id as string, email, sessions };
}

async function signIn(email: string, on = auth, userAgent = "device") {
  return sessionOf(
    await on.send("POST", "/token?grant_type=password", {
      body: { email, password },
      headers: { "user-agent": userAgent },
    }),
  );
}

function sessionOf(reply: {
  status: number;
  headers: Readonly<Record<string, string>>;
  body: { access_token: string; refresh_token: string };
}) {
  expect(reply.status).toBe(200);
  const { access_token: token, refresh_token: refreshToken } = reply.body;
  return { id: reply.headers["sb-auth-session-id"]!, token, refreshToken };
}

const refresh = (refreshToken: string, on = auth) =>
  on.send("POST", "/token?grant_type=refresh_token", { body: { refresh_token: refreshToken } });

describe("GET /user/sessions", () => {
  test("lists one's own, the one used last first, and says which it is", async () => {
    const { sessions } = await signedIn(auth, 3);
    await signedIn();
    const reply = await auth.send("GET", "/user/sessions", { token: sessions[1]!.token });
    expect(reply.status).toBe(200);
    expect(reply.headers["cache-control"]).toContain("no-store");
    expect(reply.body.map((each: { id: string }) => each.id).sort()).toEqual(sessions.map(({ id }) => id).sort());
    const mine = reply.body.find((each: { is_current: boolean }) => each.is_current);
    expect(mine).toEqual({
      id: sessions[1]!.id,
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      refreshed_at: null,
      not_after: null,
      user_agent: "device 1",
      ip: "203.0.113.7",
      aal: "aal1",
      tag: null,
      is_current: true,
    });
    await refresh(sessions[0]!.refreshToken);
    const later = await auth.send("GET", "/user/sessions", { token: sessions[1]!.token });
    expect(later.body[0]).toMatchObject({ id: sessions[0]!.id, refreshed_at: expect.any(String) });
  });

  test("A19 tells no secrets, and nothing without a bearer", async () => {
    const { sessions } = await signedIn();
    const reply = await auth.send("GET", "/user/sessions", { token: sessions[0]!.token });
    expect(JSON.stringify(reply.body)).not.toMatch(/refresh_token|hmac|counter|sha256/);
    expect((await auth.send("GET", "/user/sessions")).body.error_code).toBe("no_authorization");
  });

  test("shows the end the settings give a session, and leaves out what is over", async () => {
    const on = auth.with({ sessionTimeboxSeconds: 7_200, sessionInactivitySeconds: 3_600 });
    const { id, sessions } = await signedIn(on, 2);
    const [first] = (await on.send("GET", "/user/sessions", { token: sessions[0]!.token })).body;
    expect(Date.parse(first.not_after) - Date.parse(first.created_at)).toBe(3_600_000);
    await auth.sql("update auth.sessions set created_at = now() - interval '3 hours' where id = $1", [sessions[1]!.id]);
    expect((await on.admin("GET", `/admin/users/${id}/sessions`)).body.map((each: { id: string }) => each.id)).toEqual([
      sessions[0]!.id,
    ]);
  });
});

describe("DELETE", () => {
  test("A22 one of one's own: that device is out, the others stay", async () => {
    const { id, sessions } = await signedIn(auth, 3);
    const [one, other, third] = sessions as [Session, Session, Session];
    expect((await auth.send("DELETE", `/user/sessions/${other.id}`, { token: one.token })).status).toBe(204);
    expect((await auth.send("GET", "/user", { token: other.token })).body.error_code).toBe("session_not_found");
    expect((await refresh(other.refreshToken)).body.error_code).toBe("refresh_token_not_found");
    for (const { token } of [one, third]) expect((await auth.send("GET", "/user", { token })).status).toBe(200);
    const again = await auth.send("DELETE", `/user/sessions/${other.id}`, { token: one.token });
    // Not the code at which clients sign out themselves.
    expect([again.status, again.body.error_code]).toEqual([404, "not_found"]);
    const [entry] = await auth.sql(
      "select payload from auth.audit_log_entries where payload ->> 'action' = 'token_revoked' and payload ->> 'actor_id' = $1",
      [id],
    );
    expect(entry?.payload).toMatchObject({ log_type: "token", traits: { session_id: other.id } });
  });

  test("never somebody else's", async () => {
    const [mine, theirs] = [await signedIn(), await signedIn()];
    const { token } = mine.sessions[0]!;
    expect((await auth.send("DELETE", `/user/sessions/${theirs.sessions[0]!.id}`, { token })).status).toBe(404);
    expect((await auth.send("GET", "/user", { token: theirs.sessions[0]!.token })).status).toBe(200);
    for (const bad of ["x", "..%2fadmin", `${theirs.sessions[0]!.id}'`]) {
      expect((await auth.send("DELETE", `/user/sessions/${bad}`, { token })).body.error_code).toBe("validation_failed");
    }
  });

  test("an admin lists and ends one or all; a user may not", async () => {
    const { id, sessions } = await signedIn(auth, 3);
    const stranger = await signedIn();
    const path = `/admin/users/${id}/sessions`;
    expect((await auth.admin("GET", path)).body).toHaveLength(3);
    expect((await auth.send("GET", path, { token: sessions[0]!.token })).status).toBe(403);
    expect((await auth.send("DELETE", path, { token: sessions[0]!.token })).status).toBe(403);
    expect((await auth.admin("DELETE", `${path}/${sessions[1]!.id}`)).status).toBe(204);
    expect((await auth.admin("DELETE", `${path}/${stranger.sessions[0]!.id}`)).status).toBe(404);
    expect((await auth.admin("GET", path)).body).toHaveLength(2);
    expect((await auth.admin("DELETE", path)).status).toBe(204);
    for (const { token } of sessions) {
      expect((await auth.send("GET", "/user", { token })).body.error_code).toBe("session_not_found");
    }
    expect((await auth.send("GET", "/user", { token: stranger.sessions[0]!.token })).status).toBe(200);
    expect((await auth.admin("GET", `/admin/users/${randomUUID()}/sessions`)).body.error_code).toBe("user_not_found");
    expect((await auth.admin("GET", "/admin/users/x/sessions")).body.error_code).toBe("validation_failed");
  });
});

describe("one session per user", () => {
  test("signing in ends the others, also of two at once", async () => {
    const on = auth.with({ singleSessionPerUser: true });
    const { id, email, sessions } = await signedIn(on);
    const next = await signIn(email, on);
    expect((await on.send("GET", "/user", { token: sessions[0]!.token })).body.error_code).toBe("session_not_found");
    expect((await on.send("GET", "/user", { token: next.token })).status).toBe(200);
    await Promise.all(Array.from({ length: 6 }, () => signIn(email, on)));
    expect((await on.admin("GET", `/admin/users/${id}/sessions`)).body).toHaveLength(1);
  });

  test("with tags, one of each kind; what has none is of the first", async () => {
    const on = auth.with({ singleSessionPerUser: true, sessionTags: ["phone", "desktop"] });
    const { id, email, sessions } = await signedIn(on);
    await auth.sql("update auth.sessions set tag = 'desktop' where id = $1", [sessions[0]!.id]);
    const phone = await signIn(email, on);
    await auth.sql("update auth.sessions set tag = 'unheard of' where id = $1", [phone.id]);
    const list = async () =>
      (await on.admin("GET", `/admin/users/${id}/sessions`)).body.map((each: { id: string }) => each.id).sort();
    expect(await list()).toEqual([sessions[0]!.id, phone.id].sort());
    const second = await signIn(email, on);
    expect(await list()).toEqual([sessions[0]!.id, second.id].sort());
  });
});

describe("sessions that end by themselves", () => {
  test("time-box and inactivity end a session at its next refresh, for good", async () => {
    const on = auth.with({ sessionTimeboxSeconds: 86_400, sessionInactivitySeconds: 3_600 });
    const { sessions } = await signedIn(on, 3);
    await auth.sql(
      "update auth.sessions set created_at = now() - interval '25 hours', refreshed_at = now() at time zone 'UTC' where id = $1",
      [sessions[0]!.id],
    );
    await auth.sql("update auth.sessions set created_at = now() - interval '2 hours' where id = $1", [sessions[1]!.id]);
    for (const { refreshToken } of sessions.slice(0, 2)) {
      expect((await refresh(refreshToken, on)).body.error_code).toBe("session_expired");
      expect((await refresh(refreshToken, on)).body.error_code).not.toBeUndefined();
    }
    expect((await refresh(sessions[2]!.refreshToken, on)).status).toBe(200);
  });
});

type Session = Awaited<ReturnType<typeof signIn>>;
