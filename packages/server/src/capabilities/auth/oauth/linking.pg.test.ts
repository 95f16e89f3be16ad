import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { readSettings } from "../../../kernel/settings.ts";
import { authSettings } from "../settings.ts";
import { openTestAuth, type TestAuth } from "../testing.ts";
import { revokeDue, revokeProviderTokens } from "./provider-tokens.ts";
import { createProviders } from "./registry.ts";
import { factsOf, type LocalIssuer, type LocalService, openIssuer, openService, s256 } from "./testing.ts";

const password = "correct horse battery staple";
const verifier = "verifier-".repeat(6);
let auth: TestAuth;
let google: LocalIssuer;
let apple: LocalIssuer;
let acme: LocalIssuer;
let github: LocalService;
let person = 0;
let options: Parameters<TestAuth["with"]>[0];

beforeAll(async () => {
  [google, apple, acme, github] = await Promise.all([openIssuer(), openIssuer(), openIssuer("ES256"), openService()]);
  options = {
    mailerAutoconfirm: false,
    manualLinkingEnabled: true,
    googleEnabled: true,
    googleClientIds: ["google-web"],
    googleSecret: "s",
    googleUrl: google.url,
    appleEnabled: true,
    appleClientIds: ["com.example.app"],
    appleSecret: "s",
    appleUrl: apple.url,
    githubEnabled: true,
    githubClientIds: ["github-client"],
    githubSecret: "s",
    githubUrl: github.url,
    providers: { "custom:acme": { issuer: acme.url, client_id: "acme-app", secret: "s" } },
    mailMinIntervalSeconds: 0,
  };
  auth = await openTestAuth(options);
});
afterAll(async () => {
  await auth.close();
  await Promise.all([google.close(), apple.close(), acme.close(), github.close()]);
});
afterEach(() => {
  auth.sent.mails.length = 0;
});

const newEmail = (): string => `someone${++person}@example.com`;
const newSubject = (): number => 10_000 + ++person;

type Vouched = { readonly email: string; readonly isVerified: boolean; readonly subject?: number };

/** Ways to be known by a provider, each through the flow that it is used with. */
const ways = {
  async google({ email, isVerified, subject = newSubject() }: Vouched, on = auth) {
    const claims = { sub: String(subject), aud: "google-web", email, email_verified: isVerified };
    return tokenOf(
      await on.send("POST", "/token?grant_type=id_token", {
        body: { provider: "google", id_token: await google.sign(claims) },
      }),
    );
  },
  async apple({ email, isVerified, subject = newSubject() }: Vouched, on = auth) {
    const claims = { sub: String(subject), aud: "com.example.app", email, email_verified: String(isVerified) };
    return tokenOf(
      await on.send("POST", "/token?grant_type=id_token", {
        body: { provider: "apple", id_token: await apple.sign(claims) },
      }),
    );
  },
  async "custom:acme"({ email, isVerified, subject = newSubject() }: Vouched, on = auth) {
    const begun = await on.send("GET", "/authorize?provider=custom:acme");
    const url = new URL(begun.headers.location!);
    const code = acme.willSay({
      sub: String(subject),
      aud: "acme-app",
      nonce: url.searchParams.get("nonce"),
      email,
      email_verified: isVerified,
    });
    return redirected(await on.send("GET", `/callback?code=${code}&state=${url.searchParams.get("state")}`));
  },
  async github({ email, isVerified, subject = newSubject() }: Vouched, on = auth) {
    const begun = await on.send("GET", "/authorize?provider=github");
    const url = new URL(begun.headers.location!);
    const code = github.willBe({ id: subject, email, isVerified });
    return redirected(await on.send("GET", `/callback?code=${code}&state=${url.searchParams.get("state")}`));
  },
};
type Way = keyof typeof ways;
const names = Object.keys(ways) as Way[];

interface Outcome {
  readonly token: string | null;
  readonly code: string | null;
}
const tokenOf = ({ status, body }: { status: number; body: Record<string, string> }): Outcome =>
  status === 200 ? { token: body.access_token!, code: null } : { token: null, code: body.error_code ?? body.error! };
function redirected({ headers }: { headers: Readonly<Record<string, string>> }): Outcome {
  const { fragment } = factsOf(headers.location!);
  return { token: fragment.get("access_token"), code: fragment.get("error_code") };
}

