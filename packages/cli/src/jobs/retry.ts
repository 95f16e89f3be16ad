import { Command } from "commander";
import { type Cli, CommandError, exitCodes } from "../cli.ts";
import { withJson, withProject } from "../commands/options.ts";
import { styleFor } from "../output/style.ts";
import { type Options, withJobs } from "./with-jobs.ts";

interface RetryOptions extends Options {
  readonly dead?: boolean;
  readonly name?: string;
}

/** The most that are run again at once. */
const retryMax = 100_000;

export function retryCommand(cli: Cli): Command {
  return withJson(
    withProject(
      new Command("retry")
        .description("Run jobs again that are dead or cancelled, with all their attempts.")
        .argument("[id...]", "these")
        .option("--dead", "all that are dead")
        .option("--name <name>", "of those only these"),
    ),
  ).action((ids: readonly string[], options: RetryOptions) => retry(cli, ids, options));
}

async function retry(cli: Cli, ids: readonly string[], options: RetryOptions): Promise<void> {
  const { dead = false, name } = options;
  if (ids.length > 0 === dead || (name !== undefined && !dead)) {
    throw new CommandError("Say which: ids of jobs, or --dead.", { exitCode: exitCodes.usage });
  }
  const { retried, missing } = await withJobs(cli, options, async (tools) => {
    if (dead)
      return {
        retried: await tools.retryDead({ limit: retryMax, ...(name === undefined ? {} : { name }) }),
        missing: [],
      };
    const missing: string[] = [];
    for (const id of ids) if (!(await tools.retry(id))) missing.push(id);
    return { retried: ids.length - missing.length, missing };
  });
  if (options.json) cli.out.write(`${JSON.stringify({ retried, missing })}\n`);
  else if (retried > 0 || dead) {
    const what = retried === 1 ? "1 job runs" : `${retried} jobs run`;
    cli.out.write(`${styleFor(cli.out, cli.env).green("✓")} ${what} again\n`);
  }
  if (missing.length > 0) throw notDone(missing, "neither dead nor cancelled");
}

/** Some could not be had: which, and why. */
export const notDone = (missing: readonly string[], why: string): CommandError =>
  new CommandError(`${missing.join(", ")}: not there, or ${why}.`, {
    hint: "`mainstay jobs list` shows jobs and their states.",
  });
