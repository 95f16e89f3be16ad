import type { Principal } from "../../kernel/principal.ts";
import type { ClaimPath } from "./compile/index.ts";

/**
 * The claims that count, as text that is the same exactly when their values are. Two of them have settings of their own besides
 * (`platform/postgres/caller.ts`).
 */
export function claimsKey(paths: readonly ClaimPath[] | "all", who: Principal): string {
  if (paths === "all") return JSON.stringify([who.claimsJson, who.subject]);
  const values = paths.map((path) => {
    const value = valueAt(who.claims, path);
    return path.length === 1 && path[0] === "sub" ? [path, value, who.subject] : [path, value];
  });
  return JSON.stringify(values);
}

/** In an array, so that what is not there differs from `null`. */
function valueAt(claims: Principal["claims"], path: ClaimPath): readonly unknown[] {
  let value: unknown = claims;
  for (const key of path) {
    if (typeof value !== "object" || value === null) return [];
    // A key may be a position: then the array counts as a whole.
    if (Array.isArray(value)) return [value];
    if (!Object.hasOwn(value, key)) return [];
    value = (value as Readonly<Record<string, unknown>>)[key];
  }
  return [value];
}
