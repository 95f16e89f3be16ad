import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Problem } from "../../../kernel/problem.ts";
import { readSettings } from "../../../kernel/settings.ts";
import { outcome, peopleOf } from "../mfa/testing.ts";
import { authSettings } from "../settings.ts";
import { openTestAuth, type TestAuth } from "../testing.ts";
import { createLockout } from "./lockout.ts";

let auth: TestAuth;
let strict: TestAuth;
let people: ReturnType<typeof peopleOf>;

const strictly = {
  rateLimits: true,
  rateLimitSignIn: 10_000,
  rateLimitVerify: 10_000,
  rateLimitMfa: 10_000,
  codeMaxAttempts: 100,
  codeAnswerMs: 0,
  lockoutAfter: 4,
  lockoutAccountAfter: 8,
  lockoutSeconds: 30,
};

beforeAll(async () => {
  auth = await openTestAuth();
  people = peopleOf(auth);
  strict = auth.with(strictly);
});
afterAll(() => auth.close());

const password = "correct horse";
const locked = [429, "over_request_rate_limit"];
const limitedTo = (count: number, all: readonly unknown[]) => {
  expect(all.filter((one) => String(one) === String(locked))).toHaveLength(all.length - count);
};

test("A12 signing in with the right password forgives no wrong code", async () => {
  const { user, factor } = await people.withFactor();
  const body = { email: user.email, password };
  const wrong = async () => {
    const { access_token: token } = (await strict.send("POST", "/token?grant_type=password", { body })).body;
    const challenge = await people.challenge(token, factor);
    const answer = { challenge_id: challenge, code: "12345x" };
    return outcome(strict.send("POST", `/factors/${factor.id}/verify`, { token, body: answer }));
  };
  for (let n = 0; n < 4; n++) expect(await wrong()).toEqual([422, "mfa_verification_failed"]);
  expect(await wrong()).toEqual(locked);
  const entries = await auth.sql(
    "select from auth.audit_log_entries where payload ->> 'action' = 'account_locked' and payload ->> 'actor_id' = $1",
    [user.id],
  );
  expect(entries).toHaveLength(1);
});

test("A12 A16 of fifty codes tried at once four are looked at, for an address nobody has too", async () => {
  for (const email of [(await people.newUser()).email, `${randomUUID()}@example.com`]) {
    await auth.send("POST", "/otp", { body: { email, create_user: false } });
    const body = { type: "email", email, token: "12345x" };
    const all = await Promise.all(Array.from({ length: 50 }, () => outcome(strict.send("POST", "/verify", { body }))));
    limitedTo(4, all);
  }
});

test("A12 of fifty nonces, or passwords, tried at once with a session that was taken four are looked at", async () => {
  const { id, token } = await people.newUser();
  await auth.sql("update auth.sessions set created_at = now() - interval '2 days' where user_id = $1", [id]);
  await auth.send("GET", "/reauthenticate", { token });
  const on = auth.with({ ...strictly, passwordReauthentication: true, hashQueueLimit: 1_000 });
  const all = (method: "DELETE" | "PUT", body: unknown) =>
    Promise.all(Array.from({ length: 50 }, () => outcome(on.send(method, "/user", { token, body }))));
  limitedTo(4, await all("DELETE", { nonce: "12345x" }));
  // Counted together with the nonces for deletion.
  limitedTo(0, await all("PUT", { password: "a new battery staple", nonce: "12345x" }));
  limitedTo(4, await all("PUT", { password: "a new battery staple", current_password: "wrong horse" }));
  limitedTo(0, await all("DELETE", { password }));
});

test("A12 codes guessed from everywhere lock no owner out where they have been", async () => {
  const { email } = await people.newUser();
  const verify = (token: string, address: string) =>
    outcome(strict.send("POST", "/verify", { address, body: { type: "email", email, token } }));
  const send = async () => {
    await auth.send("POST", "/otp", { body: { email } });
    return auth.sent.mails.at(-1)?.otp ?? "";
  };
  expect(await verify(await send(), "203.0.113.50")).toBe(200);
  const code = await send();
  const guesses = [];
  for (let n = 0; n < 10; n++) guesses.push(await verify("12345x", `2001:db8:9:${n}::1`));
  limitedTo(8, guesses);
  expect(await verify(code, "192.0.2.77")).toEqual(locked);
  expect(await verify(code, "203.0.113.50")).toBe(200);
});

test("A12 with the defaults a day has room for some 200 guesses at a code from everywhere, the next ones for 96", async () => {
  const clock = { ms: Date.now(), nowMs: () => clock.ms };
  const settings = readSettings(authSettings, { env: {} }).values;
  const lockout = createLockout({ db: auth.db, settings, clock, secret: Buffer.alloc(32, 7) });
  const guessesUntil = async (end: number): Promise<number> => {
    let guesses = 0;
    for (let n = 0; clock.ms < end; n++) {
      // A network of its own for each guess: the attacker has as many as they like.
      const refusal = await lockout.enter("code", "somebody", `198.51.${n}`).then(
        () => null,
        (error: unknown) => error,
      );
      if (refusal === null) guesses += 1;
      else if (refusal instanceof Problem) clock.ms += Number(refusal.headers["Retry-After"]) * 1_000;
      else throw refusal;
    }
    return guesses;
  };
  const start = clock.ms;
  const first = await guessesUntil(start + 86_400_000);
  expect([first > 190, first <= 205]).toEqual([true, true]);
  const second = await guessesUntil(start + 2 * 86_400_000);
  expect([second > 90, second <= 97]).toEqual([true, true]);
});
