import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { send } from "../send.ts";
import { googleAt, type Issuer, openIssuer, s256 } from "./issuer.ts";
import { type AuthServer, claimsOf, newEmail, type Person, startAuth } from "./server.ts";

/** Threats A14 and A15: where links and redirects lead. */
const api = "https://api.example.com";
const site = "https://app.example.com";
const app = "myapp://login-callback";

let issuer: Issuer;
let auth: AuthServer;
beforeAll(async () => {
  issuer = await openIssuer();
  auth = await startAuth({
    // Whoever asks is taken for a proxy of ours: what it says of the caller's address counts, of hosts nothing does.
    http: { trustedProxies: ["loopback"] },
    auth: { ...googleAt(issuer), publicUrl: api, redirectAllowList: [app], webauthnRpId: "example.com" },
  });
});
afterAll(async () => {
  await Promise.all([auth.stop(), issuer.close()]);
});

/** As `auth.ask`, with headers that `fetch` keeps to itself. */
async function ask(method: string, path: string, headers: Record<string, string>, body?: unknown) {
  const answer = await send(auth.url, {
    method,
    target: `/auth/v1${path}`,
    headers: { apikey: auth.publishableKey, "content-type": "application/json", ...headers },
    body: body === undefined ? null : typeof body === "string" ? body : JSON.stringify(body),
  });
  const location = answer.headers.location ?? "";
  return { ...answer, location, body: answer.text.startsWith("{") ? JSON.parse(answer.text) : undefined };
}

const forgedHeaders = {
  host: "evil.example",
  "x-forwarded-host": "evil.example",
  "x-forwarded-server": "evil.example",
  "x-forwarded-proto": "http",
  "x-forwarded-port": "666",
  "x-forwarded-prefix": "/evil",
  forwarded: "for=192.0.2.1;host=evil.example;proto=http",
  "x-host": "evil.example",
  "x-original-host": "evil.example",
  "x-original-url": "http://evil.example/",
  "x-rewrite-url": "http://evil.example/",
  "x-http-host-override": "evil.example",
  origin: "https://evil.example",
  referer: "https://evil.example/page",
  redirect_to: "https://evil.example/",
};

