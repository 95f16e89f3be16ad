import type { Expression } from "../compile/expression.ts";
import { comparisonOf } from "../compile/sql-types.ts";
import { callerFact } from "./caller.ts";
import { castValue, isInRange } from "./cast.ts";
import { columnPart, constantValue } from "./column.ts";
import { arraysPart, comparePart, comparer, distinctPart, quantifiedPart } from "./compare.ts";
import { fieldPart, hasKeysPart, jsonContainsPart, pathPart } from "./json-parts.ts";
import { logicPart, notPart, truthTestPart } from "./logic.ts";
import { nowPart } from "./now-part.ts";
import { type Binding, constantPart, derived, doubt, type Part, strict, strictPair } from "./part.ts";
import { fetchedPart, inSetPart } from "./set-parts.ts";
import { foldPart, likePart } from "./text-parts.ts";
import { type ArrayValue, absent, failed, isUnsure, truthOf, type Value } from "./values.ts";

/** An expression with its caller put in: what is the same for every row is computed here, once. */
export function bindExpression(expression: Expression, binding: Binding): Part {
  const part = bindNode(expression, binding);
  // PostgreSQL computes what it can when it plans, in branches that no row ever comes to as well.
  if (part.isConstant && part.canFail) binding.onFailure();
  return part;
}

function bindNode(expression: Expression, binding: Binding): Part {
  const bind = (part: Expression): Part => bindExpression(part, binding);
  switch (expression.node) {
    case "column":
      return columnPart(binding.indexOf(expression.name), expression.type);
    case "constant":
      return constantPart(constantValue(expression.value, expression.type));
    case "caller":
      return constantPart(callerFact(expression.what, binding.who, binding.claims));
    case "cast":
      return strict(bind(expression.of), true, castValue(expression.of.type, expression.type));
    case "field":
      return fieldPart(bind(expression.of), expression);
    case "path":
      return pathPart(bind(expression.of), expression.path, expression.type === "text");
    case "coalesce":
      return coalescePart(expression.of.map(bind));
    case "nullif":
      return nullIfPart(bind(expression.left), bind(expression.right), expression);
    case "case":
      return casePart(
        expression.when.map(({ is, result }) => ({ is: bind(is), result: bind(result) })),
        bind(expression.otherwise),
      );
    case "arithmetic":
      return arithmeticPart(expression, bind(expression.left), bind(expression.right));
    case "fold":
      return foldPart(bind(expression.of), expression.to);
    case "array":
      return arrayPart(expression.of.map(bind));
    case "fetched":
      return fetchedPart(expression, expression.correlates.map(bind), binding.sets[expression.set]!);
    case "inSet":
      return inSetPart(
        expression,
        expression.correlates.map(bind),
        expression.value && bind(expression.value),
        binding.sets[expression.set]!,
      );
    case "compare":
      return comparePart(bind(expression.left), bind(expression.right), comparer(expression.operator, expression.by));
    case "compareNow":
      return nowPart(bind(expression.left), expression);
    case "distinct":
      return distinctPart(
        bind(expression.left),
        bind(expression.right),
        expression.isNegated,
        comparer("=", expression.by),
      );
    case "quantified":
      return quantifiedPart(
        bind(expression.left),
        bind(expression.array),
        expression.quantifier,
        comparer(expression.operator, expression.by),
      );
    case "arrays":
      return arraysPart(
        bind(expression.left),
        bind(expression.right),
        expression.operator,
        comparer("=", expression.by),
      );
    case "isNull":
      return isNullPart(bind(expression.of), expression.isNegated, expression.of.type === "opaque");
    case "isTruth":
      return truthTestPart(bind(expression.of), expression.truth, expression.isNegated);
    case "and":
    case "or":
      return logicPart(expression.node, expression.of.map(bind));
    case "not":
      return notPart(bind(expression.of));
    case "like":
      return likePart(bind(expression.left), bind(expression.pattern), expression);
    case "hasKeys":
      return hasKeysPart(bind(expression.of), bind(expression.keys), expression.quantifier);
    case "jsonContains":
      return jsonContainsPart(bind(expression.left), bind(expression.right));
    case "beyond":
      return constantPart(binding.hasRun ? absent : failed);
  }
}

/** @param isOpaque a value that is there may be a row of NULLs, which IS NULL as well */
function isNullPart(of: Part, isNegated: boolean, isOpaque: boolean): Part {
  return derived([of], (row, circumstances) => {
    const value = of.get(row, circumstances);
    if (isUnsure(value)) return value;
    if (isOpaque && value !== null) return absent;
    return (value === null) !== isNegated;
  });
}

/** The first that is not NULL; those after it are never computed, in PostgreSQL either. */
function coalescePart(parts: readonly Part[]): Part {
  return derived(parts, (row, circumstances) => {
    for (const part of parts) {
      const value = part.get(row, circumstances);
      if (value !== null) return value;
    }
    return null;
  });
}

function nullIfPart(left: Part, right: Part, { left: { type } }: Extract<Expression, { node: "nullif" }>): Part {
  const by = comparisonOf(type, type);
  const compare = by === null ? null : comparer("=", by);
  return derived(
    [left, right],
    (row, circumstances) => {
      const value = left.get(row, circumstances);
      const other = right.get(row, circumstances);
      const unsure = doubt(value, other);
      if (unsure || value === null || other === null || compare === null) return unsure ?? value;
      const isEqual = compare.is(value as string, other as string);
      return isEqual === failed ? failed : isEqual ? null : value;
    },
    compare?.canFail ?? false,
  );
}

function casePart(when: readonly { readonly is: Part; readonly result: Part }[], otherwise: Part): Part {
  const parts = [...when.flatMap(({ is, result }) => [is, result]), otherwise];
  return derived(parts, (row, circumstances) => {
    for (const { is, result } of when) {
      const truth = truthOf(is.get(row, circumstances));
      if (typeof truth === "symbol") return truth;
      if (truth === true) return result.get(row, circumstances);
    }
    return otherwise.get(row, circumstances);
  });
}

function arithmeticPart(
  { operator, type }: Extract<Expression, { node: "arithmetic" }>,
  left: Part,
  right: Part,
): Part {
  return strictPair(left, right, true, (a, b) => {
    const [x, y] = [BigInt(a as string), BigInt(b as string)];
    const result = operator === "+" ? x + y : operator === "-" ? x - y : x * y;
    return isInRange(result, type) ? String(result) : failed;
  });
}

function arrayPart(parts: readonly Part[]): Part {
  return derived(parts, (row, circumstances): Value => {
    const items = parts.map((part) => part.get(row, circumstances));
    if (items.includes(failed)) return failed;
    return items.includes(absent) ? absent : (items as ArrayValue);
  });
}
