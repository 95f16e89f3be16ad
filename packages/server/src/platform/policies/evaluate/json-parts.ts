import type { Expression } from "../compile/expression.ts";
import { isArray, isObject, member, textOf } from "./json.ts";
import { jsonbContains, jsonbHasKey } from "./jsonb.ts";
import { type Part, strict, strictPair } from "./part.ts";
import { type ArrayValue, failed, type JsonValue, type Value } from "./values.ts";

type Field = Extract<Expression, { node: "field" }>;

export function fieldPart(of: Part, { at, type, of: { type: from } }: Field): Part {
  return strict(of, true, (value) => {
    const { json } = value as JsonValue;
    // A bare scalar of jsonb is stored as an array of one, and `->` by position finds it there.
    const isItself = from === "jsonb" && (at === 0 || at === -1) && !isObject(json) && !isArray(json);
    return found(isItself ? json : member(json, at), type === "text");
  });
}

export function pathPart(of: Part, path: readonly string[], asText: boolean): Part {
  return strict(of, true, (value) => {
    let json: JsonValue["json"] | undefined = (value as JsonValue).json;
    for (const key of path) {
      if (json === undefined) return null;
      json = member(json, key);
    }
    return found(json, asText);
  });
}

function found(json: JsonValue["json"] | undefined, asText: boolean): Value {
  if (json === undefined) return null;
  if (!asText) return { json };
  const text = textOf(json);
  return text === undefined ? failed : text;
}

/** `?`, `?|`, `?&`: NULLs among several keys are skipped. */
export function hasKeysPart(of: Part, keys: Part, quantifier: "one" | "any" | "all"): Part {
  return strictPair(of, keys, false, (value, wanted) => {
    const { json } = value as JsonValue;
    if (quantifier === "one") return jsonbHasKey(json, wanted as string);
    const texts = (wanted as ArrayValue).filter((key) => typeof key === "string");
    return quantifier === "any"
      ? texts.some((key) => jsonbHasKey(json, key))
      : texts.every((key) => jsonbHasKey(json, key));
  });
}

export function jsonContainsPart(left: Part, right: Part): Part {
  return strictPair(left, right, true, (a, b) => jsonbContains((a as JsonValue).json, (b as JsonValue).json) ?? failed);
}
