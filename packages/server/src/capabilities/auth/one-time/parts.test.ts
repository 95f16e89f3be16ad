import { describe, expect, test } from "vitest";
import { Problem } from "../../../kernel/problem.ts";
import type { Session } from "../user.ts";
import { atLeast } from "./at-least.ts";
import { mailLink } from "./links.ts";
import { confirmationPage } from "./page.ts";
import { challengeOf, isVerifierRight } from "./pkce.ts";
import { oneTimeProblems } from "./problems.ts";
import { purposesOf } from "./purposes.ts";
import { redirectWithCode, redirectWithError, redirectWithMessage, redirectWithSession } from "./redirect-answers.ts";
import { newCode, newLinkToken, oneTimeHashes } from "./secrets.ts";

/** RFC 7636, appendix B. */
const verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

describe("PKCE", () => {
  test("the RFC's own example, and what differs from it by little", () => {
    expect(isVerifierRight(verifier, challenge, "s256")).toBe(true);
    expect(isVerifierRight(verifier, verifier, "plain")).toBe(true);
    for (const [given, of, method] of [
      [`${verifier}x`, challenge, "s256"],
      [verifier, `${challenge}=`, "s256"],
      [challenge, challenge, "s256"],
      [verifier, challenge, "plain"],
      ["", "", "plain"],
      ["", "", ""],
      [verifier, challenge, ""],
    ] as const) {
      expect.soft(isVerifierRight(given, of, method), `${given} ${method}`).toBe(false);
    }
  });

  test("a challenge is whole, of a known method, and as long and made of what the RFC allows", () => {
    expect(challengeOf("", "")).toBeNull();
    expect(challengeOf(challenge, "s256")).toEqual({ challenge, method: "s256" });
    expect(challengeOf(challenge, "S256")).toEqual({ challenge, method: "s256" });
    expect(challengeOf("a".repeat(128), "plain")).toEqual({ challenge: "a".repeat(128), method: "plain" });
    for (const [bad, method] of [
      [challenge, ""],
      ["", "s256"],
      [challenge, "sha1"],
      ["a".repeat(42), "s256"],
      ["a".repeat(129), "s256"],
      [`${challenge}=`, "s256"],
      [`${challenge} `, "s256"],
      [`${challenge}\n`, "s256"],
    ] as const) {
      expect
        .soft(() => challengeOf(bad, method), JSON.stringify([bad, method]))
        .toThrow(expect.objectContaining({ code: "auth/validation_failed", status: 400 }));
    }
  });
});

describe("codes and links", () => {
  test("codes are so many digits, links 56 of hexadecimal, and no two alike", () => {
    for (const length of [6, 10]) expect(newCode(length)).toMatch(new RegExp(`^\\d{${length}}$`));
    const codes = new Set(Array.from({ length: 500 }, () => newCode(10)));
    expect(codes.size).toBe(500);
    expect([...codes].some((code) => code.startsWith("0"))).toBe(true);
    expect(newLinkToken(false)).toMatch(/^[0-9a-f]{56}$/);
    expect(newLinkToken(true)).toMatch(/^pkce_[0-9a-f]{56}$/);
  });

  test("what is stored depends on the server's key, on what it is, and on whose it is", () => {
    const of = (key: string) => oneTimeHashes({ signer: { deriveKey: () => Buffer.from(key) } as never });
    const { ofCode, ofLink, ofAuthCode } = of("one");
    const hashes = [
      ofCode("a@example.com", "123456"),
      ofCode("b@example.com", "123456"),
      ofCode("a@example.com", "123457"),
      ofLink("123456"),
      ofAuthCode("123456"),
      of("two").ofCode("a@example.com", "123456"),
    ];
    expect(new Set(hashes).size).toBe(hashes.length);
    for (const hash of hashes) expect(hash).not.toContain("123456");
  });

  test("A11 no type takes another's code", () => {
    expect(purposesOf("email", "email")).toEqual(["signup", "magiclink"]);
    expect(purposesOf("recovery", "email")).toEqual(["recovery"]);
    for (const type of ["sms", "phone_change", "reauthentication", "", "toString", "__proto__"]) {
      expect.soft(purposesOf(type, "email"), type).toBeNull();
    }
    for (const type of ["email", "signup", "recovery", "reauthentication"]) {
      expect.soft(purposesOf(type, "phone"), type).toBeNull();
    }
  });

  test("A14 a link is built from the settings", () => {
    const link = { token: "abc", type: "signup", redirectTo: "myapp://cb?a=1&b=2" };
    expect(mailLink({ publicUrl: "https://api.example.com/" }, link)).toBe(
      "https://api.example.com/auth/v1/verify?token=abc&type=signup&redirect_to=myapp%3A%2F%2Fcb%3Fa%3D1%26b%3D2",
    );
  });
});

const locationOf = (reply: { readonly headers: readonly string[] }) =>
  reply.headers[reply.headers.indexOf("Location") + 1]!;

