import { hashSync } from "bcryptjs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ImportedUser } from "../index.ts";
import { openTestAuth, type TestAuth } from "../testing.ts";
import type { Accounts } from "./index.ts";

let auth: TestAuth;
let accounts: Accounts;
let at = 0;

beforeAll(async () => {
  auth = await openTestAuth();
  accounts = auth.accounts;
});
afterAll(() => auth.close());

const nextEmail = () => `imported${++at}@example.com`;
const signIn = (email: string, password: string) =>
  auth.send("POST", "/token?grant_type=password", { body: { email, password } });
const hashOf = async (email: string) =>
  (await auth.sql("select encrypted_password as hash from auth.users where email = $1", [email]))[0]?.hash as string;

const past = "2024-02-03T04:05:06Z";
const signerKey = "jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==";
const firebaseHash = `$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==,sk=${signerKey}$42xEC+ixf3L2lw==$lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ==`;

describe("passwords", () => {
  test.each([
    ["bcrypt, of Supabase and Parse", hashSync("user1password", 4)],
    ["bcrypt as PHP writes it", hashSync("user1password", 4).replace("$2b$", "$2y$")],
    ["Firebase's scrypt", firebaseHash],
  ])("in %s keep working, and are argon2id from the next sign-in on", async (_name, passwordHash) => {
    const email = nextEmail();
    const [outcome] = await accounts.import([{ email, passwordHash, emailConfirmedAt: past, createdAt: past }]);
    expect(outcome?.status).toBe("imported");
    expect((await signIn(email, "user1passwore")).body.error_code).toBe("invalid_credentials");
    expect(await hashOf(email)).toBe(passwordHash);
    expect((await signIn(email, "user1password")).status).toBe(200);
    expect(await hashOf(email)).toMatch(/^\$argon2id\$/);
    expect((await signIn(email, "user1password")).status).toBe(200);
    expect((await signIn(email, "user1passwore")).status).toBe(400);
  });

  test("of an address that was never confirmed do not work until it is", async () => {
    const email = nextEmail();
    await accounts.import([{ email, passwordHash: hashSync("user1password", 4) }]);
    expect((await signIn(email, "user1password")).body.error_code).toBe("email_not_confirmed");
  });
});

describe("an account", () => {
  test("comes with its times, metadata and identities, and nobody is asked or told", async () => {
    const email = nextEmail();
    const id = crypto.randomUUID();
    await accounts.import([
      {
        id,
        email: email.toUpperCase(),
        phone: "+49 170 1112233",
        emailConfirmedAt: past,
        createdAt: past,
        lastSignInAt: past,
        userMetadata: { name: "Ann" },
        appMetadata: { plan: "pro" },
        identities: [{ provider: "google", providerId: `g${id}`, data: { sub: `g${id}`, email } }],
      },
    ]);
    const { body } = await auth.admin("GET", `/admin/users/${id}`);
    expect(body).toMatchObject({
      email,
      phone: "491701112233",
      created_at: "2024-02-03T04:05:06.000000Z",
      email_confirmed_at: "2024-02-03T04:05:06.000000Z",
      last_sign_in_at: "2024-02-03T04:05:06.000000Z",
      user_metadata: { name: "Ann", sub: id, email_verified: true, phone_verified: false },
      app_metadata: { plan: "pro", provider: "email", providers: ["email", "phone", "google"] },
    });
    expect(body.phone_confirmed_at).toBeUndefined();
    expect(body.identities.map(({ provider }: { provider: string }) => provider).sort()).toEqual([
      "email",
      "google",
      "phone",
    ]);
    expect(auth.sent.mails).toEqual([]);
  });

  test("that is banned, anonymous, or only somebody at a provider comes as that", async () => {
    const [banned, anonymous, google] = await accounts.import([
      { email: nextEmail(), bannedUntil: "infinity" },
      { isAnonymous: true },
      { identities: [{ provider: "google", providerId: "g-alone", data: { sub: "g-alone" } }] },
    ]);
    const of = async (outcome: typeof banned) =>
      (await auth.admin("GET", `/admin/users/${outcome?.status === "imported" ? outcome.id : ""}`)).body;
    expect((await of(anonymous)).is_anonymous).toBe(true);
    expect((await of(google)).app_metadata).toMatchObject({ provider: "google" });
    const found = await auth.sql("select banned_until > now() as banned from auth.users where id = $1", [
      (banned as { id: string }).id,
    ]);
    expect(found).toEqual([{ banned: true }]);
  });

  test.each([
    ["without address or identity", {}],
    ["with an id that is no UUID", { id: "abc", email: "a@example.com" }],
    ["with a malformed address", { email: "nonsense" }],
    ["with a malformed number", { phone: "abc" }],
    ["with a hash of no known form", { email: "a@example.com", passwordHash: "md5:abc" }],
    ["with a malformed time", { email: "a@example.com", createdAt: "yesterday-ish" }],
    ["A18 with the service role", { email: "a@example.com", role: "service_role" }],
    ["with metadata too large", { email: "a@example.com", userMetadata: { x: "y".repeat(10_000) } }],
    ["with text that cannot be stored", { email: "a@example.com", userMetadata: { x: "\0" } }],
  ] satisfies [string, ImportedUser][])("%s is refused, and takes no other along", async (_name, bad) => {
    const email = nextEmail();
    const outcomes = await accounts.import([bad, { email }]);
    expect(outcomes.map(({ status }) => status)).toEqual(["invalid", "imported"]);
    expect(await auth.sql("select from auth.users where email in ('a@example.com', 'nonsense')")).toEqual([]);
  });
});

