import { createHash, randomBytes } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { openTestAuth, type TestAuth } from "../testing.ts";

const settings = {
  mailerAutoconfirm: false,
  phoneEnabled: true,
  anonymousEnabled: true,
  codeAnswerMs: 0,
  siteUrl: "https://app.example.com",
};
let auth: TestAuth;
let single: TestAuth;
beforeAll(async () => {
  auth = await openTestAuth(settings);
  single = auth.with({ ...settings, mailerSecureEmailChange: false });
});
afterAll(() => auth.close());
beforeEach(() => {
  auth.sent.mails.length = 0;
  auth.sent.sms.length = 0;
});

let count = 0;
const freshEmail = () => `change${++count}@example.com`;
const freshPhone = () => `4915114${String(++count).padStart(5, "0")}`;
const post = (target: string, body: unknown, from = auth) => from.send("POST", target, { body });
const claimsOf = (token: string) => JSON.parse(Buffer.from(token.split(".")[1]!, "base64url").toString());
const put = (token: string, body: unknown, from = auth) => from.send("PUT", "/user", { body, token });
const mailTo = (to: string) => auth.sent.mails.findLast((mail) => mail.to === to && mail.kind === "email_change")!;
const signedIn = async () => {
  const email = freshEmail();
  await auth.admin("POST", "/admin/users", { email, password: "correct horse", email_confirm: true });
  const { body } = await post("/token?grant_type=password", { email, password: "correct horse" });
  return { email, token: String(body.access_token), id: String(body.user.id) };
};
const half = { msg: "Confirmation link accepted. Please proceed to confirm link sent to the other email", code: "200" };