const me = async (token: string | null) => (await auth.send("GET", "/user", { token: token ?? "" })).body;
const users = (email: string) => auth.sql("select id, encrypted_password from auth.users where email = $1", [email]);
const sessionsOf = (id: string) => auth.sql("select id from auth.sessions where user_id = $1", [id]);
const signUp = (email: string, on = auth) =>
  on.send("POST", "/signup", { body: { email, password, data: { evil: true } } });
const passwordIn = (email: string, on = auth) =>
  on.send("POST", "/token?grant_type=password", { body: { email, password } });
const confirmed = (email: string) => auth.admin("POST", "/admin/users", { email, password, email_confirm: true });

describe("A06 an identity is linked where both sides have proven the address, and nowhere else", () => {
  describe.each(names)("%s", (name) => {
    test("vouched × proven: linked; both ways lead to one account", async () => {
      const email = newEmail();
      const { body: local } = await confirmed(email);
      const { token } = await ways[name]({ email: email.toUpperCase(), isVerified: true });
      const user = await me(token);
      expect(user.id).toBe(local.id);
      expect(user.app_metadata.providers.sort()).toEqual(["email", name].sort());
      expect(user.app_metadata.provider).toBe("email");
      expect((await passwordIn(email)).status).toBe(200);
      const linked = auth.sent.mails.filter(({ kind }) => kind === "identity_linked");
      expect(linked).toMatchObject([{ to: email, facts: { Provider: name } }]);
    });

    test("not vouched × proven: not linked, no session, nothing changed, nothing sent", async () => {
      const email = newEmail();
      const { body: local } = await confirmed(email);
      const outcome = await ways[name]({ email, isVerified: false });
      expect(outcome).toEqual({ token: null, code: "provider_email_needs_verification" });
      const [identities, sessions] = [
        await auth.sql("select provider from auth.identities where user_id = $1", [local.id]),
        await sessionsOf(local.id),
      ];
      expect([identities, sessions]).toEqual([[{ provider: "email" }], []]);
      expect(await users(email)).toHaveLength(1);
      expect(auth.sent.mails).toEqual([]);
    });

    test("not vouched × unproven: the account stays whoever's it is", async () => {
      const email = newEmail();
      await signUp(email);
      const [before] = await users(email);
      auth.sent.mails.length = 0;
      const outcome = await ways[name]({ email, isVerified: false });
      expect(outcome).toEqual({ token: null, code: "provider_email_needs_verification" });
      expect(await users(email)).toEqual([before]);
      expect(auth.sent.mails).toEqual([]);
    });

    test("not vouched × unknown: an account that waits for its mailbox; then it opens (A16: told alike)", async () => {
      const [email, subject] = [newEmail(), newSubject()];
      const outcome = await ways[name]({ email, isVerified: false, subject });
      expect(outcome).toEqual({ token: null, code: "provider_email_needs_verification" });
      const [row] = await users(email);
      expect(await sessionsOf(String(row!.id))).toEqual([]);
      expect(auth.sent.mails).toMatchObject([{ kind: "confirmation", to: email, verifyType: "signup" }]);
      const [mail] = auth.sent.mails;
      const verified = await auth.send("POST", "/verify", { body: { type: "signup", token_hash: mail!.tokenHash } });
      expect(verified.status).toBe(200);
      const again = await ways[name]({ email, isVerified: false, subject });
      expect((await me(again.token)).id).toBe(row!.id);
    });

    test("A05 vouched × unproven: the newcomer is the sole owner, whoever came first has nothing", async () => {
      const email = newEmail();
      await signUp(email);
      const [attacked] = await users(email);
      const id = String(attacked!.id);
      // All that could have been left behind for later.
      await auth.sql(
        "insert into auth.sessions (id, user_id, created_at, updated_at, aal) values (gen_random_uuid(), $1, now(), now(), 'aal1')",
        [id],
      );
      await auth.sql(
        `insert into auth.mfa_factors (id, user_id, factor_type, status, created_at, updated_at, secret)
         values (gen_random_uuid(), $1, 'totp', 'verified', now(), now(), 'x')`,
        [id],
      );
      await auth.sql(
        `insert into auth.identities (provider_id, user_id, identity_data, provider, created_at, updated_at)
         values ($2, $1, jsonb_build_object('sub', $2::text, 'email', $3::text, 'email_verified', false), 'spotify', now(), now())`,
        [id, `evil-${id}`, email],
      );
      await auth.sql(
        `insert into auth.flow_state (id, provider_type, authentication_method, linking_target_id, created_at)
         values (gen_random_uuid(), 'github', 'oauth', $1, now())`,
        [id],
      );
      await auth.sql(
        "update auth.users set email_change = 'evil@example.com', email_change_token_new = 'sha' || id where id = $1",
        [id],
      );
      const [stale] = auth.sent.mails;

      const { token } = await ways[name]({ email, isVerified: true });
      const user = await me(token);
      expect(user).toMatchObject({ id, email, app_metadata: { provider: name, providers: [name] } });
      expect(user.email_confirmed_at).toBeTruthy();
      expect(user.user_metadata).not.toHaveProperty("evil");
      expect(user).not.toHaveProperty("new_email");
      expect(user.identities.map((one: { provider: string }) => one.provider)).toEqual([name]);
      expect(user.factors ?? []).toEqual([]);
      expect(await sessionsOf(id)).toHaveLength(1);
      expect((await passwordIn(email)).body.error_code).toBe("invalid_credentials");
      expect(await auth.sql("select id from auth.flow_state where linking_target_id = $1", [id])).toEqual([]);
      expect(await auth.sql("select id from mainstay.one_time_tokens where user_id = $1", [id])).toEqual([]);
      const late = await auth.send("POST", "/verify", { body: { type: "signup", token_hash: stale!.tokenHash } });
      expect(late.status).toBe(403);
    });
  });
});

