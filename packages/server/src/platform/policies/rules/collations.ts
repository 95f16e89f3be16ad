import type { CollationShape } from "../compile/index.ts";

/** Of `pg_collation`, or of the database's own. */
export interface CollationRow {
  readonly isDeterministic: boolean;
  /** `b`uiltin, lib`c`, `i`cu; a column's `d` never comes here. */
  readonly provider: string;
  /** Of libc. */
  readonly collate: string | null;
  readonly ctype: string | null;
  /** Of the others. */
  readonly locale: string | null;
}

const isPlain = (name: string | null): boolean => name === "C" || name === "POSIX";
/** Turkish, Azeri and Lithuanian have other small letters for `I`. */
const foldsOtherwise = /^(tr|tur|az|aze|lt|lit|turkish|azer|lithu)(?![a-z])|^(turkish|azeri|lithuanian)/i;

export function collationShape({ isDeterministic, provider, collate, ctype, locale }: CollationRow): CollationShape {
  switch (provider) {
    // All of its locales order by code point, which in UTF-8 is by bytes.
    case "b":
      return { isDeterministic, isByteOrder: true, foldsAscii: true };
    case "c":
      return { isDeterministic, isByteOrder: isPlain(collate), foldsAscii: isKnown(ctype) };
    case "i":
      return { isDeterministic, isByteOrder: false, foldsAscii: isKnown(locale) };
    default:
      return { isDeterministic, isByteOrder: false, foldsAscii: false };
  }
}

const isKnown = (name: string | null): boolean => name !== null && name !== "" && !foldsOtherwise.test(name);
