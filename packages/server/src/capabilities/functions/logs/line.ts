import { Problem } from "../../../kernel/problem.ts";
import { reasonOf } from "../../../kernel/reason.ts";
import { redact } from "../../../platform/observe/redact.ts";
import type { Invocation, InvocationEnd, LogLine } from "../types.ts";
import type { LogLevel, NewLogRow } from "./types.ts";

/** Longest words of an error that are kept, in characters. */
const errorLength = 8_000;
/** Longest name of what a chain began with, in characters. */
const idLength = 200;

/** A line as it waits: with what it costs done later, when it is written. */
export type Waiting = Omit<NewLogRow, "message" | "fields"> & {
  readonly message: string;
  readonly fields: string | null;
};

const jobRun = /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\/\d+$/;

/** What a chain began with, where nobody has said so: the invocation itself, or the job whose run it is. */
const rootOf = (invocationId: string): string => jobRun.exec(invocationId)?.[1] ?? invocationId;

export function lineOf({ invocationId, causedBy, functionName, level, message, fields, atMs }: LogLine): Waiting {
  const json = JSON.stringify(fields);
  const requestId = causedBy ?? rootOf(invocationId);
  return {
    atMs,
    level,
    functionName,
    invocationId,
    requestId,
    message,
    fields: json === "{}" ? null : json,
    end: null,
  };
}

/** The last line of an invocation. */
export function endOf({ id, functionName, causedBy }: Invocation, end: InvocationEnd, nowMs: number): Waiting {
  const { status, durationMs, error } = end;
  return {
    atMs: nowMs,
    level: levelOf(end),
    functionName,
    invocationId: id,
    requestId: causedBy ?? rootOf(id),
    message: error === null ? "" : wordsOf(error),
    fields: null,
    end: { status, durationMs },
  };
}

/** Of what went well without a word nobody needs to know for long. */
function levelOf({ error, status, logLines }: InvocationEnd): LogLevel {
  if (error !== null) return error instanceof Problem && error.status < 500 ? "warn" : "error";
  if (status !== null && status >= 500) return "warn";
  return logLines > 0 ? "info" : "debug";
}

/** With the stack of the app's own error; of ours only what they say. */
function wordsOf(error: unknown): string {
  if (error instanceof Problem || !(error instanceof Error)) return reasonOf(error);
  const stack = (error.stack ?? "")
    .split("\n")
    .filter((line) => !isOfOurs(line))
    .join("\n");
  const text = stack.includes(error.message) ? stack : `${error.name}: ${error.message}\n${stack}`;
  return text.trimEnd().slice(0, errorLength);
}

/** Places of a stack that are no place of the app's. */
const ours = new URL("../thread/", import.meta.url).href;
const isOfOurs = (line: string): boolean => /^\s+at .*(?:\(|at )node:/.test(line) || line.includes(ours);

/** Without secrets (threat A28), and without what PostgreSQL's texts cannot have. */
export function rowOf(line: Waiting): NewLogRow {
  const { invocationId, requestId, message, fields } = line;
  return {
    ...line,
    invocationId: storable(invocationId).slice(0, idLength),
    requestId: storable(requestId).slice(0, idLength),
    message: storable(redact(message)),
    fields: fields === null ? null : storable(redact(fields)),
  };
}

const storable = (text: string): string => text.replaceAll("\0", "\ufffd");
