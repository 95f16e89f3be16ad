import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openTestAuth, type TestAuth } from "../testing.ts";
import { logTypes } from "./entry.ts";
import { createAudit } from "./index.ts";
import { auditStore } from "./store.ts";

let auth: TestAuth;
beforeAll(async () => {
  auth = await openTestAuth();
});
afterAll(() => auth.close());

const caller = {
  address: "203.0.113.7",
  network: "203.0.113.7",
  ip: "203.0.113.7",
  userAgent: "test",
  isService: false,
};
const audit = (auditRefreshes = false) => createAudit({ observe: () => {}, settings: { auditRefreshes } });

async function signedUp() {
  const email = `${randomUUID()}@example.com`;
  const reply = await auth.send("POST", "/signup", { body: { email, password: "correct horse" } });
  return { email, id: reply.body.user.id as string, token: reply.body.access_token as string };
}

const entriesOf = async (userId: string): Promise<Record<string, unknown>[]> =>
  (
    await auth.sql(
      "select payload, ip_address from auth.audit_log_entries where payload ->> 'actor_id' = $1 order by created_at",
      [userId],
    )
  ).map(({ payload, ip_address }) => ({ ...(payload as Record<string, unknown>), ip_address }));

describe("what is written", () => {
  test("has GoTrue's shape, with the user's name and the caller's address", async () => {
    const { email, id } = await signedUp();
    await auth.send("POST", "/token?grant_type=password", { body: { email, password: "wrong horse" } });
    await auth.send("POST", "/token?grant_type=password", { body: { email, password: "correct horse" } });
    const entries = await entriesOf(id);
    const entry = { actor_id: id, actor_username: email, actor_via_sso: false, ip_address: "203.0.113.7" };
    expect(entries).toEqual([
      { ...entry, action: "user_signedup", log_type: "team", ...optionalTraits(entries[0]) },
      { ...entry, action: "login_failed", log_type: "account", ...optionalTraits(entries[1]) },
      { ...entry, action: "login", log_type: "account", ...optionalTraits(entries[2]) },
    ]);
  });

  test("what an admin does names the service as actor and the user in the traits", async () => {
    const { email, id } = await signedUp();
    await audit().record(auth.db, {
      action: "user_modified",
      userId: id,
      actor: "service_role",
      caller,
      traits: { a: 1 },
    });
    const [entry] = await auth.sql(
      "select payload from auth.audit_log_entries where payload -> 'traits' ->> 'user_id' = $1",
      [id],
    );
    expect(entry?.payload).toEqual({
      action: "user_modified",
      actor_id: "00000000-0000-0000-0000-000000000000",
      actor_username: "service_role",
      actor_via_sso: false,
      log_type: "user",
      traits: { a: 1, user_id: id, user_email: email },
    });
  });

  test("is true exactly when the event is: what is rolled back is not there", async () => {
    const { id } = await signedUp();
    const undone = auth.db.transaction(async (tx) => {
      await audit().record(tx, { action: "user_modified", userId: id, caller });
      throw new Error("undone");
    });
    await expect(undone).rejects.toThrow("undone");
    expect((await entriesOf(id)).map(({ action }) => action)).toEqual(["user_signedup"]);
  });

  test("refreshes only where the setting asks for them", async () => {
    const { id } = await signedUp();
    await audit(false).record(auth.db, { action: "token_refreshed", userId: id, caller });
    expect((await entriesOf(id)).map(({ action }) => action)).toEqual(["user_signedup"]);
    await audit(true).record(auth.db, { action: "token_refreshed", userId: id, caller });
    expect((await entriesOf(id)).map(({ action }) => action)).toEqual(["user_signedup", "token_refreshed"]);
  });

  test("X21 holds no secret, whatever a caller of it hands over", async () => {
    const { id, token } = await signedUp();
    const key = auth.identity.keys.secretKey;
    const traits = { password: "pa55word", new_password: "n3wword", otp: "123456", token_hash: "ab12cd", note: token };
    await audit().record(auth.db, {
      action: "user_modified",
      userId: id,
      caller,
      traits: { ...traits, other: key, long: "x".repeat(5_000), nul: "a\0b", code: 424_242, provider: "email" },
    });
    const kept = JSON.stringify(await entriesOf(id));
    for (const secret of [...Object.values(traits), key, "424242"]) expect(kept).not.toContain(secret);
    expect(kept).toContain('"provider":"email"');
    expect(kept.length).toBeLessThan(2_000);
  });

  test("X21 nothing of a sign-in with password, refresh and sign-out is in the log", async () => {
    const { email, token } = await signedUp();
    const signIn = await auth.send("POST", "/token?grant_type=password", {
      body: { email, password: "correct horse" },
    });
    await auth.send("POST", "/token?grant_type=refresh_token", { body: { refresh_token: signIn.body.refresh_token } });
    await auth.send("POST", "/logout", { token });
    const rows = await auth.sql("select payload::text || ip_address as text from auth.audit_log_entries");
    const log = rows.map(({ text }) => text).join("\n");
    for (const secret of ["correct horse", signIn.body.refresh_token, signIn.body.access_token, token]) {
      expect(log).not.toContain(secret);
    }
  });

  test("every action has a log type", () => {
    for (const [action, type] of Object.entries(logTypes)) expect(type, action).toMatch(/^[a-z_]+$/);
  });
});

