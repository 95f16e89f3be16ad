import { Command } from "commander";
import { type Cli, CommandError } from "../cli.ts";
import { type JsonOptions, type ProjectOptions, withJson, withProject } from "../commands/options.ts";
import { styleFor } from "../output/style.ts";
import { find, withAccounts } from "./with-accounts.ts";

interface DeleteOptions extends ProjectOptions, JsonOptions {
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

const verbs = { delete: "deleted", detach: "kept, without its owner", block: "in the way" } as const;

export function deleteCommand(cli: Cli): Command {
  return withJson(
    withProject(
      new Command("delete")
        .description("Delete an account with everything that is its owner's by foreign keys.")
        .argument("<user>", "its id, e-mail address or phone number")
        .option("--dry-run", "only show what would go along, by table")
        .option("-y, --yes", "ask nothing"),
    ),
  ).action(async (name: string, options: DeleteOptions) => {
    const style = styleFor(cli.out, cli.env);
    const answer = await withAccounts(cli, options, async (accounts) => {
      const user = await find(accounts, name);
      const rows = await accounts.preview(user.id);
      if (!options.json) {
        for (const { schema, table, action, rows: count } of rows) {
          const verb = action === "block" ? style.yellow(verbs[action]) : style.dim(verbs[action]);
          cli.out.write(`${String(count).padStart(8)}  ${schema}.${table}  ${verb}\n`);
        }
      }
      if (options.dryRun) return { id: user.id, dryRun: true, rows };
      if (!options.yes && !(await isConfirmed(cli, user.email || user.phone || user.id))) return null;
      await accounts.remove(user.id);
      return { id: user.id, dryRun: false, rows };
    });
    if (answer === null) return;
    if (options.json) cli.out.write(`${JSON.stringify(answer, null, 2)}\n`);
    else if (!answer.dryRun) cli.out.write(`${style.green("✓")} Deleted ${answer.id}\n`);
  });
}

async function isConfirmed(cli: Cli, name: string): Promise<boolean> {
  if (!cli.isInteractive) {
    throw new CommandError("Deleting an account cannot be undone.", { hint: "Say --yes if that is what you want." });
  }
  const { confirm, isCancel } = await import("@clack/prompts");
  const answer = await confirm({ message: `Delete ${name} and all of this for good?`, initialValue: false });
  return !isCancel(answer) && answer;
}
