import { Command } from "commander";
import type { Cli } from "../cli.ts";
import { listCommand } from "../schedules/list.ts";

export function command(cli: Cli): Command {
  const schedules = new Command("schedules").description("Look at what runs on time.");
  schedules.addCommand(listCommand(cli));
  return schedules;
}
