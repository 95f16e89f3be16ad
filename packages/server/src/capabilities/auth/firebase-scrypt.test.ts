import { expect, test } from "vitest";
import { isFirebaseHash, isFirebaseMatch } from "./firebase-scrypt.ts";

// The published example of https://github.com/firebase/scrypt.
const signerKey = "jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==";
const hash = "lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ==";
const stored = `$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==,sk=${signerKey}$42xEC+ixf3L2lw==$${hash}`;

test("Firebase's published example matches, and nothing else does", async () => {
  expect(await isFirebaseMatch("user1password", stored)).toBe(true);
  expect(await isFirebaseMatch("user1passwore", stored)).toBe(false);
  expect(await isFirebaseMatch("", stored)).toBe(false);
  expect(await isFirebaseMatch("user1password", stored.replace("42xE", "43xE"))).toBe(false);
  expect(await isFirebaseMatch("user1password", stored.replace("ss=Bw==", "ss="))).toBe(false);
  expect(stored.length).toBeLessThanOrEqual(255);
});

test.each([
  "",
  "$fbscrypt$",
  stored.replace("v=1", "v=2"),
  stored.replace("n=14", "n=30"),
  stored.replace("r=8", "r=99"),
  stored.replace("p=1", "p=9"),
  stored.replace("n=14", "n=0"),
  stored.replace("r=8", "r=0"),
  stored.replace("$42xEC", "$%%%"),
  `${stored}$`,
])("%s is no hash, and asks for no memory", async (other) => {
  expect(isFirebaseHash(other)).toBe(false);
  expect(await isFirebaseMatch("user1password", other)).toBe(false);
});
