import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { googleAt, type Issuer, openIssuer } from "./issuer.ts";
import { type AuthServer, newEmail, type Person, startAuth } from "./server.ts";

/** Threat A20: spellings of an address, at every entrance that takes one. */
let issuer: Issuer;
let auth: AuthServer;
beforeAll(async () => {
  issuer = await openIssuer();
  auth = await startAuth({ auth: googleAt(issuer) });
});
afterAll(async () => {
  await Promise.all([auth.stop(), issuer.close()]);
});

const wide = (text: string): string =>
  text.replace(/[!-~]/g, (letter) => String.fromCodePoint((letter.codePointAt(0) ?? 0) + 0xfee0));

/** The same address, written otherwise. */
const same: Readonly<Record<string, (email: string) => string>> = {
  "upper case": (email) => email.toUpperCase(),
  "full width": (email) => wide(email),
  "full width at sign": (email) => email.replace("@", "＠"),
  "Kelvin sign": (email) => email.replace("k", "\u212a"),
  "long s": (email) => email.replace("s", "\u017f"),
  "circled letter": (email) => email.replace("k", "ⓚ"),
  "ideographic full stop": (email) => email.replace(".com", "。com"),
  "blanks around": (email) => `  ${email}\t`,
};

/** Other addresses, which look alike or would be the same to a careless comparison. */
const other: Readonly<Record<string, (email: string) => string>> = {
  "dotless i": (email) => email.replace("i", "ı"),
  "Cyrillic letter": (email) => email.replace("e", "е"),
  accent: (email) => email.replace("a", "á"),
  "sharp s": (email) => email.replace("ss", "ß"),
  "capital sharp s": (email) => email.replace("ss", "ẞ"),
  "a dot more": (email) => email.replace("kim", "k.im"),
  "a tag more": (email) => email.replace("@", "+tag@"),
};

/** No addresses at all. */
const none: Readonly<Record<string, (email: string) => string>> = {
  "zero width space": (email) => email.replace("k", "k\u200b"),
  "soft hyphen": (email) => email.replace("k", "k\u00ad"),
  "right to left": (email) => `\u202e${email}`,
  "joiner in the domain": (email) => email.replace("example", "exam\u200dple"),
  "line break": (email) => `${email}\nbcc: thief@example.com`,
  "NUL byte": (email) => `${email}\u0000.example.org`,
  "two of them": (email) => `${email},thief@example.com`,
  "in angle brackets": (email) => `<${email}>`,
  "a list": (email) => [email, "thief@example.com"] as unknown as string,
};

const address = (): string => newEmail().replace("person", "kimiss");
const session = (person: Person) => auth.signIn(person);

