import { freePort } from "@mainstay/testing";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { openDatabase } from "../../platform/postgres/database.ts";
import { openTestAuth, type TestAuth, type TestReply } from "./testing.ts";

let auth: TestAuth;
beforeAll(async () => {
  auth = await openTestAuth();
});
afterAll(() => auth.close());

const account = { email: "away@example.com", password: "correct horse battery" };
const older = { code: 503, error_code: "unexpected_failure", msg: "The database is not available." };
const newer = { code: "unexpected_failure", message: "The database is not available." };

/** No client signs out on such an answer, and each tries again. */
function expectAway(reply: TestReply, body: object): void {
  expect(reply.body).toEqual(body);
  expect(reply.status).toBe(503);
  expect(reply.headers).toMatchObject({ "retry-after": "1", "x-sb-error-code": "unexpected_failure" });
}

describe("the database is away", () => {
  test("every door says 503, when to come back, and nothing that ends a session", async () => {
    const db = openDatabase({ host: "127.0.0.1", port: await freePort(), user: "postgres", database: "postgres" });
    const away = auth.with({}, db);
    const requests = [
      away.send("POST", "/signup", { body: account }),
      away.send("POST", "/token?grant_type=password", { body: account }),
      away.send("POST", "/token?grant_type=refresh_token", { body: { refresh_token: "0123456789ab" } }),
      away.admin("GET", "/admin/users"),
    ];
    for (const reply of await Promise.all(requests)) expectAway(reply, older);
    const headers = { "x-supabase-api-version": "2024-01-01" };
    const reply = await away.send("POST", "/token?grant_type=password", { body: account, headers });
    expectAway(reply, newer);
    expect(reply.headers["x-supabase-api-version"]).toBe("2024-01-01");
    await db.close();
  });

  test("a sign-up whose connection is lost half-way says the same, and leaves no account", async () => {
    await auth.sql("begin");
    // Reading goes on, so the sign-up comes as far as its insert, and waits there.
    await auth.sql("lock table auth.users in exclusive mode");
    const signUp = auth.send("POST", "/signup", { body: account });
    const ended = () =>
      auth.sql(`
        select pg_terminate_backend(l.pid) from pg_locks l join pg_database d on d.oid = l.database
        where not l.granted and l.relation = 'auth.users'::regclass and d.datname = current_database()`);
    await vi.waitUntil(async () => (await ended()).length > 0, { timeout: 30_000 });
    expectAway(await signUp, older);
    await auth.sql("rollback");
    expect(await auth.sql("select from auth.users where email = $1", [account.email])).toEqual([]);
    expect((await auth.send("POST", "/signup", { body: account })).status).toBe(200);
  });
});
