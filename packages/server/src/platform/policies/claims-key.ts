import type { Principal } from "../../kernel/principal.ts";
import type { ClaimPath } from "./compile/index.ts";
import { readClaims } from "./evaluate/caller.ts";
import { isArray, type Json, JsonNumber, member } from "./evaluate/json.ts";

/**
 * The claims that count, as text that is the same only when SQL reads the same of them. Taken from the token's own text, as SQL takes them:
 * 9007199254740993 and 9007199254740992 are one number to JavaScript, and 1.0 and 1 are two texts to `->>`. The subject has a setting of its
 * own besides (`platform/postgres/caller.ts`). Blanks within an object do not count.
 */
export function claimsKey(paths: readonly ClaimPath[] | "all", who: Principal): string {
  if (paths.length === 0) return "";
  const { json } = readClaims(who);
  if (paths === "all" || json === undefined) return JSON.stringify([who.subject, who.claimsJson]);
  return paths
    .map((path) => {
      const subject = path.length === 1 && path[0] === "sub" ? JSON.stringify(who.subject) : "";
      return `${JSON.stringify(path)}:${subject}:${valueAt(json, path)}`;
    })
    .join("\n");
}

/** `""` for what is not there, which no JSON is written as. */
function valueAt(json: Json, path: ClaimPath): string {
  let found: Json | undefined = json;
  for (const key of path) {
    // A key may be a position: then the array counts as a whole.
    if (found === undefined || isArray(found)) break;
    found = member(found, key);
  }
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
