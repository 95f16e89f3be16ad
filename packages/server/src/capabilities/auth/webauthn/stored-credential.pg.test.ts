import { afterAll, beforeAll, expect, test } from "vitest";
import { openTestAuth, type TestAuth } from "../testing.ts";
import { readCredential } from "./stored-credential.ts";
import { type Misbehaviour, type SoftAuthenticator, softAuthenticator } from "./testing.ts";

let auth: TestAuth;
beforeAll(async () => {
  auth = await openTestAuth({ mfaWebauthnEnroll: true, mfaWebauthnVerify: true, mailerAutoconfirm: true });
});
afterAll(() => auth?.close());

const claimsOf = (token: string) => JSON.parse(Buffer.from(token.split(".")[1]!, "base64url").toString());
const password = "correct horse battery";

async function answer(factor: string, token: string, authenticator: SoftAuthenticator, otherwise?: Misbehaviour) {
  const challenge = await auth.send("POST", `/factors/${factor}/challenge`, { body: {}, token });
  const { type, credential_options: options } = challenge.body.webauthn;
  const credential_response =
    type === "create" ? authenticator.create(options.publicKey) : authenticator.get(options.publicKey, otherwise);
  const body = { challenge_id: challenge.body.id, webauthn: { type, credential_response } };
  return auth.send("POST", `/factors/${factor}/verify`, { body, token });
}

test("a key that was enrolled with Supabase Auth goes on as second factor, and its counter counts", async () => {
  const email = "moved@example.com";
  const { body: first } = await auth.send("POST", "/signup", { body: { email, password } });
  const enrolled = await auth.send("POST", "/factors", {
    body: { factor_type: "webauthn", friendly_name: "Blue key" },
    token: first.access_token,
  });
  const aaguid = "fa2b99dc-9e39-4257-8f92-4a30d23c4118";
  const authenticator = softAuthenticator({ aaguid });
  const { id } = enrolled.body;
  expect((await answer(id, first.access_token, authenticator)).status).toBe(200);

  const [row] = await auth.sql("select web_authn_credential as credential from auth.mfa_factors where id = $1", [id]);
  const ours = readCredential(row!.credential)!;
  const base64 = (text: string) => Buffer.from(text, "base64url").toString("base64");
  const theirs = {
    id: base64(ours.id),
    publicKey: base64(ours.publicKey),
    attestationType: "none",
    transport: ours.transports,
    flags: { userPresent: true, userVerified: true, backupEligible: false, backupState: false },
    authenticator: {
      AAGUID: base64(Buffer.from(aaguid.replaceAll("-", ""), "hex").toString("base64url")),
      signCount: 7,
    },
    attestation: {},
  };
  expect(readCredential(theirs)).toEqual({ ...ours, counter: 7 });
  await auth.sql("update auth.mfa_factors set web_authn_credential = $2 where id = $1", [id, theirs]);

  const again = await auth.send("POST", "/token?grant_type=password", { body: { email, password } });
  const token = again.body.access_token;
  expect(claimsOf(token).aal).toBe("aal1");
  expect((await answer(id, token, authenticator, { counter: 7 })).status).toBe(400);
  const raised = await answer(id, token, authenticator, { counter: 8 });
  expect([raised.status, claimsOf(raised.body.access_token).aal]).toEqual([200, "aal2"]);
  expect((await answer(id, raised.body.access_token, authenticator, { counter: 8 })).status).toBe(400);
});

test.each([null, "text", [], {}, { id: "AAAA" }, { id: "AAAA", publicKey: "AAAA" }])(
  "%j is no credential",
  (stored) => {
    expect(readCredential(stored)).toBeNull();
  },
);

test("an authenticator that did not say what it is has no model", () => {
  const bare = { id: "+/8=", publicKey: "AAAA", flags: {} };
  expect(readCredential(bare)).toEqual({
    id: "-_8",
    publicKey: "AAAA",
    counter: 0,
    transports: [],
    aaguid: "00000000-0000-0000-0000-000000000000",
    isBackupEligible: false,
    isBackedUp: false,
  });
});
