/** What goes wrong in a way we can name: one line, with what to do. Anything else is a bug and shows its stack. */
export class Refusal extends Error {
  /**
   * @param {string} message
   * @param {number} exitCode 1: it failed; 2: it was called wrongly
   */
  constructor(message, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Speaks on standard error: standard output belongs to the task. @param {string} text */
export function say(text) {
  process.stderr.write(`${text}\n`);
}

/**
 * One line that changes in place on a terminal. Elsewhere only `finish` prints, so that logs hold results, not frames.
 *
 * @param {{ isTTY?: boolean, columns?: number, write(text: string): unknown }} out
 */
export function progressLine(out = process.stderr) {
  const isLive = out.isTTY === true && process.env.TERM !== "dumb" && !process.env.CI;
  return {
    /** @param {string} text */
    begin(text) {
      out.write(isLive ? `\r\x1b[K${text}` : `${text}\n`);
    },
    /** @param {string} text */
    show(text) {
      if (isLive) out.write(`\r\x1b[K${text.slice(0, (out.columns ?? 80) - 1)}`);
    },
    /** Ends the line; `null` wipes it. @param {string | null} text */
    finish(text) {
      if (isLive) out.write("\r\x1b[K");
      if (text !== null) out.write(`${text}\n`);
    },
  };
}
