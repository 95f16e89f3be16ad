import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { callerAddress, canonicalAddress, trustedProxies } from "./address.ts";

describe("A13 the caller's address", () => {
  const isTrusted = trustedProxies(["10.0.0.0/8", "2001:db8:1::/48", "loopback"]);

  test.each([
    ["198.51.100.7", undefined, "198.51.100.7"],
    ["198.51.100.7", "203.0.113.9", "198.51.100.7"], // a stranger's word counts for nothing
    ["198.51.100.7", "127.0.0.1", "198.51.100.7"],
    ["10.0.0.1", "203.0.113.9", "203.0.113.9"],
    ["10.0.0.1", "127.0.0.1, 203.0.113.9", "203.0.113.9"], // forged on the left
    ["10.0.0.1", "1.1.1.1, 203.0.113.9, 10.3.3.3", "203.0.113.9"], // two proxies of ours
    ["10.0.0.1", "10.9.9.9, 10.8.8.8", "10.9.9.9"], // inside only
    ["10.0.0.1", "203.0.113.9, unknown", "10.0.0.1"], // the last that is known
    ["10.0.0.1", "203.0.113.9, ", "10.0.0.1"],
    ["10.0.0.1", "", "10.0.0.1"],
    ["10.0.0.1", "203.0.113.9:4711", "203.0.113.9"],
    ["10.0.0.1", "[2001:DB8::0:1]:4711", "2001:db8::1"],
    ["::ffff:10.0.0.1", "203.0.113.9", "203.0.113.9"],
    ["10.0.0.1", "::ffff:203.0.113.9", "203.0.113.9"],
    ["10.0.0.1", "::FFFF:CB00:7109", "203.0.113.9"],
    ["::1", "2001:db8:2::5, 2001:db8:1::5", "2001:db8:2::5"],
    ["2001:db8:1::7", "203.0.113.9", "203.0.113.9"],
    ["fe80::1%eth0", "203.0.113.9", "fe80::1"],
    ["10.0.0.1", "203.0.113.9' or 1=1 --", "10.0.0.1"],
    ["10.0.0.1", "0x7f000001", "10.0.0.1"],
    ["10.0.0.1", "127.1", "10.0.0.1"],
    [undefined, "203.0.113.9", "unknown"],
  ])("A13 from %s saying %s is %s", (peer, forwarded, expected) => {
    expect(callerAddress(peer, forwarded, isTrusted)).toBe(expected);
  });

  test("A13 nothing a caller writes to the left changes what our proxy appended", () => {
    fc.assert(
      fc.property(fc.string(), (forged) => {
        expect(callerAddress("10.0.0.1", `${forged}, 203.0.113.9`, isTrusted)).toBe("203.0.113.9");
      }),
    );
  });

  test("A13 without trusted proxies no header is believed", () => {
    expect(callerAddress("127.0.0.1", "203.0.113.9", trustedProxies([]))).toBe("127.0.0.1");
  });

  test("A13 a chain longer than any real one is not walked to its end", () => {
    const chain = ["203.0.113.9", ...Array.from({ length: 5000 }, () => "10.1.1.1")].join(",");
    expect(callerAddress("10.0.0.1", chain, isTrusted)).toBe("10.1.1.1");
  });

  test("spellings of one address are one", () => {
    for (const spelling of [
      "2001:db8:0:0:0:0:0:1",
      "2001:DB8::1",
      "[2001:db8::1]",
      "2001:db8::0.0.0.1",
      "2001:db8::1%lo",
    ]) {
      expect(canonicalAddress(spelling)).toBe("2001:db8::1");
    }
    expect(canonicalAddress("example.com")).toBeNull();
  });
});

describe("the trusted proxies setting", () => {
  test.each(["10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/", "example.com", "::/129", "10.0.0.0/8/8", ""])(
    "refuses %j by name",
    (entry) => {
      expect(() => trustedProxies([entry])).toThrow(`"${entry}"`);
    },
  );

  test("knows loopback and private", () => {
    const isTrusted = trustedProxies(["loopback", "private"]);
    expect(["127.0.0.9", "::1", "192.168.1.1", "172.31.0.1", "fd00::1"].every(isTrusted)).toBe(true);
    expect(["172.32.0.1", "8.8.8.8", "2001:db8::1", "", "unknown"].some(isTrusted)).toBe(false);
  });
});
