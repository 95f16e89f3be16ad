import type { Predicate } from "../compile/expression.ts";
import { isAscii, liker } from "./like.ts";
import { type Part, strict, strictPair } from "./part.ts";
import { failed, isUnsure } from "./values.ts";

/** Beyond ASCII, what is the lower case of what depends on the database's libraries. */
export function foldPart(of: Part, to: "lower" | "upper"): Part {
  return strict(of, true, (value) => {
    const text = value as string;
    if (!isAscii(text)) return failed;
    return to === "lower" ? text.toLowerCase() : text.toUpperCase();
  });
}

type Like = Extract<Predicate, { node: "like" }>;

export function likePart(left: Part, pattern: Part, { isNegated, isInsensitive }: Like): Part {
  const test = (text: string, wanted: string): boolean | typeof failed => {
    if (isInsensitive && !(isAscii(text) && isAscii(wanted))) return failed;
    const matches = isInsensitive ? liker(wanted.toLowerCase()) : liker(wanted);
    return matches === undefined ? failed : matches(isInsensitive ? text.toLowerCase() : text) !== isNegated;
  };
  const fixed = pattern.isConstant ? pattern.get([], { sets: [], now: null }) : null;
  if (fixed !== null && !isUnsure(fixed) && !isInsensitive) {
    const matches = liker(fixed as string);
    if (matches) return strict(left, false, (text) => matches(text as string) !== isNegated);
  }
  return strictPair(left, pattern, true, (a, b) => test(a as string, b as string));
}