describe("A05 pre-hijack", () => {
  test("the other order: who comes with a password after the owner gets nothing", async () => {
    const email = newEmail();
    const { token } = await ways.google({ email, isVerified: true });
    const owner = await me(token);
    const late = await signUp(email);
    expect([late.status, late.body.id === owner.id]).toEqual([200, false]);
    expect((await passwordIn(email)).body.error_code).toBe("invalid_credentials");
    expect((await me(token)).identities).toHaveLength(1);
  });

  test("with two providers: one that vouches for nothing came first, and its account is gone", async () => {
    const [email, subject] = [newEmail(), newSubject()];
    await ways.github({ email, isVerified: false, subject });
    const { token } = await ways.google({ email, isVerified: true });
    expect((await me(token)).app_metadata.providers).toEqual(["google"]);
    // The attacker comes back: the address has an owner.
    expect(await ways.github({ email, isVerified: false, subject })).toEqual({
      token: null,
      code: "provider_email_needs_verification",
    });
    expect((await me(token)).app_metadata.providers).toEqual(["google"]);
  });

  test("with two providers, the other order: who is not vouched for gets nothing", async () => {
    const email = newEmail();
    const { token } = await ways.google({ email, isVerified: true });
    expect((await ways.github({ email, isVerified: false })).token).toBeNull();
    expect((await me(token)).app_metadata.providers).toEqual(["google"]);
  });

  test("a provider that vouches for nothing came before a sign-up: who confirms the address has it alone", async () => {
    const [email, subject] = [newEmail(), newSubject()];
    await ways.github({ email, isVerified: false, subject });
    auth.sent.mails.length = 0;
    await signUp(email);
    const [mail] = auth.sent.mails;
    const { body } = await auth.send("POST", "/verify", { body: { type: "signup", token_hash: mail!.tokenHash } });
    expect(body.user.identities.map((one: { provider: string }) => one.provider)).toEqual(["email"]);
    expect(body.user.app_metadata.providers).toEqual(["email"]);
    expect((await ways.github({ email, isVerified: false, subject })).token).toBeNull();
  });

  test("an attacker's own session, opened where addresses confirm themselves, ends", async () => {
    const open = auth.with({ ...options, mailerAutoconfirm: true });
    const email = newEmail();
    const attacker = await signUp(email, open);
    const token = attacker.body.access_token;
    expect((await open.send("GET", "/user", { token })).status).toBe(200);
    const owner = await ways.google({ email, isVerified: true }, open);
    expect((await me(owner.token)).app_metadata.providers).toEqual(["google"]);
    expect((await open.send("GET", "/user", { token })).body.error_code).toBe("session_not_found");
    const refresh = { body: { refresh_token: attacker.body.refresh_token } };
    expect((await open.send("POST", "/token?grant_type=refresh_token", refresh)).status).toBe(400);
    expect((await passwordIn(email, open)).body.error_code).toBe("invalid_credentials");
    // What a provider has vouched for is proven there too.
    const second = await ways.apple({ email, isVerified: true }, open);
    expect((await me(second.token)).app_metadata.providers.sort()).toEqual(["apple", "google"]);
    expect((await open.send("GET", "/user", { token: owner.token! })).status).toBe(200);
  });

  test("an account that is somebody's by its number keeps everything but the address", async () => {
    const email = newEmail();
    const { body: phoneUser } = await auth.admin("POST", "/admin/users", {
      phone: `4915${1_000_000 + ++person}`,
      phone_confirm: true,
      password,
      email,
    });
    const { token } = await ways.google({ email, isVerified: true });
    const newcomer = await me(token);
    expect(newcomer.id).not.toBe(phoneUser.id);
    expect(newcomer.email).toBe(email);
    const { body: kept } = await auth.admin("GET", `/admin/users/${phoneUser.id}`);
    expect([kept.email, kept.phone_confirmed_at !== undefined]).toEqual(["", true]);
    expect(
      (await auth.send("POST", "/token?grant_type=password", { body: { phone: phoneUser.phone, password } })).body
        .error_code,
    ).not.toBe("invalid_credentials");
  });

  test("accounts of single sign-on are never found by address", async () => {
    const email = newEmail();
    const [sso] = await auth.sql(
      `insert into auth.users (id, aud, role, email, email_confirmed_at, is_sso_user, created_at, updated_at)
       values (gen_random_uuid(), 'authenticated', 'authenticated', $1, now(), true, now(), now()) returning id`,
      [email],
    );
    const { token } = await ways.google({ email, isVerified: true });
    expect((await me(token)).id).not.toBe(sso!.id);
    expect(await auth.sql("select id from auth.identities where user_id = $1", [sso!.id])).toEqual([]);
  });

  test("a password sign-in under way while the owner arrives comes to nothing", async () => {
    const open = auth.with({ ...options, mailerAutoconfirm: true });
    for (let at = 0; at < 5; at++) {
      const email = newEmail();
      await signUp(email, open);
      const [owner, ...attempts] = await Promise.all([
        ways.google({ email, isVerified: true }, open),
        ...Array.from({ length: 4 }, () => passwordIn(email, open)),
      ]);
      const { id } = await me(owner.token);
      expect(await sessionsOf(id)).toHaveLength(1);
      for (const { status, body } of attempts) {
        if (status === 200) expect((await open.send("GET", "/user", { token: body.access_token })).status).toBe(403);
      }
    }
  });
});

