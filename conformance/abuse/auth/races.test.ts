import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { googleAt, type Issuer, openIssuer, s256 } from "./issuer.ts";
import { type AuthServer, atOnce, newEmail, newPhone, type Person, type Reply, startAuth, totpCode } from "./server.ts";

/** Threats A07, A09, A10 and A12 by races: so many at once, of which one may win. */
const width = 50;

let issuer: Issuer;
let auth: AuthServer;
/** Addresses confirm themselves here, so a sign-up is a session or a refusal. */
let open: AuthServer;
beforeAll(async () => {
  issuer = await openIssuer();
  [auth, open] = await Promise.all([
    startAuth({ auth: { ...googleAt(issuer), passwordReauthentication: true } }),
    startAuth({ auth: { mailerAutoconfirm: true } }),
  ]);
});
afterAll(async () => {
  await Promise.all([auth.stop(), open.stop(), issuer.close()]);
});

/** What must hold of every account at any time, whatever was done to it at once. */
const halves = (server: AuthServer) =>
  server.sql(`
    select 'user without identity' as what, u.id from auth.users u
      where not u.is_anonymous and not exists (select from auth.identities i where i.user_id = u.id)
    union all select 'providers are not the identities', u.id from auth.users u
      where not u.is_anonymous and u.deleted_at is null and (
        select coalesce(jsonb_agg(distinct p order by p), '[]') from jsonb_array_elements_text(u.raw_app_meta_data -> 'providers') p)
        is distinct from (
        select coalesce(jsonb_agg(distinct i.provider order by i.provider), '[]') from auth.identities i where i.user_id = u.id)
    union all select 'session that was earned by nothing', s.id from auth.sessions s
      where not exists (select from auth.mfa_amr_claims a where a.session_id = s.id)
    union all select 'session without a counter', s.id from auth.sessions s where s.refresh_token_counter is null
    union all select 'raised session without a factor', s.id from auth.sessions s
      where s.aal = 'aal2' and not exists (
        select from auth.mfa_factors f where f.user_id = s.user_id and f.status = 'verified')
    union all select 'used token of a change that is under way', u.id from auth.users u
      where u.email_change <> '' and 2 = (
        select count(*) from mainstay.one_time_tokens t
        where t.user_id = u.id and t.purpose like 'email_change%' and t.used_at is not null)`);

afterEach(async () => {
  expect([...(await halves(auth)), ...(await halves(open))]).toEqual([]);
});

const tally = (replies: readonly Reply[]): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const { status, code } of replies) {
    const key = code === null ? String(status) : `${status} ${code}`;
    counts[key] = (counts[key] ?? 0) + 1;
  }
  return counts;
};
const winners = (replies: readonly Reply[]): Reply[] => replies.filter(({ status }) => status < 300);
const one = (replies: readonly Reply[]): Reply => {
  expect(replies.filter(({ status }) => status >= 500)).toEqual([]);
  expect(winners(replies).length, JSON.stringify(tally(replies))).toBe(1);
  return winners(replies)[0]!;
};
const sessionsOf = async (id: string, server = auth): Promise<number> =>
  (await server.sql<{ n: number }>("select count(*)::int as n from auth.sessions where user_id = $1", [id]))[0]!.n;

