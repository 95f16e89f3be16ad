import type { Lsn } from "../../kernel/change.ts";

/** Reads `16/B374D848`, as `pg_lsn` is printed. @throws RangeError for anything else */
export function parseLsn(text: string): Lsn {
  const match = /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/.exec(text);
  if (match === null) throw new RangeError(`"${text}" is no place in the log.`);
  return (BigInt(`0x${match[1]}`) << 32n) | BigInt(`0x${match[2]}`);
}

/** As `pg_lsn` is read: `16/B374D848`. */
export function formatLsn(lsn: Lsn): string {
  return `${(lsn >> 32n).toString(16).toUpperCase()}/${(lsn & 0xffffffffn).toString(16).toUpperCase()}`;
}

/** The later one. */
export const laterOf = (a: Lsn, b: Lsn): Lsn => (a > b ? a : b);

/** The sooner one. */
export const earlierOf = (a: Lsn, b: Lsn): Lsn => (a < b ? a : b);
