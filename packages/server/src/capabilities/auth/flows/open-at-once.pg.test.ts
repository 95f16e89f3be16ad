import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { sql } from "pg-sql2";
import { afterAll, beforeAll, expect, test } from "vitest";
import { signInStore } from "../sign-in-store.ts";
import { openTestAuth, type TestAuth } from "../testing.ts";

let auth: TestAuth;
/** Under a rule that changes nothing for who has no second factor, and that only the long way knows. */
let inSteps: TestAuth;
beforeAll(async () => {
  auth = await openTestAuth({ rateLimits: true, rateLimitSignIn: 10_000 });
  inSteps = auth.with({ rateLimits: true, rateLimitSignIn: 10_000, sessionAal1Seconds: 86_400 });
});
afterAll(() => auth.close());

const password = "correct horse";
const signIn = (on: TestAuth, email: string, headers = {}) =>
  on.send("POST", "/token?grant_type=password", { body: { email, password }, headers });

async function account(): Promise<{ email: string; id: string }> {
  const email = `${randomUUID()}@example.com`;
  const { status, body } = await auth.send("POST", "/signup", { body: { email, password, data: { name: "Ada" } } });
  expect(status).toBe(200);
  return { email, id: body.user.id };
}

const claimsOf = (token: string) => JSON.parse(Buffer.from(token.split(".")[1]!, "base64url").toString());

/** Everything a sign-in leaves behind, with ids and times as to whether they are there and are this sign-in's own. */
async function left(id: string, session: string): Promise<unknown> {
  const rows = await auth.sql(
    `select
      (select to_jsonb(s) - '{id,created_at,updated_at}'::text[] from auth.sessions s where s.id = $2) as session,
      (select jsonb_agg(a.authentication_method) from auth.mfa_amr_claims a where a.session_id = $2) as methods,
      (select last_sign_in_at = updated_at and last_sign_in_at = (select created_at from auth.sessions where id = $2)
        from auth.users where id = $1) as user_seen,
      (select jsonb_agg(last_sign_in_at = (select created_at from auth.sessions where id = $2))
        from auth.identities where user_id = $1) as identities_seen,
      (select jsonb_build_object('payload', e.payload::jsonb, 'ip', e.ip_address, 'instance', e.instance_id)
        from auth.audit_log_entries e where e.payload ->> 'actor_id' = $1::text order by created_at desc limit 1) as entry,
      (select count(*)::int from mainstay.known_devices where user_id = $1) as devices`,
    [id, session],
  );
  return rows[0];
}

