import { Lru } from "../../kernel/lru.ts";
import { parseAccept, parsePreferences } from "./parse/index.ts";
import type { MediaRange, Preferences } from "./request.ts";

/** Header texts repeat: an app sends a handful. Longer ones than this are read each time. */
const maxCachedChars = 256;
const cachedHeaders = 256;

/** Reads `Prefer` and `Accept`, each text once. */
export function createHeaderReader(): {
  preferences(header: string | undefined): Preferences;
  accept(header: string | undefined): readonly MediaRange[];
} {
  const preferences = new Lru<string, Preferences>(cachedHeaders);
  const accepts = new Lru<string, readonly MediaRange[]>(cachedHeaders);
  const read = <V>(cache: Lru<string, V>, header: string, parse: (header: string) => V): V => {
    const known = cache.get(header);
    if (known !== undefined) return known;
    const parsed = parse(header);
    if (header.length <= maxCachedChars) cache.set(header, parsed);
    return parsed;
  };
  return {
    preferences: (header = "") => read(preferences, header, parsePreferences),
    accept: (header = "") => read(accepts, header, parseAccept),
  };
}
