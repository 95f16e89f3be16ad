import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openTestAuth, type TestAuth, type TestReply } from "../testing.ts";
import { type Answer, type Misbehaviour, type SoftAuthenticator, softAuthenticator } from "./testing.ts";

let auth: TestAuth;
beforeAll(async () => {
  auth = await openTestAuth({ passkeysEnabled: true, anonymousEnabled: true, mailerAutoconfirm: true });
});
afterAll(() => auth?.close());

interface Person {
  readonly id: string;
  readonly token: string;
}

let people = 0;
async function person(): Promise<Person> {
  people += 1;
  const body = { email: `person${people}@example.com`, password: "correct horse battery" };
  const { body: session } = await auth.send("POST", "/signup", { body });
  return { id: session.user.id, token: session.access_token };
}

const post = (path: string, body: unknown, token?: string, on = auth) => on.send("POST", path, { body, token });

const creationOptions = ({ token }: Person, on = auth) => post("/passkeys/registration/options", {}, token, on);
const requestOptions = (on = auth) => post("/passkeys/authentication/options", {}, undefined, on);

async function register(
  owner: Person,
  authenticator: SoftAuthenticator,
  otherwise?: Misbehaviour,
  on = auth,
): Promise<TestReply> {
  const { body } = await creationOptions(owner, on);
  const credential = authenticator.create(body.options, otherwise);
  return post("/passkeys/registration/verify", { challenge_id: body.challenge_id, credential }, owner.token, on);
}

async function signIn(
  authenticator: SoftAuthenticator,
  otherwise?: Misbehaviour,
  on = auth,
  spoil: (answer: Answer) => unknown = (answer) => answer,
): Promise<TestReply> {
  const { body } = await requestOptions(on);
  const credential = spoil(authenticator.get(body.options, otherwise));
  return post("/passkeys/authentication/verify", { challenge_id: body.challenge_id, credential }, undefined, on);
}

async function owner(): Promise<{ who: Person; authenticator: SoftAuthenticator; id: string }> {
  const [who, authenticator] = [await person(), softAuthenticator()];
  const { status, body } = await register(who, authenticator);
  expect(status).toBe(200);
  return { who, authenticator, id: body.id };
}

const claimsOf = (token: string) => JSON.parse(Buffer.from(token.split(".")[1]!, "base64url").toString());
const refused = (code: string, status: number) =>
  expect.objectContaining({ status, body: expect.objectContaining({ error_code: code }) });
const failed = refused("webauthn_verification_failed", 400);
const sessionsOf = async ({ id }: Person) =>
  Number((await auth.sql("select count(*) from auth.sessions where user_id = $1", [id]))[0]!.count);

