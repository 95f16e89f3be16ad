import type { Node } from "libpg-query";
import type { Problem } from "../../../kernel/problem.ts";
import { migrationProblems } from "./problems.ts";

export type { Node } from "libpg-query";

/** One statement of a file, as PostgreSQL's own grammar sees it. */
export interface Statement {
  readonly node: Node;
  /** From its first word to before its semicolon: what is sent. */
  readonly sql: string;
  /** `sql` with the comments before it: what the history keeps, as the Supabase CLI cuts it. */
  readonly recorded: string;
  /** Of its first word; the first line is 1. */
  readonly line: number;
  /** Of its first word, in bytes of UTF-8 from the start of the file: what locations in `node` are relative to. */
  readonly offsetBytes: number;
}

export interface ParsedFile {
  readonly statements: readonly Statement[];
  /** Comments after the last statement; `""` when there are none. The Supabase CLI records them as one more statement. */
  readonly trailing: string;
}

/**
 * Splits and parses with the server's own parser, compiled to WebAssembly. It is loaded on first use: a start with nothing to
 * apply never pays its memory. Locations of the parser are in bytes, so everything is cut from the encoded text.
 * @param file named in the Problem only
 * @throws Problem `migrations/syntax` with `{file, line, column}` as details
 */
export async function parseFile(sql: string, file: string): Promise<ParsedFile> {
  if (sql.trim() === "") return { statements: [], trailing: "" };
  const { parse } = await import("libpg-query");
  const tree = await parse(sql).catch((error: unknown) => {
    throw syntaxProblem(error, sql, file);
  });
  const bytes = Buffer.from(sql);
  const lines = lineCounter(bytes);
  const statements: Statement[] = [];
  let previousEnd = 0;
  for (const { stmt, stmt_location: start = 0, stmt_len: length } of tree.stmts ?? []) {
    if (stmt === undefined) continue;
    const end = length ? start + length : bytes.length;
    const first = skipBlank(bytes, start);
    statements.push({
      node: stmt,
      sql: bytes.toString("utf8", first, end).trimEnd(),
      recorded: trimStatement(bytes.toString("utf8", previousEnd, end)),
      line: lines(first),
      offsetBytes: first,
    });
    previousEnd = end;
  }
  return { statements, trailing: trimStatement(bytes.toString("utf8", previousEnd)) };
}

/** 1-based line of a byte offset. Offsets must not go backwards by more than the caller can afford: it counts from the start then. */
export function lineCounter(bytes: Buffer): (offsetBytes: number) => number {
  let at = 0;
  let line = 1;
  return (offset) => {
    if (offset < at) {
      at = 0;
      line = 1;
    }
    for (; at < offset; at++) if (bytes[at] === 0x0a) line++;
    return line;
  };
}

/** The first statement of a file carries no location, so blanks before it are ours to skip. */
function skipBlank(bytes: Buffer, from: number): number {
  let at = from;
  while (at < bytes.length && bytes[at]! <= 0x20) at++;
  return at;
}

/** Without the semicolons and blanks that separate statements. */
const trimStatement = (text: string): string => text.replace(/^[\s;]+/, "").trimEnd();

function syntaxProblem(error: unknown, sql: string, file: string): Problem {
  const details = (error as { sqlDetails?: { message: string; cursorPosition: number } }).sqlDetails;
  if (details === undefined) return migrationProblems.unparsable(file, String(error), error);
  // In characters, not in bytes or UTF-16 units.
  const before = [...sql].slice(0, details.cursorPosition).join("");
  const line = before.split("\n").length;
  const column = before.length - before.lastIndexOf("\n");
  const found = sql.slice(before.length, before.length + 40);
  return migrationProblems.syntax(file, line, column, details.message, {
    hint: syntaxHint(found, sql.slice(0, before.length)),
    cause: error,
  });
}

function syntaxHint(found: string, before: string): string | null {
  if (found.startsWith("\\")) return "Lines that start with a backslash are commands of psql, not SQL: remove them.";
  if (/\bcopy\b[^;]*\bfrom\s+stdin[^;]*;\s*$/i.test(before)) {
    return "Data after COPY … FROM stdin is not SQL: put it into the seed, or use INSERT.";
  }
  return null;
}
