import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openTestAuth, type TestAuth } from "../testing.ts";
import { claimsOf, held, methodsOf, outcome, peopleOf } from "./testing.ts";

let auth: TestAuth;
let people: ReturnType<typeof peopleOf>;
beforeAll(async () => {
  auth = await openTestAuth({ siteUrl: "https://app.example.com:8443/home" });
  people = peopleOf(auth);
});
afterAll(() => auth.close());

describe("enrolling an authenticator app", () => {
  test("answers with what clients show: a QR code as SVG, the secret and its URI", async () => {
    const user = await people.newUser();
    const { status, body, headers } = await people.post(user.token, "/factors", {
      factor_type: "totp",
      friendly_name: "My phone",
    });
    expect(status).toBe(200);
    expect(headers["cache-control"]).toBe("private, no-store");
    expect(body).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      type: "totp",
      friendly_name: "My phone",
      totp: { qr_code: expect.any(String), secret: expect.stringMatching(/^[A-Z2-7]{32}$/), uri: expect.any(String) },
    });
    const uri = new URL(body.totp.uri);
    expect(uri.href).toContain(`otpauth://totp/app.example.com%3A8443:${encodeURIComponent(user.email)}?`);
    expect(uri.searchParams.get("secret")).toBe(body.totp.secret);
    // Clients put it behind `data:image/svg+xml;utf-8,`: what a URL cuts off or decodes must not be in it.
    expect(body.totp.qr_code).toMatch(/^<svg [^#%]+<\/svg>$/);

    const named = await people.post(user.token, "/factors", { factor_type: "totp", issuer: "Roam & Co" });
    expect(new URL(named.body.totp.uri).searchParams.get("issuer")).toBe("Roam & Co");
  });

  test("calls the app as its mails do", async () => {
    const other = await openTestAuth({ mailFromName: "Roam" });
    try {
      const there = peopleOf(other);
      const user = await there.newUser();
      const { body } = await there.post(user.token, "/factors", { factor_type: "totp" });
      expect(new URL(body.totp.uri).searchParams.get("issuer")).toBe("Roam");
    } finally {
      await other.close();
    }
  });

  test("the factor is in the user, unverified, and its secret nowhere", async () => {
    const user = await people.newUser();
    const factor = await people.enroll(user.token, "app");
    const listed = (await people.get(user.token, "/factors")).body;
    expect(listed).toEqual([
      {
        id: factor.id,
        friendly_name: "app",
        factor_type: "totp",
        status: "unverified",
        created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
        updated_at: expect.any(String),
      },
    ]);
    expect((await people.get(user.token, "/user")).body.factors).toEqual(listed);
    const rows = await auth.sql("select * from auth.mfa_factors where id = $1", [factor.id]);
    expect(JSON.stringify(rows)).not.toContain(factor.secret);
    expect(JSON.stringify([listed, auth.seen])).not.toContain(factor.secret);
  });

  test("what cannot be is refused in GoTrue's words", async () => {
    const user = await people.newUser();
    const enroll = (body: unknown) => outcome(people.post(user.token, "/factors", body));
    expect(await enroll({ factor_type: "sms" })).toEqual([400, "validation_failed"]);
    expect(await enroll({ factor_type: "recovery_code" })).toEqual([400, "validation_failed"]);
    expect(await enroll({})).toEqual([400, "validation_failed"]);
    expect(await enroll({ factor_type: 7 })).toEqual([400, "bad_json"]);
    expect(await enroll({ factor_type: "phone" })).toEqual([422, "mfa_phone_enroll_not_enabled"]);
    expect(await enroll({ factor_type: "webauthn" })).toEqual([422, "mfa_webauthn_enroll_not_enabled"]);
    expect(await enroll({ factor_type: "totp", friendly_name: "a\0b" })).toEqual([400, "validation_failed"]);
    expect(await enroll({ factor_type: "totp", friendly_name: "\ud800" })).toEqual([400, "validation_failed"]);
    expect(await enroll({ factor_type: "totp", friendly_name: "x".repeat(121) })).toEqual([400, "validation_failed"]);
    expect(await enroll({ factor_type: "totp", issuer: "x".repeat(121) })).toEqual([400, "validation_failed"]);
    expect(await outcome(auth.send("POST", "/factors", { body: { factor_type: "totp" } }))).toEqual([
      401,
      "no_authorization",
    ]);
    expect((await people.get(user.token, "/factors")).body).toEqual([]);
    const off = auth.with({ mfaTotpEnroll: false, mfaTotpVerify: false });
    const factor = await people.enroll(user.token);
    expect(await outcome(off.send("POST", "/factors", { token: user.token, body: { factor_type: "totp" } }))).toEqual([
      422,
      "mfa_totp_enroll_not_enabled",
    ]);
    for (const [path, body] of [
      ["challenge", {}],
      ["verify", { challenge_id: randomUUID(), code: "123456" }],
    ] as const) {
      const refused = off.send("POST", `/factors/${factor.id}/${path}`, { token: user.token, body });
      expect(await outcome(refused)).toEqual([422, "mfa_totp_verify_not_enabled"]);
    }
  });

  test("anonymous users have no second factor", async () => {
    const open = auth.with({ anonymousEnabled: true });
    const { body } = await open.send("POST", "/signup", { body: {} });
    for (const [method, path] of [
      ["POST", "/factors"],
      ["GET", "/factors"],
      ["POST", "/factors/recovery-codes"],
      ["DELETE", `/factors/${randomUUID()}`],
    ] as const) {
      const refused = open.send(method, path, { token: body.access_token, body: { factor_type: "totp" } });
      expect(await outcome(refused)).toEqual([403, "no_authorization"]);
    }
  });

  test("names are unique for a user, no name is not, and there is room for so many", async () => {
    const user = await people.newUser();
    const other = await people.newUser();
    await people.enroll(user.token, "app");
    await people.enroll(other.token, "app");
    const again = await people.post(user.token, "/factors", { factor_type: "totp", friendly_name: "app" });
    expect([again.status, again.body.error_code]).toEqual([422, "mfa_factor_name_conflict"]);
    expect(again.body.msg).toContain('"app"');
    for (let at = 0; at < 9; at++) await people.enroll(user.token);
    expect(await outcome(people.post(user.token, "/factors", { factor_type: "totp" }))).toEqual([
      422,
      "too_many_enrolled_mfa_factors",
    ]);
    // Those that were begun and left make room after a while, unless they were challenged just now.
    const kept = (await people.get(user.token, "/factors")).body[3].id;
    await auth.sql("update auth.mfa_factors set created_at = created_at - interval '301 s' where user_id = $1", [
      user.id,
    ]);
    await people.challenge(user.token, { id: kept });
    const fresh = await people.enroll(user.token, "app");
    const left = (await people.get(user.token, "/factors")).body.map(({ id }: { id: string }) => id);
    expect(left).toEqual([kept, fresh.id]);
  });

  test("fifty at once leave no more than there may be", async () => {
    const user = await people.newUser();
    const all = await Promise.all(
      Array.from({ length: 50 }, () => outcome(people.post(user.token, "/factors", { factor_type: "totp" }))),
    );
    expect(all.filter((one) => one === 200)).toHaveLength(10);
    expect((await people.get(user.token, "/factors")).body).toHaveLength(10);
  });
});

