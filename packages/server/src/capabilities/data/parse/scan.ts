import { code } from "./characters.ts";

/**
 * Walks a list that starts at `start` and calls `visit` with each element, unquoted; stops when it returns false.
 * Returns the offset behind the list and the blanks after it, or -1 when there is no well-formed list.
 */
export function scanList(text: string, start: number, visit: (element: string) => boolean): number {
  let at = start;
  if (text.charCodeAt(at) !== code.open) return -1;
  at = skipBlanks(text, at + 1);
  if (text.charCodeAt(at) === code.close) return skipBlanks(text, at + 1);
  for (;;) {
    const quoted = text.charCodeAt(at) === code.quote ? scanQuoted(text, at) : null;
    const afterQuoted = quoted === null ? 0 : text.charCodeAt(quoted.end);
    if (quoted !== null && (afterQuoted === code.comma || afterQuoted === code.close)) {
      at = quoted.end;
      if (!visit(quoted.text)) return -1;
    } else {
      const from = at;
      while (at < text.length && !isElementEnd(text.charCodeAt(at))) at++;
      if (!visit(text.slice(from, at))) return -1;
    }
    if (at >= text.length) return -1;
    if (text.charCodeAt(at) === code.close) return skipBlanks(text, at + 1);
    at++;
  }
}

function isElementEnd(at: number): boolean {
  return at === code.comma || at === code.close;
}

export function skipBlanks(text: string, start: number): number {
  let at = start;
  while (text.charCodeAt(at) === code.space || text.charCodeAt(at) === code.tab) at++;
  return at;
}

/** Reads `"…"` at `start`, where `\` makes any next character plain. `null` when the closing quote is missing. */
export function scanQuoted(text: string, start: number): { readonly text: string; readonly end: number } | null {
  let read = "";
  let from = start + 1;
  for (let at = from; at < text.length; at++) {
    const found = text.charCodeAt(at);
    if (found === code.quote) return { text: read + text.slice(from, at), end: at + 1 };
    if (found === code.backslash) {
      read += text.slice(from, at);
      from = at + 1;
      at++;
    }
  }
  return null;
}

/** Offset behind `and(`, `or(`, `not.and(` or `not.or(` at `at`; -1 when none stands there. */
export function branchEnd(text: string, at: number): number {
  const start = text.startsWith("not.", at) ? at + 4 : at;
  if (text.startsWith("and(", start)) return start + 4;
  return text.startsWith("or(", start) ? start + 3 : -1;
}

/** Offset of the dot behind an operator word: `like(any)`, `fts(german)`; -1 when there is none. */
export function operatorEnd(text: string, start: number): number {
  let at = start;
  while (at < text.length && isLowerCase(text.charCodeAt(at))) at++;
  if (text.charCodeAt(at) === code.open) {
    while (at < text.length && text.charCodeAt(at) !== code.close && text.charCodeAt(at) !== code.dot) at++;
    at++;
  }
  return text.charCodeAt(at) === code.dot ? at : -1;
}

function isLowerCase(at: number): boolean {
  return at >= 0x61 && at <= 0x7a;
}

/** An operand where it stands: `text.slice(start, end)` means `value`. */
export interface FoundOperand {
  readonly start: number;
  readonly end: number;
  readonly value: string;
}

/**
 * A quoted text, an array literal without braces inside, or all up to the next `,` or `)`. PostgREST docs, Tables and
 * Views, Logical operators.
 */
export function singleOperand(text: string, start: number): FoundOperand {
  const first = text.charCodeAt(start);
  if (first === code.quote) {
    const quoted = scanQuoted(text, start);
    if (quoted !== null && isOperandEnd(text, quoted.end)) return { start, end: quoted.end, value: quoted.text };
  }
  if (first === code.openBrace) {
    const end = braceEnd(text, start);
    if (end > 0) return { start, end, value: text.slice(start, end) };
  }
  const end = plainEnd(text, start);
  return { start, end, value: text.slice(start, end) };
}

function isOperandEnd(text: string, at: number): boolean {
  return at >= text.length || text.charCodeAt(at) === code.comma || text.charCodeAt(at) === code.close;
}

/** Offset of the next `,` or `)`, or of the end. */
export function plainEnd(text: string, start: number): number {
  let at = start;
  while (!isOperandEnd(text, at)) at++;
  return at;
}

function braceEnd(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const found = text.charCodeAt(at);
    if (found === code.closeBrace) return at + 1;
    if (found === code.openBrace) return -1;
  }
  return -1;
}
