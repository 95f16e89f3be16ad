import { describe, expect, test } from "vitest";
import { Problem } from "../../../kernel/problem.ts";
import { readSettings } from "../../../kernel/settings.ts";
import { authSettings } from "../settings.ts";
import { beginCreation, beginRequest, type Credential, finishCreation, finishRequest } from "./ceremonies.ts";
import { SignatureCounterError } from "./problems.ts";
import { type Answer, type Cbor, type Misbehaviour, type SoftAuthenticator, softAuthenticator } from "./testing.ts";

const context = { settings: readSettings(authSettings, { env: {} }).values };
const user = {
  id: "5a3fd4b9-6a5c-4f5e-9d52-0d6a4a7be001",
  email: "ada@example.com",
  phone: "",
  userMetadata: { name: "Ada" },
};

const beginPasskey = (excluded: readonly Credential[] = []) =>
  beginCreation(context, { user, purpose: "passkey", excluded });

async function created(authenticator: SoftAuthenticator, otherwise?: Misbehaviour): Promise<Credential> {
  const { options, state } = await beginPasskey();
  // As the database gives it back.
  return finishCreation(context, {
    state: JSON.parse(JSON.stringify(state)),
    response: authenticator.create(options, otherwise),
  });
}

async function asked(authenticator: SoftAuthenticator, credential: Credential, otherwise?: Misbehaviour) {
  const { options, state } = await beginRequest(context, { purpose: "passkey", credentials: null });
  return finishRequest(context, { state, response: authenticator.get(options, otherwise), credential });
}

const refusal = expect.objectContaining({ code: "auth/webauthn_verification_failed", status: 400 });

describe("creation", () => {
  test("asks for a passkey that the authenticator keeps, of a verified person, with no word of its maker", async () => {
    const known = await created(softAuthenticator());
    const { options, state } = await beginPasskey([known]);
    expect(options).toMatchObject({
      rp: { id: "localhost", name: "localhost" },
      user: { id: Buffer.from(user.id).toString("base64url"), name: user.email, displayName: "Ada" },
      authenticatorSelection: { residentKey: "required", requireResidentKey: true, userVerification: "required" },
      attestation: "none",
      timeout: 300_000,
      excludeCredentials: [{ id: known.id, type: "public-key", transports: ["internal", "hybrid"] }],
    });
    expect(Buffer.from(options.challenge, "base64url")).toHaveLength(32);
    expect(state).toEqual({ kind: "creation", purpose: "passkey", challenge: options.challenge, allowed: null });
  });

  test("asks for a factor that does not take a passkey's place", async () => {
    const { options } = await beginCreation(context, { user, purpose: "factor", excluded: [] });
    expect(options.authenticatorSelection).toMatchObject({ residentKey: "discouraged", userVerification: "preferred" });
    expect(options.user.id).not.toBe((await beginPasskey()).options.user.id);
  });

  test.each(["ES256", "EdDSA", "RS256"] as const)(
    "gives a credential with a key for %s that signs",
    async (algorithm) => {
      const authenticator = softAuthenticator({ algorithm });
      const credential = await created(authenticator);
      expect(credential).toMatchObject({ id: authenticator.credentialId, counter: 1, isBackupEligible: false });
      expect(JSON.parse(JSON.stringify(credential))).toEqual(credential);
      expect(await asked(authenticator, credential)).toEqual({
        newCounter: 2,
        isUserVerified: true,
        isBackedUp: false,
      });
    },
  );

  test("keeps what is known of the authenticator", async () => {
    const aaguid = "fbfc3007-154e-4ecc-8c0b-6e020557d7bd";
    const credential = await created(softAuthenticator({ aaguid, isBackupEligible: true, isCounting: false }));
    expect(credential).toMatchObject({ aaguid, isBackupEligible: true, isBackedUp: true, counter: 0 });
  });

  test.each<[string, Misbehaviour]>([
    ["another origin", { origin: "http://evil.example" }],
    ["another port", { origin: "http://localhost:3001" }],
    ["an origin that only begins alike", { origin: "http://localhost:3000.evil.example" }],
    ["another relying party", { rpId: "evil.example" }],
    ["another challenge", { challenge: "AAAA" }],
    ["a proof in place of a creation", { type: "webauthn.get" }],
    ["a page in another's frame", { crossOrigin: true }],
    ["a page in a frame that says so by its top origin alone", { topOrigin: "https://evil.example" }],
    ["nobody present", { isUserPresent: false }],
    ["nobody verified", { isUserVerified: false }],
    ["a backup of what cannot be backed up", { isBackupEligible: false, isBackedUp: true }],
  ])("refuses %s", async (_name, otherwise) => {
    await expect(created(softAuthenticator(), otherwise)).rejects.toEqual(refusal);
  });

  test("takes an unverified person for a factor", async () => {
    const { options, state } = await beginCreation(context, { user, purpose: "factor", excluded: [] });
    const response = softAuthenticator().create(options, { isUserVerified: false });
    expect((await finishCreation(context, { state, response })).counter).toBe(1);
  });

  test("X01: an attestation's certificates are not read, so nothing they point to is fetched", async () => {
    const attStmt = new Map<string, Cbor>([
      ["alg", -7],
      ["sig", Buffer.alloc(70)],
      ["x5c", [Buffer.from("no certificate: whoever reads this stumbles")]],
    ]);
    expect((await created(softAuthenticator(), { attestation: { fmt: "packed", attStmt } })).counter).toBe(1);
  });

  test.each<[string, (good: Answer) => unknown]>([
    ["nothing", () => undefined],
    ["a text", () => "credential"],
    ["a list", (good) => [good]],
    ["no response", ({ response: _, ...rest }) => rest],
    ["no id", ({ id: _, ...rest }) => rest],
    ["an id of another alphabet", (good) => ({ ...good, id: `${good.id}+/=`, rawId: `${good.id}+/=` })],
    ["two ids", (good) => ({ ...good, rawId: "BBBB" })],
    ["an id that is not the credential's", (good) => ({ ...good, id: "BBBB", rawId: "BBBB" })],
    ["an endless id", (good) => ({ ...good, id: "A".repeat(1_400), rawId: "A".repeat(1_400) })],
    ["another type of credential", (good) => ({ ...good, type: "password" })],
    ["client data that is no JSON", (good) => withResponse(good, { clientDataJSON: "AAAA" })],
    ["an attestation that is no CBOR", (good) => withResponse(good, { attestationObject: "_____w" })],
    ["an attestation that is no text", (good) => withResponse(good, { attestationObject: 7 })],
    ["an attestation nested without end", (good) => withResponse(good, { attestationObject: nested })],
  ])("refuses %s", async (_name, spoil) => {
    const { options, state } = await beginPasskey();
    const response = spoil(softAuthenticator().create(options));
    await expect(finishCreation(context, { state, response })).rejects.toEqual(refusal);
  });
});

