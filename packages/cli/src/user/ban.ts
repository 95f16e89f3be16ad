import { Command } from "commander";
import type { Cli } from "../cli.ts";
import { type JsonOptions, type ProjectOptions, withJson, withProject } from "../commands/options.ts";
import { styleFor } from "../output/style.ts";
import { find, withAccounts } from "./with-accounts.ts";

interface BanOptions extends ProjectOptions, JsonOptions {
  readonly for: string;
}

/** A hundred years, in Go's hours. */
const forEver = "876000h";

export function banCommand(cli: Cli): Command {
  return withJson(
    withProject(
      new Command("ban")
        .description("Keep an account out: its sessions end at once.")
        .argument("<user>", "its id, e-mail address or phone number")
        .option("--for <duration>", "how long: 24h, 90m", forEver),
    ),
  ).action((name: string, options: BanOptions) => set(cli, name, options.for, options));
}

export function unbanCommand(cli: Cli): Command {
  return withJson(
    withProject(
      new Command("unban")
        .description("Let a banned account in again.")
        .argument("<user>", "its id, e-mail address or phone number"),
    ),
  ).action((name: string, options: ProjectOptions & JsonOptions) => set(cli, name, "none", options));
}

async function set(cli: Cli, name: string, duration: string, options: ProjectOptions & JsonOptions): Promise<void> {
  const user = await withAccounts(cli, options, async (accounts) =>
    accounts.ban((await find(accounts, name)).id, duration),
  );
  if (options.json) {
    cli.out.write(`${JSON.stringify({ id: user.id, isBanned: user.isBanned, bannedUntil: user.bannedUntil })}\n`);
    return;
  }
  const what = user.isBanned ? `is banned until ${user.bannedUntil}` : "is not banned";
  cli.out.write(`${styleFor(cli.out, cli.env).green("✓")} ${user.email || user.phone || user.id} ${what}\n`);
}
