import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openTestAuth, type TestAuth } from "../testing.ts";
import { deviceOf, providerOf } from "./device.ts";

let auth: TestAuth;
beforeAll(async () => {
  auth = await openTestAuth();
});
afterAll(() => auth.close());

const password = "correct horse";
const freshEmail = () => `${randomUUID()}@example.com`;

async function account(): Promise<string> {
  const email = freshEmail();
  expect((await auth.send("POST", "/signup", { body: { email, password } })).status).toBe(200);
  return email;
}

const locking = {
  rateLimits: true,
  rateLimitSignIn: 10_000,
  lockoutAfter: 4,
  lockoutAccountAfter: 8,
  lockoutSeconds: 30,
};

/** The status of one sign-in. */
async function attempt(on: TestAuth, email: string, given: string, address: string): Promise<number> {
  return (await on.send("POST", "/token?grant_type=password", { address, body: { email, password: given } })).status;
}

async function attempts(on: TestAuth, email: string, given: string, address: string, times: number): Promise<number[]> {
  const statuses: number[] = [];
  for (let n = 0; n < times; n++) statuses.push(await attempt(on, email, given, address));
  return statuses;
}

describe("A12 lockout", () => {
  test("A12 A16 after so many wrong passwords from one network it has to wait, known account or not", async () => {
    const on = auth.with(locking);
    for (const email of [await account(), freshEmail()]) {
      expect(await attempts(on, email, "wrong horse", "198.51.100.1", 6)).toEqual([400, 400, 400, 400, 429, 429]);
      const refused = await on.send("POST", "/token?grant_type=password", {
        address: "198.51.100.1",
        headers: { "x-forwarded-for": "192.0.2.99", cookie: "attempts=0", "x-client-ip": "192.0.2.98" },
        body: { email: email.toUpperCase(), password: "wrong horse", attempts: 0 },
      });
      expect(refused.body).toMatchObject({ error_code: "over_request_rate_limit" });
      expect(Number(refused.headers["retry-after"])).toBeGreaterThan(20);
      expect(Number(refused.headers["retry-after"])).toBeLessThanOrEqual(31);
    }
  });

  test("A12 each further failure doubles the wait, up to the longest; a success starts anew", async () => {
    const on = auth.with({ ...locking, lockoutAccountAfter: 1_000, lockoutMaxSeconds: 100 });
    const email = await account();
    const address = "198.51.100.2";
    await attempts(on, email, "wrong horse", address, 4);
    for (const wait of [30, 60, 100, 100]) {
      auth.clock.ms += (wait - 5) * 1000;
      expect(await attempt(on, email, password, address)).toBe(429);
      auth.clock.ms += 6_000;
      expect(await attempt(on, email, "wrong horse", address)).toBe(400);
    }
    auth.clock.ms += 101_000;
    expect(await attempt(on, email, password, address)).toBe(200);
    expect(await attempts(on, email, "wrong horse", address, 5)).toEqual([400, 400, 400, 400, 429]);
  });

  test("A12 fifty guesses at once are no more than fifty in turn", async () => {
    const on = auth.with({ ...locking, hashQueueLimit: 1_000 });
    const email = await account();
    const all = await Promise.all(Array.from({ length: 50 }, () => attempt(on, email, "wrong horse", "198.51.100.3")));
    expect(all.filter((status) => status === 400)).toHaveLength(4);
    expect(all.filter((status) => status === 429)).toHaveLength(46);
    const many = await Promise.all(
      Array.from({ length: 50 }, (_, n) => attempt(on, email, "wrong horse", `198.51.${n}.4`)),
    );
    // Four were counted for the account already.
    expect(many.filter((status) => status === 400)).toHaveLength(4);
  });

  test("A12 guesses from everywhere lock strangers out, and not the owner where they have been", async () => {
    const on = auth.with(locking);
    const email = await account();
    const home = "203.0.113.50";
    expect(await attempt(on, email, password, home)).toBe(200);
    const statuses: number[] = [];
    for (let n = 0; n < 12; n++) statuses.push(await attempt(on, email, "wrong horse", `2001:db8:9:${n}::1`));
    expect(statuses).toEqual([...Array<number>(8).fill(400), ...Array<number>(4).fill(429)]);
    expect(await attempt(on, email, password, "192.0.2.77")).toBe(429);
    expect(await attempt(on, email, password, home)).toBe(200);
    // Their own count still holds there.
    expect(await attempts(on, email, "wrong horse", home, 5)).toEqual([400, 400, 400, 400, 429]);
    auth.clock.ms += 10 * 60_000;
    expect(await attempt(on, email, password, "192.0.2.77")).toBe(200);
  });

  test("A12 two nodes count together", async () => {
    const two = [auth.with(locking), auth.with(locking)];
    const email = await account();
    const statuses: number[] = [];
    for (let n = 0; n < 6; n++) statuses.push(await attempt(two[n % 2]!, email, "wrong horse", "198.51.100.6"));
    expect(statuses).toEqual([400, 400, 400, 400, 429, 429]);
  });

  test("A26 an attempt that found no place to be hashed is no failure", async () => {
    const on = auth.with({
      ...locking,
      lockoutAfter: 12,
      lockoutAccountAfter: 1_000,
      hashConcurrency: 1,
      hashQueueLimit: 0,
    });
    const email = await account();
    const address = "198.51.100.7";
    const all = await Promise.all(Array.from({ length: 10 }, () => attempt(on, email, "wrong horse", address)));
    const looked = all.filter((status) => status === 400).length;
    expect(looked).toBeLessThan(10);
    for (let n = looked; n < 12; n++) expect(await attempt(on, email, "wrong horse", address)).toBe(400);
    expect(await attempt(on, email, password, address)).toBe(429);
  });

  test("X21 the lock is in the audit log; the table tells neither accounts nor networks", async () => {
    const on = auth.with(locking);
    const email = await account();
    await attempts(on, email, "wrong horse", "198.51.100.8", 5);
    const rows = await auth.sql(
      "select payload ->> 'action' as action from auth.audit_log_entries where payload ->> 'actor_username' = $1 order by created_at",
      [email],
    );
    expect(rows.map(({ action }) => action)).toEqual([
      "user_signedup",
      ...Array<string>(4).fill("login_failed"),
      "account_locked",
    ]);
    const [dump] = await auth.sql("select string_agg(a::text, '') as text from mainstay.sign_in_attempts a");
    for (const secret of [email, "198.51.100.8"]) {
      expect(dump?.text).not.toContain(secret);
      expect(dump?.text).not.toContain(Buffer.from(secret).toString("hex"));
    }
  });

  test("forgets after a while, and holds nothing where limits are off", async () => {
    const on = auth.with({ ...locking, lockoutForgetSeconds: 3_600 });
    const email = await account();
    await attempts(on, email, "wrong horse", "198.51.100.9", 3);
    auth.clock.ms += 3_700_000;
    expect(await attempts(on, email, "wrong horse", "198.51.100.9", 5)).toEqual([400, 400, 400, 400, 429]);
    expect(new Set(await attempts(auth, email, "wrong horse", "198.51.100.9", 12))).toEqual(new Set([400]));
  });
});

