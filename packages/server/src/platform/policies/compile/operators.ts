import type { A_Expr } from "libpg-query";
import { collationOf } from "./collation.ts";
import type { Context } from "./context.ts";
import type { Comparison, ComparisonOperator, Expression, SqlType } from "./expression.ts";
import { nowShift } from "./now.ts";
import type { Node } from "./parser.ts";
import { arraySet } from "./sets.ts";
import { comparisonOf, elementOf, isInteger } from "./sql-types.ts";
import { as, beyond, builtInOperator, constantText } from "./tree.ts";
import { compileValue } from "./value.ts";

const comparisons: ReadonlySet<string> = new Set(["=", "<>", "<", "<=", ">", ">="]);
const isComparison = (operator: string): operator is ComparisonOperator => comparisons.has(operator);

/** Everything that the grammar calls an expression with an operator. @throws Beyond */
export function compileOperation(operation: A_Expr, context: Context): Expression {
  const operator = builtInOperator(operation.name) ?? beyond("an operator of somebody's own");
  const { lexpr, rexpr } = operation;
  if (!lexpr || !rexpr) return beyond(`the operator ${operator} with one side`);
  switch (operation.kind) {
    case "AEXPR_OP":
      return isComparison(operator)
        ? comparison(operator, lexpr, rexpr, context)
        : otherOperator(operator, lexpr, rexpr, context);
    case "AEXPR_OP_ANY":
    case "AEXPR_OP_ALL":
      if (!isComparison(operator)) return beyond(`${operator} with an array`);
      return quantified(operator, operation.kind === "AEXPR_OP_ANY" ? "any" : "all", lexpr, rexpr, context);
    case "AEXPR_DISTINCT":
    case "AEXPR_NOT_DISTINCT": {
      const [left, right] = [compileValue(lexpr, context), compileValue(rexpr, context)];
      const by = settledComparison("=", left.type, right.type, [left, right], context);
      return { node: "distinct", type: "boolean", isNegated: operation.kind === "AEXPR_NOT_DISTINCT", by, left, right };
    }
    case "AEXPR_NULLIF": {
      const [left, right] = [compileValue(lexpr, context), compileValue(rexpr, context)];
      if (left.type !== right.type) return beyond("NULLIF of two types");
      settledComparison("=", left.type, right.type, [left, right], context);
      return { node: "nullif", type: left.type, left, right };
    }
    default:
      return beyond(String(operation.kind));
  }
}

function comparison(operator: ComparisonOperator, lexpr: Node, rexpr: Node, context: Context): Expression {
  const [leftShift, rightShift] = [nowShift(lexpr), nowShift(rexpr)];
  if (leftShift || rightShift) {
    if (leftShift && rightShift) return beyond("two clocks");
    const left = compileValue(leftShift ? rexpr : lexpr, context);
    // A date or a timestamp is a moment only by the session's time zone.
    if (left.type !== "timestamptz") return beyond(`a clock against ${left.type}`);
    const { minUs, maxUs } = (leftShift ?? rightShift)!;
    const turned = leftShift ? turn[operator] : operator;
    return { node: "compareNow", type: "boolean", operator: turned, left, minShiftUs: minUs, maxShiftUs: maxUs };
  }
  return compare(operator, compileValue(lexpr, context), compileValue(rexpr, context), context);
}

/** The same comparison with its sides changed. */
const turn: Readonly<Record<ComparisonOperator, ComparisonOperator>> = {
  "=": "=",
  "<>": "<>",
  "<": ">",
  "<=": ">=",
  ">": "<",
  ">=": "<=",
};

export function compare(
  operator: ComparisonOperator,
  left: Expression,
  right: Expression,
  context: Context,
): Expression {
  const by = settledComparison(operator, left.type, right.type, [left, right], context);
  return { node: "compare", type: "boolean", operator, by, left, right };
}

/** How the comparison is made; beyond when it needs a collation's order, or an enum's. */
function settledComparison(
  operator: ComparisonOperator,
  left: SqlType,
  right: SqlType,
  sides: readonly Expression[],
  context: Context,
): Comparison {
  const by = comparisonOf(left, right) ?? beyond(`comparing ${left} with ${right}`);
  const isEquality = operator === "=" || operator === "<>";
  if (!isEquality && (by === "enum" || by === "jsonb")) beyond(`the order of ${by}`);
  if (by === "text") {
    const collation = collationOf(context.input.collation, sides);
    if (!isEquality && !collation.isByteOrder) beyond("the order of text");
  }
  return by;
}