/** A microsecond that ends with 0 is written with it or without: both are the same time. */
const withoutZeros = (value: unknown): unknown => JSON.parse(JSON.stringify(value).replace(/(\.\d*?)0+Z"/g, '$1Z"'));

test("the short way gives and leaves behind what the long way does", async () => {
  const { email, id } = await account();
  const seen: unknown[] = [];
  for (const on of [auth, inSteps]) {
    const { status, body } = await signIn(on, email);
    expect(status).toBe(200);
    const { session_id, iat, exp, amr, ...claims } = claimsOf(body.access_token);
    expect([exp - iat, body.expires_at]).toEqual([3_600, exp]);
    expect(amr).toEqual([{ method: "password", timestamp: expect.any(Number) }]);
    const { last_sign_in_at, updated_at, identities, ...user } = body.user;
    expect(last_sign_in_at.slice(0, 19)).toBe(updated_at.slice(0, 19));
    const [{ last_sign_in_at: identitySeen, updated_at: identityUpdated, ...identity }] = identities;
    expect([identitySeen.slice(0, 19), identityUpdated]).toEqual([last_sign_in_at.slice(0, 19), identitySeen]);
    const refreshed = await auth.send("POST", "/token?grant_type=refresh_token", {
      body: { refresh_token: body.refresh_token },
    });
    expect(refreshed.status).toBe(200);
    await auth.sql("update auth.sessions set refresh_token_counter = 1, refreshed_at = null where id = $1", [
      session_id,
    ]);
    seen.push([claims, user, identity, await left(id, session_id), Object.keys(body)]);
  }
  const [short, long] = seen.map(withoutZeros);
  expect(short).toEqual(long);
  expect(auth.seen).toContainEqual({ kind: "auth.event", event: "login", subject: id, address: "203.0.113.7" });
});

test("A12 a success clears the count and makes the network known, by the short way too", async () => {
  const { email } = await account();
  const of = (on: TestAuth, given: string, address: string) =>
    on.send("POST", "/token?grant_type=password", { body: { email, password: given }, address });
  const on = auth.with({ rateLimits: true, rateLimitSignIn: 10_000, lockoutAfter: 3, lockoutAccountAfter: 5 });
  const attempts = async (given: string[], address: string) => {
    const statuses: number[] = [];
    for (const one of given) statuses.push((await of(on, one, address)).status);
    return statuses;
  };
  expect(await attempts(["x", "x", password, "x", "x", password], "203.0.113.7")).toEqual([
    400, 400, 200, 400, 400, 200,
  ]);
  // The two from before the network was known count for the account, the two from after it do not.
  expect(await attempts(Array(3).fill("x"), "198.51.100.1")).toEqual([400, 400, 400]);
  expect(await attempts([password], "198.51.100.2")).toEqual([429]);
  expect(await attempts([password], "203.0.113.7")).toEqual([200]);
});

test("A22 a password changed after it was verified opens nothing and changes nothing", async () => {
  const { email, id } = await account();
  const candidate = await signInStore.find(auth.db, "email", email);
  expect(candidate).toMatchObject({ userId: id, isBanned: false, isEmailConfirmed: true, isPhoneConfirmed: false });
  const [device] = await auth.sql(
    "select encode(device_hash, 'hex') as key from mainstay.known_devices where user_id = $1",
    [id],
  );
  const opening = { session: randomUUID(), userId: id, device: String(device?.key), agent: null, ip: null };
  const everything = () =>
    auth.sql(
      `select u::text, (select string_agg(i::text, ',') from auth.identities i where i.user_id = u.id) as identities,
        (select count(*)::int from auth.sessions s where s.user_id = u.id) as sessions,
        (select count(*)::int from auth.audit_log_entries) as entries from auth.users u where u.id = $1`,
      [id],
    );
  const before = await everything();
  expect(await signInStore.open(auth.db, { ...opening, passwordHash: "$argon2id$another" }, null)).toBeNull();
  const unknown = { ...opening, passwordHash: candidate!.passwordHash!, device: "00".repeat(32) };
  expect(await signInStore.open(auth.db, unknown, null)).toBeNull();
  expect(await everything()).toEqual(before);
  expect(await signInStore.open(auth.db, { ...unknown, device: opening.device }, null)).toMatchObject({ user: { id } });
});

test("a new device goes the long way: it is remembered, and told of", async () => {
  const { email, id } = await account();
  const userAgent = "SomewhereElse/1.0";
  expect((await signIn(auth, email, { "user-agent": userAgent })).status).toBe(200);
  expect((await signIn(auth, email, { "user-agent": userAgent })).status).toBe(200);
  expect(auth.sent.mails.filter((mail) => mail.to === email && mail.kind === "new_device")).toHaveLength(1);
  expect(await auth.sql("select from mainstay.known_devices where user_id = $1", [id])).toHaveLength(2);
});

test("a device's last use is noted again when the note is old", async () => {
  const { email, id } = await account();
  const note =
    "select last_seen > now() - interval '1 minute' as is_fresh from mainstay.known_devices where user_id = $1";
  for (const [age, isFresh] of [
    ["50 minutes", false],
    ["2 hours", true],
  ] as const) {
    await auth.sql("update mainstay.known_devices set last_seen = now() - $2::interval where user_id = $1", [id, age]);
    expect((await signIn(auth, email)).status).toBe(200);
    expect(await auth.sql(note, [id])).toEqual([{ is_fresh: isFresh }]);
  }
});

test("a user who is held for long is waited for", async () => {
  const { email, id } = await account();
  let answer: Promise<{ status: number }> | undefined;
  await auth.db.transaction(async (tx) => {
    await tx.query(sql`select from auth.users where id = ${sql.value(id)} for update`);
    answer = signIn(auth, email);
    // Longer than the short way waits.
    await pause(6_000);
  });
  expect((await answer)?.status).toBe(200);
});
