import type { MediaRange } from "../request.ts";

const anything: readonly MediaRange[] = [{ type: "*/*", parameters: {}, weight: 1 }];

/** Most entries of one header that are looked at: browsers send some eight, nobody needs more. */
const maxEntries = 32;

/**
 * The `Accept` header, best first: by weight, then in the order written; entries of weight 0 are left out. Absent or
 * empty means anything. Quoted parameter values may hold commas and semicolons (RFC 9110 §12.5.1, §5.6.6); trailing
 * separators are ignored, because SDKs send them.
 */
export function parseAccept(header: string | undefined): readonly MediaRange[] {
  if (header === undefined || header.trim() === "" || header === "*/*") return anything;
  const entries: MediaRange[] = [];
  for (const part of splitUnquoted(header, ",").slice(0, maxEntries)) {
    const entry = readEntry(part);
    if (entry !== null && entry.weight > 0) entries.push(entry);
  }
  return entries.sort((a, b) => b.weight - a.weight);
}

function readEntry(text: string): MediaRange | null {
  const [first = "", ...rest] = splitUnquoted(text, ";");
  const type = first.trim().toLowerCase();
  if (type === "") return null;
  // Without a prototype: the names are the caller's (threat B12).
  const parameters: Record<string, string> = Object.create(null);
  let weight = 1;
  for (const part of rest) {
    const equals = part.indexOf("=");
    const name = (equals < 0 ? part : part.slice(0, equals)).trim().toLowerCase();
    if (name === "") continue;
    const value =
      equals < 0
        ? ""
        : unquote(
            part
              .slice(equals + 1)
              .trim()
              .toLowerCase(),
          );
    if (name === "q") weight = readWeight(value);
    else parameters[name] ??= value;
  }
  return { type, parameters, weight };
}

/** `0` to `1` with up to three decimals; anything else counts as 1, as if it had not been said. */
function readWeight(text: string): number {
  return /^(0(\.\d{0,3})?|1(\.0{0,3})?)$/.test(text) ? Number(text) : 1;
}

/** Splits at `separator` outside quoted strings. */
function splitUnquoted(text: string, separator: string): string[] {
  const parts: string[] = [];
  let isQuoted = false;
  let from = 0;
  for (let at = 0; at < text.length; at++) {
    const here = text[at];
    if (isQuoted && here === "\\") at++;
    else if (here === '"') isQuoted = !isQuoted;
    else if (here === separator && !isQuoted) {
      parts.push(text.slice(from, at));
      from = at + 1;
    }
  }
  parts.push(text.slice(from));
  return parts;
}

function unquote(text: string): string {
  if (text.length < 2 || !text.startsWith('"') || !text.endsWith('"')) return text;
  return text.slice(1, -1).replace(/\\(.)/g, "$1");
}
