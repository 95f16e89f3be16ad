import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openTestAuth, type TestAuth } from "../testing.ts";
import { claimsOf, held, methodsOf, outcome, peopleOf, type SignedIn } from "./testing.ts";

let auth: TestAuth;
let people: ReturnType<typeof peopleOf>;
beforeAll(async () => {
  auth = await openTestAuth();
  people = peopleOf(auth);
});
afterAll(() => auth.close());

const path = "/factors/recovery-codes";
const make = async (token: string, body?: unknown) => {
  const reply = await people.post(token, path, body);
  expect([reply.status, reply.body.msg]).toEqual([200, undefined]);
  return reply.body as { id: string; codes: string[] };
};
const status = async (token: string) => (await people.get(token, path)).body;
const show = (who: Pick<SignedIn, "token">, code: unknown) => people.post(who.token, `${path}/verify`, { code });
/** Somebody with an authenticator app and recovery codes. */
async function withCodes() {
  const { user, factor } = await people.withFactor();
  return { user, factor, ...(await make(user.token)) };
}

describe("recovery codes", () => {
  test("ten are made in a session of aal2, shown once, and nowhere in the database", async () => {
    const { user, factor } = await people.withFactor();
    expect(await outcome(people.get(user.token, path))).toEqual([404, "mfa_factor_not_found"]);
    const { status: code, body, headers } = await people.post(user.token, path);
    expect(code).toBe(200);
    expect(headers["cache-control"]).toBe("private, no-store");
    expect(body).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      type: "recovery_code",
      friendly_name: "Recovery codes",
      total: 10,
      codes: expect.any(Array),
    });
    expect(new Set(body.codes).size).toBe(10);
    for (const one of body.codes) expect(one).toMatch(/^[a-z2-7]{16}$/);
    expect(await status(user.token)).toEqual({ id: body.id, type: "recovery_code", total: 10, remaining: 10 });
    const { factors } = (await people.get(user.token, "/user")).body;
    expect(factors.map((one: Record<string, unknown>) => [one.id, one.factor_type, one.status])).toEqual([
      [factor.id, "totp", "verified"],
      [body.id, "recovery_code", "verified"],
    ]);
    const rows = await auth.sql("select * from mainstay.mfa_recovery_codes where factor_id = $1", [body.id]);
    expect(rows).toHaveLength(10);
    for (const one of body.codes) expect(JSON.stringify(rows)).not.toContain(one);
  });

  test("one is worth a second factor: typed in any fashion, aal2, the method in the token, one left less", async () => {
    const { user, id, codes } = await withCodes();
    const first = await people.signIn(user);
    const typed = codes[3]!.toUpperCase().replace(/(.{4})/g, "$1- ");
    const raised = held(await show(first, ` ${typed} `));
    expect(raised.session).toBe(first.session);
    expect([claimsOf(raised.token).aal, methodsOf(raised.token)]).toEqual(["aal2", ["mfa/recovery_code", "password"]]);
    expect(await outcome(people.refresh(first.refreshToken))).toEqual([400, "refresh_token_not_found"]);
    expect(claimsOf(held(await people.refresh(raised.refreshToken)).token).aal).toBe("aal2");
    expect(await status(raised.token)).toEqual({ id, type: "recovery_code", total: 10, remaining: 9 });
  });

  test("A22 whoever comes with one ends the user's sessions that did not show a factor", async () => {
    const { user, codes } = await withCodes();
    const [first, other] = [await people.signIn(user), await people.signIn(user)];
    held(await show(first, codes[0]));
    expect(await outcome(people.get(other.token, "/user"))).toEqual([403, "session_not_found"]);
    expect(await outcome(people.get(user.token, "/user"))).toBe(200);
  });

  test("A10 fifty at once with one code are one", async () => {
    const { user, codes } = await withCodes();
    const sessions = [];
    for (let at = 0; at < 50; at++) sessions.push(await people.signIn(user));
    const all = await Promise.all(sessions.map((one) => outcome(show(one, codes[0]))));
    expect(all.filter((one) => one === 200)).toHaveLength(1);
    expect((await status(user.token)).remaining).toBe(9);
    const raised = await auth.sql("select count(*)::int as n from auth.sessions where user_id = $1 and aal = 'aal2'", [
      user.id,
    ]);
    expect(raised).toEqual([{ n: 2 }]);
    expect(await outcome(show(await people.signIn(user), codes[0]))).toEqual([422, "mfa_verification_failed"]);
  });

  test("A16 a wrong code, another's, a used one and one of nobody are the same", async () => {
    const [{ user, codes }, other] = [await withCodes(), await withCodes()];
    const first = await people.signIn(user);
    const none = await people.newUser();
    const all = [
      await show(first, other.codes[0]),
      await show(first, "aaaabbbbccccdddd"),
      await show(first, "'); drop"),
      await show(none, codes[1]),
    ];
    for (const { status: code, body } of all) {
      expect([code, body]).toEqual([
        422,
        { code: 422, error_code: "mfa_verification_failed", msg: "Invalid recovery code entered" },
      ]);
    }
    expect(await outcome(show(first, ""))).toEqual([400, "validation_failed"]);
    expect(await outcome(show(first, 7))).toEqual([400, "bad_json"]);
    expect(await outcome(show(first, codes[0]))).toBe(200);
  });

  test("A12 wrong ones count for the account, together with wrong codes of other factors", async () => {
    const strict = auth.with({ rateLimits: true, lockoutAfter: 3, rateLimitMfa: 1_000, rateLimitSignIn: 1_000 });
    const { user, factor, codes } = await withCodes();
    const attempt = async (code: string) => {
      const { token } = await people.signIn(user);
      return outcome(strict.send("POST", `${path}/verify`, { token, body: { code } }));
    };
    for (const code of ["a", "b"]) expect(await attempt(code)).toEqual([422, "mfa_verification_failed"]);
    const body = { challenge_id: await people.challenge(user.token, factor), code: "12345x" };
    const totp = strict.send("POST", `/factors/${factor.id}/verify`, { token: user.token, body });
    expect(await outcome(totp)).toEqual([422, "mfa_verification_failed"]);
    expect(await attempt(codes[0]!)).toEqual([429, "over_request_rate_limit"]);
    expect((await status(user.token)).remaining).toBe(10);
  });

  test("A23 are managed in a session of aal2 alone", async () => {
    const { user } = await withCodes();
    const first = await people.signIn(user);
    expect(await outcome(people.get(first.token, path))).toBe(200);
    for (const refused of [
      people.post(first.token, path),
      people.post(first.token, `${path}/regenerate`),
      people.remove(first.token, path),
    ]) {
      expect(await outcome(refused)).toEqual([403, "insufficient_aal"]);
    }
  });

  test("are one set, named once, beside another factor", async () => {
    const { user, factor } = await people.withFactor();
    await people.enroll(user.token, "Recovery codes");
    expect(await outcome(people.post(user.token, path))).toEqual([422, "mfa_factor_name_conflict"]);
    await make(user.token, { friendly_name: "Backup" });
    expect(await outcome(people.post(user.token, path))).toEqual([422, "mfa_verified_factor_exists"]);
    // The factor they stand in for does not go before them.
    expect(await outcome(people.remove(user.token, `/factors/${factor.id}`))).toEqual([
      422,
      "mfa_recovery_codes_sole_factor",
    ]);
    const { id } = await status(user.token);
    expect(await outcome(people.remove(user.token, `/factors/${id}`))).toEqual([400, "validation_failed"]);
    expect(await outcome(people.post(user.token, `/factors/${id}/challenge`))).toEqual([400, "validation_failed"]);
    expect(await outcome(people.verify(user.token, { id }, id, "x"))).toEqual([404, "mfa_factor_not_found"]);
    const off = auth.with({ mfaRecoveryCodesEnroll: false, mfaRecoveryCodesVerify: false });
    for (const [way, code] of [
      [path, "enroll"],
      [`${path}/regenerate`, "enroll"],
      [`${path}/verify`, "verify"],
    ] as const) {
      const refused = off.send("POST", way, { token: user.token, body: { code: "x" } });
      expect(await outcome(refused)).toEqual([422, `mfa_recovery_codes_${code}_not_enabled`]);
    }
    const gone = await people.remove(user.token, path);
    expect([gone.status, gone.body]).toEqual([200, { id }]);
    expect(await outcome(people.remove(user.token, path))).toEqual([404, "mfa_factor_not_found"]);
    expect(await outcome(people.post(user.token, `${path}/regenerate`))).toEqual([404, "mfa_factor_not_found"]);
    expect(await outcome(people.remove(user.token, `/factors/${factor.id}`))).toBe(200);
  });

  test("A22 made anew, the old ones and the sessions they raised are over", async () => {
    const { user, id, codes } = await withCodes();
    const thief = held(await show(await people.signIn(user), codes[0]));
    const { body } = await people.post(user.token, `${path}/regenerate`);
    expect(body).toEqual({
      id,
      type: "recovery_code",
      friendly_name: "Recovery codes",
      total: 10,
      codes: expect.any(Array),
    });
    expect(body.codes.filter((code: string) => codes.includes(code))).toEqual([]);
    expect(await outcome(people.get(thief.token, "/user"))).toEqual([403, "session_not_found"]);
    const first = await people.signIn(user);
    expect(await outcome(show(first, codes[1]))).toEqual([422, "mfa_verification_failed"]);
    expect(await outcome(show(first, body.codes[0]))).toBe(200);
  });
});