describe("A20 the same address in another spelling", () => {
  test.each(Object.entries(same))("A20 %s is the same account at every entrance", async (_what, spell) => {
    const email = address();
    const person = await auth.newPerson(email);
    const twin = spell(email);
    expect(twin).not.toBe(email);
    // Sign-in knows it.
    expect((await auth.post("/token?grant_type=password", { email: twin, password: person.password })).status).toBe(
      200,
    );
    // What is sent goes to the address as it is stored.
    for (const [path, type] of [
      ["/recover", "recovery"],
      ["/otp", "email"],
      ["/magiclink", "email"],
    ] as const) {
      const reply = await auth.post(path, { email: twin });
      expect.soft(reply.status, path).toBe(200);
      const { otp } = await auth.received(email);
      const verified = await auth.post("/verify", { type, email: twin, token: otp });
      expect.soft([verified.status, verified.body.user?.id], path).toEqual([200, person.id]);
    }
    // Nobody else can have it.
    expect((await auth.post("/signup", { email: twin, password: "correct horse 9" })).body.identities).toEqual([]);
    expect((await auth.admin("POST", "/admin/users", { email: twin })).code).toBe("email_exists");
    expect((await auth.admin("POST", "/invite", { email: twin })).code).toBe("email_exists");
    const someone = await auth.newPerson();
    const changed = await auth.ask("PUT", "/user", { token: someone.token, body: { email: twin } });
    expect(changed.code).toBe("email_exists");
    expect((await auth.admin("PUT", `/admin/users/${someone.id}`, { email: twin })).code).toBe("email_exists");
    const made = await auth.admin("POST", "/admin/generate_link", { type: "magiclink", email: twin });
    expect([made.body.id, made.body.email]).toEqual([person.id, email]);
    // One's own address in another spelling is no change.
    const { token } = await session(person);
    const own = await auth.ask("PUT", "/user", { token, body: { email: twin } });
    expect([own.status, own.body.new_email]).toEqual([200, undefined]);
    // A provider that vouches for it means this person.
    const idToken = issuer.idToken({ sub: email, email: twin, email_verified: true });
    const linked = await auth.post("/token?grant_type=id_token", { provider: "google", id_token: idToken });
    expect([linked.status, linked.body.user?.id]).toEqual([200, person.id]);
    expect(await auth.sql("select count(*)::int as n from auth.users where email = $1", [email])).toEqual([{ n: 1 }]);
  });

  test.each(Object.entries(other))("A20 %s is somebody else, and gets nothing of theirs", async (_what, spell) => {
    const email = address();
    const person = await auth.newPerson(email);
    const twin = spell(email);
    expect(twin).not.toBe(email);
    const signedIn = await auth.post("/token?grant_type=password", { email: twin, password: person.password });
    expect(signedIn.code).toBe("invalid_credentials");
    for (const path of ["/recover", "/resend"]) await auth.post(path, { type: "signup", email: twin });
    const before = await auth.sql("select to_jsonb(u) as u from auth.users u where id = $1", [person.id]);
    expect((await auth.post("/otp", { email: twin })).status).toBe(200);
    const idToken = issuer.idToken({ sub: twin, email: twin, email_verified: true });
    const signed = await auth.post("/token?grant_type=id_token", { provider: "google", id_token: idToken });
    expect(signed.body.user?.id).not.toBe(person.id);
    expect(await auth.sql("select to_jsonb(u) as u from auth.users u where id = $1", [person.id])).toEqual(before);
    // What came for the person comes now, and nothing came before.
    await auth.post("/recover", { email });
    expect((await auth.received(email)).link.get("type")).toBe("recovery");
  });

  test.each(Object.entries(none))("A20 %s is no address at any entrance", async (_what, spell) => {
    const email = address();
    const person = await auth.newPerson(email);
    const given = spell(email);
    const refused = ["validation_failed", "bad_json", "invalid_credentials", "otp_expired"];
    for (const [method, path, body] of [
      ["POST", "/signup", { email: given, password: "correct horse 9" }],
      ["POST", "/token?grant_type=password", { email: given, password: person.password }],
      ["POST", "/otp", { email: given }],
      ["POST", "/magiclink", { email: given }],
      ["POST", "/recover", { email: given }],
      ["POST", "/resend", { type: "signup", email: given }],
      ["POST", "/verify", { type: "email", email: given, token: "000000" }],
      ["PUT", "/user", { email: given }],
    ] as const) {
      const reply = await auth.ask(method, path, { body, token: path === "/user" ? person.token : undefined });
      expect.soft(reply.status, path).toBeGreaterThanOrEqual(400);
      expect.soft(refused, path).toContain(reply.code);
    }
    for (const path of ["/admin/users", "/invite"]) {
      expect.soft((await auth.admin("POST", path, { email: given })).status, path).toBe(400);
    }
    const link = await auth.admin("POST", "/admin/generate_link", { type: "magiclink", email: given });
    expect.soft(link.status).toBe(400);
    expect(await auth.sql("select count(*)::int as n from auth.users where email like '%thief%'")).toEqual([{ n: 0 }]);
  });
});
