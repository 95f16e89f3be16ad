const quote = 0x22;
const backslash = 0x5c;
const zero = 0x30;
const nine = 0x39;

/** Most digits of an exponent that is stored, leading zeros aside. */
const exponentDigits = 2;

/**
 * Whether PostgreSQL may be given this JSON to keep. It writes numbers out in full: `1e131071`, eight bytes, comes back as 131,072 digits, so
 * that a message of a few kilobytes could grow beyond what the server, and its log, can read again. Beyond 1e99 such a number is refused; one
 * in a string stands for itself.
 * @param json valid JSON
 */
export function isStorable(json: Buffer): boolean {
  let isInString = false;
  for (let at = 0; at < json.length; at++) {
    const byte = json[at]!;
    if (isInString && byte === backslash) at++;
    else if (byte === quote) isInString = !isInString;
    else if (!isInString && (byte | 0x20) === 0x65 && digitsOfExponent(json, at + 1) > exponentDigits) return false;
  }
  return true;
}

function digitsOfExponent(json: Buffer, from: number): number {
  let at = from;
  if (json[at] === 0x2b || json[at] === 0x2d) at++;
  while (json[at] === zero) at++;
  const first = at;
  while (at < json.length && json[at]! >= zero && json[at]! <= nine) at++;
  return at - first;
}
