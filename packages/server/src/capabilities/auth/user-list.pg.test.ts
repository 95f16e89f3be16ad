import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openTestAuth, type TestAuth } from "./testing.ts";

let auth: TestAuth;
beforeAll(async () => {
  auth = await openTestAuth();
});
afterAll(() => auth.close());

/** Zeros at the end of a fraction are written by one road and not by the other; both are RFC 3339. */
const trimmed = (value: unknown): unknown =>
  JSON.parse(
    JSON.stringify(value).replaceAll(
      /(T\d\d:\d\d:\d\d)(\.\d*?)0*Z"/g,
      (_, time, rest) => `${time}${rest === "." ? "" : rest}Z"`,
    ),
  );

test("a sign-in and a refresh tell the same of a user as asking for them does", async () => {
  const [email, password] = [`${randomUUID()}@example.com`, "correct horse"];
  const { body } = await auth.send("POST", "/signup", { body: { email, password } });
  await auth.sql(
    `insert into auth.identities (provider_id, user_id, identity_data, provider, last_sign_in_at, created_at, updated_at)
    values ('g', $1, '{"name": null, "deep": {"a": null, "list": [null, {"b": null, "c": 1}]}}', 'google', null,
        '2020-01-01 00:00:00.5+00', '2020-01-01 00:00:00.25+02'),
      ('h', $1, '{}', 'github', '2021-06-01 12:00:00+00', '2020-01-01 00:00:00+00', null)`,
    [body.user.id],
  );
  await auth.sql(
    `insert into auth.mfa_factors (id, user_id, factor_type, status, friendly_name, secret, created_at, updated_at)
    values (gen_random_uuid(), $1, 'totp', 'unverified', 'younger', 'x', now() + interval '1 hour', now()),
      (gen_random_uuid(), $1, 'totp', 'unverified', '', 'x', now(), now())`,
    [body.user.id],
  );
  const whole = async (token: string) => trimmed((await auth.send("GET", "/user", { token })).body);
  const signedIn = await auth.send("POST", "/token?grant_type=password", { body: { email, password } });
  expect(signedIn.body.user.identities.map(({ provider }: { provider: string }) => provider)).toEqual([
    "github",
    "google",
    "email",
  ]);
  expect(trimmed(signedIn.body.user)).toEqual(await whole(signedIn.body.access_token));
  const refreshed = await auth.send("POST", "/token?grant_type=refresh_token", {
    body: { refresh_token: signedIn.body.refresh_token },
  });
  expect(trimmed(refreshed.body.user)).toEqual(await whole(refreshed.body.access_token));
});

test("the way a session was proven last comes first in its next token", async () => {
  const { body } = await auth.send("POST", "/signup", {
    body: { email: `${randomUUID()}@example.com`, password: "correct horse" },
  });
  const claims = (token: string) => JSON.parse(Buffer.from(token.split(".")[1]!, "base64url").toString());
  await auth.sql(
    `insert into auth.mfa_amr_claims (id, session_id, authentication_method, created_at, updated_at)
    values (gen_random_uuid(), $1, 'totp', now(), '2099-01-01 00:00:00.6+00'),
      (gen_random_uuid(), $1, 'otp', now(), '2099-01-01 00:00:00.7+00')`,
    [claims(body.access_token).session_id],
  );
  const refreshed = await auth.send("POST", "/token?grant_type=refresh_token", {
    body: { refresh_token: body.refresh_token },
  });
  const year2099 = Date.parse("2099-01-01T00:00:01Z") / 1_000;
  expect(claims(refreshed.body.access_token).amr).toEqual([
    { method: "otp", timestamp: year2099 },
    { method: "totp", timestamp: year2099 },
    { method: "password", timestamp: expect.any(Number) },
  ]);
});