describe("events", () => {
  test("of a user's and of an admin's doing are there, with what changed and not to what", async () => {
    const { id, token } = await signedUp();
    await auth.send("PUT", "/user", { token, body: { data: { colour: "secret green" } } });
    await auth.send("PUT", "/user", { token, body: { password: "another horse" } });
    await auth.admin("PUT", `/admin/users/${id}`, { ban_duration: "1h", user_metadata: { colour: "secret red" } });
    await auth.admin("PUT", `/admin/users/${id}`, { ban_duration: "none" });
    const again = await auth.admin("POST", "/admin/users", {
      email: `${randomUUID()}@example.com`,
      password: "third horse",
    });
    const entries = await auth.sql(
      `select payload from auth.audit_log_entries
       where payload ->> 'actor_id' = $1 or payload -> 'traits' ->> 'user_id' in ($1, $2) order by created_at`,
      [id, again.body.id],
    );
    const payloads = entries.map(
      ({ payload }) => payload as { action: string; actor_username: string; traits?: object },
    );
    expect(payloads.map(({ action }) => action)).toEqual([
      "user_signedup",
      "user_modified",
      "user_updated_password",
      "user_modified",
      "user_modified",
      "user_signedup",
    ]);
    expect(payloads[1]!.traits).toEqual({ changed: "userMetadata" });
    expect(payloads[3]).toMatchObject({
      actor_username: "service_role",
      traits: { changed: "userMetadata,bannedSeconds", sessions_ended: true, user_id: id },
    });
    expect(JSON.stringify(payloads)).not.toMatch(/secret|horse/);
  });

  test("sign-out and a soft deletion", async () => {
    const { id, token } = await signedUp();
    await auth.send("POST", "/logout?scope=local", { token });
    await auth.admin("DELETE", `/admin/users/${id}`, { should_soft_delete: true });
    const rows = await auth.sql(
      `select payload ->> 'action' as action, payload -> 'traits' as traits from auth.audit_log_entries
       where payload ->> 'actor_id' = $1 or payload -> 'traits' ->> 'user_id' = $1 order by created_at`,
      [id],
    );
    expect(rows.slice(1)).toEqual([
      { action: "logout", traits: { scope: "local" } },
      { action: "user_deleted", traits: { soft: true, user_id: id, user_email: expect.any(String) } },
    ]);
  });
});

