import { afterAll, beforeAll, expect, test } from "vitest";
import { openTestAuth, type TestAuth } from "../testing.ts";
import { outcome, peopleOf } from "./testing.ts";

let auth: TestAuth;
let people: ReturnType<typeof peopleOf>;
let hooked: TestAuth;
beforeAll(async () => {
  auth = await openTestAuth();
  people = peopleOf(auth);
  await auth.sql(`
    create table public.attempts (at bigint generated always as identity, event jsonb);
    create function public.on_attempt(event jsonb) returns jsonb language plpgsql as $$
      begin
        insert into public.attempts (event) values (event);
        if (select count(*) from public.attempts a where a.event ->> 'user_id' = on_attempt.event ->> 'user_id') > 2 then
          return '{"decision": "reject", "message": "Enough for today."}';
        end if;
        return '{"decision": "continue"}';
      end;
    $$;
    grant usage on schema public to supabase_auth_admin;
    grant all on table public.attempts to supabase_auth_admin;
    grant execute on function public.on_attempt to supabase_auth_admin`);
  hooked = auth.with({
    mfaVerificationHookEnabled: true,
    mfaVerificationHookUri: "pg-functions://postgres/public/on_attempt",
  });
});
afterAll(() => auth.close());

test("the app's hook hears of every attempt, and its refusal ends all sessions of the user", async () => {
  const { user, factor } = await people.withFactor();
  const other = await people.withFactor();
  const codes = (await people.post(user.token, "/factors/recovery-codes")).body;
  const first = await people.signIn(user);
  people.nextStep();
  const challenge = await people.challenge(first.token, factor);
  const verify = (code: string) =>
    hooked.send("POST", `/factors/${factor.id}/verify`, {
      token: first.token,
      body: { challenge_id: challenge, code },
    });
  expect(await outcome(verify("12345x"))).toEqual([422, "mfa_verification_failed"]);
  const recover = { token: first.token, body: { code: "wrong" } };
  expect(await outcome(hooked.send("POST", "/factors/recovery-codes/verify", recover))).toEqual([
    422,
    "mfa_verification_failed",
  ]);
  const refused = await verify(people.code(factor));
  expect([refused.status, refused.body]).toEqual([
    403,
    { code: 403, error_code: "mfa_verification_rejected", msg: "Enough for today." },
  ]);
  const heard = await auth.sql("select event from public.attempts order by at");
  expect(heard.map(({ event }) => event)).toMatchObject([
    { user_id: user.id, factor_id: factor.id, factor_type: "totp", valid: false },
    { user_id: user.id, factor_id: codes.id, factor_type: "recovery_code", valid: false },
    { user_id: user.id, factor_id: factor.id, factor_type: "totp", valid: true },
  ]);
  expect(await auth.sql("select id from auth.sessions where user_id = $1", [user.id])).toEqual([]);
  expect(await outcome(people.get(other.user.token, "/user"))).toBe(200);
});
