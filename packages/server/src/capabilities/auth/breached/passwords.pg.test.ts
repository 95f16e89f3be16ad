import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openTestAuth, type TestAuth } from "../testing.ts";

let auth: TestAuth;
beforeAll(async () => {
  auth = await openTestAuth();
});
afterAll(() => auth.close());

let count = 0;
const newEmail = () => `password-${++count}@example.com`;
const signUp = (password: string, on = auth, email = newEmail()) =>
  on.send("POST", "/signup", { body: { email, password } });
const signIn = (email: string, password: string, on = auth) =>
  on.send("POST", "/token?grant_type=password", { body: { email, password } });

describe("A27 a new password", () => {
  test("is none of the common ones: at sign-up, at its change, from an admin", async () => {
    const email = newEmail();
    const weak = await signUp("Password123", auth, email);
    expect([weak.status, weak.body]).toEqual([
      422,
      {
        code: 422,
        error_code: "weak_password",
        msg: "Password is known to be weak and easy to guess, please choose a different one.",
        weak_password: { reasons: ["pwned"] },
      },
    ]);
    expect(await auth.sql("select 1 from auth.users where email = $1", [email])).toEqual([]);

    const { body: session } = await signUp("correct horse", auth, email);
    const change = { body: { password: "iloveyou" }, token: session.access_token };
    expect((await auth.send("PUT", "/user", change)).body.weak_password).toEqual({ reasons: ["pwned"] });
    const set = await auth.admin("PUT", `/admin/users/${session.user.id}`, { password: "iloveyou" });
    expect(set.body.weak_password).toEqual({ reasons: ["pwned"] });
    expect((await signIn(email, "correct horse")).status).toBe(200);
  });

  test("of before that would be refused today still opens the account, and says so", async () => {
    const email = newEmail();
    await signUp("iloveyou", auth.with({ passwordBlocklist: false }), email);
    const { status, body } = await signIn(email, "iloveyou");
    expect(status).toBe(200);
    expect(body.weak_password).toEqual({
      message: "Password is known to be weak and easy to guess, please choose a different one.",
      reasons: ["pwned"],
    });
  });

  test("that nobody can check is refused where a setting wants to be sure, and does not keep anyone out", async () => {
    const sure = auth.with({ passwordHibp: true, passwordHibpFailClosed: true, passwordHibpUrl: "http://127.0.0.1:1" });
    const email = newEmail();
    const refused = await signUp("correct horse", sure, email);
    expect([refused.status, refused.body.error_code]).toEqual([500, "unexpected_failure"]);
    await signUp("correct horse", auth, email);
    const { status, body } = await signIn(email, "correct horse", sure);
    expect([status, "weak_password" in body]).toEqual([200, false]);
  });

  test.each([
    ["64 emoji", "🦊".repeat(64), "🦊".repeat(63)],
    ["a NUL byte", "correct\0horse", "correct"],
    ["73 bytes", `${"a".repeat(72)}b`, `${"a".repeat(72)}c`],
    ["73 bytes, cut off", `${"x".repeat(72)}y`, "x".repeat(72)],
  ])("of %s counts to its end", async (_what, password, other) => {
    const email = newEmail();
    expect((await signUp(password, auth, email)).status).toBe(200);
    expect((await signIn(email, other)).body.error_code).toBe("invalid_credentials");
    expect((await signIn(email, password)).status).toBe(200);
  });

  test("has a character of each set where a setting wants that, and every reason is told", async () => {
    const strict = auth.with({
      passwordMinLength: 10,
      passwordRequiredCharacters: "abcdefghijklmnopqrstuvwxyz:ABCDEFGHIJKLMNOPQRSTUVWXYZ:0123456789:!\\:?",
    });
    const weak = await signUp("short", strict);
    expect([weak.status, weak.body.weak_password]).toEqual([422, { reasons: ["length", "characters"] }]);
    expect(weak.body.msg).toBe(
      "Password should be at least 10 characters. Password should contain at least one character of each: " +
        "abcdefghijklmnopqrstuvwxyz, ABCDEFGHIJKLMNOPQRSTUVWXYZ, 0123456789, !:?.",
    );
    expect((await signUp("Correct Horse 1", strict)).body.weak_password).toEqual({ reasons: ["characters"] });
    for (const last of "!:?") expect((await signUp(`Correct Horse 1${last}`, strict)).status).toBe(200);
  });
});
