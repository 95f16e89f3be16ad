import type { Condition, Field, Operand } from "../request.ts";
import { code } from "./characters.ts";
import type { Cursor } from "./cursor.ts";
import { readOperator, readTruthTest } from "./operators.ts";
import { parseField } from "./parse-field.ts";
import { parseProblems } from "./problems.ts";
import { branchEnd, operatorEnd, plainEnd, scanList, singleOperand } from "./scan.ts";

/** `["not."] operation` up to the end of the text: the value of a filter. PostgREST docs, Tables and Views, Operators. */
export function parseOperation(cursor: Cursor, field: Field): Condition {
  const condition = parseOperator(cursor, field, (rest) => {
    const text = rest.text.slice(rest.at);
    rest.at = rest.text.length;
    return { kind: "literal", text };
  });
  cursor.expectEnd();
  return condition;
}

/** The value of `and=` or `or=`: `"(" cond *("," cond) ")"`. PostgREST docs, Tables and Views, Logical operators. */
export function parseLogic(cursor: Cursor, operator: "and" | "or", negated: boolean): Condition {
  cursor.expect("(");
  const conditions = parseConditions(cursor);
  cursor.expectEnd();
  return { kind: "logic", negated, operator, conditions };
}

/** Conditions behind an opening parenthesis, with the closing one. */
function parseConditions(cursor: Cursor): readonly Condition[] {
  return cursor.nested(() => {
    const conditions: Condition[] = [];
    do {
      cursor.skipBlanks();
      cursor.budget.node();
      conditions.push(parseCondition(cursor));
      cursor.skipBlanks();
    } while (cursor.take(","));
    if (!cursor.take(")")) cursor.fail('"," or ")"');
    cursor.skipBlanks();
    return conditions;
  });
}

function parseCondition(cursor: Cursor): Condition {
  const branch = branchEnd(cursor.text, cursor.at);
  if (branch > 0) {
    const negated = cursor.take("not.");
    const operator = cursor.startsWith("and(") ? "and" : "or";
    cursor.at = branch;
    return { kind: "logic", negated, operator, conditions: parseConditions(cursor) };
  }
  const field = parseField(cursor);
  cursor.expect(".");
  return parseOperator(cursor, field, (rest) => {
    const operand = singleOperand(rest.text, rest.at);
    rest.at = operand.end;
    return { kind: "literal", text: operand.value };
  });
}

/** Everything from `not.` to the operand. `readLiteral` takes an operand that lexing left in the shape. */
function parseOperator(cursor: Cursor, field: Field, readLiteral: (rest: Cursor) => Operand): Condition {
  const start = cursor.at;
  const negated = cursor.take("not.");
  const wordEnd = operatorEnd(cursor.text, cursor.at);
  const operator = wordEnd < 0 ? null : readOperator(cursor.text.slice(cursor.at, wordEnd));
  if (operator === null) {
    if (!negated) cursor.at = start;
    return cursor.fail(negated ? "operator (eq, gt, ...)" : '"not" or operator (eq, gt, ...)');
  }
  cursor.at = wordEnd + 1;
  switch (operator.kind) {
    case "is": {
      const end = plainEnd(cursor.text, cursor.at);
      const test = readTruthTest(cursor.text.slice(cursor.at, end).trimEnd());
      if (test === null) return cursor.fail("isVal: (null, not_null, true, false, unknown)");
      cursor.at = end;
      return { kind: "is", field, negated, test };
    }
    case "in":
      return { kind: "in", field, negated, operand: cursor.takeSlot() ?? parseList(cursor) };
    case "fts":
      return { ...operator, field, negated, operand: cursor.takeSlot() ?? readLiteral(cursor) };
    case "compare":
      return { ...operator, field, negated, operand: cursor.takeSlot() ?? readLiteral(cursor) };
  }
}

/** A list that lexing left in the shape; the operand is its text, parentheses included. */
function parseList(cursor: Cursor): Operand {
  const start = cursor.at;
  const { listElements } = cursor.budget.limits;
  let elements = 0;
  const end = scanList(cursor.text, start, () => ++elements <= listElements);
  if (elements > listElements) throw parseProblems.tooLarge("listElements", listElements);
  if (end < 0) {
    if (cursor.peek() !== code.open) return cursor.fail('"("');
    cursor.at = cursor.text.length;
    return cursor.fail('"," or ")"');
  }
  cursor.at = end;
  return { kind: "literal", text: cursor.text.slice(start, end) };
}