describe("registration", () => {
  test("gives options in the protocol's shape, and then the passkey", async () => {
    const [who, authenticator] = [await person(), softAuthenticator()];
    const before = Math.floor(Date.now() / 1000);
    const options = await creationOptions(who);
    expect(options.status).toBe(200);
    expect(Object.keys(options.body).sort()).toEqual(["challenge_id", "expires_at", "options"]);
    expect(options.body.expires_at).toBeGreaterThanOrEqual(before + 299);
    expect(options.body.expires_at).toBeLessThanOrEqual(before + 330);
    expect(options.body.options.user.id).toBe(Buffer.from(who.id).toString("base64url"));
    expect(options.headers["cache-control"]).toBe("private, no-store");

    const credential = authenticator.create(options.body.options);
    const made = await post(
      "/passkeys/registration/verify",
      { challenge_id: options.body.challenge_id, credential },
      who.token,
    );
    expect(made.status).toBe(200);
    expect(made.body).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      friendly_name: "Passkey",
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z$/),
    });
    expect(auth.seen).toContainEqual(
      expect.objectContaining({ kind: "auth.event", event: "passkey_created", subject: who.id }),
    );
    const [row] = await auth.sql("select * from auth.webauthn_credentials where id = $1", [made.body.id]);
    expect(row).toMatchObject({
      user_id: who.id,
      attestation_type: "none",
      sign_count: "1",
      transports: ["internal", "hybrid"],
      backup_eligible: false,
      backed_up: false,
      last_used_at: null,
    });
    expect((row!.credential_id as Buffer).toString("base64url")).toBe(authenticator.credentialId);
  });

  test("names the passkey after its authenticator", async () => {
    const aaguid = "ea9b8d66-4d01-1d21-3ce4-b6b48cb575d4";
    const { body } = await register(await person(), softAuthenticator({ aaguid }));
    expect(body.friendly_name).toBe("Google Password Manager");
  });

  test("excludes the authenticators the user has, and no one else's", async () => {
    const { who, authenticator } = await owner();
    const mine = (await creationOptions(who)).body.options.excludeCredentials;
    expect(mine.map(({ id }: { id: string }) => id)).toEqual([authenticator.credentialId]);
    expect((await creationOptions(await person())).body.options.excludeCredentials).toEqual([]);
  });

  test("A10: a challenge is for one use, also when the first was refused", async () => {
    const [who, authenticator] = [await person(), softAuthenticator()];
    const { body } = await creationOptions(who);
    const send = (credential: unknown) =>
      post("/passkeys/registration/verify", { challenge_id: body.challenge_id, credential }, who.token);
    expect(await send(authenticator.create(body.options, { origin: "https://evil.example" }))).toEqual(failed);
    expect(await send(authenticator.create(body.options))).toEqual(refused("webauthn_challenge_not_found", 400));
  });

  test("A10: 50 at once with one challenge make one passkey", async () => {
    const [who, authenticator] = [await person(), softAuthenticator()];
    const { body } = await creationOptions(who);
    const credential = authenticator.create(body.options);
    const answer = { challenge_id: body.challenge_id, credential };
    const replies = await Promise.all(
      Array.from({ length: 50 }, () => post("/passkeys/registration/verify", answer, who.token)),
    );
    expect(replies.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(replies.filter(({ body: { error_code } }) => error_code === "webauthn_challenge_not_found")).toHaveLength(
      49,
    );
  });

  test("A11: a challenge is of one user and one ceremony", async () => {
    const [who, other, authenticator] = [await person(), await person(), softAuthenticator()];
    const { body } = await creationOptions(who);
    const answer = { challenge_id: body.challenge_id, credential: authenticator.create(body.options) };
    const notFound = refused("webauthn_challenge_not_found", 400);
    expect(await post("/passkeys/registration/verify", answer, other.token)).toEqual(notFound);
    expect(await post("/passkeys/authentication/verify", answer)).toEqual(notFound);
    const request = await requestOptions();
    const swapped = { ...answer, challenge_id: request.body.challenge_id };
    expect(await post("/passkeys/registration/verify", swapped, who.token)).toEqual(notFound);
    // None of these spent it: it is still its owner's.
    expect((await post("/passkeys/registration/verify", answer, who.token)).status).toBe(200);
  });

  test("says so when the person took too long", async () => {
    const [who, authenticator] = [await person(), softAuthenticator()];
    const { body } = await creationOptions(who);
    await auth.sql("update auth.webauthn_challenges set expires_at = now() where id = $1", [body.challenge_id]);
    const answer = { challenge_id: body.challenge_id, credential: authenticator.create(body.options) };
    expect(await post("/passkeys/registration/verify", answer, who.token)).toEqual(
      refused("webauthn_challenge_expired", 400),
    );
    expect(await post("/passkeys/registration/verify", answer, who.token)).toEqual(
      refused("webauthn_challenge_not_found", 400),
    );
  });

  test("refuses an authenticator that is registered already, here or with somebody else", async () => {
    const { who, authenticator } = await owner();
    expect(await register(who, authenticator)).toEqual(refused("webauthn_credential_exists", 422));
    const thief = await person();
    const twin = softAuthenticator({ credentialId: authenticator.credentialId });
    expect(await register(thief, twin)).toEqual(refused("webauthn_credential_exists", 422));
    expect((await signIn(authenticator)).body.user.id).toBe(who.id);
  });

  test("stops at the limit, also when more come at once", async () => {
    const on = auth.with({ passkeysEnabled: true, passkeysMaxPerUser: 2 });
    const who = await person();
    const begun = await Promise.all(Array.from({ length: 6 }, () => creationOptions(who, on)));
    const replies = await Promise.all(
      begun.map(({ body }) => {
        const answer = { challenge_id: body.challenge_id, credential: softAuthenticator().create(body.options) };
        return post("/passkeys/registration/verify", answer, who.token, on);
      }),
    );
    expect(replies.map(({ status }) => status).sort()).toEqual([200, 200, 422, 422, 422, 422]);
    const tooMany = refused("too_many_passkeys", 422);
    expect(replies.find(({ status }) => status === 422)).toEqual(tooMany);
    expect(await creationOptions(who, on)).toEqual(tooMany);
  });

  test("is not for anonymous users, until they have an address", async () => {
    const { body } = await post("/signup", {});
    expect(body.user.is_anonymous).toBe(true);
    const who = { id: body.user.id, token: body.access_token };
    expect(await creationOptions(who)).toEqual(refused("no_authorization", 403));
    await auth.sql("update auth.users set is_anonymous = false, email = 'was@anonymous.example' where id = $1", [
      who.id,
    ]);
    expect((await creationOptions(who)).status).toBe(200);
  });

  test("is not for people who sign in through their company", async () => {
    const who = await person();
    await auth.sql("update auth.users set is_sso_user = true where id = $1", [who.id]);
    expect(await register(who, softAuthenticator())).toEqual(refused("validation_failed", 422));
  });

  test("A17: who it is comes before what is asked", async () => {
    for (const path of ["/passkeys/registration/options", "/passkeys/registration/verify"]) {
      expect(await post(path, "no json")).toEqual(refused("no_authorization", 401));
    }
  });

  test("A22: is not for a session that has ended, nor for a banned user", async () => {
    const who = await person();
    await auth.sql("update auth.users set banned_until = now() + interval '1 hour' where id = $1", [who.id]);
    expect(await creationOptions(who)).toEqual(refused("user_banned", 403));
    await auth.sql("update auth.users set banned_until = null where id = $1", [who.id]);
    await auth.sql("delete from auth.sessions where user_id = $1", [who.id]);
    expect(await creationOptions(who)).toEqual(refused("session_not_found", 403));
  });

  test("A23: a user with a second factor adds and removes passkeys with that only", async () => {
    const { who, authenticator, id } = await owner();
    const pending = await creationOptions(who);
    await auth.sql(
      `insert into auth.mfa_factors (id, user_id, factor_type, status, created_at, updated_at)
        values (gen_random_uuid(), $1, 'totp', 'verified', now(), now())`,
      [who.id],
    );
    const low = refused("insufficient_aal", 403);
    expect(await creationOptions(who)).toEqual(low);
    // Nor does it help to have begun before.
    const credential = softAuthenticator().create(pending.body.options);
    const answer = { challenge_id: pending.body.challenge_id, credential };
    expect(await post("/passkeys/registration/verify", answer, who.token)).toEqual(low);
    expect(await auth.send("DELETE", `/passkeys/${id}`, { token: who.token })).toEqual(low);
    // A passkey is a first factor by default, so it opens no way around.
    const { body } = await signIn(authenticator);
    expect(await creationOptions({ id: who.id, token: body.access_token })).toEqual(low);
    await auth.sql("update auth.sessions set aal = 'aal2' where user_id = $1", [who.id]);
    expect((await creationOptions(who)).status).toBe(200);
  });

  test.each([
    ["no challenge", { credential: {} }, "validation_failed"],
    ["no credential", { challenge_id: "5a3fd4b9-6a5c-4f5e-9d52-0d6a4a7be001" }, "validation_failed"],
    ["a challenge that is no id", { challenge_id: "1; select", credential: {} }, "validation_failed"],
    ["a challenge that is no text", { challenge_id: 7, credential: {} }, "bad_json"],
    ["a list", [], "bad_json"],
    [
      "a challenge that never was",
      { challenge_id: "5a3fd4b9-6a5c-4f5e-9d52-0d6a4a7be001", credential: {} },
      "webauthn_challenge_not_found",
    ],
  ])("refuses %s, at both ends", async (_name, body, code) => {
    const { token } = await person();
    expect(await post("/passkeys/registration/verify", body, token)).toEqual(refused(code, 400));
    expect(await post("/passkeys/authentication/verify", body)).toEqual(refused(code, 400));
  });

  test("A18: nothing but the challenge and the credential is read", async () => {
    const [who, other, authenticator] = [await person(), await person(), softAuthenticator()];
    const asked = await post(
      "/passkeys/registration/options",
      { rp: { id: "evil.example" }, rpId: "evil.example", user: { id: other.id }, user_id: other.id },
      who.token,
    );
    expect(asked.body.options.rp.id).toBe("localhost");
    expect(asked.body.options.user.id).toBe(Buffer.from(who.id).toString("base64url"));
    const more = { user_id: other.id, friendly_name: "mine", sign_count: 99, backed_up: true, id: other.id };
    const credential = { ...authenticator.create(asked.body.options), ...more, id: authenticator.credentialId };
    const answer = { ...more, challenge_id: asked.body.challenge_id, credential, rpId: "evil.example" };
    const { body } = await post("/passkeys/registration/verify", answer, who.token);
    const [row] = await auth.sql("select * from auth.webauthn_credentials where id = $1", [body.id]);
    expect(row).toMatchObject({ user_id: who.id, friendly_name: "Passkey", sign_count: "1", backed_up: false });
  });
});

