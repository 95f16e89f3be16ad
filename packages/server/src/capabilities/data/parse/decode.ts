import { code, firstPrintable } from "./characters.ts";
import { parseProblems } from "./problems.ts";

/**
 * Percent-decodes a piece of a query string, `+` being a space (WHATWG URL §5.1).
 * @throws Problem PGRST100 when an escape is malformed or the bytes are not UTF-8.
 */
export function decodeQueryText(raw: string): string {
  const spaced = raw.includes("+") ? raw.replaceAll("+", " ") : raw;
  if (!spaced.includes("%")) return spaced;
  try {
    return decodeURIComponent(spaced);
  } catch {
    throw parseProblems.encoding(raw);
  }
}

/** Percent-encodes what would not survive being split and decoded again; everything else stays as it is. */
export function encodeShapeText(text: string): string {
  let encoded = "";
  let kept = 0;
  for (let at = 0; at < text.length; at++) {
    const found = text.charCodeAt(at);
    if (found !== code.percent && found !== code.ampersand && found !== code.plus && found >= firstPrintable) continue;
    encoded += `${text.slice(kept, at)}%${found.toString(16).padStart(2, "0")}`;
    kept = at + 1;
  }
  return kept === 0 ? text : encoded + text.slice(kept);
}