describe("linking by hand", () => {
  const linkWith = async (token: string, person_: Vouched, query = "") => {
    const begun = await auth.send("GET", `/user/identities/authorize?provider=github&skip_http_redirect=true${query}`, {
      token,
    });
    const url = new URL(begun.body.url);
    const code = github.willBe({ id: person_.subject ?? newSubject(), ...person_ });
    return redirected(await auth.send("GET", `/callback?code=${code}&state=${url.searchParams.get("state")}`));
  };

  test("adds an identity with another address, and tells the owner", async () => {
    const [email, other] = [newEmail(), newEmail()];
    const { token } = await ways.google({ email, isVerified: true });
    const linked = await linkWith(token!, { email: other, isVerified: false });
    expect(await me(linked.token)).toMatchObject({
      email,
      app_metadata: { provider: "google", providers: ["github", "google"] },
    });
    expect(auth.sent.mails).toMatchObject([{ kind: "identity_linked", to: email }]);
  });

  test("redirects a browser, needs a session, and can be off", async () => {
    const { token } = await ways.google({ email: newEmail(), isVerified: true });
    const path = "/user/identities/authorize?provider=github";
    expect((await auth.send("GET", path, { token: token! })).status).toBe(302);
    expect((await auth.send("GET", path)).body.error_code).toBe("no_authorization");
    const off = auth.with({ ...options, manualLinkingEnabled: false });
    const refused = await off.send("GET", path, { token: token! });
    expect([refused.status, refused.body.error_code]).toEqual([404, "manual_linking_disabled"]);
  });

  test("takes nobody's identity from them", async () => {
    const subject = newSubject();
    const { token: owner } = await ways.github({ email: newEmail(), isVerified: true, subject });
    const { token } = await ways.google({ email: newEmail(), isVerified: true });
    expect(await linkWith(token!, { email: newEmail(), isVerified: true, subject })).toEqual({
      token: null,
      code: "identity_already_exists",
    });
    expect((await me(owner)).identities).toHaveLength(1);
  });

  test("makes an anonymous user a lasting one, with an address that is vouched for and free", async () => {
    const open = auth.with({ ...options, anonymousEnabled: true });
    const anonymous = async () => (await open.send("POST", "/signup", { body: {} })).body.access_token;
    const email = newEmail();
    const lasting = await me((await linkWith(await anonymous(), { email, isVerified: true })).token);
    expect(lasting).toMatchObject({ email, is_anonymous: false, app_metadata: { providers: ["github"] } });
    const unproven = await me((await linkWith(await anonymous(), { email: newEmail(), isVerified: false })).token);
    expect(unproven).toMatchObject({ email: "", is_anonymous: false });
    expect(await linkWith(await anonymous(), { email, isVerified: true })).toEqual({
      token: null,
      code: "email_exists",
    });
  });

  test("with PKCE leads to a session of the same user", async () => {
    const { token } = await ways.google({ email: newEmail(), isVerified: true });
    const { id } = await me(token);
    const begun = await auth.send(
      "GET",
      `/user/identities/authorize?provider=github&skip_http_redirect=true&code_challenge=${s256(verifier)}&code_challenge_method=s256`,
      { token: token! },
    );
    const code = github.willBe({ id: newSubject(), email: newEmail(), isVerified: true });
    const back = await auth.send(
      "GET",
      `/callback?code=${code}&state=${new URL(begun.body.url).searchParams.get("state")}`,
    );
    const body = { auth_code: new URL(back.headers.location!).searchParams.get("code"), code_verifier: verifier };
    expect((await auth.send("POST", "/token?grant_type=pkce", { body })).body.user.id).toBe(id);
  });
});

