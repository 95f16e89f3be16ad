import { generateKeyPairSync, sign, verify } from "node:crypto";
import { expect, test } from "vitest";
import { rawSignature } from "./signature.ts";

test("an ECDSA signature's two numbers stand side by side, short ones too", () => {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  // One in 256 numbers is a byte short, half of them have a zero in front.
  let short = 0;
  for (let i = 0; i < 3_000; i++) {
    const data = Buffer.from(`message ${i}`);
    const raw = rawSignature(sign("sha256", data, privateKey));
    expect(raw).toHaveLength(64);
    if (raw[0] === 0 || raw[32] === 0) short++;
    expect(verify("sha256", data, { key: publicKey, dsaEncoding: "ieee-p1363" }, raw)).toBe(true);
  }
  expect(short).toBeGreaterThan(0);
});