describe("challenge and verify", () => {
  test("raise the session: aal2 and the method in the token, a new refresh token, the factor verified", async () => {
    const user = await people.newUser();
    expect([claimsOf(user.token).aal, methodsOf(user.token)]).toEqual(["aal1", ["password"]]);
    const factor = await people.enroll(user.token, "app");
    const challenged = await people.post(user.token, `/factors/${factor.id}/challenge`, {});
    expect([challenged.status, challenged.body]).toEqual([
      200,
      { id: expect.any(String), type: "totp", expires_at: expect.any(Number) },
    ]);
    const lifeSeconds = challenged.body.expires_at - Date.now() / 1_000;
    expect(lifeSeconds).toBeGreaterThan(290);
    expect(lifeSeconds).toBeLessThanOrEqual(300);

    const reply = await people.verify(user.token, factor, challenged.body.id, people.code(factor));
    expect(reply.status).toBe(200);
    expect(reply.body).toMatchObject({
      token_type: "bearer",
      expires_in: 3_600,
      expires_at: expect.any(Number),
      user: { id: user.id, factors: [{ id: factor.id, status: "verified", last_challenged_at: expect.any(String) }] },
    });
    expect(reply.headers["sb-auth-session-id"]).toBe(user.session);
    const raised = held(reply);
    expect(raised.session).toBe(user.session);
    expect([claimsOf(raised.token).aal, methodsOf(raised.token)]).toEqual(["aal2", ["totp", "password"]]);
    expect(await auth.sql("select aal, factor_id from auth.sessions where id = $1", [user.session])).toEqual([
      { aal: "aal2", factor_id: factor.id },
    ]);
    const events = auth.seen.flatMap((seen) =>
      seen.kind === "auth.event" && seen.subject === user.id ? [seen.event] : [],
    );
    expect(events).toEqual(
      expect.arrayContaining(["factor_in_progress", "challenge_created", "verification_attempted"]),
    );
  });

  test("A23 refreshes keep the level, and a token of before does not lead to it", async () => {
    const user = await people.newUser();
    const factor = await people.enroll(user.token);
    const sibling = held(await people.refresh(user.refreshToken));
    const raised = await people.raise(user, factor);
    for (const old of [user.refreshToken, sibling.refreshToken]) {
      expect(await outcome(people.refresh(old))).toEqual([400, "refresh_token_not_found"]);
    }
    let current = raised;
    for (let at = 0; at < 3; at++) {
      current = held(await people.refresh(current.refreshToken));
      expect([claimsOf(current.token).aal, methodsOf(current.token)]).toEqual(["aal2", ["totp", "password"]]);
    }
    // The answer that got lost still can be asked for, by the token of the higher level alone.
    expect(await outcome(people.refresh(raised.refreshToken))).toBe(200);
  });

  test("A23 a sign-in of somebody with a second factor begins at aal1, and what needs the level is refused", async () => {
    const { user, factor } = await people.withFactor();
    const first = await people.signIn(user);
    expect(claimsOf(first.token).aal).toBe("aal1");
    expect(await outcome(people.post(first.token, "/factors", { factor_type: "totp" }))).toEqual([
      403,
      "insufficient_aal",
    ]);
    expect(await outcome(people.remove(first.token, `/factors/${factor.id}`))).toEqual([422, "insufficient_aal"]);
    const update = { token: first.token, body: { password: "another horse" } };
    expect(await outcome(auth.send("PUT", "/user", update))).toEqual([401, "insufficient_aal"]);
    const raised = await people.raise(first, factor);
    expect(await outcome(people.post(raised.token, "/factors", { factor_type: "totp" }))).toBe(200);
    // Afterwards the one that stayed below reaches no factor that was begun above.
    const below = await people.signIn(user);
    const begun = await people.enroll(raised.token);
    expect(await outcome(people.post(below.token, `/factors/${begun.id}/challenge`))).toEqual([
      403,
      "insufficient_aal",
    ]);
    const challenge = await people.challenge(raised.token, begun);
    expect(await outcome(people.verify(below.token, begun, challenge, people.code(begun)))).toEqual([
      403,
      "insufficient_aal",
    ]);
    expect(await outcome(people.verify(raised.token, begun, challenge, people.code(begun)))).toEqual(200);
  });

  test("A22 the first verification ends other sessions below, and takes factors away that were begun beside it", async () => {
    const user = await people.newUser();
    const elsewhere = await people.signIn(user);
    const factor = await people.enroll(user.token, "mine");
    const planted = await people.enroll(elsewhere.token, "planted");
    const raised = await people.raise(user, factor);
    expect(await outcome(people.get(elsewhere.token, "/user"))).toEqual([403, "session_not_found"]);
    expect(await outcome(people.refresh(elsewhere.refreshToken))).toEqual([400, "refresh_token_not_found"]);
    expect(await outcome(people.post(raised.token, `/factors/${planted.id}/challenge`))).toEqual([
      404,
      "mfa_factor_not_found",
    ]);
    const later = await people.signIn(user);
    const alsoLater = await people.signIn(user);
    await people.raise(later, factor);
    // Not the first: signing in on one device leaves the other in peace.
    expect(await outcome(people.get(alsoLater.token, "/user"))).toBe(200);
  });

  test("wrong codes fail, in GoTrue's words, and a challenge can be tried so often", async () => {
    const { user, factor } = await people.withFactor();
    const first = await people.signIn(user);
    people.nextStep();
    const challenge = await people.challenge(first.token, factor);
    const right = people.code(factor);
    const wrong = right === "000000" ? "000001" : "000000";
    const failed = await people.verify(first.token, factor, challenge, wrong);
    expect([failed.status, failed.body]).toEqual([
      422,
      { code: 422, error_code: "mfa_verification_failed", msg: "Invalid TOTP code entered" },
    ]);
    for (const code of [wrong, "12345", people.code(factor, 5), people.code(factor, -5)]) {
      expect(await outcome(people.verify(first.token, factor, challenge, code))).toEqual([
        422,
        "mfa_verification_failed",
      ]);
    }
    expect(await outcome(people.verify(first.token, factor, challenge, right))).toEqual([422, "mfa_challenge_expired"]);
    expect(claimsOf(held(await people.refresh(first.refreshToken)).token).aal).toBe("aal1");
    const fresh = await people.challenge(first.token, factor);
    expect(await outcome(people.verify(first.token, factor, fresh, right))).toBe(200);
  });

  test("A12 wrong codes count for the account, over all challenges, sessions and addresses", async () => {
    const strict = auth.with({ rateLimits: true, lockoutAccountAfter: 4, rateLimitMfa: 1_000, mfaSameAddress: false });
    const { user, factor } = await people.withFactor();
    people.nextStep();
    const attempt = async (code: string, at: number) => {
      const one = await people.signIn(user);
      const challenge = await people.challenge(one.token, factor);
      const reply = await strict.send("POST", `/factors/${factor.id}/verify`, {
        token: one.token,
        body: { challenge_id: challenge, code, failed_attempts: 0 },
        address: `198.51.100.${at}`,
        headers: { "x-forwarded-for": `192.0.2.${at}` },
      });
      return outcome(reply);
    };
    for (let at = 0; at < 4; at++) expect(await attempt("12345x", at)).toEqual([422, "mfa_verification_failed"]);
    expect(await attempt(people.code(factor), 9)).toEqual([429, "over_request_rate_limit"]);
    auth.clock.ms += 300_000;
    expect(await attempt(people.code(factor), 9)).toBe(200);
  });

  test("A12 fifty wrong codes at once are no more looked at than one after another", async () => {
    const strict = auth.with({ rateLimits: true, lockoutAfter: 4, rateLimitMfa: 1_000, mfaChallengeAttempts: 50 });
    const { user, factor } = await people.withFactor();
    const challenge = await people.challenge(user.token, factor);
    const body = { challenge_id: challenge, code: "12345x" };
    const all = await Promise.all(
      Array.from({ length: 50 }, () =>
        outcome(strict.send("POST", `/factors/${factor.id}/verify`, { token: user.token, body })),
      ),
    );
    expect(all.filter((one) => String(one) === "422,mfa_verification_failed")).toHaveLength(4);
    expect(all.filter((one) => String(one) === "429,over_request_rate_limit")).toHaveLength(46);
  });

  test("A12 challenges and verifications count for the network", async () => {
    const strict = auth.with({ rateLimits: true, rateLimitMfa: 3 });
    const user = await people.newUser();
    const factor = await people.enroll(user.token);
    const ask = (address: string) =>
      outcome(strict.send("POST", `/factors/${factor.id}/challenge`, { token: user.token, address }));
    const all = [];
    for (const host of ["1", "2", "3", "4"]) all.push(await ask(`2001:db8::${host}`));
    expect(all).toEqual([200, 200, 200, [429, "over_request_rate_limit"]]);
    expect(await ask("2001:db8:0:1::1")).toBe(200);
  });

  test("A10 of fifty at once with one code, each with a challenge of its own, one succeeds", async () => {
    const { user, factor } = await people.withFactor();
    people.nextStep();
    const code = people.code(factor);
    const tries = [];
    for (let at = 0; at < 50; at++) {
      const { token } = await people.signIn(user);
      tries.push({ token, challenge: await people.challenge(token, factor) });
    }
    const all = await Promise.all(
      tries.map(({ token, challenge }) => outcome(people.verify(token, factor, challenge, code))),
    );
    expect(all.filter((one) => one === 200)).toHaveLength(1);
    expect(all.filter((one) => one !== 200)).toEqual(
      Array.from({ length: 49 }, () => [422, "mfa_verification_failed"]),
    );
    const raised = await auth.sql("select count(*)::int as n from auth.sessions where user_id = $1 and aal = 'aal2'", [
      user.id,
    ]);
    expect(raised).toEqual([{ n: 2 }]);
  });

  test("A10 of fifty at once with one challenge, one succeeds", async () => {
    const patient = auth.with({ mfaChallengeAttempts: 50 });
    const { user, factor } = await people.withFactor();
    const first = await people.signIn(user);
    people.nextStep();
    const challenge = await people.challenge(first.token, factor);
    const body = { challenge_id: challenge, code: people.code(factor) };
    const all = await Promise.all(
      Array.from({ length: 50 }, () =>
        outcome(patient.send("POST", `/factors/${factor.id}/verify`, { token: first.token, body })),
      ),
    );
    expect(all.filter((one) => one === 200)).toHaveLength(1);
    // Nor does it take another code.
    people.nextStep();
    expect(await outcome(people.verify(first.token, factor, challenge, people.code(factor)))).toEqual([
      422,
      "mfa_challenge_expired",
    ]);
  });

  test("A10 a code is used up together with those before it", async () => {
    const { user, factor } = await people.withFactor();
    const attempt = async (code: string) => {
      const { token } = await people.signIn(user);
      return outcome(people.verify(token, factor, await people.challenge(token, factor), code));
    };
    people.nextStep();
    people.nextStep();
    const [before, now] = [people.code(factor, -1), people.code(factor)];
    expect(await attempt(now)).toBe(200);
    expect(await attempt(now)).toEqual([422, "mfa_verification_failed"]);
    expect(await attempt(before)).toEqual([422, "mfa_verification_failed"]);
    people.nextStep();
    expect(await attempt(now)).toEqual([422, "mfa_verification_failed"]);
    expect(await attempt(people.code(factor))).toBe(200);
  });

  test("a challenge ends after its time, belongs to its factor, and is answered from where it was asked for", async () => {
    const { user, factor } = await people.withFactor();
    const second = await people.enroll(user.token, "second");
    people.nextStep();
    const code = people.code(factor);
    const old = await people.challenge(user.token, factor);
    await auth.sql("update auth.mfa_challenges set created_at = created_at - interval '301 s' where id = $1", [old]);
    const late = await people.verify(user.token, factor, old, code);
    expect([late.status, late.body.error_code]).toEqual([422, "mfa_challenge_expired"]);
    expect(late.body.msg).toContain(old);

    const others = await people.challenge(user.token, second);
    for (const id of [others, randomUUID(), "x", ""]) {
      expect(await outcome(people.verify(user.token, factor, id, code))).toEqual([422, "mfa_factor_not_found"]);
    }
    const challenge = await people.challenge(user.token, factor);
    expect(await outcome(people.verify(user.token, factor, challenge, code, "198.51.100.9"))).toEqual([
      422,
      "mfa_ip_address_mismatch",
    ]);
    expect(await outcome(people.verify(user.token, factor, challenge, ""))).toEqual([400, "validation_failed"]);
    const roaming = auth.with({ mfaSameAddress: false });
    const reply = roaming.send("POST", `/factors/${factor.id}/verify`, {
      token: user.token,
      address: "198.51.100.9",
      body: { challenge_id: challenge, code },
    });
    expect(await outcome(reply)).toBe(200);
  });

  test("IPv6 addresses of one /64 are one place", async () => {
    const { user, factor } = await people.withFactor();
    people.nextStep();
    const { body } = await people.post(user.token, `/factors/${factor.id}/challenge`, {}, "2001:db8::1");
    const verify = (address: string) =>
      outcome(people.verify(user.token, factor, body.id, people.code(factor), address));
    expect(await verify("2001:db8:0:1::1")).toEqual([422, "mfa_ip_address_mismatch"]);
    expect(await verify("2001:db8::ffff")).toBe(200);
  });

  test("another's factor is no factor, and what is no UUID no id", async () => {
    const { user, factor } = await people.withFactor();
    const stranger = await people.newUser();
    const challenge = await people.challenge(user.token, factor);
    people.nextStep();
    for (const id of [factor.id, randomUUID()]) {
      expect(await outcome(people.post(stranger.token, `/factors/${id}/challenge`))).toEqual([
        404,
        "mfa_factor_not_found",
      ]);
      expect(await outcome(people.verify(stranger.token, { id }, challenge, people.code(factor)))).toEqual([
        404,
        "mfa_factor_not_found",
      ]);
      expect(await outcome(people.remove(stranger.token, `/factors/${id}`))).toEqual([404, "mfa_factor_not_found"]);
    }
    expect(await outcome(people.post(user.token, "/factors/x/challenge"))).toEqual([404, "validation_failed"]);
    expect(await outcome(people.remove(user.token, "/factors/1"))).toEqual([404, "validation_failed"]);
    expect(await outcome(people.verify(user.token, factor, challenge, people.code(factor)))).toBe(200);
  });

  test("a plain secret that came with an import works, one encrypted elsewhere says so", async () => {
    const user = await people.newUser();
    const factor = await people.enroll(user.token);
    await auth.sql("update auth.mfa_factors set secret = $2, status = 'verified' where id = $1", [
      factor.id,
      factor.secret,
    ]);
    await people.raise(user, factor);
    await auth.sql("update auth.mfa_factors set secret = $2 where id = $1", [factor.id, '{"key_id":"k","data":"…"}']);
    const reply = await people.verify(user.token, factor, await people.challenge(user.token, factor), "123456");
    expect([reply.status, reply.body.error_code]).toEqual([500, "unexpected_failure"]);
  });
});

