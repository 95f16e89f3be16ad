import { type Cli, CommandError, exitCodes } from "../cli.ts";
import { styleFor } from "./style.ts";

/** What to print about a failure, and the exit code it ends with. */
export interface Failure {
  readonly message: string;
  readonly hint: string | null;
  readonly exitCode: number;
  /** The failure's stable code, for `--json`. */
  readonly code: string;
}

/** Problem codes that mean: another process has the port or the folder. */
const busyCode = /in-use|busy|already-running|locked/;

/** The server's `Problem`, told by its shape: importing the class would load the server to print a line about it. */
interface ProblemShape extends Error {
  readonly code: string;
  readonly hint: string | null;
  readonly details: unknown;
}
const isProblem = (error: unknown): error is ProblemShape =>
  error instanceof Error && error.name === "Problem" && "code" in error && "hint" in error && "details" in error;
const isSettingError = (error: unknown): error is Error => error instanceof Error && error.name === "SettingError";

export function describeFailure(error: unknown): Failure {
  if (error instanceof CommandError) {
    return { message: error.message, hint: error.hint, exitCode: error.exitCode, code: "cli/failed" };
  }
  if (isSettingError(error)) {
    return { message: error.message, hint: null, exitCode: exitCodes.configuration, code: "cli/setting" };
  }
  if (isProblem(error)) {
    const exitCode = busyCode.test(error.code) ? exitCodes.busy : exitCodes.failed;
    return { message: error.message, hint: hintOf(error), exitCode, code: error.code };
  }
  if (error instanceof Error && "code" in error && typeof error.code === "string") {
    const known = systemHints[error.code];
    if (known !== undefined)
      return { message: error.message, hint: known, exitCode: exitCodes.failed, code: error.code };
  }
  const message = error instanceof Error ? error.message : String(error);
  return {
    message: `${message || "Something went wrong"} (this is a bug in mainstay)`,
    hint: "Run it again with --debug and report what it prints.",
    exitCode: exitCodes.failed,
    code: "internal",
  };
}

/** Some problems carry a list of what is missing, or the last lines of PostgreSQL's log. */
function hintOf(problem: ProblemShape): string | null {
  const details = Array.isArray(problem.details) ? problem.details : [problem.details];
  const lines = details.filter((line): line is string => typeof line === "string" && line !== "");
  return [...lines, ...(problem.hint === null ? [] : [problem.hint])].join("\n") || null;
}

const systemHints: Readonly<Record<string, string>> = {
  EACCES: "Run it as the folder's owner, or change the permissions.",
  EPERM: "Run it as the folder's owner, or change the permissions.",
  EROFS: "The disk is read-only: use a folder on one that is not.",
  ENOSPC: "The disk is full: free some space.",
  EMFILE: "Too many open files: raise the limit with `ulimit -n`.",
  ECONNREFUSED: "Nothing listens there: check that the database is running and DATABASE_URL is right.",
  ENOTFOUND: "The host name does not resolve: check DATABASE_URL.",
  ETIMEDOUT: "The host does not answer: check DATABASE_URL and the network.",
};

/** Prints a failure the way a person wants it: one line, what to do below it, the stack only with `--debug`. */
export function printFailure(error: unknown, cli: Cli): number {
  const failure = describeFailure(error);
  const style = styleFor(cli.err, cli.env);
  cli.err.write(`${style.red("✗")} ${failure.message}\n`);
  for (const line of failure.hint?.split("\n") ?? []) cli.err.write(`  ${line}\n`);
  if (cli.isDebug) cli.err.write(`\n${stackOf(error)}\n`);
  return failure.exitCode;
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? "" : `\ncaused by ${stackOf(error.cause)}`;
  return `${error.stack ?? error.message}${cause}`;
}
