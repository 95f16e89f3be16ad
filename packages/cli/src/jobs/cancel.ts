import { Command } from "commander";
import type { Cli } from "../cli.ts";
import { withJson, withProject } from "../commands/options.ts";
import { styleFor } from "../output/style.ts";
import { notDone } from "./retry.ts";
import { type Options, withJobs } from "./with-jobs.ts";

export function cancelCommand(cli: Cli): Command {
  return withJson(
    withProject(
      new Command("cancel")
        .description("Cancel jobs. One that runs is told, and what it may still do does not count.")
        .argument("<id...>", "these"),
    ),
  ).action((ids: readonly string[], options: Options) => cancel(cli, ids, options));
}

async function cancel(cli: Cli, ids: readonly string[], options: Options): Promise<void> {
  const missing = await withJobs(cli, options, async (tools) => {
    const missing: string[] = [];
    for (const id of ids) if (!(await tools.cancel(id))) missing.push(id);
    return missing;
  });
  const cancelled = ids.length - missing.length;
  if (options.json) cli.out.write(`${JSON.stringify({ cancelled, missing })}\n`);
  else if (cancelled > 0) {
    const what = cancelled === 1 ? "1 job is" : `${cancelled} jobs are`;
    cli.out.write(`${styleFor(cli.out, cli.env).green("✓")} ${what} cancelled\n`);
  }
  if (missing.length > 0) throw notDone(missing, "over already");
}
