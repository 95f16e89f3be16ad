import { createHash, randomBytes, randomUUID } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { flowStateStore } from "../flow-state-store.ts";
import { openTestAuth, type TestAuth } from "../testing.ts";

let auth: TestAuth;
beforeAll(async () => {
  auth = await openTestAuth({
    mailerAutoconfirm: false,
    codeAnswerMs: 0,
    siteUrl: "https://app.example.com",
    redirectAllowList: ["myapp://login-callback"],
  });
});
afterAll(() => auth.close());
beforeEach(() => {
  auth.sent.mails.length = 0;
});

let count = 0;
const freshEmail = () => `pkce${++count}@example.com`;
const post = (target: string, body: unknown, from = auth) => from.send("POST", target, { body });
const claimsOf = (token: string) => JSON.parse(Buffer.from(token.split(".")[1]!, "base64url").toString());
const lastMail = () => auth.sent.mails.at(-1)!;
const newPkce = () => {
  const verifier = randomBytes(32).toString("base64url");
  const challenge = createHash("sha256").update(verifier).digest("base64url");
  return { verifier, fields: { code_challenge: challenge, code_challenge_method: "s256" } };
};
const linkOf = (mail = lastMail()) =>
  `/verify?${new URLSearchParams({ token: mail.tokenHash, type: mail.verifyType, redirect_to: mail.redirectTo })}`;
const pressOn = (mail = lastMail()) =>
  auth.send("POST", "/verify", {
    body: new URLSearchParams({
      token: mail.tokenHash,
      type: mail.verifyType,
      redirect_to: mail.redirectTo,
    }).toString(),
    headers: { "content-type": "application/x-www-form-urlencoded" },
  });
const codeIn = (reply: { headers: Readonly<Record<string, string>> }) =>
  new URL(reply.headers.location!).searchParams.get("code") ?? "";
const exchange = (code: string, verifier: string, from = auth) =>
  post("/token?grant_type=pkce", { auth_code: code, code_verifier: verifier }, from);
const isSessionOpen = async (token: string) => (await auth.send("GET", "/user", { token })).status === 200;
const confirmed = async (): Promise<string> => {
  const email = freshEmail();
  await auth.admin("POST", "/admin/users", { email, password: "correct horse", email_confirm: true });
  return email;
};
const begin = async (email: string, path = "/otp") => {
  const { verifier, fields } = newPkce();
  await post(`${path}?redirect_to=myapp://login-callback`, { email, ...fields });
  return { verifier, mail: lastMail() };
};

describe("from a link to a session", () => {
  test("link, code in the query, exchange", async () => {
    const email = await confirmed();
    const { verifier, mail } = await begin(email);
    const reply = await auth.send("GET", linkOf(mail));
    expect(reply.status).toBe(303);
    expect(reply.headers.location).toMatch(/^myapp:\/\/login-callback\?code=[0-9a-f-]{36}$/);
    const { status, body } = await exchange(codeIn(reply), verifier);
    expect(status).toBe(200);
    expect(body).toMatchObject({ token_type: "bearer", user: { email } });
    expect(claimsOf(body.access_token).amr).toMatchObject([{ method: "magiclink" }]);
    expect(body.provider_token).toBeUndefined();
  });

  test("a plain challenge, for clients that cannot hash", async () => {
    const email = await confirmed();
    const verifier = randomBytes(32).toString("base64url");
    await post("/otp", { email, code_challenge: verifier, code_challenge_method: "plain" });
    const code = codeIn(await auth.send("GET", linkOf()));
    expect((await exchange(code, verifier)).status).toBe(200);
  });

  test("recovery says so in the session, and a sign-up too", async () => {
    const email = await confirmed();
    const { verifier, mail } = await begin(email, "/recover");
    const recovered = await exchange(codeIn(await auth.send("GET", linkOf(mail))), verifier);
    expect(claimsOf(recovered.body.access_token).amr).toMatchObject([{ method: "recovery" }]);

    const { verifier: other, fields } = newPkce();
    const fresh = freshEmail();
    await post("/signup", { email: fresh, password: "correct horse", ...fields });
    expect((await auth.send("GET", linkOf())).status).toBe(200);
    const signedUp = await exchange(codeIn(await pressOn()), other);
    expect(claimsOf(signedUp.body.access_token).amr).toMatchObject([{ method: "email/signup" }]);
    expect((await post("/token?grant_type=password", { email: fresh, password: "correct horse" })).status).toBe(200);
  });

  test("a sign-up by mail read on another device is confirmed there, and signs in here", async () => {
    const email = freshEmail();
    await post("/signup", { email, password: "correct horse", ...newPkce().fields });
    expect((await pressOn()).status).toBe(303);
    expect((await post("/token?grant_type=password", { email, password: "correct horse" })).status).toBe(200);
  });

  test("the code that is typed works as well, and takes the link with it", async () => {
    const email = await confirmed();
    const { verifier, mail } = await begin(email);
    const code = codeIn(await auth.send("GET", linkOf(mail)));
    expect((await post("/verify", { type: "email", email, token: mail.otp })).status).toBe(200);
    expect((await exchange(code, verifier)).body.error_code).toBe("flow_state_not_found");
    const reopened = new URL((await auth.send("GET", linkOf(mail))).headers.location!);
    expect(reopened.searchParams.get("error_code")).toBe("otp_expired");
    expect(reopened.hash).toContain("error_code=otp_expired");
  });

  test("token_hash gives a session at once, for servers that render pages", async () => {
    const email = await confirmed();
    const { mail } = await begin(email);
    expect((await post("/verify", { type: "email", token_hash: mail.tokenHash })).status).toBe(200);
  });
});

