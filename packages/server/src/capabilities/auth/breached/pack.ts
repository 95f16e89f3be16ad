import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";

/**
 * 40 bits of a SHA-256: of a million good passwords some 0.03 look like one of 36,000 bad ones, and five bytes each keep the file
 * below 200 KB. Hashes keep words out of the repository that nobody wants to read; they hide nothing.
 */
export const entryBytes = 5;

/** How a password is looked up: whoever writes `PASSWORD` or `ｐａｓｓｗｏｒｄ` is not safer. */
export const commonForm = (password: string): string => password.normalize("NFKC").toLowerCase();

export const entryOf = (password: string): Buffer =>
  createHash("sha256").update(commonForm(password)).digest().subarray(0, entryBytes);

/** Sorted entries, without repetitions, one after the other. */
export function pack(passwords: Iterable<string>): Buffer {
  const entries = new Set([...passwords].map((password) => entryOf(password).toString("hex")));
  return Buffer.from([...entries].sort().join(""), "hex");
}

/** What people put behind a word when a rule makes them. */
const endings = ["1", "12", "123", "1234", "12345", "!", "1!", "123!", "@123", "#1"];
const years = Array.from({ length: 9 }, (_, at) => String(2019 + at));

/** The most frequent of the list, and the most frequent of these with endings and years. */
export function compile(byFrequency: readonly string[]): string[] {
  const words = byFrequency.filter((word) => /^[a-z]{4,}$/.test(word)).slice(0, 350);
  return [...byFrequency.slice(0, 30_000), ...words.flatMap((word) => [...endings, ...years].map((end) => word + end))];
}

/** The passwords of zxcvbn's frequency lists, the most frequent first: a package that only development has. */
export function knownPasswords(): readonly string[] {
  const { passwords } = createRequire(import.meta.url)("zxcvbn/lib/frequency_lists.js") as { passwords: string[] };
  return passwords;
}

// `node pack.ts` writes the file anew.
if (import.meta.main) {
  writeFileSync(new URL("./common-passwords.bin", import.meta.url), pack(compile(knownPasswords())));
}
