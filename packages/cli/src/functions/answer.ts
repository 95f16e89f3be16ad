import type { FunctionLog } from "@mainstay/server";
import { printable } from "../output/printable.ts";
import type { Style } from "../output/style.ts";
import { durationOf } from "../output/time.ts";

/** What a function has answered and logged. */
export interface CalledFunction {
  readonly status: number;
  readonly statusText: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly bytes: Buffer;
  readonly durationMs: number;
  readonly requestId: string | null;
  readonly logs: readonly FunctionLog[];
}

/** For a person or a pipe: status, headers, an empty line, the body. Bytes that are no text are only counted on a terminal. */
export function answerText(called: CalledFunction, style: Style, isTerminal: boolean): string | Buffer {
  const { status, statusText, headers, bytes, durationMs } = called;
  const paint = status < 400 ? style.green : style.red;
  const head = [
    `${paint(`${status} ${printable(statusText)}`.trimEnd())}  ${style.dim(durationOf(durationMs))}`,
    ...headers.map(([name, value]) => `${style.dim(`${name}:`)} ${printable(value)}`),
    "",
    "",
  ].join("\n");
  if (bytes.length === 0) return head;
  const text = textOf(bytes);
  if (!isTerminal) return Buffer.concat([Buffer.from(head), bytes, Buffer.from(bytes.at(-1) === newline ? "" : "\n")]);
  if (text === null) return `${head}(${bytes.length.toLocaleString("en")} bytes that are no text)\n`;
  // A terminal is not to be moved by what somebody answers.
  return `${head}${text.replace(/[^\P{Cc}\n\t]/gu, "\ufffd")}${text.endsWith("\n") ? "" : "\n"}`;
}

/** For a script: text as text, other bytes in base64. */
export function jsonOf({ status, headers, bytes, durationMs, requestId, logs }: CalledFunction): object {
  const text = textOf(bytes);
  const body = text === null ? { bodyBase64: bytes.toString("base64") } : { body: text };
  return { status, headers: Object.fromEntries(headers), ...body, durationMs, requestId, logs };
}

const newline = 0x0a;

function textOf(bytes: Buffer): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}