describe("what an exchange refuses", () => {
  test("each with the protocol's code", async () => {
    const email = await confirmed();
    const { verifier, mail } = await begin(email);
    const code = codeIn(await auth.send("GET", linkOf(mail)));
    const cases: [unknown, number, string][] = [
      [{ auth_code: "", code_verifier: verifier }, 400, "validation_failed"],
      [{ auth_code: code, code_verifier: "" }, 400, "validation_failed"],
      [{}, 400, "validation_failed"],
      [{ auth_code: randomUUID(), code_verifier: verifier }, 404, "flow_state_not_found"],
      [{ auth_code: "' or true --", code_verifier: verifier }, 404, "flow_state_not_found"],
      [{ auth_code: code, code_verifier: `${verifier}x` }, 400, "bad_code_verifier"],
      [{ auth_code: code, code_verifier: newPkce().verifier }, 400, "bad_code_verifier"],
      [{ auth_code: 7 }, 400, "bad_json"],
    ];
    for (const [body, status, expected] of cases) {
      const reply = await post("/token?grant_type=pkce", body);
      expect.soft([reply.status, reply.body.error_code], JSON.stringify(body)).toEqual([status, expected]);
    }
    // A wrong verifier spoils nothing.
    expect((await exchange(code, verifier)).status).toBe(200);
  });

  test("a code that is too old, counted from its issue", async () => {
    const email = await confirmed();
    const { verifier, mail } = await begin(email);
    await auth.sql("update auth.flow_state set created_at = now() - interval '50 min'");
    const code = codeIn(await auth.send("GET", linkOf(mail)));
    await auth.sql("update auth.flow_state set auth_code_issued_at = now() - interval '299 s' where auth_code = $1", [
      code,
    ]);
    const late = { authCodeSeconds: 200 };
    const reply = await exchange(code, verifier, auth.with(late));
    expect([reply.status, reply.body.error_code]).toEqual([422, "flow_state_expired"]);
    expect((await exchange(code, verifier)).status).toBe(200);
  });

  test("a banned account, and one that is gone", async () => {
    const [banned, gone] = [await confirmed(), await confirmed()];
    const first = await begin(banned);
    const bannedCode = codeIn(await auth.send("GET", linkOf(first.mail)));
    await auth.sql("update auth.users set banned_until = now() + interval '1 h' where email = $1", [banned]);
    expect((await exchange(bannedCode, first.verifier)).body.error_code).toBe("user_banned");
    const second = await begin(gone);
    const goneCode = codeIn(await auth.send("GET", linkOf(second.mail)));
    await auth.sql("delete from auth.users where email = $1", [gone]);
    expect((await exchange(goneCode, second.verifier)).body.error_code).toBe("flow_state_not_found");
  });

  test("a flow without a challenge: its code opens nothing", async () => {
    const email = await confirmed();
    const [row] = await auth.sql("select id from auth.users where email = $1", [email]);
    const [id, code] = [randomUUID(), randomUUID()];
    await flowStateStore.create(auth.db, {
      id,
      userId: String(row!.id),
      codeChallenge: "",
      codeChallengeMethod: "",
      providerType: "google",
      authenticationMethod: "oauth",
      redirectTo: "",
    });
    await flowStateStore.issueCode(auth.db, id, code, { userId: String(row!.id) });
    for (const verifier of ["x", " ", newPkce().verifier]) {
      expect((await exchange(code, verifier)).body.error_code).toBe("bad_code_verifier");
    }
  });
});