describe("unlinking", () => {
  const unlink = (token: string | null, id: string, on = auth) =>
    on.send("DELETE", `/user/identities/${id}`, { token: token ?? "" });
  const both = async () => {
    const email = newEmail();
    await confirmed(email);
    const { token } = await ways.google({ email, isVerified: true });
    return { email, token, user: await me(token) };
  };
  const identityOf = (user: { identities: { provider: string; identity_id: string }[] }, provider: string) =>
    user.identities.find((one) => one.provider === provider)!.identity_id;

  test("takes the identity, tells the owner, and leaves the last one", async () => {
    const { email, token, user } = await both();
    auth.sent.mails.length = 0;
    const reply = await unlink(token, identityOf(user, "google"));
    expect([reply.status, reply.body]).toEqual([200, {}]);
    expect((await me(token)).app_metadata).toMatchObject({ provider: "email", providers: ["email"] });
    expect(auth.sent.mails).toMatchObject([{ kind: "identity_unlinked", to: email, facts: { Provider: "google" } }]);
    const last = await unlink(token, identityOf(user, "email"));
    expect([last.status, last.body.error_code]).toEqual([422, "single_identity_not_deletable"]);
  });

  test("not another's, not one that is not there, not without a session, not where it is off", async () => {
    const [one, other] = [await both(), await both()];
    const foreign = identityOf(other.user, "google");
    expect((await unlink(one.token, foreign)).body.error_code).toBe("identity_not_found");
    expect((await me(other.token)).identities).toHaveLength(2);
    expect((await unlink(one.token, "nonsense")).status).toBe(404);
    expect((await auth.send("DELETE", `/user/identities/${foreign}`)).status).toBe(401);
    const off = auth.with({ ...options, manualLinkingEnabled: false });
    expect((await unlink(one.token, identityOf(one.user, "google"), off)).body.error_code).toBe(
      "manual_linking_disabled",
    );
  });

  test("two at once never take the last two", async () => {
    for (let at = 0; at < 5; at++) {
      const { token, user } = await both();
      const replies = await Promise.all(["google", "email"].map((name) => unlink(token, identityOf(user, name))));
      expect(replies.map(({ status }) => status).sort()).toEqual([200, 422]);
      expect((await me(token)).identities).toHaveLength(1);
    }
  });

  test("an address goes with the last identity that has it; one that is vouched for comes in its place", async () => {
    const { token, user } = await both();
    const other = newEmail();
    const begun = await auth.send("GET", "/user/identities/authorize?provider=github&skip_http_redirect=true", {
      token: token!,
    });
    const code = github.willBe({ id: newSubject(), email: other, isVerified: true });
    await auth.send("GET", `/callback?code=${code}&state=${new URL(begun.body.url).searchParams.get("state")}`);
    await unlink(token, identityOf(user, "google"));
    await unlink(token, identityOf(user, "email"));
    expect(await me(token)).toMatchObject({
      email: other,
      app_metadata: { provider: "github", providers: ["github"] },
    });
  });
});

