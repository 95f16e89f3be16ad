import type { Comparison, ComparisonOperator } from "../compile/expression.ts";
import { canonical, isPartial, order } from "./canonical.ts";
import { jsonbEquals } from "./jsonb.ts";
import { derived, doubt, type Part, strict, strictPair } from "./part.ts";
import { type ArrayValue, failed, isUnsure, type JsonValue, type Known, type Truth } from "./values.ts";

/** Compares two values that are not NULL; `failed` when they are not in the format we know. */
export interface Comparer {
  readonly canFail: boolean;
  is(left: Known, right: Known): boolean | typeof failed;
  /** The same with the right side known. */
  with(right: Known): (left: Known) => boolean | typeof failed;
}

const holds: Readonly<Record<ComparisonOperator, (sign: number) => boolean>> = {
  "=": (sign) => sign === 0,
  "<>": (sign) => sign !== 0,
  "<": (sign) => sign < 0,
  "<=": (sign) => sign <= 0,
  ">": (sign) => sign > 0,
  ">=": (sign) => sign >= 0,
};

export function comparer(operator: ComparisonOperator, by: Comparison): Comparer {
  if (by === "jsonb") {
    const is = (left: Known, right: Known): boolean | typeof failed => {
      const isEqual = jsonbEquals((left as JsonValue).json, (right as JsonValue).json);
      return isEqual === null ? failed : isEqual === (operator === "=");
    };
    return { canFail: true, is, with: (right) => (left) => is(left, right) };
  }
  const wantsEqual = operator === "=";
  const judge: (a: string, b: string) => boolean =
    wantsEqual || operator === "<>" ? (a, b) => (a === b) === wantsEqual : (a, b) => holds[operator](order(by, a, b));
  const text = (value: Known): string | undefined => canonical(by, value as string | boolean);
  const compared = (left: Known, b: string | undefined): boolean | typeof failed => {
    const a = text(left);
    return a === undefined || b === undefined ? failed : judge(a, b);
  };
  return {
    canFail: isPartial(by),
    is: (left, right) => compared(left, text(right)),
    with(right) {
      const b = text(right);
      return (left) => compared(left, b);
    },
  };
}

export function comparePart(left: Part, right: Part, compare: Comparer): Part {
  const fixed = right.isConstant ? right.get([], { sets: [], now: null }) : undefined;
  if (fixed !== undefined && fixed !== null && !isUnsure(fixed))
    return strict(left, compare.canFail, compare.with(fixed));
  return strictPair(left, right, compare.canFail, (a, b) => compare.is(a, b));
}

export function distinctPart(left: Part, right: Part, isNegated: boolean, compare: Comparer): Part {
  return derived(
    [left, right],
    (row, circumstances) => {
      const a = left.get(row, circumstances);
      const b = right.get(row, circumstances);
      const unsure = doubt(a, b);
      if (unsure) return unsure;
      const isSame = a === null || b === null ? a === b : compare.is(a as Known, b as Known);
      return isSame === failed ? failed : isSame === isNegated;
    },
    compare.canFail,
  );
}

/** ANY and ALL: NULL when nothing decides and an element, or the value itself, is NULL. An empty array decides at once. */
export function quantifiedPart(left: Part, array: Part, quantifier: "any" | "all", compare: Comparer): Part {
  const decides = quantifier === "any";
  return derived(
    [left, array],
    (row, circumstances): Truth => {
      const value = left.get(row, circumstances);
      const elements = array.get(row, circumstances);
      const unsure = doubt(value, elements);
      if (unsure) return unsure;
      if (elements === null) return null;
      const items = elements as ArrayValue;
      if (items.length === 0) return !decides;
      if (value === null) return null;
      let result: boolean | null = !decides;
      for (const item of items) {
        const is = item === null ? null : compare.is(value as Known, item);
        if (is === failed) return failed;
        if (is === decides) return decides;
        if (is === null) result = null;
      }
      return result;
    },
    compare.canFail,
  );
}

/** `@>` and `&&` of arrays: a NULL in them equals nothing, not even another. */
export function arraysPart(left: Part, right: Part, operator: "contains" | "overlaps", compare: Comparer): Part {
  return strictPair(left, right, compare.canFail, (a, b): Truth => {
    let hasFailed = false;
    const isIn = (wanted: string | boolean | null): boolean =>
      (a as ArrayValue).some((item) => {
        if (item === null || wanted === null) return false;
        const is = compare.is(item, wanted);
        if (is === failed) hasFailed = true;
        return is === true;
      });
    const result = operator === "contains" ? (b as ArrayValue).every(isIn) : (b as ArrayValue).some(isIn);
    return hasFailed ? failed : result;
  });
}
