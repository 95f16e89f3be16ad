import { Command } from "commander";
import type { Cli } from "../cli.ts";
import { checkCommand } from "../functions/check.ts";
import { listCommand } from "../functions/list.ts";
import { newCommand } from "../functions/new.ts";

export function command(cli: Cli): Command {
  const functions = new Command("functions").description("Write, list and check the app's own code.");
  for (const make of [newCommand, listCommand, checkCommand]) functions.addCommand(make(cli));
  return functions;
}
