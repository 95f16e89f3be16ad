import { Command } from "commander";
import type { Cli } from "../cli.ts";
import { checkCommand } from "../functions/check.ts";
import { listCommand } from "../functions/list.ts";
import { logsCommand } from "../functions/logs.ts";
import { newCommand } from "../functions/new.ts";
import { runCommand } from "../functions/run.ts";

export function command(cli: Cli): Command {
  const functions = new Command("functions").description(
    "Write, list, check and call the app's own code, and read what it logs.",
  );
  for (const make of [newCommand, listCommand, checkCommand, runCommand, logsCommand]) functions.addCommand(make(cli));
  return functions;
}
