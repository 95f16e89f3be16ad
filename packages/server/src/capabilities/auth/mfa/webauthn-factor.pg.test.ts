import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openTestAuth, type TestAuth } from "../testing.ts";
import { type Answer, type SoftAuthenticator, softAuthenticator } from "../webauthn/testing.ts";
import { claimsOf, held, methodsOf, outcome, peopleOf, type SignedIn } from "./testing.ts";

let auth: TestAuth;
let people: ReturnType<typeof peopleOf>;
const settings = {
  siteUrl: "http://localhost:3000",
  mfaWebauthnEnroll: true,
  mfaWebauthnVerify: true,
  mfaChallengeAttempts: 50,
};
beforeAll(async () => {
  auth = await openTestAuth(settings);
  people = peopleOf(auth);
});
afterAll(() => auth.close());

const enroll = async (who: Pick<SignedIn, "token">, name = "key") => {
  const { status, body } = await people.post(who.token, "/factors", { factor_type: "webauthn", friendly_name: name });
  expect([status, body.msg]).toEqual([200, undefined]);
  return body as { id: string };
};
const challenge = async (who: Pick<SignedIn, "token">, factor: { readonly id: string }) => {
  // As clients send it: what they say of the relying party is not what counts.
  const said = { factorId: factor.id, webauthn: { rpId: "evil.example", rpOrigins: ["https://evil.example"] } };
  const { status, body } = await people.post(who.token, `/factors/${factor.id}/challenge`, said);
  expect([status, body.msg]).toEqual([200, undefined]);
  return body;
};
const verify = (
  who: Pick<SignedIn, "token">,
  factor: { readonly id: string },
  challenged: { readonly id: string },
  type: string,
  answer: Answer | null,
) =>
  people.post(who.token, `/factors/${factor.id}/verify`, {
    challenge_id: challenged.id,
    webauthn: { rpId: "evil.example", type, credential_response: answer },
  });
async function create(who: SignedIn, key: SoftAuthenticator) {
  const factor = await enroll(who);
  const begun = await challenge(who, factor);
  const answer = key.create(begun.webauthn.credential_options.publicKey);
  return { factor, user: held(await verify(who, factor, begun, "create", answer)) };
}

describe("a security key as second factor", () => {
  test("is created by the first challenge and shown at the next ones", async () => {
    const user = await people.newUser();
    const key = softAuthenticator({ isUserVerified: false });
    const factor = await enroll(user);
    expect(factor).toEqual({ id: expect.any(String), type: "webauthn", friendly_name: "key" });
    const begun = await challenge(user, factor);
    expect(begun).toEqual({
      id: expect.any(String),
      type: "webauthn",
      expires_at: expect.any(Number),
      webauthn: { type: "create", credential_options: { publicKey: expect.any(Object) } },
    });
    const { publicKey: options } = begun.webauthn.credential_options;
    expect(options).toMatchObject({ rp: { id: "localhost" }, challenge: expect.any(String) });
    const raised = held(await verify(user, factor, begun, "create", key.create(options)));
    expect([claimsOf(raised.token).aal, methodsOf(raised.token)]).toEqual(["aal2", ["mfa/webauthn", "password"]]);
    const { factors } = (await people.get(raised.token, "/user")).body;
    expect(factors).toMatchObject([{ id: factor.id, factor_type: "webauthn", status: "verified" }]);
    expect(JSON.stringify(factors)).not.toContain(key.credentialId);

    const later = await people.signIn(user);
    const asked = await challenge(later, factor);
    expect(asked.webauthn.type).toBe("request");
    const request = asked.webauthn.credential_options.publicKey;
    expect(request).toMatchObject({ rpId: "localhost", allowCredentials: [{ id: key.credentialId }] });
    const again = held(await verify(later, factor, asked, "request", key.get(request)));
    expect([again.session, claimsOf(again.token).aal]).toEqual([later.session, "aal2"]);
  });

  test("another site, another key and another challenge are refused, and leave the session where it was", async () => {
    const key = softAuthenticator();
    const { user, factor } = await create(await people.newUser(), key);
    const later = await people.signIn(user);
    const asked = await challenge(later, factor);
    const options = asked.webauthn.credential_options.publicKey;
    const stranger = softAuthenticator({ credentialId: key.credentialId });
    for (const answer of [
      key.get(options, { origin: "https://evil.example" }),
      key.get(options, { rpId: "evil.example" }),
      key.get(options, { challenge: "AAAA" }),
      key.get(options, { isUserPresent: false }),
      stranger.get(options),
      softAuthenticator().get(options),
    ]) {
      expect(await outcome(verify(later, factor, asked, "request", answer))).toEqual([
        400,
        "webauthn_verification_failed",
      ]);
    }
    expect(await outcome(verify(later, factor, asked, "attest", key.get(options)))).toEqual([400, "validation_failed"]);
    expect(await outcome(verify(later, factor, asked, "request", null))).toEqual([400, "validation_failed"]);
    expect(await outcome(people.verify(later.token, factor, asked.id, "123456"))).toEqual([400, "validation_failed"]);
    expect(claimsOf(held(await people.refresh(later.refreshToken)).token).aal).toBe("aal1");
    expect(await outcome(verify(later, factor, asked, "request", key.get(options)))).toBe(200);
  });

  test("A10 fifty answers at once to one challenge are one; a copied key is noticed", async () => {
    const key = softAuthenticator();
    const { user, factor } = await create(await people.newUser(), key);
    const later = await people.signIn(user);
    const asked = await challenge(later, factor);
    const answer = key.get(asked.webauthn.credential_options.publicKey);
    const all = await Promise.all(
      Array.from({ length: 50 }, () => outcome(verify(later, factor, asked, "request", answer))),
    );
    expect(all.filter((one) => one === 200)).toHaveLength(1);
    const once = await challenge(later, factor);
    const old = key.get(once.webauthn.credential_options.publicKey, { counter: 1 });
    expect(await outcome(verify(later, factor, once, "request", old))).toEqual([400, "webauthn_verification_failed"]);
  });

  test("A23 a creation that was begun before does not replace a verified key", async () => {
    const user = await people.newUser();
    const [key, planted] = [softAuthenticator(), softAuthenticator()];
    const factor = await enroll(user);
    const [first, second] = [await challenge(user, factor), await challenge(user, factor)];
    const made = key.create(first.webauthn.credential_options.publicKey);
    const raised = held(await verify(user, factor, first, "create", made));
    const answer = planted.create(second.webauthn.credential_options.publicKey);
    expect(await outcome(verify(raised, factor, second, "create", answer))).toEqual([422, "mfa_factor_not_found"]);
    const asked = await challenge(raised, factor);
    expect(asked.webauthn.credential_options.publicKey.allowCredentials).toMatchObject([{ id: key.credentialId }]);
    expect(await outcome(verify(raised, factor, asked, "create", answer))).toEqual([
      400,
      "webauthn_verification_failed",
    ]);
  });

  test("an authenticator that is a factor already is named, so that it declines", async () => {
    const key = softAuthenticator();
    const { user } = await create(await people.newUser(), key);
    const second = await enroll(user, "another");
    const begun = await challenge(user, second);
    expect(begun.webauthn.credential_options.publicKey.excludeCredentials).toMatchObject([{ id: key.credentialId }]);
  });
});