describe("request", () => {
  test("asks for any passkey of a verified person, or for given credentials", async () => {
    const credential = await created(softAuthenticator());
    const any = await beginRequest(context, { purpose: "passkey", credentials: null });
    expect(any.options).toMatchObject({ rpId: "localhost", userVerification: "required", timeout: 300_000 });
    expect(any.options.allowCredentials).toBeUndefined();
    const some = await beginRequest(context, { purpose: "factor", credentials: [credential] });
    expect(some.options.allowCredentials).toEqual([
      { id: credential.id, type: "public-key", transports: ["internal", "hybrid"] },
    ]);
    expect(some.state).toMatchObject({ kind: "request", purpose: "factor", allowed: [credential.id] });
  });

  test.each<[string, Misbehaviour]>([
    ["another origin", { origin: "https://localhost.evil.example" }],
    ["another relying party", { rpId: "evil.example" }],
    ["another challenge", { challenge: "AAAA" }],
    ["a creation in place of a proof", { type: "webauthn.create" }],
    ["a page in another's frame", { crossOrigin: true }],
    ["nobody present", { isUserPresent: false }],
    ["nobody verified", { isUserVerified: false }],
    ["a credential that has learnt to be backed up", { isBackupEligible: true }],
  ])("refuses %s", async (_name, otherwise) => {
    const authenticator = softAuthenticator();
    const credential = await created(authenticator);
    await expect(asked(authenticator, credential, otherwise)).rejects.toEqual(refusal);
  });

  test("refuses another key, even when it calls itself by the same id", async () => {
    const authenticator = softAuthenticator();
    const credential = await created(authenticator);
    const { credentialId } = authenticator;
    const twin = softAuthenticator({ credentialId });
    await expect(asked(twin, credential)).rejects.toEqual(refusal);
    await expect(asked(softAuthenticator(), credential)).rejects.toEqual(refusal);
  });

  test("refuses a credential that was not asked for", async () => {
    const [mine, other] = [softAuthenticator(), softAuthenticator()];
    const [credential, otherCredential] = [await created(mine), await created(other)];
    const { options, state } = await beginRequest(context, { purpose: "factor", credentials: [credential] });
    const response = other.get(options);
    await expect(finishRequest(context, { state, response, credential: otherCredential })).rejects.toEqual(refusal);
  });

  test("A11: a challenge of one ceremony does not end another", async () => {
    const authenticator = softAuthenticator();
    const credential = await created(authenticator);
    const creation = await beginPasskey();
    const request = await beginRequest(context, { purpose: "passkey", credentials: null });
    const proof = authenticator.get({ ...request.options, challenge: creation.options.challenge });
    await expect(finishRequest(context, { state: creation.state, response: proof, credential })).rejects.toEqual(
      refusal,
    );
    const made = authenticator.create({ ...creation.options, challenge: request.options.challenge });
    await expect(finishCreation(context, { state: request.state, response: made })).rejects.toEqual(refusal);
  });

  test("tells a counter that went back from a forged one", async () => {
    const authenticator = softAuthenticator();
    const credential = { ...(await created(authenticator)), counter: 7 };
    for (const counter of [0, 6, 7]) {
      const error = await asked(authenticator, credential, { counter }).catch((thrown: unknown) => thrown);
      expect(error).toEqual(refusal);
      expect((error as Problem).cause).toBeInstanceOf(SignatureCounterError);
    }
    expect((await asked(authenticator, credential, { counter: 8 })).newCounter).toBe(8);
    const forged = softAuthenticator({ credentialId: credential.id });
    const error = await asked(forged, credential, { counter: 1 }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(Problem);
    expect((error as Problem).cause).not.toBeInstanceOf(SignatureCounterError);
  });

  test("takes 0 again and again from an authenticator that does not count", async () => {
    const authenticator = softAuthenticator({ isCounting: false });
    const credential = await created(authenticator);
    expect((await asked(authenticator, credential)).newCounter).toBe(0);
    expect((await asked(authenticator, credential)).newCounter).toBe(0);
  });

  test("takes a factor without the person verified, and says so", async () => {
    const authenticator = softAuthenticator();
    const credential = await created(authenticator);
    const { options, state } = await beginRequest(context, { purpose: "factor", credentials: [credential] });
    const response = authenticator.get(options, { isUserVerified: false });
    expect((await finishRequest(context, { state, response, credential })).isUserVerified).toBe(false);
  });
});

const nested = Buffer.alloc(20_000, 0x81).toString("base64url");

const withResponse = (good: Answer, response: Record<string, unknown>) => ({
  ...good,
  response: { ...good.response, ...response },
});
