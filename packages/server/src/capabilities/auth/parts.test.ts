import { describe, expect, test } from "vitest";
import { Problem } from "../../kernel/problem.ts";
import { readSettings } from "../../kernel/settings.ts";
import { canonicalEmail, canonicalPhone } from "./address.ts";
import { authBoundary } from "./boundary.ts";
import { createBounded } from "./bounded.ts";
import { banSeconds } from "./flows/admin-users.ts";
import { Buckets, takeFrom } from "./limits/bucket.ts";
import { createPasswords } from "./password.ts";
import { problems } from "./problems.ts";
import { authSettings } from "./settings.ts";
import { issuerOf } from "./tokens.ts";

const settings = { ...readSettings(authSettings, { env: {} }).values, hashMemoryKib: 7_168, hashPasses: 1 };

describe("A20 addresses", () => {
  test("one spelling for what is the same, another for what only looks so", () => {
    const same: [string, string][] = [
      ["Ada@Example.COM", "ada@example.com"],
      ["  ada@example.com\n", "ada@example.com"],
      ["ſam@example.com", "sam@example.com"],
      ["\u212aim@example.com", "kim@example.com"],
      ["ａｄａ＠ｅｘａｍｐｌｅ．ｃｏｍ", "ada@example.com"],
      ["ada@example。com", "ada@example.com"],
      ["ada@münchen.de", "ada@xn--mnchen-3ya.de"],
      ["ada@MU\u0308NCHEN.de", "ada@xn--mnchen-3ya.de"],
      ["jose\u0301@example.com", "jos\u00e9@example.com"],
      ["ﬁ@example.com", "fi@example.com"],
      ["a.b+tag@sub.example.co", "a.b+tag@sub.example.co"],
      ["root@localhost", "root@localhost"],
    ];
    for (const [given, stored] of same) expect.soft(canonicalEmail(given), given).toBe(stored);
    for (const [one, other] of [
      ["\u0131@example.com", "i@example.com"],
      ["stra\u00dfe@example.com", "strasse@example.com"],
      ["jose@example.com", "jos\u00e9@example.com"],
      ["\u0430da@example.com", "ada@example.com"],
      ["ada@ex\u0430mple.com", "ada@example.com"],
      ["\u0130@example.com", "i@example.com"],
    ]) {
      expect.soft(canonicalEmail(one!), one).not.toBeNull();
      expect.soft(canonicalEmail(one!), one).not.toBe(canonicalEmail(other!));
    }
  });

  test("the canonical form is its own canonical form", () => {
    for (const given of ["İSTANBUL@example.com", "ΑΣ@example.com", "ǅ@münchen.de", "Å@example.com", "ẛ̣@example.com"]) {
      const once = canonicalEmail(given);
      expect(once).not.toBeNull();
      expect(canonicalEmail(once!)).toBe(once);
    }
  });

  test("what is no address, or hides something, is refused", () => {
    for (const bad of [
      "",
      "@",
      "ada",
      "ada@",
      "@example.com",
      "a b@example.com",
      "ada@exa mple.com",
      ".ada@example.com",
      "ada.@example.com",
      "a..b@example.com",
      "ada@example..com",
      "ada@.example.com",
      "ada@-example.com",
      "ada@example.com.",
      "ada@[127.0.0.1]",
      "ada@127.0.0.1",
      "ada@1",
      "ada@example.com:80",
      "ada@example.com/x",
      "ada@ex%61mple.com",
      "a@b@example.com",
      '"ada"@example.com',
      "<ada@example.com>",
      "ada@example.com, eve@example.com",
      "ada@example.com\nbcc:eve@example.com",
      "ada\0@example.com",
      "a\u200bda@example.com",
      "a\u200dda@example.com",
      "\ufeffa\ufeff@example.com",
      "a\u00adda@example.com",
      "a\u034fda@example.com",
      "\u202eada@example.com",
      "a\u2800@exam\u3164ple.com",
      "a\ud800@example.com",
      `${"a".repeat(65)}@example.com`,
      `a@${"b".repeat(64)}.com`,
      `a@${"bcd.".repeat(70)}com`,
    ]) {
      expect.soft(canonicalEmail(bad), JSON.stringify(bad)).toBeNull();
    }
  });

  test("phone numbers are their digits", () => {
    expect(canonicalPhone("+49 (151) 234-5678")).toBe("491512345678");
    for (const bad of ["", "+", "0151234567", "12", "1".repeat(16), "+1x5550100", "++15550100"]) {
      expect.soft(canonicalPhone(bad), bad).toBeNull();
    }
  });
});