describe("a batch", () => {
  test("can be repeated: what is there stays as it is", async () => {
    const users = Array.from({ length: 3 }, () => ({ email: nextEmail(), passwordHash: hashSync("user1password", 4) }));
    expect((await accounts.import(users.slice(0, 2))).map(({ status }) => status)).toEqual(["imported", "imported"]);
    await auth.sql("update auth.users set encrypted_password = 'mine' where email = $1", [users[0]?.email]);
    expect((await accounts.import(users)).map(({ status }) => status)).toEqual(["exists", "exists", "imported"]);
    expect(await hashOf(users[0]!.email)).toBe("mine");
    // The same twice in one batch is one.
    const email = nextEmail();
    expect((await accounts.import([{ email }, { email }])).map(({ status }) => status).sort()).toEqual([
      "exists",
      "imported",
    ]);
  });

  test("A05 does not hand an account that is there to whoever comes with its id, address or provider's name", async () => {
    const email = nextEmail();
    const made = await auth.send("POST", "/signup", { body: { email, password: "correct horse battery" } });
    const id = made.body.user.id;
    const outcomes = await accounts.import([
      { id, email: nextEmail(), passwordHash: firebaseHash },
      { email, passwordHash: firebaseHash, identities: [{ provider: "google", providerId: "thief", data: {} }] },
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(["exists", "exists"]);
    expect((await signIn(email, "correct horse battery")).status).toBe(200);
    expect(await auth.sql("select from auth.identities where provider_id = 'thief'")).toEqual([]);
    await accounts.importIdentities([{ userId: id, provider: "google", providerId: "later", data: { sub: "later" } }]);
    const other = await accounts.create({ email: nextEmail() });
    expect(
      await accounts.importIdentities([{ userId: other.id, provider: "google", providerId: "later", data: {} }]),
    ).toBe(0);
    expect(await auth.sql("select user_id from auth.identities where provider_id = 'later'")).toEqual([
      { user_id: id },
    ]);
  });

  test("of which the app's own trigger refuses one loses only that one, and says why", async () => {
    await auth.sql(`
      create function public.no_kevins() returns trigger language plpgsql as $$
        begin if new.email like 'kevin%' then raise exception 'no kevins here'; end if; return new; end $$;
      create trigger no_kevins before insert on auth.users for each row execute function public.no_kevins()`);
    const outcomes = await accounts.import([
      { email: nextEmail() },
      { email: "kevin@example.com" },
      { email: nextEmail() },
    ]);
    expect(outcomes).toEqual([
      { status: "imported", id: expect.any(String) },
      { status: "invalid", reason: "no kevins here" },
      { status: "imported", id: expect.any(String) },
    ]);
    await auth.sql("drop trigger no_kevins on auth.users");
  });

  test("tried for show keeps nothing", async () => {
    const before = await auth.sql("select count(*) from auth.users");
    const outcomes = await accounts.import([{ email: nextEmail() }, { email: "bad" }], { isDryRun: true });
    expect(outcomes.map(({ status }) => status)).toEqual(["imported", "invalid"]);
    expect(await auth.sql("select count(*) from auth.users")).toEqual(before);
  });

  test("is in the audit log", async () => {
    await accounts.import([{ email: nextEmail() }, { email: nextEmail() }]);
    const [entry] = await auth.sql(
      "select payload from auth.audit_log_entries where payload ->> 'action' = 'user_imported' order by created_at desc limit 1",
    );
    expect(entry?.payload).toMatchObject({ actor_username: "system", traits: { users: 2 } });
  });
});