describe("refresh tokens Apple wants revoked", () => {
  const appleIn = async () => {
    const [email, sub] = [newEmail(), `apple-${newSubject()}`];
    const url = new URL((await auth.send("GET", "/authorize?provider=apple")).headers.location!);
    const claims = { sub, aud: "com.example.app", nonce: url.searchParams.get("nonce"), email, email_verified: true };
    const form = new URLSearchParams({ code: apple.willSay(claims), state: url.searchParams.get("state")! });
    const reply = await auth.send("POST", "/callback", { body: form.toString() });
    return me(factsOf(reply.headers.location!).fragment.get("access_token"));
  };
  const clock = { nowMs: () => Date.now() };
  const needs = () => ({ db: auth.db, signer: auth.identity.signer, observe: () => {} });
  const providersOf = (more = {}) =>
    createProviders({ settings: { ...readSettings(authSettings, { env: {} }).values, ...options, ...more }, clock });

  test("are kept encrypted, and Apple is told once the account is gone, by whatever way", async () => {
    const [deleted, swept, erased] = [await appleIn(), await appleIn(), await appleIn()];
    const ids = [deleted.id, swept.id, erased.id];
    const kept = () => auth.sql("select refresh_token from mainstay.provider_tokens where user_id = any ($1)", [ids]);
    const rows = await kept();
    expect(rows).toHaveLength(3);
    expect(JSON.stringify(rows)).not.toContain("local-refresh-token");
    const providers = providersOf();
    expect(await revokeDue(needs(), providers)).toBe(0);

    await auth.db.transaction((tx) => revokeProviderTokens(needs(), tx, deleted.id));
    await auth.sql("delete from auth.users where id = $1", [swept.id]);
    await auth.admin("DELETE", `/admin/users/${erased.id}`, { should_soft_delete: true });
    apple.revoked.length = 0;
    expect(await revokeDue(needs(), providers)).toBe(3);
    expect(apple.revoked.map((body) => Object.fromEntries(body))).toEqual(
      ids.map(() => ({
        client_id: "com.example.app",
        client_secret: "s",
        token: "local-refresh-token",
        token_type_hint: "refresh_token",
      })),
    );
    expect(await kept()).toEqual([]);
  });

  test("are told again when Apple was not there, and a transaction that is undone tells nothing", async () => {
    const user = await appleIn();
    const away = providersOf({ appleUrl: "http://127.0.0.1:1" });
    const undone = auth.db.transaction(async (tx) => {
      await revokeProviderTokens(needs(), tx, user.id);
      throw new Error("undone");
    });
    await expect(undone).rejects.toThrow("undone");
    expect(await revokeDue(needs(), away)).toBe(0);
    await auth.db.transaction((tx) => revokeProviderTokens(needs(), tx, user.id));
    expect(await revokeDue(needs(), away)).toBe(0);
    const [row] = await auth.sql(
      "select attempts, revoke_at > now() as later from mainstay.provider_tokens where user_id = $1",
      [user.id],
    );
    expect(row).toEqual({ attempts: 1, later: true });
    await auth.sql("update mainstay.provider_tokens set revoke_at = now() where user_id = $1", [user.id]);
    expect(await revokeDue(needs(), providersOf())).toBe(1);
  });
});

describe("an invitation", () => {
  const invited = async (email: string) => {
    auth.sent.mails.length = 0;
    expect((await auth.admin("POST", "/invite", { email })).status).toBe(200);
    return auth.sent.mails.find(({ kind }) => kind === "invite")!.tokenHash;
  };
  const accept = async (token: string, person_: Vouched) => {
    const begun = await auth.send("GET", `/authorize?provider=github&invite_token=${token}`);
    const url = new URL(begun.headers.location!);
    const code = github.willBe({ id: newSubject(), ...person_ });
    return redirected(await auth.send("GET", `/callback?code=${code}&state=${url.searchParams.get("state")}`));
  };

  test("is accepted by the provider's account of the same address, once", async () => {
    const email = newEmail();
    const token = await invited(email);
    const { token: session } = await accept(token, { email, isVerified: true });
    expect(await me(session)).toMatchObject({ email, app_metadata: { providers: ["github"] } });
    expect((await auth.send("GET", `/authorize?provider=github&invite_token=${token}`)).body.error_code).toBe(
      "user_not_found",
    );
  });

  test("is not another's, and stays where it was", async () => {
    const email = newEmail();
    const token = await invited(email);
    expect(await accept(token, { email: newEmail(), isVerified: true })).toEqual({
      token: null,
      code: "validation_failed",
    });
    expect((await accept(token, { email, isVerified: true })).token).toBeTruthy();
  });
});
