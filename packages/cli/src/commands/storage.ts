import { Command } from "commander";
import type { Cli } from "../cli.ts";
import { checkCommand } from "../storage/check.ts";
import { rotateKeyCommand } from "../storage/rotate-key.ts";
import { s3KeysCommand } from "../storage/s3-keys.ts";

export function command(cli: Cli): Command {
  const storage = new Command("storage").description("Look after the files of a project.");
  for (const make of [checkCommand, rotateKeyCommand, s3KeysCommand]) storage.addCommand(make(cli));
  return storage;
}
