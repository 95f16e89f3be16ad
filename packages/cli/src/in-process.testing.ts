import type { Command } from "commander";
import { CommanderError } from "commander";
import { type Cli, exitCodes } from "./cli.ts";
import { commands } from "./commands/index.ts";
import { printFailure } from "./output/failure.ts";
import type { RunOptions, RunResult } from "./testing.ts";

/**
 * A command within this process, for tests of what many of them do: a process each would take a second of the machine. What `main.ts` does around them
 * is tried with real ones.
 */
export async function mainstayHere(
  args: readonly string[],
  { cwd = "/", env = {} }: RunOptions = {},
): Promise<RunResult> {
  let out = "";
  let err = "";
  const [name, ...rest] = args;
  const cli: Cli = {
    env,
    cwd,
    out: { write: (text) => (out += String(text)) },
    err: { write: (text) => (err += String(text)) },
    isDebug: false,
    isInteractive: false,
  };
  const before = process.exitCode;
  process.exitCode = undefined;
  try {
    const command = (await commands.find((entry) => entry.name === name)!.load()).command(cli);
    quieten(command, (text) => (err += text));
    await command.parseAsync([...rest], { from: "user" });
    return { code: typeof process.exitCode === "number" ? process.exitCode : exitCodes.ok, out, err };
  } catch (error) {
    const code = error instanceof CommanderError ? exitCodes.usage : printFailure(error, cli);
    return { code, out, err };
  } finally {
    process.exitCode = before;
  }
}

/** It throws instead of ending the process. */
function quieten(command: Command, write: (text: string) => void): void {
  command.exitOverride().configureOutput({ writeErr: write });
  for (const one of command.commands) quieten(one, write);
}
