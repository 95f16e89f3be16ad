import { Console } from "node:console";
import { Writable } from "node:stream";
import { formatWithOptions } from "node:util";
import type { LogLine } from "../../types.ts";
import { current } from "../current.ts";
import type { ThreadInit } from "../wire.ts";

type Level = LogLine["level"];

const levels = { debug: "debug", log: "info", info: "info", warn: "warn", error: "error", trace: "debug" } as const;
const format = { colors: false, depth: 5, breakLength: 120 } as const;

/**
 * Makes `console` and what writes to standard output speak into the log of the invocation that they were called in. Lines that belong to none,
 * as those of a module that loads, go to standard error, as many as an invocation may have.
 */
export function installConsole(limits: ThreadInit["limits"]): void {
  const { stderr } = process;
  const write = stderr.write.bind(stderr);
  let linesLeft = limits.logLines;
  const log = (level: Level, message: string): void => {
    const now = current.getStore();
    if (now !== undefined) return now.wire.log(level, message);
    if (linesLeft-- > 0) write(`${message.slice(0, limits.logLineBytes)}\n`);
  };
  const stdout = linesTo((line) => log("info", line));
  const errors = linesTo((line) => log("error", line));
  const inner = new Console({ stdout, stderr: errors, inspectOptions: format }) as unknown as Record<string, unknown>;
  const target = console as unknown as Record<string, unknown>;
  for (const [name, method] of Object.entries(inner)) if (typeof method === "function") target[name] = method;
  for (const [name, level] of Object.entries(levels)) {
    target[name] = (...given: unknown[]) => log(level, formatWithOptions(format, ...given));
  }
  target.trace = (...given: unknown[]) => {
    const { stack } = new Error(formatWithOptions(format, ...given));
    log("debug", String(stack).replace(/^Error/, "Trace"));
  };
  Object.defineProperties(process, {
    stdout: { value: stdout, configurable: true },
    stderr: { value: errors, configurable: true },
    // Warnings of Node itself.
    _rawDebug: { value: (...given: unknown[]) => log("warn", formatWithOptions(format, ...given)) },
  });
}

/** Longest piece of a line that is kept until its end comes. */
const partLimit = 65_536;

/** A stream that gives what is written to it by lines. */
function linesTo(tell: (line: string) => void): Writable {
  let part = "";
  return new Writable({
    decodeStrings: false,
    write(chunk: string | Buffer, _encoding, done) {
      const lines = `${part}${String(chunk)}`.split("\n");
      part = lines.pop() ?? "";
      for (const line of lines) tell(line);
      if (part.length > partLimit) {
        tell(part);
        part = "";
      }
      done();
    },
  });
}
