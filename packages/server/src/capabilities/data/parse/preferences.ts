import type { Preferences } from "../request.ts";

type Known = { -readonly [K in keyof Omit<Preferences, "unknown">]: Preferences[K] };
type FixedName = Exclude<keyof Known, "timezone" | "maxAffected">;

/** Tokens with a fixed set of values. */
const fixed: { readonly [K in FixedName]: readonly NonNullable<Known[K]>[] } = {
  return: ["minimal", "representation", "headers-only"],
  resolution: ["merge-duplicates", "ignore-duplicates"],
  missing: ["default", "null"],
  count: ["exact", "planned", "estimated"],
  handling: ["strict", "lenient"],
  tx: ["commit", "rollback"],
};

const none: Preferences = {
  return: null,
  resolution: null,
  missing: null,
  count: null,
  handling: null,
  tx: null,
  timezone: null,
  maxAffected: null,
  unknown: [],
};

/**
 * The `Prefer` header. Repeated headers arrive joined by commas; the first of each kind wins. Empty headers and
 * stray separators are fine, because SDKs send them. RFC 7240; PostgREST docs, Prefer Header.
 */
export function parsePreferences(header: string | readonly string[] | undefined): Preferences {
  if (header === undefined || header.length === 0) return none;
  const { unknown: _, ...known }: { unknown: readonly string[] } & Known = { ...none };
  const unknown: string[] = [];
  for (const part of (typeof header === "string" ? header : header.join(",")).split(",")) {
    const token = part.replace(/;/g, " ").trim();
    if (token !== "" && !readToken(token, known)) unknown.push(token);
  }
  return { ...known, unknown };
}

function readToken(token: string, known: Known): boolean {
  const equals = token.indexOf("=");
  const name = token.slice(0, equals).trim();
  const value = token.slice(equals + 1).trim();
  if (equals < 0 || value === "") return false;
  if (name === "timezone") known.timezone ??= value;
  else if (name === "max-affected") {
    if (!/^\d{1,15}$/.test(value)) return false;
    known.maxAffected ??= Number(value);
  } else return isFixedName(name) && readFixed(name, value, known);
  return true;
}

function isFixedName(name: string): name is FixedName {
  return Object.hasOwn(fixed, name);
}

function readFixed<K extends FixedName>(name: K, value: string, known: Pick<Known, K>): boolean {
  const choice = fixed[name].find((candidate) => candidate === value);
  if (choice === undefined) return false;
  known[name] ??= choice;
  return true;
}