describe("A07 A09 A10 of fifty at once one wins, and nothing is left half done", () => {
  test("A07 refresh: one live token value, and one line of successors", async () => {
    const person = await auth.newPerson();
    let token = person.refreshToken;
    for (let round = 0; round < 3; round++) {
      const presented = token;
      const replies = await atOnce(width, () =>
        auth.post("/token?grant_type=refresh_token", { refresh_token: presented }),
      );
      expect(tally(replies)).toEqual({ 200: width });
      const values = new Set(replies.map(({ body }) => body.refresh_token as string));
      expect(values.size).toBe(1);
      [token] = values as unknown as [string];
    }
    expect(await sessionsOf(person.id)).toBe(1);
  });

  test("A09 code exchange: one session, which ends because two parties have the code", async () => {
    const person = await auth.newPerson();
    const verifier = "verifier-".repeat(6);
    await auth.post("/otp", {
      email: person.email,
      code_challenge: s256(verifier),
      code_challenge_method: "s256",
    });
    const { link } = await auth.received(person.email);
    const led = await auth.ask("GET", `/verify?${link}`);
    const code = new URL(led.headers.get("location")!).searchParams.get("code");
    const replies = await atOnce(width, () =>
      auth.post("/token?grant_type=pkce", { auth_code: code, code_verifier: verifier }),
    );
    const { body } = one(replies);
    expect(tally(replies)).toEqual({ 200: 1, "400 flow_state_already_used": width - 1 });
    expect((await auth.ask("GET", "/user", { token: body.access_token })).code).toBe("session_not_found");
    // The session of before has nothing to do with it.
    expect(await sessionsOf(person.id)).toBe(1);
  });

  test("A09 a provider's answer: one session for one state", async () => {
    const begun = await auth.ask("GET", "/authorize?provider=google");
    const url = new URL(begun.headers.get("location")!);
    const [state, nonce] = [url.searchParams.get("state"), url.searchParams.get("nonce")];
    const email = newEmail();
    const codes = Array.from({ length: width }, () =>
      issuer.codeFor({ sub: `sub-${email}`, email, email_verified: true, nonce }),
    );
    const replies = await atOnce(width, (at) => auth.ask("GET", `/callback?state=${state}&code=${codes[at]}`));
    const facts = replies.map(({ headers }) => new URLSearchParams(new URL(headers.get("location")!).hash.slice(1)));
    expect(facts.filter((each) => each.has("access_token")).length).toBe(1);
    expect(new Set(facts.map((each) => each.get("error_code")))).toEqual(new Set([null, "bad_oauth_state"]));
    expect(await auth.sql("select count(*)::int as n from auth.users where email = $1", [email])).toEqual([{ n: 1 }]);
  });

  test.each(["magiclink", "recovery", "signup", "invite"])("A10 a generated link of type %s", async (type) => {
    const isNew = type === "signup" || type === "invite";
    const email = isNew ? newEmail() : (await auth.newPerson()).email;
    const made = await auth.admin("POST", "/admin/generate_link", { type, email, password: "correct horse 8" });
    expect([made.status, made.text]).toEqual([200, expect.any(String)]);
    // Half of them come with the code, half with the link's token: it is one secret in two forms.
    const replies = await atOnce(width, (at) =>
      auth.post(
        "/verify",
        at % 2
          ? { type: made.body.verification_type, token_hash: made.body.hashed_token }
          : { type: made.body.verification_type, email, token: made.body.email_otp },
      ),
    );
    one(replies);
    expect(await sessionsOf(made.body.id)).toBe(isNew ? 1 : 2);
  });

  test.each([
    ["a code by mail", "/otp", "email"],
    ["a recovery", "/recover", "recovery"],
  ])("A10 %s", async (_what, path, type) => {
    const person = await auth.newPerson();
    await auth.post(path, { email: person.email });
    const { otp } = await auth.received(person.email);
    one(await atOnce(width, () => auth.post("/verify", { type, email: person.email, token: otp })));
    expect(await sessionsOf(person.id)).toBe(2);
  });

  test("A10 a code by text message", async () => {
    const phone = newPhone();
    await auth.post("/otp", { phone });
    const { otp } = await auth.received(phone);
    const { body } = one(await atOnce(width, () => auth.post("/verify", { type: "sms", phone, token: otp })));
    expect(await sessionsOf(body.user.id)).toBe(1);
  });

  test("A10 an invitation by mail", async () => {
    const email = newEmail();
    await auth.admin("POST", "/invite", { email });
    const { link } = await auth.received(email);
    const replies = await atOnce(width, () => auth.post("/verify", { type: "invite", token_hash: link.get("token") }));
    expect(await sessionsOf(one(replies).body.user.id)).toBe(1);
  });

  test("A10 a change of address: both confirmations many times at once make one change", async () => {
    const person = await auth.newPerson();
    const to = newEmail();
    expect((await auth.ask("PUT", "/user", { token: person.token, body: { email: to } })).status).toBe(200);
    const [old, fresh] = [await auth.received(person.email), await auth.received(to)];
    const replies = await atOnce(width, (at) =>
      auth.post("/verify", { type: "email_change", token_hash: (at % 2 ? old : fresh).link.get("token") }),
    );
    // One is the first half, and has no session in it; one is the second.
    expect(winners(replies).length, JSON.stringify(tally(replies))).toBe(2);
    expect(winners(replies).filter(({ body }) => "access_token" in body).length).toBe(1);
    const { body } = await auth.admin("GET", `/admin/users/${person.id}`);
    expect([body.email, body.new_email, body.user_metadata.email]).toEqual([to, undefined, to]);
    expect(body.identities.map((each: { email: string }) => each.email)).toEqual([to]);
  });

  test("A10 ten people for one address: one gets it, the others keep theirs", async () => {
    const people = await Promise.all(Array.from({ length: 10 }, () => auth.newPerson()));
    const to = newEmail();
    const tokens: string[][] = [];
    for (const { token, email } of people) {
      expect((await auth.ask("PUT", "/user", { token, body: { email: to } })).status).toBe(200);
      tokens.push([(await auth.received(email)).link.get("token")!, (await auth.received(to)).link.get("token")!]);
    }
    for (const side of [0, 1]) {
      const replies = await atOnce(width, (at) =>
        auth.post("/verify", { type: "email_change", token_hash: tokens[at % 10]![side] }),
      );
      expect(replies.filter(({ status }) => status >= 500)).toEqual([]);
      if (side === 1) one(replies);
    }
    const rows = await auth.sql<{ id: string; email: string }>("select id, email from auth.users where id = any ($1)", [
      people.map(({ id }) => id),
    ]);
    expect(rows.filter(({ email }) => email === to).length).toBe(1);
    const kept = rows.filter(({ id, email }) => people.some((each) => each.id === id && each.email === email));
    expect(kept.length).toBe(9);
  });

  test("A10 a nonce: one password of fifty", async () => {
    const person = await auth.newPerson();
    await auth.sql("update auth.sessions set created_at = now() - interval '2 days' where user_id = $1", [person.id]);
    await auth.ask("GET", "/reauthenticate", { token: person.token });
    const { otp } = await auth.received(person.email);
    const passwordOf = (at: number) => `another horse ${at}`;
    const replies = await atOnce(width, (at) =>
      auth.ask("PUT", "/user", { token: person.token, body: { password: passwordOf(at), nonce: otp } }),
    );
    one(replies);
    const right = replies.findIndex(({ status }) => status === 200);
    await auth.signIn({ email: person.email, password: passwordOf(right) });
    await expect(auth.signIn(person)).rejects.toThrow("invalid_credentials");
  });

  test("A10 a sign-up of one address: one account", async () => {
    const email = newEmail();
    const replies = await atOnce(width, (at) => open.post("/signup", { email, password: `correct horse ${at}` }));
    one(replies);
    const right = replies.findIndex(({ status }) => status === 200);
    await open.signIn({ email, password: `correct horse ${right}` });
    const rows = await open.sql("select id from auth.users where email = $1", [email]);
    expect(rows.length).toBe(1);
  });

  test("A10 a sign-up of one address that is to be confirmed: one account, and one password in the end", async () => {
    const email = newEmail();
    const replies = await atOnce(width, (at) => auth.post("/signup", { email, password: `correct horse ${at}` }));
    expect(tally(replies)).toEqual({ 200: width });
    const [row] = await auth.sql<{ id: string; identities: number }>(
      `select id, (select count(*)::int from auth.identities i where i.user_id = u.id) as identities
       from auth.users u where email = $1`,
      [email],
    );
    expect(row?.identities).toBe(1);
    let links = 0;
    for (let at = 0; at < width; at++) {
      const { link } = await auth.received(email);
      const { status } = await auth.post("/verify", { type: "signup", token_hash: link.get("token") });
      links += status === 200 ? 1 : 0;
    }
    expect(links).toBe(1);
    const right = [];
    for (let at = 0; at < width; at++) {
      const reply = await auth.post("/token?grant_type=password", { email, password: `correct horse ${at}` });
      if (reply.status === 200) right.push(at);
    }
    expect(right.length).toBe(1);
  });

  test("A10 a user made by fifty admins at once is one", async () => {
    const email = newEmail();
    const replies = await atOnce(width, () => auth.admin("POST", "/admin/users", { email, email_confirm: true }));
    one(replies);
    expect(tally(replies)).toEqual({ 200: 1, "422 email_exists": width - 1 });
  });

  test("A10 an identity: linked once, to one of those who want it", async () => {
    const people = await Promise.all([auth.newPerson(), auth.newPerson()]);
    const token = issuer.idToken({ sub: `sub-${newEmail()}`, email: newEmail(), email_verified: true });
    const replies = await atOnce(width, (at) =>
      auth.ask("POST", "/token?grant_type=id_token", {
        token: people[at % 2]!.token,
        body: { provider: "google", id_token: token, link_identity: true },
      }),
    );
    const { body } = one(replies);
    expect(people.map(({ id }) => id)).toContain(body.user.id);
    expect(tally(replies)).toEqual({ 200: 1, "422 identity_already_exists": width - 1 });
  });

  test("A10 a first sign-in by a provider: one account, whoever comes first", async () => {
    const email = newEmail();
    const token = issuer.idToken({ sub: `sub-${email}`, email, email_verified: true });
    const replies = await atOnce(width, () =>
      auth.post("/token?grant_type=id_token", { provider: "google", id_token: token }),
    );
    expect(tally(replies)).toEqual({ 200: width });
    expect(new Set(replies.map(({ body }) => body.user.id)).size).toBe(1);
    expect(replies[0]!.body.user.identities.length).toBe(1);
  });

  test("A10 the last identity but one: two cannot both be taken away", async () => {
    const person = await auth.newPerson();
    const token = issuer.idToken({ sub: `sub-${person.email}`, email: newEmail(), email_verified: true });
    const linked = await auth.ask("POST", "/token?grant_type=id_token", {
      token: person.token,
      body: { provider: "google", id_token: token, link_identity: true },
    });
    const ids = linked.body.user.identities.map((each: { identity_id: string }) => each.identity_id);
    expect(ids.length).toBe(2);
    one(await atOnce(width, (at) => auth.ask("DELETE", `/user/identities/${ids[at % 2]}`, { token: person.token })));
  });

  test("A10 one's own account: deleted once, and wholly", async () => {
    const person = await auth.newPerson();
    const replies = await atOnce(width, () =>
      auth.ask("DELETE", "/user", { token: person.token, body: { password: person.password } }),
    );
    one(replies);
    expect((await auth.post("/token?grant_type=refresh_token", { refresh_token: person.refreshToken })).status).toBe(
      400,
    );
  });
});

