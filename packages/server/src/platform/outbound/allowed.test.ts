import { describe, expect, test } from "vitest";
import { createGuard } from "./allowed.ts";

const isAllowed = (entries: readonly string[], url: string, address: string): boolean =>
  createGuard(entries).addressesFor(new URL(url))(address);

describe("X01 without a list", () => {
  test.each([
    "127.0.0.1",
    "10.1.2.3",
    "169.254.169.254",
    "100.64.0.1",
    "::1",
    "fd00::1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
  ])("%s is not reached, whatever its name", (address) => {
    expect(isAllowed([], "http://anything.example.com/", address)).toBe(false);
  });

  test("the public internet is", () => {
    expect(isAllowed([], "https://example.com/", "93.184.216.34")).toBe(true);
    expect(isAllowed([], "https://example.com/", "2606:2800:220:1::1")).toBe(true);
  });
});

describe("an entry", () => {
  test.each([
    ["weather.internal", "http://weather.internal/", true],
    ["weather.internal", "http://weather.internal:8080/", true],
    ["Weather.Internal", "http://WEATHER.internal./x", true],
    ["weather.internal", "http://other.weather.internal/", false],
    ["weather.internal", "http://weather.internal.evil.example/", false],
    ["weather.internal:8080", "http://weather.internal:8080/", true],
    ["weather.internal:8080", "http://weather.internal/", false],
    ["weather.internal:443", "https://weather.internal/", true],
    ["*.internal", "http://a.b.internal/", true],
    ["*.internal", "http://internal/", false],
    ["*.internal", "http://notinternal/", false],
    ["localhost:9000", "http://localhost:9000/", true],
    ["127.0.0.1:9000", "http://127.0.0.1:9000/", true],
    ["127.0.0.1:9000", "http://0x7f.1:9000/", true],
    ["127.0.0.1:9000", "http://127.0.0.1:9001/", false],
    ["127.0.0.1:9000", "http://127.0.0.1.nip.example:9000/", false],
    ["[::1]:9000", "http://[0:0::1]:9000/", true],
    ["[::1]:9000", "http://[::1]:9001/", false],
  ])("%s lets %s go to a private address: %s", (entry, url, expected) => {
    const host = new URL(url).hostname;
    expect(isAllowed([entry], url, host.startsWith("[") ? "::1" : "127.0.0.1")).toBe(expected);
  });

  test("that is a network or an address counts for every name, and for IPv4 within IPv6", () => {
    expect(isAllowed(["10.1.0.0/16"], "http://any.example/", "10.1.255.1")).toBe(true);
    expect(isAllowed(["10.1.0.0/16"], "http://any.example/", "::ffff:10.1.0.1")).toBe(true);
    expect(isAllowed(["10.1.0.0/16"], "http://any.example/", "10.2.0.1")).toBe(false);
    expect(isAllowed(["10.1.0.7"], "http://any.example/", "10.1.0.7")).toBe(true);
    expect(isAllowed(["10.1.0.7"], "http://any.example/", "10.1.0.8")).toBe(false);
    expect(isAllowed(["fd00::/8"], "http://any.example/", "fd12::1")).toBe(true);
    expect(isAllowed(["fd00::/8"], "http://any.example/", "fe80::1%eth0")).toBe(false);
  });

  test.each([
    "",
    "*",
    "http://x",
    "a b",
    "10.0.0.0/33",
    "10.1",
    "host:0",
    "host:99999",
    "*.*.x",
    "10.0.0.0/8/8",
    "fd00::/129",
    "a..b",
  ])("%j is refused", (entry) => {
    expect(() => createGuard([entry])).toThrow(TypeError);
  });
});