function quantified(
  operator: ComparisonOperator,
  quantifier: "any" | "all",
  lexpr: Node,
  rexpr: Node,
  context: Context,
): Expression {
  const left = compileValue(lexpr, context);
  const link = as("SubLink", rexpr);
  if (link?.subLinkType === "ARRAY_SUBLINK") {
    if (operator === "=" && quantifier === "any") return arraySet(link, left, context);
    if (operator === "<>" && quantifier === "all") {
      return { node: "not", type: "boolean", of: arraySet(link, left, context) };
    }
  }
  const array = compileValue(rexpr, context);
  const element = elementOf(array.type) ?? beyond(`${quantifier} of ${array.type}`);
  const by = settledComparison(operator, left.type, element, [left, array], context);
  return { node: "quantified", type: "boolean", quantifier, operator, by, left, array };
}

function otherOperator(operator: string, lexpr: Node, rexpr: Node, context: Context): Expression {
  const left = compileValue(lexpr, context);
  switch (operator) {
    case "->":
    case "->>":
      return field(left, operator, rexpr);
    case "#>":
    case "#>>":
      return path(left, operator, rexpr);
  }
  const right = compileValue(rexpr, context);
  switch (operator) {
    case "~~":
    case "!~~":
    case "~~*":
    case "!~~*":
      return like(operator, left, right, context);
    case "?":
    case "?|":
    case "?&":
      if (left.type !== "jsonb" || right.type !== (operator === "?" ? "text" : "text[]")) return beyond(operator);
      return {
        node: "hasKeys",
        type: "boolean",
        quantifier: operator === "?" ? "one" : operator === "?|" ? "any" : "all",
        of: left,
        keys: right,
      };
    case "@>":
      return contains(left, right, context);
    case "<@":
      return contains(right, left, context);
    case "&&":
      return { node: "arrays", type: "boolean", operator: "overlaps", by: arraysBy(left, right, context), left, right };
    case "+":
    case "-":
    case "*":
      if (!isInteger(left.type) || !isInteger(right.type)) return beyond(`${operator} of ${left.type}`);
      return { node: "arithmetic", type: wider(left.type, right.type), operator, left, right };
    default:
      return beyond(`the operator ${operator}`);
  }
}

/** int2 + int4 is int4, and so on: the operators of `pg_operator`. */
const wider = (left: "int2" | "int4" | "int8", right: "int2" | "int4" | "int8"): "int2" | "int4" | "int8" =>
  left === "int8" || right === "int8" ? "int8" : left === "int4" || right === "int4" ? "int4" : "int2";

function field(of: Expression, operator: "->" | "->>", rexpr: Node): Expression {
  if (of.type !== "json" && of.type !== "jsonb") return beyond(`${operator} of ${of.type}`);
  const position = as("A_Const", rexpr)?.ival;
  const at = position ? (position.ival ?? 0) : (constantText(rexpr) ?? beyond("a computed key"));
  return { node: "field", type: operator === "->" ? of.type : "text", of, at };
}

function path(of: Expression, operator: "#>" | "#>>", rexpr: Node): Expression {
  // With one key twice in a `json`, a path may find what `->` does not.
  if (of.type !== "jsonb") return beyond(`${operator} of ${of.type}`);
  const cast = as("TypeCast", rexpr);
  const text = as("A_Const", cast?.arg)?.sval?.sval ?? beyond("a computed path");
  // Nothing that needs the quotes of an array.
  const keys = /^\{([^\s{}",\\]+(?:,[^\s{}",\\]+)*)\}$/.exec(text)?.[1]?.split(",") ?? beyond("an unusual path");
  // Also an element of an array, when it is a number.
  if (keys.some((key) => /^[-+]?\d/.test(key) || /^null$/i.test(key))) return beyond("a path with positions");
  return { node: "path", type: operator === "#>" ? "jsonb" : "text", of, path: keys };
}

function like(operator: string, left: Expression, pattern: Expression, context: Context): Expression {
  if ((left.type !== "text" && left.type !== "name") || pattern.type !== "text") return beyond(`LIKE of ${left.type}`);
  const collation = collationOf(context.input.collation, [left, pattern]);
  const isInsensitive = operator.endsWith("*");
  if (isInsensitive && !collation.foldsAscii) return beyond("ILIKE under this collation");
  return { node: "like", type: "boolean", isNegated: operator.startsWith("!"), isInsensitive, left, pattern };
}

function contains(left: Expression, right: Expression, context: Context): Expression {
  if (left.type === "jsonb" && right.type === "jsonb") return { node: "jsonContains", type: "boolean", left, right };
  return { node: "arrays", type: "boolean", operator: "contains", by: arraysBy(left, right, context), left, right };
}

function arraysBy(left: Expression, right: Expression, context: Context): Comparison {
  const [a, b] = [elementOf(left.type), elementOf(right.type)];
  if (a === null || b === null) return beyond("an operator of other types than arrays");
  return settledComparison("=", a, b, [left, right], context);
}
