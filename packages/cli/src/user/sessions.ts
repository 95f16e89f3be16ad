import { Command } from "commander";
import type { Cli } from "../cli.ts";
import { type JsonOptions, type ProjectOptions, withJson, withProject } from "../commands/options.ts";
import { styleFor } from "../output/style.ts";
import { find, withAccounts } from "./with-accounts.ts";

interface SessionsOptions extends ProjectOptions, JsonOptions {
  readonly end?: boolean;
}

export function sessionsCommand(cli: Cli): Command {
  return withJson(
    withProject(
      new Command("sessions")
        .description("List where an account is signed in, last used first.")
        .argument("<user>", "its id, e-mail address or phone number")
        .option("--end", "and sign it out everywhere"),
    ),
  ).action(async (name: string, options: SessionsOptions) => {
    const sessions = await withAccounts(cli, options, async (accounts) => {
      const { id } = await find(accounts, name);
      const open = await accounts.sessions(id);
      if (options.end) await accounts.endSessions(id);
      return open;
    });
    if (options.json) {
      cli.out.write(`${JSON.stringify({ ended: options.end === true, sessions }, null, 2)}\n`);
      return;
    }
    const style = styleFor(cli.out, cli.env);
    for (const { createdAt, ip, userAgent, aal } of sessions) {
      const from = [ip, userAgent].filter((part) => part !== null).join("  ");
      cli.out.write(`${createdAt.slice(0, 19)}Z  ${aal}  ${style.dim(from)}\n`);
    }
    const count = sessions.length === 1 ? "1 session" : `${sessions.length} sessions`;
    cli.err.write(style.dim(options.end ? `Ended ${count}.\n` : `${count}\n`));
  });
}