describe("new-device mail", () => {
  const iphone =
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.1 Mobile/15E148 Safari/604.1";
  const windows = (version: number) =>
    `Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/${version}.0.0.0 Safari/537.36`;
  const signIn = (email: string, userAgent: string, address: string) =>
    auth.send("POST", "/token?grant_type=password", {
      address,
      headers: { "user-agent": userAgent },
      body: { email, password },
    });
  const mailsTo = (email: string) => auth.sent.mails.filter((mail) => mail.to === email && mail.kind === "new_device");

  test("goes out for a device or network never seen, and not for the first nor for known ones", async () => {
    const email = freshEmail();
    await auth.send("POST", "/signup", {
      address: "203.0.113.7",
      headers: { "user-agent": iphone },
      body: { email, password },
    });
    await signIn(email, iphone, "203.0.113.99");
    expect(mailsTo(email)).toHaveLength(0);
    await signIn(email, windows(140), "203.0.113.7");
    expect(mailsTo(email)).toMatchObject([
      { to: email, otp: "", tokenHash: "", facts: { device: "Chrome on Windows", address: "203.0.113.7" } },
    ]);
    expect(Date.parse(mailsTo(email)[0]!.facts.time!)).toBeGreaterThan(0);
    await signIn(email, windows(141), "203.0.113.8");
    expect(mailsTo(email)).toHaveLength(1);
    await signIn(email, iphone, "198.51.100.1");
    expect(mailsTo(email)).toHaveLength(2);
    await signIn(email, iphone, "198.51.100.1");
    expect(mailsTo(email)).toHaveLength(2);
  });

  test("once, of two sign-ins at once; and never to an address nobody has confirmed", async () => {
    const email = await account();
    await Promise.all([1, 2, 3, 4].map(() => signIn(email, windows(140), "192.0.2.44")));
    expect(mailsTo(email)).toHaveLength(1);
    await auth.sql(
      "update auth.users set email_confirmed_at = null, phone_confirmed_at = now(), phone = '4915112345678' where email = $1",
      [email],
    );
    const phones = auth.with({ phoneEnabled: true });
    const reply = await phones.send("POST", "/token?grant_type=password", {
      body: { phone: "4915112345678", password },
      address: "192.0.77.1",
    });
    expect(reply.status).toBe(200);
    expect(mailsTo(email)).toHaveLength(1);
  });

  test("keeps hashes only", async () => {
    const email = freshEmail();
    await auth.send("POST", "/signup", { headers: { "user-agent": "Secretive/1.0" }, body: { email, password } });
    const [dump] = await auth.sql("select string_agg(d::text, '') as text from mainstay.known_devices d");
    expect(dump?.text).not.toContain(Buffer.from("Secretive").toString("hex"));
  });

  test("devices go by app and system, not by version; networks by provider", () => {
    const names: [string | null, string][] = [
      [iphone, "Safari on iPhone"],
      [windows(1), "Chrome on Windows"],
      ["okhttp/4.12.0", "an Android app"],
      ["MyApp/7 CFNetwork/1490.0.4 Darwin/23.2.0", "an Apple app"],
      ["Dart/3.2 (dart:io)", "a Flutter app"],
      ["MyApp/1.2.3", "MyApp"],
      [
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/1 Safari/537.36 Edg/1",
        "Edge on Mac",
      ],
      [null, "an unknown device"],
      ["", "an unknown device"],
      ["<script>alert(1)</script>", "an unknown device"],
    ];
    for (const [userAgent, label] of names) expect.soft(deviceOf(userAgent).label, String(userAgent)).toBe(label);
    expect(deviceOf(windows(1)).family).toBe(deviceOf(windows(200)).family);
    expect(providerOf("203.0.113.7")).toBe(providerOf("203.0.200.1"));
    expect(providerOf("2001:db8:1:2::/64")).toBe(providerOf("2001:db8:9:9::/64"));
    expect(providerOf("2001:db8:1:2::/64")).not.toBe(providerOf("2001:db9:1:2::/64"));
  });
});
