import { describe, expect, test } from "vitest";
import { base32, matchTotp, newTotpSecret, totpCode, totpStep, totpUri } from "./totp.ts";

const rfcSecret = Buffer.from("12345678901234567890");

describe("TOTP", () => {
  test("RFC 4226 appendix D: the ten codes of HOTP", () => {
    const codes = Array.from({ length: 10 }, (_, counter) => totpCode(rfcSecret, counter));
    expect(codes).toEqual("755224 287082 359152 969429 338314 254676 287922 162583 399871 520489".split(" "));
  });

  test.each([
    [59, "94287082"],
    [1_111_111_109, "07081804"],
    [1_111_111_111, "14050471"],
    [1_234_567_890, "89005924"],
    [2_000_000_000, "69279037"],
    [20_000_000_000, "65353130"],
  ])("RFC 6238 appendix B: the code at %i s", (seconds, eightDigits) => {
    expect(totpCode(rfcSecret, totpStep(seconds * 1_000))).toBe(eightDigits.slice(2));
    expect(matchTotp(base32(rfcSecret), eightDigits.slice(2), seconds * 1_000)).toBe(Math.floor(seconds / 30));
  });

  test("the codes one step before and after are accepted, two away are not", () => {
    const secret = base32(rfcSecret);
    const nowMs = 1_234_567_890_000;
    const now = totpStep(nowMs);
    const match = (step: number) => matchTotp(secret, totpCode(rfcSecret, step), nowMs);
    expect([-2, -1, 0, 1, 2].map((away) => match(now + away))).toEqual([null, now - 1, now, now + 1, null]);
  });

  test("what is no six digits is no code; spaces as apps show them do not matter", () => {
    const secret = base32(rfcSecret);
    for (const bad of ["", "08180", "7081804", "94287082", "28708x", "２８７０８２", "287082.", "-87082", "null"]) {
      expect.soft(matchTotp(secret, bad, 59_000), bad).toBeNull();
    }
    expect(matchTotp(secret, " 287 082\n", 59_000)).toBe(1);
  });

  test("RFC 4648 §10: base32", () => {
    const words = ["", "f", "fo", "foo", "foob", "fooba", "foobar"].map((text) => base32(Buffer.from(text)));
    expect(words).toEqual(["", "MY", "MZXQ", "MZXW6", "MZXW6YQ", "MZXW6YTB", "MZXW6YTBOI"]);
  });

  test("secrets are 160 bits, each another; lower case and padding of an imported one do not matter", () => {
    const secrets = Array.from({ length: 100 }, newTotpSecret);
    expect(new Set(secrets).size).toBe(100);
    for (const secret of secrets) expect(secret).toMatch(/^[A-Z2-7]{32}$/);
    expect(matchTotp(`${base32(rfcSecret).toLowerCase()}==`, "287082", 59_000)).toBe(1);
  });

  test("the URI keeps names apart from syntax", () => {
    const uri = new URL(totpUri({ issuer: "A & B: co", account: "a@b.example?x=1", secret: "MZXW6" }));
    expect(uri.href).toMatch(/^otpauth:\/\/totp\/A%20%26%20B%3A%20co:a%40b\.example%3Fx%3D1\?/);
    expect(Object.fromEntries(uri.searchParams)).toEqual({
      algorithm: "SHA1",
      digits: "6",
      issuer: "A & B: co",
      period: "30",
      secret: "MZXW6",
    });
  });
});
