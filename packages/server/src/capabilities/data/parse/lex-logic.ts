import { code, firstPrintable, marker } from "./characters.ts";
import { decodeQueryText, encodeShapeText } from "./decode.ts";
import { readOperator } from "./operators.ts";
import { parseProblems } from "./problems.ts";
import {
  branchEnd,
  type FoundOperand,
  operatorEnd,
  plainEnd,
  scanList,
  scanQuoted,
  singleOperand,
  skipBlanks,
} from "./scan.ts";
import type { QueryLimits } from "./settings.ts";

/**
 * Cuts the operands out of a logic tree, `(name.ilike.*ro*,city.eq.Rome)`, so that a search box that sends a new `or=` with
 * every key stroke still hits one plan. Returns what stays in the shape, and appends the operands to `values`.
 *
 * This is a scanner, not a judge: it walks the tree with a depth counter and gives up with `null` at anything unexpected.
 * Then the whole text stays in the shape, and `parse` reads operands as literals or says what is wrong.
 *
 * @throws Problem PGRST100 for malformed encoding or a list or tree beyond the limit.
 */
export function lexLogic(raw: string, values: string[], limits: QueryLimits): string | null {
  const text = decodeQueryText(raw);
  const found = scanTree(text, limits);
  if (found === null) return null;
  let shape = "";
  let kept = 0;
  for (const operand of found) {
    shape += encodeShapeText(text.slice(kept, operand.start)) + marker;
    values.push(operand.value);
    kept = operand.end;
  }
  return shape + encodeShapeText(text.slice(kept));
}

function scanTree(text: string, limits: QueryLimits): readonly FoundOperand[] | null {
  const operands: FoundOperand[] = [];
  if (text.charCodeAt(0) !== code.open) return null;
  let depth = 1;
  let at = skipBlanks(text, 1);
  for (;;) {
    const branch = branchEnd(text, at);
    if (branch > 0) {
      depth++;
      at = skipBlanks(text, branch);
      continue;
    }
    const operatorStart = fieldEnd(text, at);
    if (operatorStart < 0) return null;
    const wordStart = text.startsWith("not.", operatorStart) ? operatorStart + 4 : operatorStart;
    const wordEnd = operatorEnd(text, wordStart);
    const operator = wordEnd < 0 ? null : readOperator(text.slice(wordStart, wordEnd));
    if (operator === null) return null;
    at = wordEnd + 1;
    if (operator.kind === "is") {
      at = plainEnd(text, at);
    } else {
      const operand = operator.kind === "in" ? listOperand(text, at, limits) : singleOperand(text, at);
      if (operand === null) return null;
      operands.push(operand);
      // Here already: `parse` would say so too, after all the text had been cut up.
      if (operands.length > limits.queryNodes) throw parseProblems.tooLarge("queryNodes", limits.queryNodes);
      at = operand.end;
    }
    at = skipBlanks(text, at);
    while (text.charCodeAt(at) === code.close) {
      depth--;
      at = skipBlanks(text, at + 1);
    }
    if (depth <= 0) return depth === 0 && at === text.length ? operands : null;
    if (text.charCodeAt(at) !== code.comma) return null;
    at = skipBlanks(text, at + 1);
  }
}

/** Offset behind the dot that ends a field with its JSON path; -1 when there is none, or a control character. */
function fieldEnd(text: string, start: number): number {
  for (let at = start; at < text.length; at++) {
    const found = text.charCodeAt(at);
    if (found === code.quote && (at === start || text.charCodeAt(at - 1) === code.greater)) {
      const quoted = scanQuoted(text, at);
      // The text goes into the shape, where a control character could pass for a marker.
      if (quoted === null || hasControlCharacter(quoted.text)) return -1;
      at = quoted.end - 1;
    } else if (found === code.dot) return at + 1;
    else if (found === code.comma || found === code.open || found === code.close || found < firstPrintable) return -1;
  }
  return -1;
}

function listOperand(text: string, start: number, limits: QueryLimits): FoundOperand | null {
  let elements = 0;
  const end = scanList(text, start, () => ++elements <= limits.listElements);
  if (elements > limits.listElements) throw parseProblems.tooLarge("listElements", limits.listElements);
  return end < 0 ? null : { start, end, value: text.slice(start, end) };
}

function hasControlCharacter(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) < firstPrintable) return true;
  return false;
}
