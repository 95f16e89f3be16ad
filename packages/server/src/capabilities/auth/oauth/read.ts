import { isObject } from "../request.ts";

/** What is at `path` in somebody else's JSON; `undefined` when it is not there. */
function at(value: unknown, path: readonly (string | number)[]): unknown {
  let found = value;
  for (const key of path) {
    if (Array.isArray(found) && typeof key === "number") found = found[key];
    else if (isObject(found) && Object.hasOwn(found, key)) found = found[key as string];
    else return undefined;
  }
  return found;
}

/** A text, or a number as one; `""` for anything else. */
export function textAt(value: unknown, ...path: (string | number)[]): string {
  const found = at(value, path);
  if (typeof found === "number" && Number.isSafeInteger(found)) return String(found);
  return typeof found === "string" ? found : "";
}

/** True for `true`, and for its text: Apple and LinkedIn write it so. */
export function flagAt(value: unknown, ...path: (string | number)[]): boolean {
  const found = at(value, path);
  return found === true || found === "true";
}

export function listAt(value: unknown, ...path: (string | number)[]): readonly unknown[] {
  const found = at(value, path);
  return Array.isArray(found) ? found : [];
}