describe("A09 a code is exchanged once", () => {
  test("50 at once: one gets a session, and as two parties had the code, that one is ended", async () => {
    const email = await confirmed();
    const { verifier, mail } = await begin(email);
    const code = codeIn(await auth.send("GET", linkOf(mail)));
    const replies = await Promise.all(Array.from({ length: 50 }, () => exchange(code, verifier)));
    const winners = replies.filter((reply) => reply.status === 200);
    expect(winners).toHaveLength(1);
    expect(new Set(replies.filter((reply) => reply.status !== 200).map((reply) => reply.body.error_code))).toEqual(
      new Set(["flow_state_already_used"]),
    );
    expect(await isSessionOpen(winners[0]!.body.access_token)).toBe(false);
  });

  test("a second use ends the session of the first, and no other", async () => {
    const email = await confirmed();
    const bystander = (await post("/token?grant_type=password", { email, password: "correct horse" })).body;
    const { verifier, mail } = await begin(email);
    const code = codeIn(await auth.send("GET", linkOf(mail)));
    const { body: first } = await exchange(code, verifier);
    expect(await isSessionOpen(first.access_token)).toBe(true);
    const second = await exchange(code, verifier);
    expect([second.status, second.body.error_code]).toEqual([400, "flow_state_already_used"]);
    expect(await isSessionOpen(first.access_token)).toBe(false);
    const refreshed = await post("/token?grant_type=refresh_token", { refresh_token: first.refresh_token });
    expect(refreshed.status).toBe(400);
    expect(await isSessionOpen(bystander.access_token)).toBe(true);
  });

  test("somebody who saw the code only, without the verifier, ends nothing", async () => {
    const email = await confirmed();
    const { verifier, mail } = await begin(email);
    const code = codeIn(await auth.send("GET", linkOf(mail)));
    const { body: first } = await exchange(code, verifier);
    expect((await exchange(code, newPkce().verifier)).body.error_code).toBe("flow_state_not_found");
    expect(await isSessionOpen(first.access_token)).toBe(true);
  });

  test("no code is kept in the clear once it was exchanged", async () => {
    const email = await confirmed();
    const { verifier, mail } = await begin(email);
    const code = codeIn(await auth.send("GET", linkOf(mail)));
    await exchange(code, verifier);
    const rows = await auth.sql("select row_to_json(c)::text as row from mainstay.used_auth_codes c");
    expect(rows.length).toBeGreaterThan(0);
    expect(JSON.stringify([rows, await auth.sql("select auth_code from auth.flow_state")])).not.toContain(code);
  });
});

describe("A21 a pkce_ link is anybody's to open", () => {
  test("scanners open it first, at the same moment and after: the person's code works, and nothing is confirmed before", async () => {
    const email = freshEmail();
    const { verifier, mail } = await begin(email);
    await auth.send("HEAD", linkOf(mail));
    const scanned = await auth.send("GET", linkOf(mail));
    const opened = await auth.send("GET", linkOf(mail));
    expect(codeIn(opened)).toBe(codeIn(scanned));
    await auth.send("GET", linkOf(mail));
    expect(await auth.sql("select email_confirmed_at from auth.users where email = $1", [email])).toEqual([
      { email_confirmed_at: null },
    ]);
    const { status, body } = await exchange(codeIn(opened), verifier);
    expect(status).toBe(200);
    expect(body.user.email_confirmed_at).toBeDefined();
    expect(new URL((await auth.send("GET", linkOf(mail))).headers.location!).searchParams.get("error_code")).toBe(
      "otp_expired",
    );
  });

  test("the code a scanner got long ago gives way to a fresh one", async () => {
    const email = await confirmed();
    const { verifier, mail } = await begin(email);
    const early = codeIn(await auth.send("GET", linkOf(mail)));
    await auth.sql("update auth.flow_state set auth_code_issued_at = now() - interval '10 min' where auth_code = $1", [
      early,
    ]);
    const fresh = codeIn(await auth.send("GET", linkOf(mail)));
    expect(fresh).not.toBe(early);
    expect((await exchange(early, verifier)).body.error_code).toBe("flow_state_not_found");
    expect((await exchange(fresh, verifier)).status).toBe(200);
  });

  test("A05 a scanner confirms nobody's sign-up: with a password in the account a person is asked", async () => {
    const email = freshEmail();
    await post("/signup", { email, password: "correct horse", ...newPkce().fields });
    for (let at = 0; at < 3; at++) {
      const page = await auth.send("GET", linkOf());
      expect([page.status, page.headers["content-type"]]).toEqual([200, "text/html; charset=utf-8"]);
    }
    expect((await post("/token?grant_type=password", { email, password: "correct horse" })).body.error_code).toBe(
      "email_not_confirmed",
    );
    const code = codeIn(await pressOn());
    expect(code).not.toBe("");
    // Confirmed, it leads on again until the code is exchanged.
    expect(codeIn(await auth.send("GET", linkOf()))).toBe(code);
    expect(codeIn(await pressOn())).toBe(code);
  });

  test("a link whose time is over leads to the error", async () => {
    const email = await confirmed();
    const { mail } = await begin(email);
    await auth.sql("update mainstay.one_time_tokens set expires_at = now() where address = $1", [email]);
    const reply = await auth.send("GET", linkOf(mail));
    expect(new URL(reply.headers.location!).searchParams.get("error_description")).toBe(
      "Email link is invalid or has expired",
    );
  });

  test("a new link takes the old one's place, and its code's", async () => {
    const email = await confirmed();
    const old = await begin(email);
    const code = codeIn(await auth.send("GET", linkOf(old.mail)));
    const fresh = await begin(email);
    expect((await exchange(code, old.verifier)).body.error_code).toBe("flow_state_not_found");
    expect(codeIn(await auth.send("GET", linkOf(old.mail)))).toBe("");
    const renewed = codeIn(await auth.send("GET", linkOf(fresh.mail)));
    expect((await exchange(renewed, fresh.verifier)).status).toBe(200);
  });
});