describe("sign-in", () => {
  test("opens a session of the passkey's owner", async () => {
    const { who, authenticator, id } = await owner();
    const options = await requestOptions();
    expect(options.body).toEqual({
      challenge_id: expect.any(String),
      expires_at: expect.any(Number),
      options: expect.objectContaining({ rpId: "localhost", userVerification: "required" }),
    });
    const { status, body } = await signIn(authenticator);
    expect(status).toBe(200);
    expect(body).toMatchObject({ token_type: "bearer", user: { id: who.id }, refresh_token: expect.any(String) });
    const claims = claimsOf(body.access_token);
    expect(claims).toMatchObject({ sub: who.id, aal: "aal1", amr: [{ method: "passkey" }] });
    expect((await auth.send("GET", "/user", { token: body.access_token })).status).toBe(200);
    const [row] = await auth.sql("select * from auth.webauthn_credentials where id = $1", [id]);
    expect(row).toMatchObject({ sign_count: "2", last_used_at: expect.anything() });
    expect(auth.seen).toContainEqual(expect.objectContaining({ kind: "auth.event", event: "login", subject: who.id }));
  });

  test("A23: begins at aal2 where passkeys count as two factors, and a refresh keeps it", async () => {
    const on = auth.with({ passkeysEnabled: true, passkeysAreTwoFactors: true });
    const { authenticator } = await owner();
    const { body } = await signIn(authenticator, {}, on);
    expect(claimsOf(body.access_token).aal).toBe("aal2");
    const refreshed = await post(
      "/token?grant_type=refresh_token",
      { refresh_token: body.refresh_token },
      undefined,
      on,
    );
    expect(claimsOf(refreshed.body.access_token)).toMatchObject({ aal: "aal2" });
  });

  test.each<[string, Misbehaviour]>([
    ["another origin", { origin: "https://evil.example" }],
    ["another relying party", { rpId: "evil.example" }],
    ["nobody verified", { isUserVerified: false }],
    ["nobody present", { isUserPresent: false }],
    ["no word of whom", { userHandle: null }],
    ["somebody else's name", { userHandle: Buffer.from("5a3fd4b9-6a5c-4f5e-9d52-0d6a4a7be001").toString("base64url") }],
    ["a creation in place of a proof", { type: "webauthn.create" }],
    ["a page in another's frame", { crossOrigin: true }],
  ])("refuses %s, and nothing has changed", async (_name, otherwise) => {
    const { who, authenticator, id } = await owner();
    const sessions = await sessionsOf(who);
    expect(await signIn(authenticator, otherwise)).toEqual(failed);
    const [row] = await auth.sql("select sign_count, last_used_at from auth.webauthn_credentials where id = $1", [id]);
    expect([await sessionsOf(who), row]).toEqual([sessions, { sign_count: "1", last_used_at: null }]);
  });

  test("A16: an unknown authenticator and a wrong signature get one answer", async () => {
    const { authenticator } = await owner();
    const stranger = softAuthenticator();
    stranger.create((await creationOptions(await person())).body.options);
    const unknown = await signIn(stranger);
    const forged = await signIn(authenticator, {}, auth, (answer) => ({
      ...answer,
      response: { ...answer.response, signature: "AAAA" },
    }));
    expect([unknown.status, unknown.body]).toEqual([forged.status, forged.body]);
    expect(unknown).toEqual(failed);
  });

  test("A10: a challenge is for one use: the same answer again finds none", async () => {
    const { authenticator } = await owner();
    const { body } = await requestOptions();
    const answer = { challenge_id: body.challenge_id, credential: authenticator.get(body.options) };
    expect((await post("/passkeys/authentication/verify", answer)).status).toBe(200);
    expect(await post("/passkeys/authentication/verify", answer)).toEqual(refused("webauthn_challenge_not_found", 400));
  });

  test("A10: 50 at once with one challenge open one session", async () => {
    const { who, authenticator } = await owner();
    const before = await sessionsOf(who);
    const { body } = await requestOptions();
    const answer = { challenge_id: body.challenge_id, credential: authenticator.get(body.options) };
    const replies = await Promise.all(
      Array.from({ length: 50 }, () => post("/passkeys/authentication/verify", answer)),
    );
    expect(replies.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(replies.filter(({ body: { error_code } }) => error_code === "webauthn_challenge_not_found")).toHaveLength(
      49,
    );
    expect(await sessionsOf(who)).toBe(before + 1);
  });

  test("A11: an answer made for another challenge is none", async () => {
    const { authenticator } = await owner();
    const [one, two] = [await requestOptions(), await requestOptions()];
    const credential = authenticator.get(one.body.options);
    const answer = { challenge_id: two.body.challenge_id, credential };
    expect(await post("/passkeys/authentication/verify", answer)).toEqual(failed);
  });

  test("says so when the person took too long", async () => {
    const { authenticator } = await owner();
    const { body } = await requestOptions();
    await auth.sql("update auth.webauthn_challenges set expires_at = now() where id = $1", [body.challenge_id]);
    const answer = { challenge_id: body.challenge_id, credential: authenticator.get(body.options) };
    expect(await post("/passkeys/authentication/verify", answer)).toEqual(refused("webauthn_challenge_expired", 400));
  });

  test("refuses a copied key by its counter, and tells whoever watches", async () => {
    const { who, authenticator } = await owner();
    expect((await signIn(authenticator, { counter: 40 })).status).toBe(200);
    const isAlarm = (one: unknown) =>
      JSON.stringify(one).includes("login_failed") && JSON.stringify(one).includes(who.id);
    expect(auth.seen.filter(isAlarm)).toHaveLength(0);
    expect(await signIn(authenticator, { counter: 40 })).toEqual(failed);
    expect(auth.seen.filter(isAlarm)).toHaveLength(1);
    // A mere forgery is no such sign.
    const forged = await signIn(softAuthenticator({ credentialId: authenticator.credentialId }), {
      counter: 3,
      userHandle: Buffer.from(who.id).toString("base64url"),
    });
    expect(forged).toEqual(failed);
    expect(auth.seen.filter(isAlarm)).toHaveLength(1);
  });

  test("of two answers at once with one count, one is a copy", async () => {
    const { who, authenticator } = await owner();
    const before = await sessionsOf(who);
    const replies = await Promise.all(Array.from({ length: 10 }, () => signIn(authenticator, { counter: 9 })));
    expect(replies.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(replies.filter(({ status }) => status !== 200)).toEqual(Array.from({ length: 9 }, () => failed));
    expect(await sessionsOf(who)).toBe(before + 1);
  });

  test("takes synced passkeys, which do not count, at once on many devices", async () => {
    const [who, authenticator] = [await person(), softAuthenticator({ isCounting: false, isBackupEligible: true })];
    await register(who, authenticator, { isBackedUp: false });
    const replies = await Promise.all(Array.from({ length: 5 }, () => signIn(authenticator)));
    expect(replies.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    const rows = await auth.sql(
      "select backup_eligible, backed_up, sign_count from auth.webauthn_credentials where user_id = $1",
      [who.id],
    );
    expect(rows).toEqual([{ backup_eligible: true, backed_up: true, sign_count: "0" }]);
  });

  test("A22: is over for the banned, the deleted and the unconfirmed", async () => {
    const { who, authenticator } = await owner();
    const set = (sql: string) => auth.sql(`update auth.users set ${sql} where id = $1`, [who.id]);
    await set("banned_until = now() + interval '1 hour'");
    expect(await signIn(authenticator)).toEqual(refused("user_banned", 400));
    await set("banned_until = null, email_confirmed_at = null");
    expect(await signIn(authenticator)).toEqual(refused("email_not_confirmed", 400));
    await set("email_confirmed_at = now(), deleted_at = now()");
    expect(await signIn(authenticator)).toEqual(failed);
    await set("deleted_at = null");
    expect((await signIn(authenticator)).status).toBe(200);
    expect((await auth.admin("DELETE", `/admin/users/${who.id}`, {})).status).toBe(200);
    expect(await signIn(authenticator)).toEqual(failed);
  });

  test("an account that was emptied keeps no passkey", async () => {
    const { who, authenticator } = await owner();
    await auth.admin("DELETE", `/admin/users/${who.id}`, { should_soft_delete: true });
    expect(await auth.sql("select id from auth.webauthn_credentials where user_id = $1", [who.id])).toEqual([]);
    expect(await signIn(authenticator)).toEqual(failed);
  });

  test("A12: is limited by network, whatever the request says", async () => {
    const on = auth.with({ passkeysEnabled: true, rateLimits: true, rateLimitPasskey: 3 });
    const ask = (address: string, headers = {}) =>
      on.send("POST", "/passkeys/authentication/options", { body: {}, address, headers });
    for (let at = 0; at < 3; at += 1) expect((await ask(`2001:db8:7:1::${at}`)).status).toBe(200);
    const headers = { "x-forwarded-for": "198.51.100.1", "x-client-ip": "198.51.100.1" };
    const limited = await on.send("POST", "/passkeys/authentication/options", {
      body: {},
      address: "2001:db8:7:1::ffff",
      headers: { apikey: on.identity.keys.publishableKey, ...headers },
    });
    expect(limited).toEqual(refused("over_request_rate_limit", 429));
    expect(Number(limited.headers["retry-after"])).toBeGreaterThan(0);
    expect((await ask("2001:db8:7:2::1")).status).toBe(200);
  });

  test("A14: the relying party is the settings', whatever host a request names", async () => {
    const headers = { host: "evil.example", "x-forwarded-host": "evil.example", origin: "https://evil.example" };
    const { body } = await auth.send("POST", "/passkeys/authentication/options", { body: {}, headers });
    expect(body.options.rpId).toBe("localhost");
    const authenticator = softAuthenticator({ origin: "https://evil.example" });
    expect(await register(await person(), authenticator, { rpId: "evil.example" })).toEqual(failed);
  });

  test("asks strangers for the captcha, where there is one", async () => {
    const on = auth.with({
      passkeysEnabled: true,
      captchaEnabled: true,
      captchaSecret: "never asked: there is no token",
    });
    expect(await requestOptions(on)).toEqual(refused("captcha_failed", 400));
    const { who, authenticator } = await owner();
    expect((await creationOptions(who, on)).status).toBe(200);
    const { body } = await requestOptions();
    const answer = { challenge_id: body.challenge_id, credential: authenticator.get(body.options) };
    expect((await post("/passkeys/authentication/verify", answer, undefined, on)).status).toBe(200);
  });

  test("takes a passkey that was made with Supabase Auth", async () => {
    const { who, authenticator, id } = await owner();
    // As its server writes what it was not told.
    await auth.sql(
      `update auth.webauthn_credentials set aaguid = null, transports = 'null', attestation_type = 'none',
        friendly_name = '' where id = $1`,
      [id],
    );
    expect((await signIn(authenticator)).body.user.id).toBe(who.id);
    const [item] = (await auth.send("GET", "/passkeys", { token: who.token })).body;
    expect(Object.keys(item).sort()).toEqual(["created_at", "id", "last_used_at"]);
    const { excludeCredentials } = (await creationOptions(who)).body.options;
    expect(excludeCredentials).toMatchObject([{ id: authenticator.credentialId, transports: [] }]);
  });

  test("sweeps challenges that nobody came back for", async () => {
    const { body } = await requestOptions();
    await auth.sql("update auth.webauthn_challenges set expires_at = now() - interval '2 hours' where id = $1", [
      body.challenge_id,
    ]);
    await requestOptions();
    expect(await auth.sql("select id from auth.webauthn_challenges where id = $1", [body.challenge_id])).toEqual([]);
  });
});

describe("the owner is told by mail", () => {
  const mailsTo = (id: string, on = auth) =>
    on.sent.mails.filter(({ user }) => user.id === id).map(({ kind, to, facts }) => ({ kind, to, facts }));

  test("of a new passkey and of one that was removed, by its name, and of nothing that did not happen", async () => {
    const { who, authenticator, id } = await owner();
    const { body: user } = await auth.send("GET", "/user", { token: who.token });
    const added = { kind: "passkey_added", to: user.email, facts: { passkey_name: "Passkey" } };
    expect(mailsTo(who.id)).toEqual([added]);
    expect(await register(who, authenticator)).toEqual(refused("webauthn_credential_exists", 422));
    const other = await owner();
    expect((await auth.send("DELETE", `/passkeys/${id}`, { token: other.who.token })).status).toBe(404);
    await signIn(authenticator);
    await auth.send("PATCH", `/passkeys/${id}`, { body: { friendly_name: "Old phone" }, token: who.token });
    expect(mailsTo(who.id).filter(({ kind }) => kind.startsWith("passkey"))).toEqual([added]);
    await auth.send("DELETE", `/passkeys/${id}`, { token: who.token });
    expect(mailsTo(who.id).at(-1)).toEqual({ ...added, kind: "passkey_removed", facts: { passkey_name: "Old phone" } });
  });

  test("also when an admin removed it", async () => {
    const { who, id } = await owner();
    await auth.admin("DELETE", `/admin/users/${who.id}/passkeys/${id}`);
    expect(mailsTo(who.id).at(-1)).toMatchObject({ kind: "passkey_removed" });
  });

  test("at an address that is confirmed, and at no other", async () => {
    const { who, id } = await owner();
    await auth.sql("update auth.users set email_confirmed_at = null where id = $1", [who.id]);
    const before = mailsTo(who.id).length;
    expect((await auth.admin("DELETE", `/admin/users/${who.id}/passkeys/${id}`)).status).toBe(204);
    expect(mailsTo(who.id)).toHaveLength(before);
  });
});

describe("one's passkeys", () => {
  test("are listed, renamed and removed", async () => {
    const { who, authenticator, id } = await owner();
    const second = (await register(who, softAuthenticator())).body.id;
    await signIn(authenticator);
    const list = await auth.send("GET", "/passkeys", { token: who.token });
    const time = expect.stringMatching(/^\d{4}-.*Z$/);
    expect(list.body).toEqual([
      { id, friendly_name: "Passkey", created_at: time, last_used_at: time },
      { id: second, friendly_name: "Passkey", created_at: time },
    ]);
    const renamed = await auth.send("PATCH", `/passkeys/${second}`, {
      body: { friendly_name: "Ada’s 🔑" },
      token: who.token,
    });
    expect([renamed.status, renamed.body]).toEqual([200, { ...list.body[1], friendly_name: "Ada’s 🔑" }]);
    const removed = await auth.send("DELETE", `/passkeys/${id}`, { token: who.token });
    expect([removed.status, removed.body]).toEqual([204, null]);
    expect(await signIn(authenticator)).toEqual(failed);
    const left = await auth.send("GET", "/passkeys", { token: who.token });
    expect(left.body).toEqual([renamed.body]);
    for (const event of ["passkey_updated", "passkey_deleted"]) {
      expect(auth.seen).toContainEqual(expect.objectContaining({ event, subject: who.id }));
    }
  });

  test("are nobody else's to see, rename or remove", async () => {
    const [{ id, who }, other] = [await owner(), await person()];
    expect((await auth.send("GET", "/passkeys", { token: other.token })).body).toEqual([]);
    const gone = refused("webauthn_credential_not_found", 404);
    const body = { friendly_name: "mine" };
    expect(await auth.send("PATCH", `/passkeys/${id}`, { body, token: other.token })).toEqual(gone);
    expect(await auth.send("DELETE", `/passkeys/${id}`, { token: other.token })).toEqual(gone);
    expect((await auth.send("GET", "/passkeys", { token: who.token })).body).toHaveLength(1);
    expect(await auth.send("GET", "/passkeys")).toEqual(refused("no_authorization", 401));
  });

  test.each([
    ["none", {}, "validation_failed"],
    ["an empty one", { friendly_name: "" }, "validation_failed"],
    ["a long one", { friendly_name: "🔑".repeat(121) }, "validation_failed"],
    ["one that cannot be stored", { friendly_name: "a\0b" }, "validation_failed"],
    ["half a character", { friendly_name: "\ud83d" }, "validation_failed"],
    ["a number", { friendly_name: 7 }, "bad_json"],
  ])("take no such name: %s", async (_name, body, code) => {
    const { who, id } = await owner();
    expect(await auth.send("PATCH", `/passkeys/${id}`, { body, token: who.token })).toEqual(refused(code, 400));
    const name = "🔑".repeat(120);
    const fits = await auth.send("PATCH", `/passkeys/${id}`, { body: { friendly_name: name }, token: who.token });
    expect(fits.body.friendly_name).toBe(name);
  });

  test("are not found by what is no id", async () => {
    const { token } = await person();
    const malformed = refused("validation_failed", 404);
    expect(await auth.send("DELETE", "/passkeys/seven", { token })).toEqual(malformed);
    expect(await auth.send("PATCH", "/passkeys/seven", { body: { friendly_name: "x" }, token })).toEqual(malformed);
  });
});

describe("an admin", () => {
  test("lists and removes a user's passkeys, whatever factor the user has", async () => {
    const { who, id } = await owner();
    await auth.sql(
      `insert into auth.mfa_factors (id, user_id, factor_type, status, created_at, updated_at)
        values (gen_random_uuid(), $1, 'totp', 'verified', now(), now())`,
      [who.id],
    );
    const other = await owner();
    const list = await auth.admin("GET", `/admin/users/${who.id}/passkeys`);
    expect(list.body).toEqual([{ id, friendly_name: "Passkey", created_at: expect.any(String) }]);
    expect(await auth.admin("DELETE", `/admin/users/${who.id}/passkeys/${other.id}`)).toEqual(
      refused("webauthn_credential_not_found", 404),
    );
    expect((await auth.admin("DELETE", `/admin/users/${who.id}/passkeys/${id}`)).status).toBe(204);
    expect((await auth.admin("GET", `/admin/users/${who.id}/passkeys`)).body).toEqual([]);
  });

  test("is told which id is wrong, and nobody else is one", async () => {
    const { who, id } = await owner();
    expect(await auth.admin("GET", "/admin/users/seven/passkeys")).toEqual(refused("validation_failed", 404));
    expect(await auth.admin("GET", "/admin/users/5a3fd4b9-6a5c-4f5e-9d52-0d6a4a7be001/passkeys")).toEqual(
      refused("user_not_found", 404),
    );
    const path = `/admin/users/${who.id}/passkeys`;
    expect(await auth.send("GET", path)).toEqual(refused("no_authorization", 401));
    expect(await auth.send("DELETE", `${path}/${id}`, { token: who.token })).toEqual(refused("not_admin", 403));
  });
});

describe("switched off", () => {
  test("every passkey route says so, and the public settings too", async () => {
    const off = auth.with({ passkeysEnabled: false });
    const { token } = await person();
    const disabled = refused("passkey_disabled", 404);
    for (const path of [
      "registration/options",
      "registration/verify",
      "authentication/options",
      "authentication/verify",
    ]) {
      expect(await post(`/passkeys/${path}`, {}, token, off)).toEqual(disabled);
    }
    expect(await off.send("GET", "/passkeys", { token })).toEqual(disabled);
    expect(await off.send("PATCH", "/passkeys/seven", { token, body: {} })).toEqual(disabled);
    expect(await off.send("DELETE", "/passkeys/seven", { token })).toEqual(disabled);
    expect((await off.send("GET", "/settings")).body.passkeys_enabled).toBe(false);
    expect((await auth.send("GET", "/settings")).body.passkeys_enabled).toBe(true);
  });
});

test("A19: the tables are closed to the API's roles", async () => {
  for (const table of ["auth.webauthn_credentials", "auth.webauthn_challenges"]) {
    const [row] = await auth.sql(
      `select relrowsecurity as rls, has_table_privilege('anon', oid, 'select') or
        has_table_privilege('authenticated', oid, 'select, insert, update, delete') as open
        from pg_class where oid = $1::regclass`,
      [table],
    );
    expect(row).toEqual({ rls: true, open: false });
  }
});

test("the migration leaves a database that has these tables already as it is", async () => {
  const { who, id } = await owner();
  const migration = new URL("../../../../migrations/0009_passkeys.sql", import.meta.url);
  await auth.sql("alter table auth.webauthn_credentials disable row level security");
  await auth.sql(await readFile(migration, "utf8"));
  const [table] = await auth.sql(
    "select relrowsecurity from pg_class where oid = 'auth.webauthn_credentials'::regclass",
  );
  await auth.sql("alter table auth.webauthn_credentials enable row level security");
  expect(table).toEqual({ relrowsecurity: false });
  expect((await auth.send("GET", "/passkeys", { token: who.token })).body).toMatchObject([{ id }]);
});