describe("X21 append-only", () => {
  const roles = [
    ...["anon", "authenticated", "service_role", "authenticator", "dashboard_user", "supabase_auth_admin"],
    // The superuser here, and the owner: it can take triggers away, and nothing inside a database stops it.
    "postgres",
  ];
  const attempts = [
    "update auth.audit_log_entries set payload = '{}'",
    "delete from auth.audit_log_entries",
    "truncate auth.audit_log_entries",
    "alter table auth.audit_log_entries disable trigger mainstay_guard_rows",
    "drop trigger mainstay_guard_rows on auth.audit_log_entries",
    "update mainstay.audit_policy set retention = interval '0'",
  ];

  const all = () => auth.sql("select id, payload::text, created_at from auth.audit_log_entries order by id");

  test.each(roles)("X21 %s cannot change or delete an entry", async (role) => {
    const { id } = await signedUp();
    const before = await all();
    expect(before.length).toBeGreaterThan(0);
    for (const attempt of role === "postgres" ? attempts.slice(0, 3) : attempts) {
      await auth.sql("begin");
      await auth.sql(`set local role ${role}`);
      const code = await auth.sql(attempt).then(
        () => "done",
        (error: { code: string }) => error.code,
      );
      if (code === "done") {
        // Row level security hid the rows, so there was nothing to refuse.
        await auth.sql("reset role");
        expect(await all(), `${role}: ${attempt}`).toEqual(before);
        expect(attempt).toMatch(/^(?:update|delete from) auth/);
      } else {
        expect(code, `${role}: ${attempt}`).toBe("42501");
      }
      await auth.sql("rollback");
    }
    expect(await all()).toEqual(before);
    expect(await entriesOf(id)).toHaveLength(1);
  });

  test("X21 the retention sweeps what is older, and only that, whoever asks", async () => {
    const { id } = await signedUp();
    await auth.sql(
      `insert into auth.audit_log_entries (id, payload, created_at) values
        ($1, '{"action":"old"}', now() - interval '31 days'), ($2, '{"action":"young"}', now() - interval '29 days')`,
      [randomUUID(), randomUUID()],
    );
    const actions = async () =>
      (await auth.sql("select payload ->> 'action' as action from auth.audit_log_entries")).map((row) => row.action);
    expect(await auditStore.sweep(auth.db, 100)).toBe(0);
    await auditStore.setRetention(auth.db, 30);
    await expect(auth.sql("delete from auth.audit_log_entries")).rejects.toMatchObject({ code: "42501" });
    expect(await auditStore.sweep(auth.db, 100)).toBe(1);
    expect(await actions()).toContain("young");
    expect(await actions()).not.toContain("old");
    expect(await entriesOf(id)).toHaveLength(1);
    await auditStore.setRetention(auth.db, null);
    expect(await auditStore.sweep(auth.db, 100)).toBe(0);
  });
});

describe("GET /admin/audit", () => {
  test("gives pages, newest first, with GoTrue's headers, to the service only", async () => {
    for (let n = 0; n < 3; n++) await signedUp();
    const all = await auth.admin("GET", "/admin/audit?per_page=1000");
    expect(all.status).toBe(200);
    const times = all.body.map((entry: { created_at: string }) => entry.created_at);
    expect(times).toEqual([...times].sort().reverse());
    expect(Object.keys(all.body[0]).sort()).toEqual(["created_at", "id", "ip_address", "payload"]);
    const first = await auth.admin("GET", "/admin/audit?page=1&per_page=2");
    const second = await auth.admin("GET", "/admin/audit?page=2&per_page=2");
    expect([...first.body, ...second.body].map(idOf)).toEqual(all.body.slice(0, 4).map(idOf));
    expect(first.headers["x-total-count"]).toBe(String(all.body.length));
    expect(first.headers.link).toContain('</admin/audit?page=2&per_page=2>; rel="next"');
    const { token } = await signedUp();
    expect((await auth.send("GET", "/admin/audit", { token })).status).toBe(403);
    expect((await auth.admin("GET", "/admin/audit?page=0")).body.error_code).toBe("validation_failed");
  });

  test("searches by author, action and type, and takes text as text", async () => {
    const { email } = await signedUp();
    const byAuthor = await auth.admin("GET", `/admin/audit?query=author:${encodeURIComponent(email.toUpperCase())}`);
    expect(byAuthor.body.map((entry: { payload: { action: string } }) => entry.payload.action)).toEqual([
      "user_signedup",
    ]);
    const byType = await auth.admin("GET", "/admin/audit?query=type:team&per_page=1");
    expect(byType.body[0].payload.log_type).toBe("team");
    expect(byType.headers.link).toContain("query=type%3Ateam");
    expect((await auth.admin("GET", "/admin/audit?query=action:%25")).body).toEqual([]);
    expect((await auth.admin("GET", "/admin/audit?query=action:'%20or%20true")).body).toEqual([]);
    for (const bad of ["login", "payload:x", "__proto__:x", "action:%00"]) {
      expect((await auth.admin("GET", `/admin/audit?query=${bad}`)).body.error_code, bad).toBe("validation_failed");
    }
  });
});

const idOf = (entry: { id: string }) => entry.id;
const optionalTraits = (entry: Record<string, unknown> | undefined) =>
  entry && "traits" in entry ? { traits: entry.traits } : {};
