import type { FunctionLog } from "@mainstay/server";
import { printable, printableLines } from "../output/printable.ts";
import type { Style } from "../output/style.ts";
import { clockOf, durationOf } from "../output/time.ts";

/** A line of a function's log for a person: when, whose, and what. `indent` stands before further lines. Without a last break. */
export function showLog(log: FunctionLog, style: Style, indent = ""): string {
  const paint = log.level === "error" ? style.red : log.level === "warn" ? style.yellow : (text: string) => text;
  const millis = String(new Date(log.at).getMilliseconds()).padStart(3, "0");
  const name = log.functionName === "" ? "" : `${style.bold(printable(log.functionName))}  `;
  const head = `${style.dim(`${clockOf(log.at)}.${millis}`)}  ${paint(log.level.padEnd(5))}  ${name}`;
  const message = printableLines(log.message, `${indent}    `);
  if (log.isEnd) return `${head}${endOf(log, style, message)}`;
  const fields = log.fields === null ? "" : `  ${style.dim(printable(JSON.stringify(log.fields)))}`;
  return `${head}${paint(message)}${fields}`;
}

function endOf({ status, durationMs, level, invocationId }: FunctionLog, style: Style, message: string): string {
  const isFailed = level === "error" || level === "warn";
  const how = status === null ? (isFailed ? "failed" : "done") : String(status);
  const took = `${isFailed ? style.red(how) : style.green(how)} in ${durationOf(durationMs ?? 0)}`;
  return `${took}  ${style.dim(printable(invocationId))}${message === "" ? "" : `  ${message}`}`;
}