describe("limits", () => {
  test("X18 a bucket empties, says when to come again, fills evenly, and gains nothing by a clock set back", () => {
    let nowMs = 0;
    const buckets = new Buckets(() => nowMs);
    const take = (key: string) => Math.ceil(takeFrom(buckets.get(key, { capacity: 3, perSecond: 0.1 })));
    expect([take("a"), take("a"), take("a"), take("a"), take("b")]).toEqual([0, 0, 0, 10, 0]);
    nowMs = 4_000;
    expect(take("a")).toBe(6);
    nowMs = 10_000;
    expect([take("a"), take("a")]).toEqual([0, 10]);
    nowMs = -50_000;
    expect(take("a")).toBe(10);
  });

  test("A26 bounded work: so many at once, so many waiting, in turn, and places come back after failures", async () => {
    const bounded = createBounded(2, 2, () => new Error("full"));
    const gates: (() => void)[] = [];
    let running = 0;
    let most = 0;
    const work = () =>
      bounded(async () => {
        most = Math.max(most, ++running);
        await new Promise<void>((resolve) => gates.push(resolve));
        running--;
      });
    const accepted = [work(), work(), work(), work()];
    await expect(work()).rejects.toThrow("full");
    while (gates.length > 0) {
      gates.shift()?.();
      await new Promise((resolve) => setImmediate(resolve));
    }
    await Promise.all(accepted);
    expect(most).toBe(2);
    await expect(bounded(() => Promise.reject(new Error("failed")))).rejects.toThrow("failed");
    expect(await Promise.all([1, 2, 3, 4].map((n) => bounded(async () => n)))).toEqual([1, 2, 3, 4]);
  });
});

describe("A27 passwords", () => {
  test("a blocklist is asked with the password as typed", async () => {
    const passwords = createPasswords(settings, (password) => password === "password1");
    await expect(passwords.assertStrong("password1")).rejects.toMatchObject({
      code: "auth/weak_password",
      details: { weak_password: { reasons: ["pwned"] } },
    });
    await expect(passwords.assertStrong("password2")).resolves.toBeUndefined();
  });

  test("length counts characters people see; 64 and more are welcome", async () => {
    const passwords = createPasswords({ ...settings, passwordMinLength: 4 });
    expect(await passwords.weaknessOf("👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦")).toMatchObject({ reasons: ["length"] });
    expect(await passwords.weaknessOf("👩‍👩‍👧‍👦".repeat(4))).toBeNull();
    expect(await passwords.weaknessOf("a".repeat(256))).toBeNull();
  });

  test("A16 comparing with no password at all takes a place in the queue like any other", async () => {
    const passwords = createPasswords({ ...settings, hashConcurrency: 1, hashQueueLimit: 0 });
    const stored = await passwords.hash("correct horse");
    for (const hash of [null, stored, "no known form"]) {
      const two = await Promise.allSettled([passwords.isMatch("x", hash), passwords.isMatch("x", hash)]);
      expect(two).toMatchObject([
        { status: "fulfilled", value: false },
        { status: "rejected", reason: { code: "auth/over_request_rate_limit", status: 429 } },
      ]);
    }
  });

  test("hashes of no known form, broken ones and none match nothing", async () => {
    const passwords = createPasswords(settings);
    const hash = await passwords.hash("correct horse");
    expect(await passwords.isMatch("correct horse", hash)).toBe(true);
    for (const stored of [null, "", "correct horse", "$argon2id$", hash.slice(0, -3), "$2a$10$short", "$1$md5$x"]) {
      expect.soft(await passwords.isMatch("correct horse", stored), String(stored)).toBe(false);
    }
    expect(passwords.isOutdated(hash)).toBe(false);
    expect(createPasswords({ ...settings, hashPasses: 3 }).isOutdated(hash)).toBe(true);
  });
});

