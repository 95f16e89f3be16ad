import { run } from "./main.ts";
import type { RunOptions, RunResult } from "./testing.ts";

/**
 * A command line within this process, for tests of what many of them do: a process each would take a second of the machine. What a process adds to it
 * is tried with real ones.
 */
export async function mainstayHere(
  args: readonly string[],
  { cwd = "/", env = {} }: RunOptions = {},
): Promise<RunResult> {
  let out = "";
  let err = "";
  const before = process.exitCode;
  try {
    const code = await run(args, {
      env,
      cwd,
      out: { write: (text) => (out += String(text)) },
      err: { write: (text) => (err += String(text)) },
      isDebug: false,
      isInteractive: false,
    });
    return { code, out, err };
  } finally {
    process.exitCode = before;
  }
}
