import { Console } from "node:console";
import { Writable } from "node:stream";
import { formatWithOptions } from "node:util";
import type { LogLine } from "../../types.ts";
import { current } from "../current.ts";
import type { ThreadInit, Wire } from "../wire.ts";

type Level = LogLine["level"];

const levels = { debug: "debug", log: "info", info: "info", warn: "warn", error: "error", trace: "debug" } as const;
const format = { colors: false, depth: 5, breakLength: 120 } as const;

/**
 * Makes `console` and what writes to standard output speak into the log of the invocation that they were called in. Lines that belong to none,
 * as those of a module that loads, wait for the next one, as many as an invocation may have.
 * @returns what gives those that wait to an invocation
 */
export function installConsole(limits: ThreadInit["limits"]): (wire: Pick<Wire, "log">) => void {
  const waiting: { readonly level: Level; readonly message: string }[] = [];
  const log = (level: Level, message: string): void => {
    const now = current.getStore();
    if (now !== undefined) now.wire.log(level, message);
    else if (waiting.length < limits.logLines) waiting.push({ level, message: message.slice(0, limits.logLineBytes) });
  };
  const [stdout, stderr] = [linesTo((line) => log("info", line)), linesTo((line) => log("error", line))];
  const inner = new Console({ stdout, stderr, inspectOptions: format }) as unknown as Record<string, unknown>;
  const target = console as unknown as Record<string, unknown>;
  for (const [name, method] of Object.entries(inner)) if (typeof method === "function") target[name] = method;
  for (const [name, level] of Object.entries(levels)) {
    target[name] = (...given: unknown[]) => log(level, formatWithOptions(format, ...given));
  }
  target.trace = (...given: unknown[]) => {
    const { stack } = new Error(formatWithOptions(format, ...given));
    log("debug", String(stack).replace(/^Error/, "Trace"));
  };
  // The streams themselves stay: the thread's port asks them things.
  process.stdout.write = stdout.write.bind(stdout) as typeof process.stdout.write;
  process.stderr.write = stderr.write.bind(stderr) as typeof process.stderr.write;
  // Warnings of Node itself.
  Object.assign(process, { _rawDebug: (...given: unknown[]) => log("warn", formatWithOptions(format, ...given)) });
  return (wire) => {
    for (const { level, message } of waiting.splice(0)) wire.log(level, message);
  };
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
