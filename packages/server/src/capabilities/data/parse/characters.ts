/** Character codes of the grammar, so that nothing on the hot path compares strings. */
export const code = {
  tab: 0x09,
  space: 0x20,
  exclamation: 0x21,
  quote: 0x22,
  percent: 0x25,
  ampersand: 0x26,
  open: 0x28,
  close: 0x29,
  plus: 0x2b,
  comma: 0x2c,
  dash: 0x2d,
  dot: 0x2e,
  colon: 0x3a,
  equals: 0x3d,
  greater: 0x3e,
  backslash: 0x5c,
  openBrace: 0x7b,
  closeBrace: 0x7d,
} as const;

/** Below this a character is a control character: none may stand unencoded in a URL (RFC 3986 §2). */
export const firstPrintable = 0x20;

/**
 * Stands for a value in a shape. A raw query string cannot hold it: `lex` refuses control characters that are not
 * percent-encoded, so the caller cannot forge one.
 */
export const marker = "\u0001";
export const markerCode = 1;

/** Letters, digits, `_`, `$`, space, and every letter, mark or number of any script. */
export function isNameCode(at: number): boolean {
  if (at >= 0x61 && at <= 0x7a) return true;
  if (at >= 0x41 && at <= 0x5a) return true;
  if (at >= 0x30 && at <= 0x39) return true;
  if (at === 0x5f || at === 0x24 || at === 0x20) return true;
  // Surrogates are halves of characters beyond the basic plane: names there are letters often enough to let all pass.
  return at >= 0x80 && ((at >= 0xd800 && at <= 0xdfff) || /[\p{L}\p{M}\p{N}]/u.test(String.fromCharCode(at)));
}

export function isDigitCode(at: number): boolean {
  return at >= 0x30 && at <= 0x39;
}