describe("a new e-mail address", () => {
  test("is confirmed from both addresses, in either order", async () => {
    for (const order of [0, 1]) {
      const { email, token } = await signedIn();
      const newEmail = freshEmail();
      const asked = await put(token, { email: newEmail.toUpperCase() });
      expect(asked.body).toMatchObject({ email, new_email: newEmail });
      expect(asked.body.email_change_sent_at).toBeDefined();
      const mails = [mailTo(email), mailTo(newEmail)];
      for (const mail of mails)
        expect(mail).toMatchObject({ kind: "email_change", verifyType: "email_change", newEmail });
      expect(mails[0]!.otp === mails[1]!.otp && mails[0]!.tokenHash === mails[1]!.tokenHash).toBe(false);
      const [first, second] = order === 0 ? mails : mails.toReversed();
      const one = await post("/verify", { type: "email_change", email: first!.to, token: first!.otp });
      expect([one.status, one.body]).toEqual([200, half]);
      const user = (await auth.send("GET", "/user", { token })).body;
      expect(user).toMatchObject({ email, new_email: newEmail });
      expect((await post("/verify", { type: "email_change", email: first!.to, token: first!.otp })).status).toBe(403);
      const two = await post("/verify", { type: "email_change", token_hash: second!.tokenHash });
      expect(two.body.user).toMatchObject({
        email: newEmail,
        user_metadata: { email: newEmail, email_verified: true },
      });
      expect(two.body.user.new_email).toBeUndefined();
      expect(two.body.user.identities).toMatchObject([{ provider: "email", identity_data: { email: newEmail } }]);
      expect(two.body.access_token).toBeDefined();
      expect((await post("/token?grant_type=password", { email, password: "correct horse" })).status).toBe(400);
      expect((await post("/token?grant_type=password", { email: newEmail, password: "correct horse" })).status).toBe(
        200,
      );
    }
  });

  test("A10 both confirmations at once are a change, not two halves", async () => {
    for (let at = 0; at < 5; at++) {
      const { email, token } = await signedIn();
      const newEmail = freshEmail();
      await put(token, { email: newEmail });
      const replies = await Promise.all(
        [mailTo(email), mailTo(newEmail)].map((mail) =>
          post("/verify", { type: "email_change", token_hash: mail.tokenHash }),
        ),
      );
      expect(replies.map((reply) => "access_token" in reply.body).sort()).toEqual([false, true]);
      expect(replies.find((reply) => "access_token" in reply.body)!.body.user.email).toBe(newEmail);
    }
  });

  test("is confirmed from the new address alone where the settings say so", async () => {
    const { token } = await signedIn();
    const newEmail = freshEmail();
    await put(token, { email: newEmail }, single);
    expect(auth.sent.mails.map((mail) => mail.to)).toEqual([newEmail]);
    const done = await post("/verify", { type: "email_change", email: newEmail, token: mailTo(newEmail).otp }, single);
    expect(done.body.user.email).toBe(newEmail);
  });

  test("a change begun anew makes the earlier one void, halves included", async () => {
    const { email, token } = await signedIn();
    const [first, second] = [freshEmail(), freshEmail()];
    await put(token, { email: first });
    const [oldCurrent, oldNew] = [mailTo(email), mailTo(first)];
    await post("/verify", { type: "email_change", token_hash: oldCurrent.tokenHash });
    await put(token, { email: second });
    expect((await post("/verify", { type: "email_change", token_hash: oldNew.tokenHash })).status).toBe(403);
    const confirmedNew = await post("/verify", { type: "email_change", token_hash: mailTo(second).tokenHash });
    expect(confirmedNew.body).toEqual(half);
    const done = await post("/verify", { type: "email_change", token_hash: mailTo(email).tokenHash });
    expect(done.body.user.email).toBe(second);
  });

  test("sent again, the side that has confirmed is not asked twice", async () => {
    const { email, token } = await signedIn();
    const newEmail = freshEmail();
    await put(token, { email: newEmail });
    await post("/verify", { type: "email_change", token_hash: mailTo(email).tokenHash });
    auth.sent.mails.length = 0;
    for (const address of [email, newEmail]) {
      expect((await post("/resend", { type: "email_change", email: address })).status).toBe(200);
    }
    expect(auth.sent.mails.map((mail) => mail.to)).toEqual([newEmail, newEmail]);
    const done = await post("/verify", { type: "email_change", email: newEmail, token: mailTo(newEmail).otp });
    expect(done.body.user.email).toBe(newEmail);
  });

  test("an address taken meanwhile is refused, and the change stays open", async () => {
    const { email, token } = await signedIn();
    const newEmail = freshEmail();
    await put(token, { email: newEmail });
    await auth.admin("POST", "/admin/users", { email: newEmail, password: "correct horse", email_confirm: true });
    await post("/verify", { type: "email_change", token_hash: mailTo(email).tokenHash });
    const taken = await post("/verify", { type: "email_change", token_hash: mailTo(newEmail).tokenHash });
    expect([taken.status, taken.body.error_code]).toEqual([422, "email_exists"]);
    expect((await auth.send("GET", "/user", { token })).body.email).toBe(email);
  });

  test("links for the old address open nothing once it is given up", async () => {
    const { email, token } = await signedIn();
    const newEmail = freshEmail();
    await post("/recover", { email });
    const recovery = auth.sent.mails.at(-1)!;
    await put(token, { email: newEmail }, single);
    await post("/verify", { type: "email_change", token_hash: mailTo(newEmail).tokenHash }, single);
    expect((await post("/verify", { type: "recovery", token_hash: recovery.tokenHash })).status).toBe(403);
  });

  test("with PKCE the first confirmation leads to a message, the second to a code", async () => {
    const { email, token } = await signedIn();
    const newEmail = freshEmail();
    const verifier = randomBytes(32).toString("base64url");
    const challenge = createHash("sha256").update(verifier).digest("base64url");
    await put(token, { email: newEmail, code_challenge: challenge, code_challenge_method: "s256" });
    const press = (to: string) =>
      auth.send("POST", "/verify", {
        body: new URLSearchParams({ token: mailTo(to).tokenHash, type: "email_change", redirect_to: "" }).toString(),
        headers: { "content-type": "application/x-www-form-urlencoded" },
      });
    const page = await auth.send("GET", `/verify?token=${mailTo(email).tokenHash}&type=email_change`);
    expect(page.status).toBe(200);
    const one = new URL((await press(email)).headers.location!);
    expect(one.searchParams.get("message")).toBe(half.msg);
    expect(one.hash).toContain("message=Confirmation+link+accepted");
    const two = new URL((await press(newEmail)).headers.location!);
    const reply = await post("/token?grant_type=pkce", {
      auth_code: two.searchParams.get("code"),
      code_verifier: verifier,
    });
    expect(reply.body.user.email).toBe(newEmail);
    expect(claimsOf(reply.body.access_token).amr).toMatchObject([{ method: "email_change" }]);
  });

  test("changing an address is limited like other mails", async () => {
    const limited = auth.with({ ...settings, rateLimits: true });
    const { token } = await signedIn();
    const newEmail = freshEmail();
    expect((await put(token, { email: newEmail }, limited)).status).toBe(200);
    const again = await put(token, { email: newEmail }, limited);
    expect([again.status, again.body.error_code]).toEqual([429, "over_email_send_rate_limit"]);
  });
});