describe("errors", () => {
  const call = (headers: Record<string, string>) => ({ method: "GET", id: "x", headers }) as const;
  const render = (problem: Problem, headers: Record<string, string> = {}) => {
    const reply = authBoundary.render(problem, call(headers));
    return { status: reply.status, headers: reply.headers.join("|"), body: JSON.parse(String(reply.body)) };
  };

  test("the version header chooses the shape, and they never mix", () => {
    const older = render(problems.invalidCredentials());
    expect(older.body).toEqual({ code: 400, error_code: "invalid_credentials", msg: "Invalid login credentials" });
    expect(older.headers).not.toContain("Api-Version");
    for (const version of ["2024-01-01", "2025-06-30"]) {
      const newer = render(problems.invalidCredentials(), { "x-supabase-api-version": version });
      expect(newer.body).toEqual({ code: "invalid_credentials", message: "Invalid login credentials" });
      expect(newer.headers).toContain("X-Supabase-Api-Version|2024-01-01");
    }
    for (const version of ["2023-12-31", "tomorrow", ""]) {
      expect(render(problems.invalidCredentials(), { "x-supabase-api-version": version }).body.code).toBe(400);
    }
    expect(authBoundary.render(problems.badJson(), null).status).toBe(400);
  });

  test("other parts' failures keep their secrets, and none is one that signs people out", () => {
    const leaking = new Problem("internal", 500, "select * from auth.users failed");
    expect(render(leaking).body.msg).not.toContain("select");
    const cases: [Problem, number, string][] = [
      [new Problem("identity/token-expired", 401, "JWT expired"), 403, "bad_jwt"],
      [new Problem("identity/token-invalid", 401, "x"), 403, "bad_jwt"],
      [new Problem("identity/key-missing", 401, "No API key found in request"), 401, "no_authorization"],
      [new Problem("http/not-found", 404, "x"), 404, "feature_disabled"],
      [new Problem("http/body-too-large", 413, "x"), 413, "request_entity_too_large"],
      [new Problem("postgres/unavailable", 503, "x"), 503, "unexpected_failure"],
      [new Problem("http/deadline", 504, "x"), 504, "request_timeout"],
      [leaking, 500, "unexpected_failure"],
    ];
    for (const [problem, status, code] of cases) {
      const rendered = render(problem);
      expect([rendered.status, rendered.body.error_code]).toEqual([status, code]);
      expect(rendered.headers).toContain(`x-sb-error-code|${code}`);
      expect(rendered.headers).toContain("private, no-store");
    }
  });
});

describe("settings", () => {
  test("A14 the issuer comes from the settings, in whichever form the URL is given", () => {
    expect(issuerOf({ ...settings, publicUrl: "https://api.example.com/" })).toBe("https://api.example.com/auth/v1");
    expect(issuerOf({ ...settings, publicUrl: "https://api.example.com/auth/v1" })).toBe(
      "https://api.example.com/auth/v1",
    );
    expect(issuerOf({ ...settings, issuer: "roam" })).toBe("roam");
  });

  test("ban durations are Go's", () => {
    expect(banSeconds("24h")).toBe(86_400);
    expect(banSeconds("1h30m5s")).toBe(5_405);
    expect(banSeconds("300ms")).toBeCloseTo(0.3);
    expect(banSeconds("none")).toBeNull();
    expect(banSeconds("")).toBeUndefined();
    for (const bad of ["1d", "h", "-1h", "1 h", "forever"]) expect(() => banSeconds(bad)).toThrow();
  });
});
