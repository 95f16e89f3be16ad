import pg from "pg";
import type { Problem, ProblemOptions } from "../../../kernel/problem.ts";
import { reasonOf } from "../../../kernel/reason.ts";

/** Where in a project's files something went wrong: the `details` of a `migrations/failed` or `seed/failed` Problem. */
export interface FailureDetails {
  readonly file: string;
  readonly line: number;
  /** Its beginning, enough to recognise it. */
  readonly statement: string;
  /** `null` when the connection was lost. */
  readonly sqlState: string | null;
  readonly detail: string | null;
}

const statementChars = 200;

/** Makes the Problem: a migration's, or a seed's. */
export type Failed = (file: string, line: number, message: string, options: ProblemOptions) => Problem;

/**
 * Names file, line and statement of a failed statement. The line is that of the error inside the statement, where the
 * server says.
 */
export function failure(
  failed: Failed,
  at: { file: string; line: number; sql: string },
  error: unknown,
  afterwards: string,
): Problem {
  const server = error instanceof pg.DatabaseError ? error : null;
  const line = at.line + linesBefore(at.sql, Number(server?.position ?? 1) - 1);
  const details: FailureDetails = {
    file: at.file,
    line,
    statement: at.sql.length > statementChars ? `${at.sql.slice(0, statementChars)}…` : at.sql,
    sqlState: server?.code ?? null,
    detail: server?.detail ?? null,
  };
  const message = reasonOf(error);
  return failed(at.file, line, message, {
    details,
    hint: [advice(server), server?.hint, afterwards].filter(Boolean).join(" "),
    cause: error,
  });
}

/** The server counts characters, JavaScript UTF-16 units. */
function linesBefore(sql: string, characters: number): number {
  if (characters <= 0) return 0;
  let seen = 0;
  let lines = 0;
  for (const character of sql) {
    if (seen++ === characters) break;
    if (character === "\n") lines++;
  }
  return lines;
}

/** What to do, where the server's own message does not say it. */
function advice(error: pg.DatabaseError | null): string | null {
  switch (error?.code) {
    case "55P04":
      return "A new enum value can be used only after it is committed: put ALTER TYPE … ADD VALUE into a file of its own before this one, or start the file with `-- mainstay: no transaction`.";
    case "25001":
      return "Put the statement into a file of its own, or start the file with `-- mainstay: no transaction`.";
    case "55P03":
      return "Something holds the table for longer than MAINSTAY_MIGRATIONS_TABLE_LOCK_WAIT_MS: try again at a quieter time.";
    case "0A000":
    case "58P01":
      return /extension/i.test(error.message)
        ? "This PostgreSQL does not have the extension: remove it, or set DATABASE_URL to a server that has it."
        : null;
    default:
      return null;
  }
}