describe("where a browser is sent", () => {
  const session = {
    access: { token: "a.b.c", expiresAt: 1_700_000_000 },
    refreshToken: "r",
  } as Session;

  test("with a session: in the fragment, as clients read it", () => {
    const reply = redirectWithSession("myapp://cb?sb_flow_id=7", session, 3_600, "magiclink");
    expect(reply.status).toBe(303);
    expect(reply.headers).toEqual(expect.arrayContaining(["private, no-store", "no-referrer"]));
    expect(locationOf(reply)).toBe(
      "myapp://cb?sb_flow_id=7#access_token=a.b.c&expires_at=1700000000&expires_in=3600&refresh_token=r&token_type=bearer&type=magiclink&sb=",
    );
  });

  test("with a code: in the query, whatever the app's URL says of codes, and its fragment stays", () => {
    expect(locationOf(redirectWithCode("https://app.example.com/#/signed-in", "c-1"))).toBe(
      "https://app.example.com/?code=c-1#/signed-in",
    );
    expect(locationOf(redirectWithCode("https://app.example.com/cb?code=evil&x=1&access_token=evil", "c-1"))).toBe(
      "https://app.example.com/cb?x=1&code=c-1",
    );
  });

  test("with an error or a message: in the fragment, for PKCE in the query too", () => {
    const implicit = new URL(
      locationOf(redirectWithError("https://a.example/x?y=1", oneTimeProblems.linkInvalid(), false)),
    );
    expect(implicit.search).toBe("?y=1");
    expect(implicit.hash).toBe(
      "#error=access_denied&error_code=otp_expired&error_description=Email+link+is+invalid+or+has+expired&sb=",
    );
    const pkce = new URL(locationOf(redirectWithError("https://a.example/x", oneTimeProblems.linkInvalid(), true)));
    expect(pkce.searchParams.get("error_code")).toBe("otp_expired");
    expect(pkce.hash).toContain("error_code=otp_expired");
    const message = new URL(locationOf(redirectWithMessage("https://a.example/x", "Half way", true)));
    expect([message.searchParams.get("message"), message.hash]).toEqual(["Half way", "#message=Half+way&sb="]);
    expect(new URL(locationOf(redirectWithMessage("https://a.example/x", "Half way", false))).search).toBe("");
  });

  test("every status has OAuth's word for it, and other parts' failures keep their secrets", () => {
    const errorOf = (problem: Problem) =>
      new URL(locationOf(redirectWithError("https://a.example", problem, true))).searchParams;
    for (const [status, word] of [
      [400, "invalid_request"],
      [401, "unauthorized_client"],
      [403, "access_denied"],
      [422, "invalid_request"],
      [429, "invalid_request"],
      [500, "server_error"],
      [503, "temporarily_unavailable"],
    ] as const) {
      expect(errorOf(new Problem("auth/x", status, "m")).get("error")).toBe(word);
    }
    const foreign = errorOf(new Problem("postgres/unavailable", 503, "host db-7.internal is away"));
    expect(foreign.toString()).not.toContain("db-7");
  });
});

describe("A21 the page a link shows", () => {
  const link = {
    token: `x"><script>alert(1)</script>`,
    type: "signup",
    redirectTo: "myapp://cb?a='\"<",
    appName: "<b>Roam",
  };
  const page = confirmationPage(link);
  const html = String(page.body);
  const header = (name: string) => page.headers[page.headers.indexOf(name) + 1];

  test("X05 says what it was given as text, and runs nothing", () => {
    expect(html).not.toMatch(/<script|onload|javascript:/i);
    expect(html).toContain("x&quot;&gt;&lt;script&gt;");
    expect(html).toContain("<header>&lt;b&gt;Roam</header>");
    const policy = header("Content-Security-Policy")!;
    expect(policy).toMatch(/^default-src 'none'; style-src 'sha256-[A-Za-z0-9+/=]+';/);
    expect(policy).toContain("form-action 'self' https: myapp:");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/unsafe|\*/);
  });

  test("the policy's hash is that of the style it has", async () => {
    const style = /<style>([\s\S]*)<\/style>/.exec(html)![1]!;
    const digest = Buffer.from(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(style)));
    expect(header("Content-Security-Policy")).toContain(digest.toString("base64"));
  });

  test("is for one person only, and passes no address on", () => {
    expect(header("Cache-Control")).toBe("private, no-store");
    expect(header("Referrer-Policy")).toBe("no-referrer");
    expect(header("X-Frame-Options")).toBe("DENY");
  });

  test("can be read by everybody: a language, one heading, a button with words, dark and light", () => {
    expect(html).toMatch(/<html lang="en">/);
    expect(html.match(/<h1>/g)).toHaveLength(1);
    expect(html).toMatch(/<button type="submit">Continue<\/button>/);
    expect(html).toContain("color-scheme: light dark");
    expect(html).toContain("<strong>myapp</strong>");
  });
});

test("A16 an answer takes its time, right or wrong", async () => {
  for (const work of [async () => 1, () => Promise.reject(new Error("no"))]) {
    const began = performance.now();
    await atLeast(40, work).catch(() => {});
    // Timers may fire a millisecond early.
    expect(performance.now() - began).toBeGreaterThan(38);
  }
});
