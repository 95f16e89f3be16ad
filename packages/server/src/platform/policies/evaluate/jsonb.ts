import { canonicalNumeric } from "./canonical.ts";
import { isArray, isObject, type Json, JsonNumber } from "./json.ts";

/** What compares two numbers of jsonb is numeric: 1.0 is 1. `null` when a number is too odd to tell. */
function sameScalar(left: Json, right: Json): boolean | null {
  if (left instanceof JsonNumber && right instanceof JsonNumber) {
    const [a, b] = [canonicalNumeric(left.text), canonicalNumeric(right.text)];
    return a === undefined || b === undefined ? null : a === b;
  }
  return left === right;
}

const isScalar = (json: Json): boolean => !isArray(json) && !isObject(json);

/** `null` when it cannot be told. */
export function jsonbEquals(left: Json, right: Json): boolean | null {
  if (isArray(left) && isArray(right)) {
    if (left.length !== right.length) return false;
    return every(left, (item, at) => jsonbEquals(item, right[at]!));
  }
  if (isObject(left) && isObject(right)) {
    const keys = Object.keys(left);
    if (keys.length !== Object.keys(right).length) return false;
    return every(keys, (key) => (Object.hasOwn(right, key) ? jsonbEquals(left[key]!, right[key]!) : false));
  }
  return isScalar(left) && isScalar(right) ? sameScalar(left, right) : false;
}

/**
 * `left @> right` (https://www.postgresql.org/docs/current/datatype-json.html#JSON-CONTAINMENT): the one exception to equal structure
 * is that an array at the top may contain a bare scalar. `null` when it cannot be told.
 */
export function jsonbContains(left: Json, right: Json): boolean | null {
  if (isScalar(right)) {
    if (isScalar(left)) return sameScalar(left, right);
    return isArray(left) ? some(left, (item) => (isScalar(item) ? sameScalar(item, right) : false)) : false;
  }
  return deepContains(left, right);
}

function deepContains(left: Json, right: Json): boolean | null {
  if (isObject(left) && isObject(right)) {
    return every(Object.keys(right), (key) => {
      if (!Object.hasOwn(left, key)) return false;
      const [mine, wanted] = [left[key]!, right[key]!];
      if (isScalar(wanted)) return isScalar(mine) ? sameScalar(mine, wanted) : false;
      return deepContains(mine, wanted);
    });
  }
  if (!isArray(left) || !isArray(right)) return false;
  return every(right, (wanted) =>
    some(left, (mine) => {
      if (isScalar(wanted)) return isScalar(mine) ? sameScalar(mine, wanted) : false;
      return isScalar(mine) ? false : deepContains(mine, wanted);
    }),
  );
}

/** `?`: a key of an object, a string in an array, or the string itself. */
export function jsonbHasKey(json: Json, key: string): boolean {
  if (isObject(json)) return Object.hasOwn(json, key);
  return isArray(json) ? json.includes(key) : json === key;
}

function every<T>(items: readonly T[], test: (item: T, at: number) => boolean | null): boolean | null {
  let result: boolean | null = true;
  for (const [at, item] of items.entries()) {
    const holds = test(item, at);
    if (holds === false) return false;
    if (holds === null) result = null;
  }
  return result;
}

function some<T>(items: readonly T[], test: (item: T) => boolean | null): boolean | null {
  let result: boolean | null = false;
  for (const item of items) {
    const holds = test(item);
    if (holds === true) return true;
    if (holds === null) result = null;
  }
  return result;
}
