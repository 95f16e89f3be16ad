import pino from "pino";
import type { Values } from "../../kernel/settings.ts";
import { highestLevelOf, levelOf, sentenceOf } from "./describe.ts";
import { errorFields } from "./error-fields.ts";
import { humanLine } from "./human.ts";
import type { Observation, Observe } from "./observation.ts";
import { redact } from "./redact.ts";
import type { observeSettings } from "./settings.ts";

/** Where finished lines go: standard output, or a test's list. */
export interface LogSink {
  readonly isTerminal: boolean;
  write(line: string): void;
}

export const standardOutput: LogSink = {
  get isTerminal() {
    return process.stdout.isTTY === true;
  },
  write: (line) => void process.stdout.write(line),
};

/**
 * The reader that writes observations down. What a level hides costs a comparison; whoever asks `wants` first does not even
 * build it. Secrets are taken out of the finished line, after everything else.
 */
export function createLogger(needs: { settings: Values<typeof observeSettings>; sink?: LogSink }): Observe {
  const { settings, sink = standardOutput } = needs;
  const isHuman = settings.logFormat === "human" || (settings.logFormat === "auto" && sink.isTerminal);
  const logger = pino(
    {
      level: settings.logLevel,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    {
      write(line: string) {
        const clean = redact(line);
        sink.write(isHuman ? humanLine(clean, sink.isTerminal) : clean);
      },
    },
  );
  const log = (observation: Observation) => {
    const level = levelOf(observation, settings.logRequests);
    if (level === null || !logger.isLevelEnabled(level)) return;
    logger[level](fieldsOf(observation), sentenceOf(observation));
  };
  return Object.assign(log, {
    wants(kind: Observation["kind"]) {
      const level = highestLevelOf(kind, settings.logRequests);
      return level !== null && logger.isLevelEnabled(level);
    },
  });
}

function fieldsOf(observation: Observation): object {
  // Its `level` is PostgreSQL's, and would take the place of ours; its line is the sentence already.
  if (observation.kind === "postgres.log") return { kind: observation.kind, severity: observation.level };
  if (!("error" in observation)) return rounded(observation);
  return { ...observation, error: errorFields(observation.error) };
}

/** Microseconds are as fine as a log needs. */
function rounded(observation: Observation): object {
  if (!("durationMs" in observation)) return observation;
  return { ...observation, durationMs: Math.round(observation.durationMs * 1000) / 1000 };
}