describe("A10 everything at once on one account", () => {
  const none500 = (replies: readonly Reply[]) => {
    expect(replies.filter(({ status }) => status >= 500).map(({ text }) => text)).toEqual([]);
    expect(auth.observations.filter(({ kind }) => kind === "request.failed")).toEqual([]);
  };

  test("A10 of a stranger's: sign-ups, codes, links and wrong tries wait for each other, and none is lost to another", async () => {
    const email = newEmail();
    await auth.post("/signup", { email, password: "correct horse 8" });
    const challenge = { code_challenge: s256("v".repeat(43)), code_challenge_method: "s256" };
    const calls = [
      () => auth.post("/signup", { email, password: "correct horse 9", ...challenge }),
      () => auth.post("/otp", { email }),
      () => auth.post("/otp", { email, ...challenge }),
      () => auth.post("/recover", { email }),
      () => auth.post("/resend", { type: "signup", email }),
      () => auth.post("/verify", { type: "email", email, token: "000000" }),
      () => auth.post("/verify", { type: "recovery", email, token: "000000" }),
      () => auth.admin("POST", "/admin/generate_link", { type: "magiclink", email }),
      () => auth.admin("POST", "/admin/generate_link", { type: "invite", email }),
      () => auth.admin("POST", "/invite", { email }),
    ];
    none500(await atOnce(200, (at) => calls[(at * 7) % calls.length]!()));
  });

  test("A10 of one's own: changes, nonces, factors, sign-ins, and in the end its deletion", async () => {
    const person = await auth.newPerson();
    const { email, token } = person;
    const calls = [
      () => auth.ask("PUT", "/user", { token, body: { email: newEmail() } }),
      () => auth.ask("PUT", "/user", { token, body: { data: { hue: 1 } } }),
      () => auth.ask("PUT", "/user", { token, body: { phone: newPhone() } }),
      () => auth.ask("GET", "/reauthenticate", { token }),
      () => auth.post("/factors", { factor_type: "totp", friendly_name: newEmail().slice(0, 60) }, token),
      () => auth.post("/factors/recovery-codes/regenerate", {}, token),
      () => auth.post("/passkeys/registration/options", {}, token),
      () => auth.post("/token?grant_type=password", person),
      () => auth.post("/recover", { email }),
      () => auth.post("/otp", { email }),
      () => auth.post("/verify", { type: "email", email, token: "000000" }),
      () => auth.post("/logout?scope=others", {}, token),
      () => auth.admin("PUT", `/admin/users/${person.id}`, { user_metadata: { hue: 2 } }),
    ];
    const deletion = () => auth.ask("DELETE", "/user", { token, body: { password: person.password } });
    none500(await atOnce(200, (at) => (at === 150 ? deletion() : calls[(at * 5) % calls.length]!())));
    expect(await auth.sql("select 1 from auth.users where id = $1", [person.id])).toEqual([]);
  });
});

