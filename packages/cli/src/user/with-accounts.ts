import type { Accounts } from "@mainstay/server";
import { type Cli, CommandError } from "../cli.ts";
import { type ProjectOptions, projectDir } from "../commands/options.ts";
import { withProjectDatabase } from "../commands/project-database.ts";

/** Opens the project's accounts for one command, on a database that has what they need. */
export async function withAccounts<T>(
  cli: Cli,
  options: ProjectOptions,
  work: (accounts: Accounts) => Promise<T>,
): Promise<T> {
  const { openProjectAccounts } = await import("@mainstay/server");
  return withProjectDatabase(cli, projectDir(cli, options), async (open, say) => {
    // Of an embedded database that nobody serves now, which may never have been started. Any other is not ours to change here.
    if (!open.isShared) await open.migrate();
    const { accounts, close } = await openProjectAccounts(open, (observation) => {
      // What a command does is its answer, not news.
      if (observation.kind === "warning") say(observation);
    });
    try {
      return await work(accounts);
    } finally {
      await close();
    }
  });
}

/** The account a person means by its id, address or number. */
export async function find(accounts: Accounts, name: string) {
  const user = await accounts.find(name);
  if (user === null) {
    throw new CommandError(`There is no user ${name}.`, { hint: "`mainstay user list` shows who there is." });
  }
  return user;
}