describe("who is told", () => {
  test("the address that was confirmed before, of every change, and nobody of what is only asked for", async () => {
    const { email, token } = await signedIn();
    const [newEmail, phone] = [freshEmail(), freshPhone()];
    const notices = () => auth.sent.mails.filter((mail) => mail.kind.endsWith("_changed"));
    await put(token, { phone });
    await put(token, { email: newEmail }, single);
    expect(notices()).toEqual([]);
    await put(token, { password: "another horse" });
    await post("/verify", { type: "phone_change", phone, token: auth.sent.sms[0]!.otp });
    await post("/verify", { type: "email_change", email: newEmail, token: mailTo(newEmail).otp }, single);
    expect(notices()).toMatchObject([
      { kind: "password_changed", to: email, otp: "", tokenHash: "" },
      { kind: "phone_changed", to: email, facts: { old_phone: "" }, user: { phone } },
      { kind: "email_changed", to: email, newEmail, facts: { old_email: email } },
    ]);
  });
});

describe("a new phone number", () => {
  test("waits until its code is typed", async () => {
    const { token } = await signedIn();
    const phone = freshPhone();
    const asked = await put(token, { phone: `+${phone}`, channel: "whatsapp" });
    expect(asked.body).toMatchObject({ phone: "", new_phone: phone });
    expect(asked.body.phone_change_sent_at).toBeDefined();
    expect(auth.sent.sms).toMatchObject([{ purpose: "phone_change", to: phone, channel: "whatsapp" }]);
    await post("/resend", { type: "phone_change", phone });
    expect((await post("/verify", { type: "phone_change", phone, token: auth.sent.sms[0]!.otp })).status).toBe(403);
    const done = await post("/verify", { type: "phone_change", phone, token: auth.sent.sms[1]!.otp });
    expect(done.body.user).toMatchObject({ phone, user_metadata: { phone_verified: true } });
    expect(done.body.user.new_phone).toBeUndefined();
    expect(done.body.user.app_metadata.providers).toEqual(["email", "phone"]);
  });

  test("counts at once where numbers confirm themselves", async () => {
    const sure = auth.with({ ...settings, phoneAutoconfirm: true });
    const { token } = await signedIn();
    const phone = freshPhone();
    expect((await put(token, { phone }, sure)).body.phone).toBe(phone);
    expect(auth.sent.sms).toEqual([]);
  });
});

describe("from anonymous to permanent", () => {
  test("by e-mail: then it has a password, and is nobody's but theirs", async () => {
    const { body: anonymous } = await post("/signup", {});
    expect(anonymous.user.is_anonymous).toBe(true);
    const email = freshEmail();
    expect((await put(anonymous.access_token, { email })).body).toMatchObject({ is_anonymous: true, new_email: email });
    expect(auth.sent.mails.map((mail) => mail.to)).toEqual([email]);
    await post("/resend", { type: "email_change", email });
    const done = await post("/verify", { type: "email_change", email, token: mailTo(email).otp });
    expect(done.body.user).toMatchObject({ id: anonymous.user.id, email, is_anonymous: false });
    expect(done.body.user.identities).toMatchObject([{ provider: "email" }]);
    expect(claimsOf(done.body.access_token).is_anonymous).toBe(false);
    const refreshed = await post("/token?grant_type=refresh_token", { refresh_token: anonymous.refresh_token });
    expect(claimsOf(refreshed.body.access_token).is_anonymous).toBe(false);
    expect((await put(done.body.access_token, { password: "correct horse" })).status).toBe(200);
    expect((await post("/token?grant_type=password", { email, password: "correct horse" })).status).toBe(200);
  });

  test("by phone", async () => {
    const { body: anonymous } = await post("/signup", {});
    const phone = freshPhone();
    await put(anonymous.access_token, { phone });
    const done = await post("/verify", { type: "phone_change", phone, token: auth.sent.sms[0]!.otp });
    expect(done.body.user).toMatchObject({ id: anonymous.user.id, phone, is_anonymous: false });
  });
});

