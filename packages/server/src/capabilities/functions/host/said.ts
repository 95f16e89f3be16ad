import type { Json } from "../../../platform/jobs/types.ts";
import { splitHead } from "../channel/heads.ts";
import type { Loaded, Result, Thrown } from "../channel/messages.ts";
import type { DefinitionSummary, LogLine } from "../types.ts";

/**
 * Reads what threads say. What runs in them is foreign code, and some of it may have got hold of the thread's socket: nothing that comes is taken to be
 * of the shape that our own side of it would have given it (threat X23). All of these throw, and whoever listens ends the thread.
 */
export class NotOurWords extends Error {
  override readonly name = "NotOurWords";
}

function refuse(what: string): never {
  throw new NotOurWords(`It has sent ${what}.`);
}

/** A frame with at least so many bytes. @throws NotOurWords */
export function assertBytes(start: number, end: number, bytes: number): void {
  if (end - start < bytes) refuse(`a frame of ${end - start} bytes`);
}

/** A head that lies before `end`, in pairs after the first `lone` parts. @throws NotOurWords */
export function headOf(bytes: Buffer, start: number, headBytes: number, end: number, lone: number): string[] {
  if (start + headBytes > end) refuse("a head that is longer than its frame");
  const parts = splitHead(bytes, start, start + headBytes);
  if (parts.length < lone || (parts.length - lone) % 2 !== 0) refuse("a head with a name and no value");
  return parts;
}

/** Of an answer's line: what a `Response` may have, and nothing that would make two answers of one. @throws NotOurWords */
export function statusOf(status: number): number {
  return status >= 200 && status <= 599 ? status : refuse(`the status ${status}`);
}

/** Name and arguments of a service. @throws NotOurWords */
export function callOf(text: string): readonly [string, readonly Json[]] {
  const said = parse(text);
  if (!Array.isArray(said) || typeof said[0] !== "string" || !Array.isArray(said[1])) refuse("a call of nothing");
  return said as unknown as readonly [string, readonly Json[]];
}

/** @throws NotOurWords */
export function resultOf(text: string): Result {
  const said = recordOf(parse(text), "a result");
  const isKnown = said.kind === "done" || said.kind === "suspended" || said.kind === "threw";
  if (!isKnown) refuse("a result of no kind");
  return said.kind === "threw" ? { kind: "threw", thrown: thrownIn(said.thrown) } : (said as unknown as Result);
}

/** @throws NotOurWords */
export function crashOf(text: string): Thrown {
  return thrownIn(parse(text));
}

/** @throws NotOurWords */
export function loadedOf(text: string): Loaded {
  const said = recordOf(parse(text), "nothing that was loaded");
  if (said.thrown !== undefined) return { thrown: thrownIn(said.thrown) };
  if (!Array.isArray(said.definitions)) refuse("no list of definitions");
  return { definitions: said.definitions.map(definitionOf) };
}

/** What has to be there, for whoever reads it; whether names and times mean anything is asked later. */
function definitionOf(value: unknown): DefinitionSummary {
  const said = recordOf(value, "a definition");
  if (!Number.isInteger(said.index) || (said.index as number) < 0) refuse("a definition without its number");
  const options = recordOf(said.options, "options of a definition");
  for (const name of ["timeoutMs", "memoryMb", "concurrency", "sharedBy", "size"]) {
    const option = options[name];
    if (option !== undefined && !(typeof option === "number" && option > 0)) {
      refuse(`a definition whose ${name} is no number above 0`);
    }
  }
  switch (said.kind) {
    case "http":
    case "webhook":
      break;
    case "job":
    case "batch":
      textOf(said.name);
      break;
    case "cron":
      textOf(said.expression);
      break;
    case "change":
      textOf(said.table);
      if (!Array.isArray(said.operations)) refuse("a reaction to nothing");
      said.operations.forEach(textOf);
      break;
    default:
      refuse("a definition of no kind");
  }
  if (said.kind === "webhook") {
    textOf(options.provider);
    textOf(options.secret);
  }
  return said as unknown as DefinitionSummary;
}

type SaidLine = Pick<LogLine, "invocationId" | "level" | "message" | "atMs" | "fields">;
const levels: readonly unknown[] = ["debug", "info", "warn", "error"];
/** JSON in JSON, of characters that are three bytes, or written as six. */
const mostEscaped = 12;
const idsBytes = 1_024;

/** How large a frame with a line may be whose message and fields are each cut at so many characters. */
export const logFrameBytes = (lineBytes: number): number => lineBytes * mostEscaped + idsBytes;

/** @throws NotOurWords */
export function logLineOf(text: string): SaidLine {
  const said = parse(text);
  if (!Array.isArray(said)) refuse("a line that is none");
  const [invocationId, level, message, atMs, fields] = said as readonly unknown[];
  if (!levels.includes(level) || typeof atMs !== "number") refuse("a line of no level, or no time");
  return {
    invocationId: textOf(invocationId),
    level: level as SaidLine["level"],
    message: textOf(message),
    atMs,
    fields: recordOf(fields, "fields of a line"),
  };
}

/** Whatever an app throws may have words of any kind, or none. */
function thrownIn(value: unknown): Thrown {
  const { name, message, stack } = recordOf(value, "an error");
  const wordsOf = (said: unknown): string => (typeof said === "string" ? said : (JSON.stringify(said) ?? ""));
  return { name: wordsOf(name), message: wordsOf(message), stack: typeof stack === "string" ? stack : null };
}

function recordOf(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) refuse(`${what} that is none`);
  return value as Readonly<Record<string, unknown>>;
}

const textOf = (value: unknown): string => (typeof value === "string" ? value : refuse("no text where one belongs"));

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    refuse("what is no JSON");
  }
}