describe("unenrolling", () => {
  test("A22 ends the sessions raised with the factor, and lowers the one that asked", async () => {
    const { user, factor } = await people.withFactor();
    const elsewhere = await people.raise(await people.signIn(user), factor);
    const below = await people.signIn(user);
    const gone = await people.remove(user.token, `/factors/${factor.id}`);
    expect([gone.status, gone.body]).toEqual([200, { id: factor.id }]);
    expect(await outcome(people.get(elsewhere.token, "/user"))).toEqual([403, "session_not_found"]);
    expect(await outcome(people.refresh(elsewhere.refreshToken))).toEqual([400, "refresh_token_not_found"]);
    expect(await outcome(people.get(below.token, "/user"))).toBe(200);
    const lowered = held(await people.refresh(user.refreshToken));
    expect([claimsOf(lowered.token).aal, methodsOf(lowered.token)]).toEqual(["aal1", ["password"]]);
    expect((await people.get(lowered.token, "/user")).body.factors).toBeUndefined();
    expect(await outcome(people.remove(lowered.token, `/factors/${factor.id}`))).toEqual([404, "mfa_factor_not_found"]);
  });

  test("A23 a token that says aal2 counts no more once its session was lowered", async () => {
    const { user, factor } = await people.withFactor();
    const second = await people.enroll(user.token, "second");
    const raised = await people.raise(user, second);
    expect(await outcome(people.remove(raised.token, `/factors/${second.id}`))).toBe(200);
    // The old access token is good for an hour and says aal2: the session is what is asked.
    expect(claimsOf(raised.token).aal).toBe("aal2");
    expect(await outcome(people.remove(raised.token, `/factors/${factor.id}`))).toEqual([422, "insufficient_aal"]);
    expect(await outcome(people.post(raised.token, "/factors", { factor_type: "totp" }))).toEqual([
      403,
      "insufficient_aal",
    ]);
  });

  test("a factor that was not verified goes at any level, and takes no session along", async () => {
    const user = await people.newUser();
    const factor = await people.enroll(user.token);
    expect(await outcome(people.remove(user.token, `/factors/${factor.id}`))).toBe(200);
    expect(await outcome(people.refresh(user.refreshToken))).toBe(200);
  });

  test("A22 fifty verifications against one unenrolment leave no session raised with what is gone", async () => {
    const { user, factor } = await people.withFactor();
    const others = [];
    for (let at = 0; at < 10; at++) {
      const { token } = await people.signIn(user);
      others.push({ token, challenge: await people.challenge(token, factor) });
    }
    people.nextStep();
    await Promise.all([
      people.remove(user.token, `/factors/${factor.id}`),
      ...others.map(({ token, challenge }) => people.verify(token, factor, challenge, people.code(factor))),
    ]);
    const left = await auth.sql("select count(*)::int as n from auth.sessions where user_id = $1 and aal = 'aal2'", [
      user.id,
    ]);
    expect(left).toEqual([{ n: 0 }]);
  });
});

