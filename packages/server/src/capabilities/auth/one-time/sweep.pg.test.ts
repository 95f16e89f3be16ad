import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { readSettings } from "../../../kernel/settings.ts";
import { authSettings } from "../settings.ts";
import { openTestAuth, type TestAuth } from "../testing.ts";
import { sweepExpired } from "./sweep.ts";

let auth: TestAuth;
beforeAll(async () => {
  auth = await openTestAuth({ mailerAutoconfirm: false, codeAnswerMs: 0 });
});
afterAll(() => auth.close());

const settings = { ...readSettings(authSettings, { env: {} }).values, sessionTimeboxSeconds: 3_600 };
const sweep = () => sweepExpired({ db: auth.db, settings });

test("what has had its time goes, and what has not stays", async () => {
  const [old, fresh] = ["old@example.com", "fresh@example.com"];
  for (const email of [old, fresh]) await auth.send("POST", "/otp", { body: { email } });
  await auth.sql("update mainstay.one_time_tokens set expires_at = now() - interval '2 days' where address = $1", [
    old,
  ]);

  const ids = { over: randomUUID(), boxed: randomUUID(), live: randomUUID() };
  const [user] = await auth.sql("select id from auth.users where email = $1", [fresh]);
  for (const [id, notAfter, age] of [
    [ids.over, "-2 days", "1 min"],
    [ids.boxed, null, "3 days"],
    [ids.live, null, "1 min"],
  ]) {
    await auth.sql(
      "insert into auth.sessions (id, user_id, created_at, updated_at, not_after) values ($1, $2, now() - $4::interval, now(), now() + $3::interval)",
      [id, user!.id, notAfter, age],
    );
  }
  const token = (name: string, isRevoked: boolean, age: string, parent: string | null) =>
    auth.sql(
      "insert into auth.refresh_tokens (token, user_id, session_id, revoked, parent, created_at, updated_at) values ($1, $2, $3, $4, $5, now(), now() - $6::interval)",
      [name, user!.id, ids.live, isRevoked, parent, age],
    );
  await token("grandparent", true, "60 days", null);
  await token("parent", true, "59 days", "grandparent");
  await token("live", false, "59 days", "parent");
  await token("recent", true, "1 day", null);
  for (const [id, age] of [
    [randomUUID(), "3 days"],
    [ids.live, "1 h"],
  ]) {
    await auth.sql(
      "insert into auth.flow_state (id, provider_type, authentication_method, created_at) values ($1, 'email', 'magiclink', now() - $2::interval)",
      [id, age],
    );
    await auth.sql(
      "insert into mainstay.used_auth_codes (code_hash, session_id, code_challenge, code_challenge_method, used_at) values ($1::text, $1::text::uuid, '', '', now() - $2::interval)",
      [id, age],
    );
  }

  expect(await sweep()).toEqual({ oneTimeTokens: 1, usedCodes: 1, flows: 1, sessions: 2, refreshTokens: 1 });
  expect(await auth.sql("select address from mainstay.one_time_tokens")).toEqual([{ address: fresh }]);
  expect(await auth.sql("select id from auth.sessions")).toEqual([{ id: ids.live }]);
  // A08: the live token's parent is what a phone that lost the answer comes with, however late.
  expect(await auth.sql("select token from auth.refresh_tokens order by token")).toEqual([
    { token: "live" },
    { token: "parent" },
    { token: "recent" },
  ]);
  expect(await sweep()).toEqual({ oneTimeTokens: 0, usedCodes: 0, flows: 0, sessions: 0, refreshTokens: 0 });
});

test("two nodes at once share the work, batch by batch", async () => {
  await auth.sql(
    "insert into mainstay.used_auth_codes (code_hash, session_id, code_challenge, code_challenge_method, used_at) select g::text, gen_random_uuid(), '', '', now() - interval '3 days' from generate_series(1, 2500) g",
  );
  const [one, two] = await Promise.all([sweep(), sweep()]);
  // Each skips what the other holds; what both left is for the next time.
  const rest = await sweep();
  expect(one.usedCodes + two.usedCodes + rest.usedCodes).toBe(2_500);
});
