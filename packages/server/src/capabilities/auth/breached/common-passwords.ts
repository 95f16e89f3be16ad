import { readFileSync } from "node:fs";
import { entryBytes, entryOf } from "./pack.ts";

/** Whether a password is one of the most common ones, however its letters are written. Works offline, in microseconds. */
export type IsCommon = (password: string) => boolean;

/** Reads `common-passwords.bin` (made by `pack.ts`) at the first question. */
export function createCommonPasswords(): IsCommon {
  let entries: Buffer | null = null;
  return (password) => {
    entries ??= readFileSync(new URL("./common-passwords.bin", import.meta.url));
    return has(entries, entryOf(password));
  };
}

function has(entries: Buffer, wanted: Buffer): boolean {
  let low = 0;
  let high = entries.length / entryBytes;
  while (low < high) {
    const middle = (low + high) >> 1;
    const at = middle * entryBytes;
    const order = wanted.compare(entries, at, at + entryBytes);
    if (order === 0) return true;
    if (order < 0) high = middle;
    else low = middle + 1;
  }
  return false;
}