describe("A10 second factors", () => {
  const enrolled = async (): Promise<{ person: Person; id: string; secret: string; token: string }> => {
    const person = await auth.newPerson();
    const { body } = await auth.post("/factors", { factor_type: "totp" }, person.token);
    const challenge = await auth.post(`/factors/${body.id}/challenge`, {}, person.token);
    const raised = await auth.post(
      `/factors/${body.id}/verify`,
      { challenge_id: challenge.body.id, code: totpCode(body.totp.secret, -1) },
      person.token,
    );
    expect([raised.status, raised.code]).toEqual([200, null]);
    return { person, id: body.id, secret: body.totp.secret, token: raised.body.access_token };
  };

  test("A10 a code of an authenticator app", async () => {
    const { person, id, secret } = await enrolled();
    const { token } = await auth.signIn(person);
    const challenges = await atOnce(width, () => auth.post(`/factors/${id}/challenge`, {}, token));
    const code = totpCode(secret);
    one(
      await atOnce(width, (at) =>
        auth.post(`/factors/${id}/verify`, { challenge_id: challenges[at]!.body.id, code }, token),
      ),
    );
  });

  test("A10 a recovery code", async () => {
    const { person, token } = await enrolled();
    const made = await auth.post("/factors/recovery-codes", {}, token);
    expect([made.status, made.code]).toEqual([200, null]);
    const code = made.body.codes[0];
    const other = await auth.signIn(person);
    one(await atOnce(width, () => auth.post("/factors/recovery-codes/verify", { code }, other.token)));
  });

  test("A10 a code by text message", async () => {
    const { token } = await enrolled();
    const phone = newPhone();
    const { body } = await auth.post("/factors", { factor_type: "phone", phone: `+${phone}` }, token);
    const challenge = await auth.post(`/factors/${body.id}/challenge`, {}, token);
    const { otp } = await auth.received(phone);
    one(
      await atOnce(width, () =>
        auth.post(`/factors/${body.id}/verify`, { challenge_id: challenge.body.id, code: otp }, token),
      ),
    );
  });

  test("A10 a factor is taken away once, and its session goes down with it", async () => {
    const { person, id, token } = await enrolled();
    one(await atOnce(width, () => auth.ask("DELETE", `/factors/${id}`, { token })));
    const rows = await auth.sql("select aal::text from auth.sessions where user_id = $1", [person.id]);
    expect(rows.every(({ aal }) => aal === "aal1")).toBe(true);
  });

  test("A12 fifty wrong codes at once are no more than the tries there are", async () => {
    const { person, id, secret } = await enrolled();
    const { token } = await auth.signIn(person);
    const challenge = await auth.post(`/factors/${id}/challenge`, {}, token);
    const right = totpCode(secret);
    const wrong = String((Number(right) + 500_000) % 1_000_000).padStart(6, "0");
    const tried = await atOnce(width, () =>
      auth.post(`/factors/${id}/verify`, { challenge_id: challenge.body.id, code: wrong }, token),
    );
    expect(tally(tried)).toEqual({ "422 mfa_verification_failed": 5, "422 mfa_challenge_expired": width - 5 });
  });
});
