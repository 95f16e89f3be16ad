import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { canonicalRecoveryCode, createMfaSecrets, newDigits, newRecoveryCode } from "./secrets.ts";

const of = (server: string) =>
  createMfaSecrets({ deriveKey: (purpose) => createHash("sha256").update(`${server}/${purpose}`).digest() });
const secrets = of("a");

describe("secrets of factors", () => {
  test("what is sealed is read by the same server for the same factor, and by nobody else", () => {
    const sealed = secrets.seal("f1", "JBSWY3DPEHPK3PXP");
    expect(sealed).toMatch(/^v1\.[A-Za-z0-9_-]+$/);
    expect(sealed).not.toContain("JBSWY3DP");
    expect(secrets.open("f1", sealed)).toBe("JBSWY3DPEHPK3PXP");
    expect(secrets.open("f2", sealed)).toBeNull();
    expect(of("b").open("f1", sealed)).toBeNull();
    expect(secrets.seal("f1", "JBSWY3DPEHPK3PXP")).not.toBe(sealed);
  });

  test("what was changed, cut or sealed elsewhere is not read; a plain secret of an import is", () => {
    const sealed = secrets.seal("f1", "JBSWY3DPEHPK3PXP");
    const flipped = `${sealed.slice(0, 30)}${sealed[30] === "A" ? "B" : "A"}${sealed.slice(31)}`;
    for (const bad of [flipped, sealed.slice(0, 20), "v1.", "", '{"key_id":"x","alg":"aes-gcm-hkdf","data":"…"}']) {
      expect.soft(secrets.open("f1", bad), bad).toBeNull();
    }
    expect(secrets.open("f1", "JBSWY3DPEHPK3PXP")).toBe("JBSWY3DPEHPK3PXP");
  });

  test("a hash is of one code, for one purpose, by one server", () => {
    const hash = secrets.hash("challenge", "123456");
    expect(secrets.isMatch("challenge", "123456", hash)).toBe(true);
    expect(secrets.isMatch("challenge", "123457", hash)).toBe(false);
    expect(secrets.isMatch("other", "123456", hash)).toBe(false);
    expect(of("b").isMatch("challenge", "123456", hash)).toBe(false);
    expect(secrets.isMatch("challenge", "123456", "")).toBe(false);
  });

  test("codes keep their length, and recovery codes are typed in any fashion", () => {
    for (let at = 0; at < 200; at++) {
      expect(newDigits(6)).toMatch(/^\d{6}$/);
      expect(newDigits(10)).toMatch(/^\d{10}$/);
      expect(newRecoveryCode()).toMatch(/^[a-z2-7]{16}$/);
    }
    expect(canonicalRecoveryCode(" K4M6-X7QP 2AB5-ht3z\n")).toBe("k4m6x7qp2ab5ht3z");
  });
});
