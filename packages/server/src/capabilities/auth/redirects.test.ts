import { describe, expect, test } from "vitest";
import { SettingError } from "../../kernel/settings.ts";
import { isGlobMatch, parseGlob } from "./glob.ts";
import { allowedRedirect, assertRedirectSettings } from "./redirects.ts";

const site = "https://app.example.com";
const settings = {
  siteUrl: site,
  redirectAllowList: [
    "myapp://login-callback",
    "whole://**",
    "one://*",
    "com.example.app:/oauth2redirect",
    "https://docs.example.org/auth/*",
    "https://docs.example.org/deep/**",
    "https://*.preview.example.net/**",
    "https://*-team.example.dev",
    "http://localhost:*/**",
    "http://192.168.*.*:8081",
    "https://exact.example.org/cb?from=mail",
    "https://{red,blue}.example.org/[ab]?/x",
    "https://münchen.example/**",
  ],
};
const allowed = (...candidates: (string | null | undefined)[]) => allowedRedirect(settings, ...candidates);

describe("A15 redirects", () => {
  test("what is the site's, this machine's or listed is where people go", () => {
    for (const url of [
      "https://app.example.com",
      "https://app.example.com/welcome?sb_flow_id=1",
      "https://app.example.com:443/welcome",
      "https://app.example.com/a%2Fb",
      "http://127.0.0.1:49152/callback",
      "http://[::1]:3000/",
      "myapp://login-callback",
      "myapp://login-callback?sb_flow_id=1",
      "whole://anything/at/all.html",
      "one://login-callback",
      "com.example.app:/oauth2redirect",
      "https://docs.example.org/auth/callback",
      "https://docs.example.org/deep/a/b.html",
      "https://feature-1.preview.example.net/x/y",
      "https://feature-1-team.example.dev",
      "http://localhost:3000/x",
      "http://192.168.0.7:8081",
      "https://exact.example.org/cb?from=mail",
      "https://red.example.org/a1/x",
      "https://blue.example.org/b2/x",
      "https://xn--mnchen-3ya.example/x",
    ]) {
      const given = allowed(url);
      expect.soft([given, `${given}/`], url).toContain(new URL(url).href);
      expect.soft(given === site && url !== site, url).toBe(false);
    }
    expect(allowed("HTTPS://App.Example.Com/x")).toBe("https://app.example.com/x");
    expect(allowed("https://MÜNCHEN.example/x")).toBe("https://xn--mnchen-3ya.example/x");
  });

  test("everything else becomes the site URL", () => {
    for (const url of [
      // Another host, however it is dressed up.
      "https://evil.example",
      "//evil.example",
      "///evil.example",
      "/\\evil.example",
      "\\\\evil.example",
      "https:evil.example",
      "https:/evil.example",
      "https:///evil.example",
      "https:\\\\evil.example",
      "https://evil.example\\@app.example.com",
      "https://app.example.com\\.evil.example",
      "https://app.example.com@evil.example",
      "https://user@app.example.com/",
      "https://user:pass@app.example.com/",
      "https://@app.example.com/",
      "https://:@app.example.com/",
      "https://app.example.com.evil.example",
      "https://app.example.com.",
      "https://evil.example#https://app.example.com",
      "https://evil.example?https://app.example.com",
      "https://evil.example/https://app.example.com",
      "https://evil.example/.preview.example.net/x",
      "https://evil.example?.preview.example.net/x",
      "https://evil.example#.preview.example.net/x",
      "https://evil.example:443#-team.example.dev",
      "https://xpreview.example.net/",
      "https://a.b.preview.example.net.evil.example/",
      "https://a.b-team.example.dev/",
      "https://app.еxample.com",
      "https://app。example。com.evil.example",
      // The right host otherwise.
      "http://app.example.com",
      "https://app.example.com:8443",
      "https://APP.example.com:80",
      "app.example.com",
      "https://app.example.com/\r\nSet-Cookie: a=b",
      "https://app.example.com/\tx",
      " https://app.example.com",
      "https://app.example.com/\u0000",
      "https://app.example.com/\u202e",
      // Addresses.
      "http://10.0.0.1/",
      "http://2130706434.evil.example/",
      "http://127.0.0.1.evil.example/",
      "http://0.0.0.0/",
      "http://0/",
      "http://[::ffff:10.0.0.1]/",
      "http://[::ffff:127.0.0.1]/",
      "http://169.254.169.254/",
      "http://192.168.evil.com:8081",
      "http://192.168.0.7.evil.com:8081",
      "http://192.168.0.7:8082",
      "ftp://127.0.0.1/",
      // Paths and queries beside the listed ones.
      "https://docs.example.org/",
      "https://docs.example.org/auth",
      "https://docs.example.org/auth/a/b",
      "https://docs.example.org/auth/../open?to=evil",
      "https://docs.example.org/deep/%2e%2e/open",
      "https://docs.example.org/deep/..%2fopen",
      "https://docs.example.org/deep/..%5copen",
      "https://docs.example.org/deep/%00",
      "https://feature-1-team.example.dev/path",
      "https://exact.example.org/cb",
      "https://exact.example.org/cb?from=mail&x=1",
      "https://green.example.org/a1/x",
      "https://red.example.org/c1/x",
      "https://red.example.org/a/x",
      "http://localhost.evil.example/x",
      // Schemes.
      "javascript:alert(1)",
      "JaVaScRiPt://login-callback/%0aalert(1)",
      "data:text/html,x",
      "vbscript:x",
      "file:///etc/passwd",
      "blob:https://app.example.com/x",
      "about:blank",
      "other://login-callback",
      "myapp://login-callback.evil",
      "myapp://login-callback/more",
      "myapp://x@login-callback",
      "myapp:login-callback",
      "myapp:///login-callback",
      "one://a/b",
      "com.example.app://oauth2redirect",
      "com.example.app:/other",
      "",
      "x",
      `https://app.example.com/${"x".repeat(2_048)}`,
    ]) {
      expect.soft(allowed(url), JSON.stringify(url)).toBe(site);
    }
  });

  test("the first that is allowed counts, and nothing is none", () => {
    expect(allowed(null, undefined, "", "https://evil.example", "myapp://login-callback", `${site}/x`)).toBe(
      "myapp://login-callback",
    );
    expect(allowed()).toBe(site);
    expect(allowedRedirect({ siteUrl: "myapp://home", redirectAllowList: [] }, "myapp://home", "myapp://away")).toBe(
      "myapp://home",
    );
    expect(allowedRedirect({ siteUrl: "myapp://home", redirectAllowList: [] }, "myapp://away")).toBe("myapp://home");
  });

  test("a list that would let everybody through, or nobody, is refused at the start", () => {
    const refuse = (entry: string) =>
      expect
        .soft(() => assertRedirectSettings({ siteUrl: site, redirectAllowList: [entry] }), entry)
        .toThrow(SettingError);
    for (const entry of [
      "*",
      "**",
      "https://*",
      "https://**",
      "https://**/cb",
      "https://*.com",
      "https://*example.com",
      "https://example.*",
      "https://exam?le.com",
      "https://user@example.com",
      "https:example.com",
      "https://",
      "*://example.com",
      "javascript:**",
      "data:**",
      "https://exa mple.com",
      "https:\\\\example.com",
      "example.com",
      "https://{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}.example.com",
    ]) {
      refuse(entry);
    }
    expect(() => assertRedirectSettings(settings)).not.toThrow();
    expect(() => assertRedirectSettings({ siteUrl: "app.example.com", redirectAllowList: [] })).toThrow(SettingError);
  });
});

test("B10 a glob takes steps × characters, whatever it is given", () => {
  const glob = parseGlob(`${"**a".repeat(200)}b`, "/");
  expect(isGlobMatch(glob, "a".repeat(2_000))).toBe(false);
  expect(isGlobMatch(glob, `${"a".repeat(2_000)}b`)).toBe(true);
  expect(isGlobMatch(parseGlob("/*/x[!a-c]?", "/"), "/any/xdz")).toBe(true);
  expect(isGlobMatch(parseGlob("/*/x[!a-c]?", "/"), "/any/xaz")).toBe(false);
  expect(isGlobMatch(parseGlob("/[", "/"), "/[")).toBe(true);
});
