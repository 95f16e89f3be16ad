import type { Problem } from "../../../kernel/problem.ts";
import { seedProblems } from "./problems.ts";

/** One statement of a seed. */
export interface ScriptStatement {
  /** With the comments before it, without its semicolon. */
  readonly sql: string;
  /** Of its first word. */
  readonly line: number;
  /** The first word, in lower case: `insert`, `copy`. */
  readonly command: string;
  /** What follows `copy … from stdin;` up to the line `\.`; `null` for every other statement. */
  readonly copyData: string | null;
  /** Where it ends in the text, in UTF-16 units: how far we are. */
  readonly end: number;
}

/**
 * Cuts a script into statements by its quotes, without a grammar. Migrations are cut by the real parser; a seed is not, because
 * a seed is big (the parser's tree of ten megabytes of INSERT takes hundreds) and because dumps carry COPY data, which is no
 * SQL. `script.test.ts` holds this against the parser.
 * @param file named in the Problem only
 * @throws Problem `seed/syntax` for a command of psql, and for a quote that is never closed
 */
export function* splitScript(text: string, file: string): Generator<ScriptStatement> {
  let at = 0;
  let countedTo = 0;
  let line = 1;
  while (at < text.length) {
    const { first, end, command, next } = scanStatement(text, at, file);
    if (first === null) {
      at = next;
      continue;
    }
    for (; countedTo < first; countedTo++) if (text.charCodeAt(countedTo) === newline) line++;
    if (text[first] === "\\") {
      at = skipCommand(text, first, file, line);
      continue;
    }
    const sql = text.slice(at, end).trim();
    const isCopy = command === "copy" && /\bfrom\s+stdin\b/i.test(sql);
    const data = isCopy ? copyData(text, next) : null;
    at = data?.next ?? next;
    yield { sql, line, command, copyData: data?.text ?? null, end: at };
  }
}

const newline = 10;

interface Scanned {
  /** Where the first word begins; `null` when nothing but blanks and comments is left. */
  readonly first: number | null;
  readonly end: number;
  /** Behind the semicolon. */
  readonly next: number;
  /** In lower case. */
  readonly command: string;
}

/**
 * Longest tokens first; the sticky expression takes one token at a time, of quotes only the opening. (An expression for the
 * whole of a quote keeps a place to return to for every character, and overflows the stack at some megabytes.)
 */
const token =
  /(?<blank>\s+|--[^\n]*)|(?<comment>\/\*)|(?<escaped>[eE]')|(?<quoted>(?:[bBnNxX]|[uU]&)?'|(?:[uU]&)?")|(?<word>[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*)|(?<dollar>\$(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$)|(?<number>\d[\w.]*)|(?<other>[\s\S])/y;

function scanStatement(text: string, from: number, file: string): Scanned {
  let first: number | null = null;
  let parens = 0;
  let blocks = 0;
  let previousWord = "";
  let command = "";
  token.lastIndex = from;
  while (token.lastIndex < text.length) {
    const start = token.lastIndex;
    const { blank, comment, escaped, quoted, word, dollar, other } = token.exec(text)?.groups ?? {};
    if (blank !== undefined) continue;
    if (comment !== undefined) {
      token.lastIndex = endOfComment(text, start, file);
      continue;
    }
    if (other === ";" && parens === 0 && blocks === 0) {
      return { first, end: start, next: start + 1, command };
    }
    first ??= start;
    // A command of psql takes the rest of its line, and stands where a statement would begin.
    if (first === start && other === "\\") return { first, end: start, next: start, command };
    if (dollar !== undefined) token.lastIndex = endOfDollar(text, start, dollar, file);
    else if (escaped !== undefined || quoted !== undefined) {
      token.lastIndex = endOfQuote(text, token.lastIndex - 1, escaped !== undefined, file);
    } else if (other === "(") parens++;
    else if (other === ")") parens = Math.max(0, parens - 1);
    else if (word !== undefined) {
      const lower = word.toLowerCase();
      command ||= lower;
      // A body in SQL (PostgreSQL 14 on) has semicolons of its own.
      if (lower === "atomic" && previousWord === "begin") blocks = 1;
      else if (lower === "case" && blocks > 0) blocks++;
      else if (lower === "end" && blocks > 0) blocks--;
      previousWord = lower;
    }
  }
  return { first, end: text.length, next: text.length, command };
}

function endOfComment(text: string, start: number, file: string): number {
  let depth = 0;
  const edge = /\/\*|\*\//g;
  edge.lastIndex = start;
  for (let match = edge.exec(text); match !== null; match = edge.exec(text)) {
    depth += match[0] === "/*" ? 1 : -1;
    if (depth === 0) return edge.lastIndex;
  }
  throw unterminated(text, start, file, "comment");
}

function endOfDollar(text: string, start: number, tag: string, file: string): number {
  const end = text.indexOf(tag, start + tag.length);
  if (end === -1) throw unterminated(text, start, file, "dollar quote");
  return end + tag.length;
}

/** A doubled quote stands for itself; in `E'…'` a backslash takes the next character out. */
function endOfQuote(text: string, open: number, hasEscapes: boolean, file: string): number {
  const quote = text[open] ?? "'";
  const stop = hasEscapes ? /['\\]/g : quote === "'" ? /'/g : /"/g;
  stop.lastIndex = open + 1;
  for (let match = stop.exec(text); match !== null; match = stop.exec(text)) {
    const isPair = match[0] === "\\" || text[stop.lastIndex] === quote;
    if (!isPair) return stop.lastIndex;
    stop.lastIndex++;
  }
  throw unterminated(text, open, file, "quote");
}

function unterminated(text: string, at: number, file: string, what: string): Problem {
  return seedProblems.unterminated(file, text.slice(0, at).split("\n").length, what);
}

/** `\restrict` and `\unrestrict` frame newer dumps and mean nothing without psql; every other command is refused. */
function skipCommand(text: string, at: number, file: string, line: number): number {
  const end = text.indexOf("\n", at);
  const command = text.slice(at, end === -1 ? undefined : end).trim();
  if (!/^\\(?:un)?restrict\b/.test(command)) {
    throw seedProblems.psqlCommand(file, line, command.split(/\s/)[0] ?? command);
  }
  return end === -1 ? text.length : end + 1;
}

/** The lines after the statement's own, up to `\.` or the end. */
function copyData(text: string, from: number): { text: string; next: number } {
  const begin = text.indexOf("\n", from) + 1 || text.length;
  const mark = /^\\\.\r?$/m;
  const match = mark.exec(text.slice(begin));
  if (match === null) return { text: text.slice(begin), next: text.length };
  return { text: text.slice(begin, begin + match.index), next: begin + match.index + match[0].length };
}
