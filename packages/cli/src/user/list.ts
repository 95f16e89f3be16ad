import { Command, Option } from "commander";
import type { Cli } from "../cli.ts";
import { type JsonOptions, type ProjectOptions, withJson, withProject } from "../commands/options.ts";
import { styleFor } from "../output/style.ts";
import { wholeNumber } from "./whole-number.ts";
import { withAccounts } from "./with-accounts.ts";

interface ListOptions extends ProjectOptions, JsonOptions {
  readonly limit: number;
  readonly page: number;
}

export function listCommand(cli: Cli): Command {
  return withJson(
    withProject(
      new Command("list")
        .description("List accounts, newest first.")
        .argument("[text]", "only those with this in their address or number")
        .addOption(
          new Option("-l, --limit <number>", "accounts on a page").argParser(wholeNumber(1, 1_000)).default(50),
        )
        .addOption(new Option("-p, --page <number>", "the page").argParser(wholeNumber(1, 1_000_000)).default(1)),
    ),
  ).action(async (text: string | undefined, options: ListOptions) => {
    const { users, total } = await withAccounts(cli, options, (accounts) =>
      accounts.list({ page: options.page, perPage: options.limit, filter: text ?? "" }),
    );
    if (options.json) {
      const rows = users.map(({ id, email, phone, createdAt, lastSignInAt, isBanned, isAnonymous }) => ({
        id,
        email,
        phone,
        createdAt,
        lastSignInAt,
        isBanned,
        isAnonymous,
      }));
      cli.out.write(`${JSON.stringify({ total, users: rows }, null, 2)}\n`);
      return;
    }
    const style = styleFor(cli.out, cli.env);
    for (const user of users) {
      const name = user.email || user.phone || (user.isAnonymous ? "(anonymous)" : "(no address)");
      const notes = [user.isBanned ? "banned" : "", user.deletedAt === null ? "" : "deleted"]
        .filter(Boolean)
        .join(", ");
      cli.out.write(`${style.dim(user.id)}  ${name}${notes === "" ? "" : `  ${style.yellow(notes)}`}\n`);
    }
    const shown = users.length === 1 ? "1 account" : `${users.length} accounts`;
    cli.err.write(style.dim(`${shown} of ${total.toLocaleString("en")}\n`));
  });
}
