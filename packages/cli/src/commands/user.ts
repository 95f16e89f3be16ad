import { Command } from "commander";
import type { Cli } from "../cli.ts";
import { banCommand, unbanCommand } from "../user/ban.ts";
import { createCommand } from "../user/create.ts";
import { deleteCommand } from "../user/delete.ts";
import { importCommand } from "../user/import.ts";
import { listCommand } from "../user/list.ts";
import { sessionsCommand } from "../user/sessions.ts";

export function command(cli: Cli): Command {
  const user = new Command("user").description("List, make, import, ban and delete accounts of a project.");
  for (const make of [
    listCommand,
    createCommand,
    importCommand,
    banCommand,
    unbanCommand,
    sessionsCommand,
    deleteCommand,
  ]) {
    user.addCommand(make(cli));
  }
  return user;
}
