import type { LexedQuery } from "../request.ts";
import { code, firstPrintable, isDigitCode, marker } from "./characters.ts";
import { decodeQueryText, encodeShapeText } from "./decode.ts";
import { type KeyRole, keyRole, roleOfKey } from "./keys.ts";
import { lexLogic } from "./lex-logic.ts";
import { readList } from "./list.ts";
import { type PrefixRole, rawPrefixes, readOperator, readTruthTest, roleOf } from "./operators.ts";
import { parseProblems } from "./problems.ts";
import { defaultQueryLimits, type QueryLimits } from "./settings.ts";

/** What the query string is for: only calls of functions have arguments. */
export type QueryTarget = "relation" | "function";

/**
 * Splits a raw query string (still percent-encoded, without `?`) into its shape and its values, in one pass.
 *
 * The shape stays percent-encoded: it is a key of a cache before it is anything else, so decoding it would be paid on
 * every hit. Values are cut out where the dialect says that a value stands: behind an operator, as a page number, as an
 * argument of a function, and behind the operators inside a logic tree. What cannot be told apart stays in the shape, for
 * `parse` to refuse.
 *
 * @throws Problem PGRST100 (400) for malformed encoding, a malformed list, or a query string beyond `limits`.
 */
export function lex(query: string, target: QueryTarget, limits: QueryLimits = defaultQueryLimits): LexedQuery {
  const length = query.length;
  if (length > limits.queryBytes) throw parseProblems.tooLarge("queryBytes", limits.queryBytes);
  const values: string[] = [];
  let shape = "";
  /** Everything before this offset is in the shape already, or was dropped. */
  let kept = 0;
  let parameters = 0;
  let start = 0;
  while (start < length) {
    let at = start;
    let segment = start;
    let isKeyEncoded = false;
    let found = 0;
    for (; at < length; at++) {
      found = query.charCodeAt(at);
      if (found === code.equals || found === code.ampersand) break;
      if (found === code.dot) segment = at + 1;
      else if (found === code.percent || found === code.plus) isKeyEncoded = true;
      else if (found < firstPrintable) throw parseProblems.controlCharacter(at + 1);
    }
    if (found !== code.equals) {
      // No "=": not a filter, and nothing else either.
      shape += query.slice(kept, start);
      kept = at + 1;
      start = at + 1;
      continue;
    }
    if (++parameters > limits.queryParameters) throw parseProblems.tooLarge("queryParameters", limits.queryParameters);
    const keyEnd = at;
    const from = at + 1;
    let dot = -1;
    let isEncoded = false;
    for (at = from; at < length; at++) {
      found = query.charCodeAt(at);
      if (found === code.ampersand) break;
      if (found === code.percent || found === code.plus) isEncoded = true;
      else if (found === code.dot) {
        if (dot < 0) dot = at;
      } else if (found < firstPrintable) throw parseProblems.controlCharacter(at + 1);
    }
    const role: KeyRole = isKeyEncoded
      ? roleOfKey(decodeQueryText(query.slice(start, keyEnd)))
      : keyRole(query, start, segment, keyEnd);

    if (role === "filter") {
      let prefix: PrefixRole | undefined = dot < 0 ? undefined : rawPrefixes.get(query.slice(from, dot));
      if (prefix === "not") {
        const second = nextDot(query, dot + 1, at);
        prefix = second < 0 ? undefined : rawPrefixes.get(query.slice(dot + 1, second));
        dot = second;
      }
      if (prefix === "value") {
        shape += query.slice(kept, dot + 1) + marker;
        values.push(isEncoded ? decodeQueryText(query.slice(dot + 1, at)) : query.slice(dot + 1, at));
        kept = at;
      } else {
        const lexed =
          prefix === undefined || prefix === "not"
            ? lexUnusual(query.slice(from, at), target, limits)
            : lexKnown(prefix, query.slice(from, dot + 1), decodeQueryText(query.slice(dot + 1, at)), target, limits);
        if (lexed !== null) {
          shape += query.slice(kept, from) + lexed.prefix + marker;
          values.push(lexed.value);
          kept = at;
        }
      }
    } else if (role === "limit" || role === "offset") {
      const number = pageNumber(query.slice(from, at));
      shape += query.slice(kept, number === null ? start : from);
      if (number === null) kept = at + 1;
      else {
        shape += marker;
        values.push(number);
        kept = at;
      }
    } else if (role === "logic") {
      const lexed = lexLogic(query.slice(from, at), values, limits);
      if (lexed !== null) {
        shape += query.slice(kept, from) + lexed;
        kept = at;
      }
    } else if (role === "apikey") {
      shape += query.slice(kept, start);
      kept = at + 1;
    }
    start = at + 1;
  }
  if (kept < length) shape = kept === 0 ? query : shape + query.slice(kept);
  return { shape, values };
}

/** A value, and what of it stays in the shape before the marker. */
interface LexedValue {
  readonly prefix: string;
  readonly value: string;
}

/** A value whose prefix is known and whose text must be looked at. `null`: all of it stays in the shape. */
function lexKnown(
  role: PrefixRole,
  prefix: string,
  value: string,
  target: QueryTarget,
  limits: QueryLimits,
): LexedValue | null {
  if (role === "is") {
    const isMistake = target === "function" && readTruthTest(value) === null;
    return isMistake ? { prefix: "", value: decodeQueryText(prefix) + value } : null;
  }
  if (role === "list") {
    const list = readList(value, limits.listElements);
    if (list === "too-many") throw parseProblems.tooLarge("listElements", limits.listElements);
    if (list === null) return target === "function" ? { prefix: "", value: decodeQueryText(prefix) + value } : null;
  }
  return { prefix, value };
}

/** A value whose prefix is none of the fixed ones: a full-text configuration, odd encoding, an argument, or a mistake. */
function lexUnusual(raw: string, target: QueryTarget, limits: QueryLimits): LexedValue | null {
  const text = decodeQueryText(raw);
  const negation = text.startsWith("not.") ? 4 : 0;
  const dot = text.indexOf(".", negation);
  const operator = dot < 0 ? null : readOperator(text.slice(negation, dot));
  if (operator === null) return target === "function" ? { prefix: "", value: text } : null;
  // Everything is decoded now, so the prefix is encoded afresh: the shape must decode to what was meant.
  const prefix = encodeShapeText(text.slice(0, dot + 1));
  return lexKnown(roleOf(operator), prefix, text.slice(dot + 1), target, limits);
}

function nextDot(text: string, start: number, end: number): number {
  for (let at = start; at < end; at++) if (text.charCodeAt(at) === code.dot) return at;
  return -1;
}

/** A whole number with an optional sign, as digits; `null` for anything else, which the dialect ignores. */
function pageNumber(raw: string): string | null {
  if (isWholeNumber(raw)) return raw;
  const text = decodeQueryText(raw).trim();
  return isWholeNumber(text) ? text : null;
}

function isWholeNumber(text: string): boolean {
  const first = text.charCodeAt(0) === code.dash ? 1 : 0;
  for (let at = first; at < text.length; at++) if (!isDigitCode(text.charCodeAt(at))) return false;
  return text.length > first;
}
