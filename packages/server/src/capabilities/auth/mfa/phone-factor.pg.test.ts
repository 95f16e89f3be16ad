import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openTestAuth, type TestAuth } from "../testing.ts";
import { claimsOf, held, methodsOf, outcome, peopleOf, type SignedIn } from "./testing.ts";

let auth: TestAuth;
let people: ReturnType<typeof peopleOf>;
beforeAll(async () => {
  auth = await openTestAuth({
    mfaPhoneEnroll: true,
    mfaPhoneVerify: true,
    mfaPhoneOtpLength: 8,
    smsTestOtp: ["+49151000=424242"],
    smsTestOtpValidUntil: new Date(Date.now() + 86_400_000).toISOString(),
  });
  people = peopleOf(auth);
});
afterAll(() => auth.close());

const enroll = (who: SignedIn, phone: string, friendlyName?: string) =>
  people.post(who.token, "/factors", { factor_type: "phone", phone, friendly_name: friendlyName });
async function withPhone(phone: string) {
  const user = await people.newUser();
  const factor = (await enroll(user, phone)).body as { id: string };
  return { user, factor };
}

describe("a phone as second factor", () => {
  test("gets a code by SMS, stored as nothing that opens anything, and raises the session", async () => {
    const user = await people.newUser();
    const { status, body } = await enroll(user, "+49 151 2345678", "phone");
    expect([status, body]).toEqual([
      200,
      { id: expect.any(String), type: "phone", friendly_name: "phone", phone: "+49 151 2345678" },
    ]);
    expect((await people.get(user.token, "/factors")).body).toMatchObject([
      { factor_type: "phone", phone: "491512345678", status: "unverified" },
    ]);
    const challenged = await people.post(user.token, `/factors/${body.id}/challenge`, { channel: "whatsapp" });
    expect(challenged.body).toEqual({ id: expect.any(String), type: "phone", expires_at: expect.any(Number) });
    const sms = auth.sent.sms.at(-1)!;
    expect(sms).toMatchObject({ purpose: "mfa", to: "491512345678", channel: "whatsapp", user: { id: user.id } });
    expect(sms.otp).toMatch(/^\d{8}$/);
    const [row] = await auth.sql("select otp_code from auth.mfa_challenges where id = $1", [challenged.body.id]);
    expect(row?.otp_code).not.toContain(sms.otp);

    const wrong = sms.otp === "00000000" ? "11111111" : "00000000";
    const failed = await people.verify(user.token, body, challenged.body.id, wrong);
    expect([failed.status, failed.body.error_code]).toEqual([422, "mfa_verification_failed"]);
    const raised = held(await people.verify(user.token, body, challenged.body.id, sms.otp));
    expect([claimsOf(raised.token).aal, methodsOf(raised.token)]).toEqual(["aal2", ["mfa/phone", "password"]]);
    expect(await outcome(people.verify(raised.token, body, challenged.body.id, sms.otp))).toEqual([
      422,
      "mfa_challenge_expired",
    ]);
  });

  test("A11 a code is for the challenge it was sent for", async () => {
    const { user, factor } = await withPhone("+491512345670");
    const first = await people.challenge(user.token, factor);
    const otp = auth.sent.sms.at(-1)!.otp;
    const second = await people.challenge(user.token, factor);
    const newer = auth.sent.sms.at(-1)!.otp;
    const other = otp === newer ? "00000000" : otp;
    expect(await outcome(people.verify(user.token, factor, second, other))).toEqual([422, "mfa_verification_failed"]);
    expect(await outcome(people.verify(user.token, factor, first, otp))).toBe(200);
  });

  test("A10 fifty at once with one code are one", async () => {
    const patient = auth.with({ mfaPhoneVerify: true, mfaChallengeAttempts: 50 });
    const { user, factor } = await withPhone("+491512345671");
    const challenge = await people.challenge(user.token, factor);
    const body = { challenge_id: challenge, code: auth.sent.sms.at(-1)!.otp };
    const all = await Promise.all(
      Array.from({ length: 50 }, () =>
        outcome(patient.send("POST", `/factors/${factor.id}/verify`, { token: user.token, body })),
      ),
    );
    expect(all.filter((one) => one === 200)).toHaveLength(1);
  });

  test("a number is a factor once: begun again it starts anew, verified it stays", async () => {
    const { user, factor } = await withPhone("+491512345672");
    const again = await enroll(user, "491512345672");
    expect(again.status).toBe(200);
    expect((await people.get(user.token, "/factors")).body).toMatchObject([{ id: again.body.id }]);
    expect(await outcome(people.post(user.token, `/factors/${factor.id}/challenge`))).toEqual([
      404,
      "mfa_factor_not_found",
    ]);
    const challenge = await people.challenge(user.token, again.body);
    const raised = held(await people.verify(user.token, again.body, challenge, auth.sent.sms.at(-1)!.otp));
    expect(await outcome(enroll(raised, "+491512345672"))).toEqual([422, "mfa_verified_factor_exists"]);
    expect(await outcome(enroll(await people.newUser(), "+491512345672"))).toBe(200);
  });

  test("what cannot be is refused, and sends nothing", async () => {
    const { user, factor } = await withPhone("+491512345673");
    const sent = auth.sent.sms.length;
    for (const phone of ["", "12", "+49x", "anything"]) {
      expect(await outcome(enroll(user, phone))).toEqual([400, "validation_failed"]);
    }
    expect(await outcome(people.post(user.token, `/factors/${factor.id}/challenge`, { channel: "pigeon" }))).toEqual([
      400,
      "validation_failed",
    ]);
    const off = auth.with({ mfaPhoneEnroll: true, mfaPhoneVerify: false });
    expect(await outcome(off.send("POST", `/factors/${factor.id}/challenge`, { token: user.token }))).toEqual([
      422,
      "mfa_phone_verify_not_enabled",
    ]);
    expect(auth.sent.sms).toHaveLength(sent);
  });

  test("messages are counted by number", async () => {
    const strict = auth.with({
      rateLimits: true,
      mfaPhoneEnroll: true,
      mfaPhoneVerify: true,
      smsMinIntervalSeconds: 60,
    });
    const { user, factor } = await withPhone("+491512345674");
    const ask = () => strict.send("POST", `/factors/${factor.id}/challenge`, { token: user.token });
    expect(await outcome(ask())).toBe(200);
    const refused = await ask();
    expect([refused.status, refused.body.error_code]).toEqual([429, "over_sms_send_rate_limit"]);
    expect(Number(refused.headers["retry-after"])).toBeGreaterThan(0);
  });

  test("a number of the stores' reviewers has its fixed code, and gets no message", async () => {
    const { user, factor } = await withPhone("+49151000");
    const sent = auth.sent.sms.length;
    const challenge = await people.challenge(user.token, factor);
    expect(auth.sent.sms).toHaveLength(sent);
    expect(await outcome(people.verify(user.token, factor, challenge, "424242"))).toBe(200);
  });
});
