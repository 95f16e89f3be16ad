import type { Principal } from "../../../kernel/principal.ts";
import type { ClaimPath } from "../compile/types.ts";
import { readClaims } from "./caller.ts";
import { type Json, JsonNumber, member } from "./json.ts";

/**
 * Callers with one role and equal keys are shown the same rows. Read from the token's own text, as SQL reads it: 1.0 and 1 are two
 * texts to `->>`. Blanks within an object do not count.
 */
export function claimsKey(claims: readonly ClaimPath[] | "all", who: Principal): string {
  const { json } = readClaims(who);
  if (claims === "all" || json === undefined) return JSON.stringify([who.subject, who.claimsJson]);
  return claims
    .map(
      (path) => `${JSON.stringify(path)}:${path.join() === "sub" ? JSON.stringify(who.subject) : ""}:${at(json, path)}`,
    )
    .sort()
    .join("\n");
}

function at(json: Json, path: ClaimPath): string {
  let found: Json | undefined = json;
  for (const key of path) found = found === undefined ? undefined : member(found, key);
  return found === undefined ? "" : written(found);
}

/** JSON, with numbers as they were written. Unlike `JSON.stringify`, which would write ours as objects. */
function written(json: Json): string {
  if (json instanceof JsonNumber) return json.text;
  if (Array.isArray(json)) return `[${json.map(written).join()}]`;
  if (typeof json !== "object" || json === null) return JSON.stringify(json);
  const members = Object.entries(json as Readonly<Record<string, Json>>);
  return `{${members.map(([key, value]) => `${JSON.stringify(key)}:${written(value)}`).join()}}`;
}