describe("A14 links are built from the settings", () => {
  test("A14 whatever a request says of hosts, at every entrance that sends a link or an address", async () => {
    const person = await auth.newPerson();
    const bearer = { authorization: `Bearer ${person.token}` };
    const admin = { apikey: auth.secretKey, authorization: `Bearer ${auth.serviceRoleKey}` };
    const fresh = newEmail();
    const moved = newEmail();
    const invited = newEmail();
    for (const [method, path, more, body, to] of [
      ["POST", "/signup", {}, { email: fresh, password: "correct horse 7" }, fresh],
      ["POST", "/resend", {}, { type: "signup", email: fresh }, fresh],
      ["POST", "/otp", {}, { email: person.email }, person.email],
      ["POST", "/magiclink", {}, { email: person.email }, person.email],
      ["POST", "/recover", {}, { email: person.email }, person.email],
      ["PUT", "/user", bearer, { email: moved }, moved],
      ["POST", "/resend", bearer, { type: "email_change", email: moved }, moved],
      ["POST", "/invite", admin, { email: invited }, invited],
    ] as const) {
      const answer = await ask(method, path, { ...forgedHeaders, ...more }, body);
      expect([answer.status, path]).toEqual([200, path]);
      const mail = await auth.received(to);
      expect.soft(mail.whole, path).not.toContain("evil");
      expect.soft(mail.whole, path).toContain(`${api}/auth/v1/verify?token=`);
      expect.soft(mail.link.get("redirect_to"), path).toBe(site);
      for (const [url] of mail.whole.matchAll(/https?:\/\/[^\s"'<>]+/g)) {
        expect.soft(["api.example.com", "app.example.com"], path).toContain(new URL(url).host);
      }
    }
    const made = await ask(
      "POST",
      "/admin/generate_link",
      { ...forgedHeaders, ...admin },
      {
        type: "magiclink",
        email: person.email,
      },
    );
    expect(new URL(made.body.action_link).origin).toBe(api);
    expect([made.body.redirect_to, made.text]).toEqual([site, expect.not.stringContaining("evil")]);
  });

  test("A14 nor what providers, tokens, passkeys and verifiers are told of us", async () => {
    const person = await auth.newPerson();
    const bearer = { authorization: `Bearer ${person.token}` };
    const begun = await ask("GET", "/authorize?provider=google", forgedHeaders);
    const redirectUri = new URL(begun.location).searchParams.get("redirect_uri");
    expect(redirectUri).toBe(`${api}/auth/v1/callback`);
    const signedIn = await ask("POST", "/token?grant_type=password", forgedHeaders, person);
    expect(claimsOf(signedIn.body.access_token).iss).toBe(`${api}/auth/v1`);
    const known = await ask("GET", "/.well-known/openid-configuration", forgedHeaders);
    expect([known.body.issuer, known.text]).toEqual([`${api}/auth/v1`, expect.not.stringContaining("evil")]);
    for (const path of ["/passkeys/authentication/options", "/passkeys/registration/options"]) {
      const { text } = await ask("POST", path, { ...forgedHeaders, ...bearer }, {});
      expect([text.includes('"example.com"'), text]).toEqual([true, expect.not.stringContaining("evil")]);
    }
    const factor = await ask("POST", "/factors", { ...forgedHeaders, ...bearer }, { factor_type: "totp" });
    expect(factor.body.totp.uri).not.toContain("evil");
    const callback = await ask("GET", "/callback?error=access_denied&state=x", forgedHeaders);
    expect(new URL(callback.location).origin).toBe(site);
  });
});

/** Where nobody may be led, however it is written. */
const elsewhere = [
  "https://evil.example",
  "//evil.example",
  "///evil.example",
  "////evil.example",
  "/\\evil.example",
  "\\\\evil.example",
  "\\/evil.example",
  "https:evil.example",
  "https:/evil.example",
  "https:///evil.example",
  "https:\\\\evil.example",
  "https://evil.example\\@app.example.com",
  "https://app.example.com\\.evil.example",
  "https://app.example.com@evil.example",
  "https://app.example.com:443@evil.example",
  "https://app.example.com%40evil.example",
  "https://app.example.com%2eevil.example",
  "https://user:pass@app.example.com/",
  "https://app.example.com.evil.example",
  "https://app.example.com.",
  "https://app.example.comevil",
  "https://evil.example#https://app.example.com",
  "https://evil.example?https://app.example.com",
  "https://evil.example/https://app.example.com/",
  "https://evil.example/app.example.com",
  "https://evil.example;https://app.example.com",
  "https://аpp.example.com",
  "https://app。example。com.evil.example",
  "https://app.example.com:8443",
  "http://app.example.com",
  "app.example.com",
  "https://app.example.com/\r\nSet-Cookie: a=b",
  "https://app.example.com/\n\nbody",
  "\thttps://evil.example",
  "https://app.example.com/\u0000",
  "http://10.0.0.1/",
  "http://2130706433.evil.example/",
  "http://127.0.0.1.evil.example/",
  "http://[::ffff:10.0.0.1]/",
  "http://169.254.169.254/latest/meta-data",
  "javascript:alert(1)",
  "javascript://app.example.com/%0aalert(1)",
  "JaVaScRiPt:alert(1)",
  "data:text/html,<script>alert(1)</script>",
  "vbscript:msgbox(1)",
  "file:///etc/passwd",
  "blob:https://app.example.com/x",
  "intent://login-callback#Intent;scheme=myapp;end",
  "myapp://evil",
  "myapp://login-callback.evil",
  "myapp://login-callback@evil.example",
  "myapp:login-callback",
  "myapps://login-callback",
  "*",
  "null",
  " ",
];

const isHome = (url: string): boolean =>
  url === site || url.startsWith(`${site}/`) || url.startsWith(`${site}#`) || url.startsWith(`${site}?`);

describe("A15 nobody is led elsewhere", () => {
  test("A15 by a link, by a provider's sign-in, or by their errors", async () => {
    const email = newEmail();
    for (const url of elsewhere) {
      const to = encodeURIComponent(url);
      const verified = await ask("GET", `/verify?token=x&type=signup&redirect_to=${to}`, {});
      // The page that asks the person names where it leads.
      expect.soft(verified.location === "" || isHome(verified.location), `GET /verify ${url}`).toBe(true);
      expect.soft(verified.text, `GET /verify ${url}`).not.toMatch(/evil|javascript:|data:text|alert\(/i);
      const pkce = await ask("GET", `/verify?token=pkce_x&type=signup&redirect_to=${to}`, {});
      expect.soft(isHome(pkce.location), `GET /verify pkce ${url}: ${pkce.location}`).toBe(true);
      const form = await ask(
        "POST",
        "/verify",
        { "content-type": "application/x-www-form-urlencoded" },
        `token=x&type=signup&redirect_to=${to}`,
      );
      expect.soft(isHome(form.location), `POST /verify ${url}: ${form.location}`).toBe(true);
      const begun = await ask("GET", `/authorize?provider=google&redirect_to=${to}`, {});
      const state = new URL(begun.location).searchParams.get("state");
      expect.soft(begun.location.startsWith(issuer.url), `GET /authorize ${url}`).toBe(true);
      const back = await ask("GET", `/callback?state=${state}&error=access_denied&redirect_to=${to}`, {});
      expect.soft(isHome(back.location), `GET /callback ${url}: ${back.location}`).toBe(true);
      for (const answer of [verified, pkce, form, begun, back]) expect(answer.headers["set-cookie"]).toBeUndefined();
      const made = await auth.admin("POST", `/admin/generate_link?redirect_to=${to}`, {
        type: "magiclink",
        email,
        redirect_to: url,
      });
      expect.soft([made.status, made.body.redirect_to], url).toEqual([200, site]);
    }
  });

  test("A15 by whatever place of a request names it, at every entrance that sends a link", async () => {
    const person = await auth.newPerson();
    const wishes = [
      "https://evil.example/",
      "//evil.example",
      "https://app.example.com@evil.example",
      "javascript:alert(1)",
    ];
    for (const url of wishes) {
      const [fresh, moved, invited] = [newEmail(), newEmail(), newEmail()];
      const to = encodeURIComponent(url);
      const headers = { redirect_to: url, referer: url };
      for (const [method, path, body, recipient, as] of [
        ["POST", "/signup", { email: fresh, password: "correct horse 7" }, fresh, null],
        ["POST", "/resend", { type: "signup", email: fresh }, fresh, null],
        ["POST", "/otp", { email: person.email }, person.email, null],
        ["POST", "/magiclink", { email: person.email }, person.email, null],
        ["POST", "/recover", { email: person.email }, person.email, null],
        ["PUT", "/user", { email: moved }, moved, person.token],
        ["POST", "/invite", { email: invited }, invited, auth.serviceRoleKey],
      ] as const) {
        const bearer = as === null ? {} : { authorization: `Bearer ${as}` };
        const wish = { ...body, redirect_to: url };
        const answer = await ask(method, `${path}?redirect_to=${to}`, { ...headers, ...bearer }, wish);
        expect([answer.status, path]).toEqual([200, path]);
        expect.soft((await auth.received(recipient)).link.get("redirect_to"), `${path} ${url}`).toBe(site);
      }
    }
  });

  test("A15 the session and the code go to the app alone, and not to what it is wrapped in", async () => {
    const person: Person = await auth.newPerson();
    const links = async (body: Record<string, string>): Promise<URLSearchParams> => {
      await auth.post(`/recover?redirect_to=${encodeURIComponent(app)}`, { email: person.email, ...body });
      return (await auth.received(person.email)).link;
    };
    // Who changes the link in transit changes nothing for the better.
    const implicit = await links({});
    implicit.set("redirect_to", "https://evil.example");
    const form = { "content-type": "application/x-www-form-urlencoded" };
    const led = await ask("POST", "/verify", form, implicit.toString());
    expect([led.location.startsWith(`${site}#access_token=`) || isHome(led.location), led.location]).toEqual([
      true,
      expect.not.stringContaining("evil"),
    ]);
    const pkce = await links({ code_challenge: s256("v".repeat(43)), code_challenge_method: "s256" });
    pkce.set("redirect_to", "https://evil.example");
    const opened = await ask("GET", `/verify?${pkce}`, {});
    expect(isHome(opened.location)).toBe(true);
    const right = await links({});
    const home = await ask("POST", "/verify", form, right.toString());
    expect(home.location.startsWith(`${app}#access_token=`)).toBe(true);
  });
});