describe("people are told", () => {
  test("by mail, when a factor was verified and when a verified one was taken away", async () => {
    const { user, factor } = await people.withFactor();
    const begun = await people.enroll(user.token, "never verified");
    await people.remove(user.token, `/factors/${begun.id}`);
    await people.remove(user.token, `/factors/${factor.id}`);
    const mails = auth.sent.mails.filter(({ to }) => to === user.email);
    expect(mails.map(({ kind, facts, otp, tokenHash }) => [kind, facts.factor_type, otp, tokenHash])).toEqual([
      ["mfa_factor_enrolled", "totp", "", ""],
      ["mfa_factor_unenrolled", "totp", "", ""],
    ]);
  });
});

describe("sessions that did not show the factor", () => {
  test("last as long as the setting lets them; showing it lifts the end", async () => {
    const { user, factor } = await people.withFactor();
    const short = auth.with({ sessionAal1Seconds: 600 });
    const login = { body: { email: user.email, password: "correct horse" } };
    const [one, two] = [
      held(await short.send("POST", "/token?grant_type=password", login)),
      held(await short.send("POST", "/token?grant_type=password", login)),
    ];
    people.nextStep();
    const body = { challenge_id: await people.challenge(one.token, factor), code: people.code(factor) };
    const raised = held(await short.send("POST", `/factors/${factor.id}/verify`, { token: one.token, body }));
    await auth.sql("update auth.sessions set not_after = not_after - interval '601 s' where user_id = $1", [user.id]);
    expect(await outcome(people.refresh(two.refreshToken))).toEqual([400, "session_expired"]);
    expect(await outcome(people.refresh(raised.refreshToken))).toBe(200);
    const plain = held(
      await short.send("POST", "/signup", { body: { email: "plain@example.com", password: "correct horse" } }),
    );
    const [row] = await auth.sql("select not_after from auth.sessions where id = $1", [plain.session]);
    expect(row).toEqual({ not_after: null });
  });
});
