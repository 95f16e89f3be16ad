import { resolve } from "node:path";
import { type Command, InvalidArgumentError, Option } from "commander";
import type { Cli } from "../cli.ts";

export interface ProjectOptions {
  readonly dir: string;
}
export interface JsonOptions {
  readonly json?: boolean;
}
export interface ListenOptions {
  readonly port?: number;
  readonly host?: string;
}

/** `--dir`: the project folder. */
export function withProject(command: Command): Command {
  return command.option("-d, --dir <folder>", "the project's folder", ".");
}

/** `--json`: for commands whose answer a script reads. */
export function withJson(command: Command): Command {
  return command.option("--json", "print JSON");
}

/** `--port` and `--host`: for commands that serve. */
export function withListening(command: Command): Command {
  return command
    .addOption(new Option("-p, --port <number>", "the port to serve on").argParser(port))
    .option("--host <address>", "the address to serve on: 127.0.0.1 for this machine only, 0.0.0.0 for all");
}

/** The project folder, absolute. */
export const projectDir = (cli: Cli, options: ProjectOptions): string => resolve(cli.cwd, options.dir);

function port(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > 65_535) throw new InvalidArgumentError("It is a number from 0 to 65535.");
  return value;
}
