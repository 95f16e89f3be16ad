import type { JobState, KeptJob } from "@mainstay/server";
import { Command, Option } from "commander";
import type { Cli } from "../cli.ts";
import { withJson, withProject } from "../commands/options.ts";
import { printable } from "../output/printable.ts";
import { type Style, styleFor } from "../output/style.ts";
import { type Cell, table } from "../output/table.ts";
import { clockOf } from "../output/time.ts";
import { wholeNumber } from "../user/whole-number.ts";
import { type Options, withJobs } from "./with-jobs.ts";

interface ListOptions extends Options {
  readonly state?: JobState;
  readonly name?: string;
  readonly queue?: string;
  readonly request?: string;
  readonly limit: number;
}

const states: readonly JobState[] = ["ready", "running", "waiting", "done", "dead", "cancelled"];
/** Longest piece of an error in a list. */
const errorLength = 100;

export function listCommand(cli: Cli): Command {
  return withJson(
    withProject(
      new Command("list")
        .description("List jobs, the newest first.")
        .addOption(new Option("--state <state>", "only these").choices(states))
        .option("--name <name>", "only of this name")
        .option("--queue <queue>", "only of this queue")
        .option("--request <id>", "only those that this request has led to")
        .addOption(new Option("-l, --limit <number>", "how many").argParser(wholeNumber(1, 1_000)).default(20)),
    ),
  ).action((options: ListOptions) => list(cli, options));
}

async function list(cli: Cli, { state, name, queue, request, limit, ...options }: ListOptions): Promise<void> {
  const jobs = await withJobs(cli, options, (tools) =>
    tools.list({
      limit,
      ...(state === undefined ? {} : { state }),
      ...(name === undefined ? {} : { name }),
      ...(queue === undefined ? {} : { queue }),
      ...(request === undefined ? {} : { causedBy: request }),
    }),
  );
  if (options.json) {
    cli.out.write(`${JSON.stringify({ jobs }, null, 2)}\n`);
    return;
  }
  cli.out.write(jobTable(jobs, styleFor(cli.out, cli.env)));
  const count = jobs.length === 1 ? "1 job" : `${jobs.length} jobs`;
  cli.err.write(styleFor(cli.err, cli.env).dim(`${jobs.length === limit ? `the newest ${limit}` : count}\n`));
}

/** Jobs one below the other: id, name, state, attempts, when, and what was wrong last. */
export function jobTable(jobs: readonly KeptJob[], style: Style): string {
  return table(
    jobs.map((job): readonly Cell[] => {
      const attempts = attemptsOf(job, "/");
      const error = job.lastError === null ? "" : printable(job.lastError.split("\n", 1)[0]!).slice(0, errorLength);
      return [job.id, printable(job.name), stateOf(job, style), attempts, [clockOf(whenOf(job)), style.dim], error];
    }),
  );
}

/** How many, and of how many where the job itself says so. */
export const attemptsOf = ({ attempts, maxAttempts }: KeptJob, of: string): string =>
  maxAttempts === null ? String(attempts) : `${attempts}${of}${maxAttempts}`;

const whenOf = ({ finishedAt, startedAt, runAt, state }: KeptJob): string =>
  finishedAt ?? (state === "running" ? (startedAt ?? runAt) : runAt);

/** A job's state in its colour. */
export function stateOf({ state, progress }: Pick<KeptJob, "state" | "progress">, style: Style): Cell {
  const colours: Readonly<Record<JobState, Style[keyof Style]>> = {
    ready: style.cyan,
    running: style.yellow,
    waiting: style.cyan,
    done: style.green,
    dead: style.red,
    cancelled: style.dim,
  };
  const part = state === "running" && progress !== null ? ` ${Math.round(progress * 100)}%` : "";
  return [`${state}${part}`, colours[state]];
}