describe("reauthentication", () => {
  const strict = () => auth.with({ ...settings, passwordReauthentication: true });
  const old = async () => {
    const signed = await signedIn();
    await auth.sql("update auth.sessions set created_at = now() - interval '25 h' where user_id = $1", [signed.id]);
    return signed;
  };

  test("a nonce changes the password of a session that is not recent, once", async () => {
    const from = strict();
    const { email, token } = await old();
    const needed = await put(token, { password: "another horse" }, from);
    expect([needed.status, needed.body.error_code]).toEqual([400, "reauthentication_needed"]);
    for (const method of ["GET", "POST"] as const) {
      expect(await from.send(method, "/reauthenticate", { token })).toMatchObject({ status: 200, body: {} });
    }
    expect(auth.sent.mails).toMatchObject([{ kind: "reauthentication", to: email, tokenHash: "" }, { to: email }]);
    const [stale, nonce] = auth.sent.mails.map((mail) => mail.otp);
    if (stale !== nonce) {
      const wrong = await put(token, { password: "another horse", nonce: stale }, from);
      expect([wrong.status, wrong.body.error_code]).toEqual([422, "reauthentication_not_valid"]);
    }
    // What is wrong with the password is said before the nonce is used.
    expect((await put(token, { password: "x", nonce }, from)).body.error_code).toBe("weak_password");
    const done = await put(token, { password: "another horse", nonce }, from);
    expect(done.status).toBe(200);
    expect(done.body.reauthentication_sent_at).toBeDefined();
    expect((await put(token, { password: "third horse", nonce }, from)).body.error_code).toBe(
      "reauthentication_not_valid",
    );
    expect((await post("/token?grant_type=password", { email, password: "another horse" })).status).toBe(200);
  });

  test("A10 50 changes with one nonce: one is made", async () => {
    const from = auth.with({ ...settings, passwordReauthentication: true, codeMaxAttempts: 100 });
    const { token } = await old();
    await from.send("GET", "/reauthenticate", { token });
    const nonce = auth.sent.mails[0]!.otp;
    const replies = await Promise.all(
      Array.from({ length: 50 }, (_, at) => put(token, { password: `another horse ${at}`, nonce }, from)),
    );
    expect(replies.filter((reply) => reply.status === 200)).toHaveLength(1);
  });

  test("A12 a nonce allows so many tries", async () => {
    const from = strict();
    const { token } = await old();
    await from.send("GET", "/reauthenticate", { token });
    const nonce = auth.sent.mails[0]!.otp;
    const wrong = nonce === "000000" ? "000001" : "000000";
    for (let at = 0; at < 5; at++) await put(token, { password: "another horse", nonce: wrong }, from);
    expect((await put(token, { password: "another horse", nonce }, from)).body.error_code).toBe(
      "reauthentication_not_valid",
    );
  });

  test("A11 another user's nonce is none", async () => {
    const from = strict();
    const [one, two] = [await old(), await old()];
    await from.send("GET", "/reauthenticate", { token: one.token });
    const nonce = auth.sent.mails[0]!.otp;
    expect((await put(two.token, { password: "another horse", nonce }, from)).body.error_code).toBe(
      "reauthentication_not_valid",
    );
  });

  test("by text message for who has a number only, to nobody who has nothing confirmed, and never without a bearer", async () => {
    const phone = freshPhone();
    await post("/otp", { phone });
    const { body } = await post("/verify", { type: "sms", phone, token: auth.sent.sms[0]!.otp });
    const reply = await auth.send("GET", "/reauthenticate", { token: body.access_token });
    expect(reply.body).toEqual({ message_id: "message-2" });
    expect(auth.sent.sms[1]).toMatchObject({ purpose: "reauthentication", to: phone });
    const { body: anonymous } = await post("/signup", {});
    expect((await auth.send("GET", "/reauthenticate", { token: anonymous.access_token })).status).toBe(422);
    expect((await auth.send("GET", "/reauthenticate")).body.error_code).toBe("no_authorization");
  });
});
