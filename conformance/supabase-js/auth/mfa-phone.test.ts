import { randomUUID } from "node:crypto";
import { AuthApiError } from "@supabase/supabase-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type AuthApp, claimsOf, eventsOf, newNumber, password, signedUp, startAuthApp } from "./auth-app.ts";

let app: AuthApp;
beforeAll(async () => {
  app = await startAuthApp({ mfaPhoneEnroll: true, mfaPhoneVerify: true });
});
afterAll(() => app.stop());

async function withPhone() {
  const person = await signedUp(app);
  const phone = newNumber();
  const { data, error } = await person.client.auth.mfa.enroll({
    factorType: "phone",
    phone: `+${phone}`,
    friendlyName: "mine",
  });
  expect(error).toBeNull();
  if (data?.type !== "phone") throw new Error("no phone factor");
  return { ...person, phone, enrolled: data };
}

describe("mfa with a phone", () => {
  it("raises the session by the code of a text message", async () => {
    const { client, email, phone, enrolled } = await withPhone();
    expect(enrolled).toMatchObject({
      id: expect.any(String),
      type: "phone",
      friendly_name: "mine",
      phone: `+${phone}`,
    });
    const events = eventsOf(client);
    const factorId = enrolled.id;
    const { data: challenge, error } = await client.auth.mfa.challenge({ factorId, channel: "sms" });
    expect(error).toBeNull();
    expect(challenge).toMatchObject({ id: expect.any(String), type: "phone", expires_at: expect.any(Number) });
    const challengeId = challenge?.id ?? "";
    const code = await app.inbox.smsCode(phone);
    const wrong = await client.auth.mfa.verify({
      factorId,
      challengeId,
      code: code === "000000" ? "000001" : "000000",
    });
    expect(wrong.error).toBeInstanceOf(AuthApiError);
    expect(wrong.error).toMatchObject({ status: 422, code: "mfa_verification_failed" });
    const right = await client.auth.mfa.verify({ factorId, challengeId, code });
    expect(right.error).toBeNull();
    expect(right.data).toMatchObject({ token_type: "bearer", expires_in: 3600, refresh_token: expect.any(String) });
    expect(claimsOf(right.data?.access_token ?? "")).toMatchObject({
      aal: "aal2",
      amr: [{ method: "mfa/phone" }, { method: expect.any(String) }],
    });
    expect(events).toEqual(["MFA_CHALLENGE_VERIFIED"]);
    expect((await client.auth.mfa.listFactors()).data?.phone).toMatchObject([{ id: factorId, phone }]);

    const other = app.client();
    await other.auth.signInWithPassword({ email, password });
    const { data: level } = await other.auth.mfa.getAuthenticatorAssuranceLevel();
    expect(level).toMatchObject({ currentLevel: "aal1", nextLevel: "aal2" });
    const { data: session } = await other.auth.getSession();
    const byToken = await app.client().auth.mfa.getAuthenticatorAssuranceLevel(session.session?.access_token);
    expect(byToken.data).toMatchObject({ currentLevel: "aal1", nextLevel: "aal2" });
    // A23: what is kept for the level is not to be had below it.
    expect((await other.auth.updateUser({ password: "an entirely new one" })).error).toMatchObject({
      status: 401,
      code: "insufficient_aal",
    });
    expect((await other.auth.mfa.enroll({ factorType: "totp" })).error).toMatchObject({
      status: 403,
      code: "insufficient_aal",
    });
    expect((await client.auth.mfa.unenroll({ factorId })).data).toEqual({ id: factorId });
  });

  it("a challenge is of its factor, and once", async () => {
    const { client, phone, enrolled } = await withPhone();
    const factorId = enrolled.id;
    const { data: challenge } = await client.auth.mfa.challenge({ factorId });
    const code = await app.inbox.smsCode(phone);
    const [challengeId, unknown] = [challenge?.id ?? "", randomUUID()];
    expect((await client.auth.mfa.challenge({ factorId: unknown })).error).toMatchObject({
      status: 404,
      code: "mfa_factor_not_found",
    });
    expect((await client.auth.mfa.verify({ factorId: unknown, challengeId, code })).error?.code).toBe(
      "mfa_factor_not_found",
    );
    expect((await client.auth.mfa.verify({ factorId, challengeId: unknown, code })).error?.status).toBe(422);
    expect((await client.auth.mfa.verify({ factorId, challengeId, code })).error).toBeNull();
    expect((await client.auth.mfa.verify({ factorId, challengeId, code })).error?.status).toBe(422);
  });

  it("is not for anonymous people, and not there when it is off", async () => {
    const client = app.client();
    await client.auth.signInAnonymously();
    const anonymous = await client.auth.mfa.enroll({ factorType: "phone", phone: newNumber() });
    expect(anonymous.error).toMatchObject({ status: 403, code: "no_authorization" });
    const { client: person } = await signedUp(app);
    expect((await person.auth.mfa.enroll({ factorType: "webauthn" })).error).toMatchObject({
      status: 422,
      code: "mfa_webauthn_enroll_not_enabled",
    });
  });
});
