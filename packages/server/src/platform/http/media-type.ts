/** A media type, its names in lower case. */
export interface MediaType {
  /** `application/json`. */
  readonly type: string;
  /** Null-prototype (threat B12). Values as sent, without their quotes. */
  readonly parameters: Readonly<Record<string, string>>;
}

/** RFC 9110 names no bound; nothing real is near it, and it bounds the work. */
const lengthLimit = 512;
const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const typePattern = new RegExp(`^(${token}/${token})`);
const parameterPattern = new RegExp(
  `[ \\t]*;[ \\t]*(?:(${token})=(?:(${token})|"((?:[\\t \\x21\\x23-\\x5b\\x5d-\\x7e\\x80-\\xff]|\\\\[\\t\\x20-\\x7e\\x80-\\xff])*)"))?`,
  "y",
);

/**
 * Reads a `Content-Type` strictly (RFC 9110 §8.3.1). `null` when it is absent or is not exactly one media type: a lenient
 * reading is how validation gets skipped, one parser seeing JSON where the next sees something else (threat B13;
 * CVE-2026-25223 was a tab after the subtype). A parameter named twice is refused too: which one counts would be a guess.
 */
export function parseMediaType(header: string | undefined): MediaType | null {
  if (header === undefined || header.length > lengthLimit) return null;
  const type = typePattern.exec(header)?.[1];
  if (type === undefined) return null;
  const parameters: Record<string, string> = Object.create(null);
  let position = type.length;
  while (position < header.length) {
    parameterPattern.lastIndex = position;
    const match = parameterPattern.exec(header);
    // Space at the very end is allowed (HTTP strips it); anything else that no parameter explains is not.
    if (match === null)
      return /^[ \t]+$/.test(header.slice(position)) ? { type: type.toLowerCase(), parameters } : null;
    position = parameterPattern.lastIndex;
    const name = match[1]?.toLowerCase();
    if (name === undefined) continue; // `;` with nothing after it: RFC 9110 §5.6.6 lets a parameter be empty
    if (name in parameters) return null;
    parameters[name] = match[2] ?? match[3]!.replace(/\\(.)/g, "$1");
  }
  return { type: type.toLowerCase(), parameters };
}
