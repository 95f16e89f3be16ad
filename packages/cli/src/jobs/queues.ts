import type { JobQueue } from "@mainstay/server";
import { Command } from "commander";
import type { Cli } from "../cli.ts";
import { withJson, withProject } from "../commands/options.ts";
import { printable } from "../output/printable.ts";
import { type Style, styleFor } from "../output/style.ts";
import { type Cell, table } from "../output/table.ts";
import { durationOf } from "../output/time.ts";
import { type Options, withJobs } from "./with-jobs.ts";

export function queuesCommand(cli: Cli): Command {
  return withJson(
    withProject(new Command("queues").description("Show queues: how many jobs they have, and their limits.")),
  ).action((options: Options) => queues(cli, options));
}

export function pauseCommand(cli: Cli): Command {
  return withJson(
    withProject(
      new Command("pause")
        .description("Begin no more jobs of a queue, on any server. What runs goes on.")
        .argument("<queue>", "the queue"),
    ),
  ).action((queue: string, options: Options) => pause(cli, queue, true, options));
}

export function resumeCommand(cli: Cli): Command {
  return withJson(
    withProject(new Command("resume").description("Run jobs of a queue again.").argument("<queue>", "the queue")),
  ).action((queue: string, options: Options) => pause(cli, queue, false, options));
}

async function queues(cli: Cli, options: Options): Promise<void> {
  const found = await withJobs(cli, options, (tools) => tools.queues());
  if (options.json) cli.out.write(`${JSON.stringify({ queues: found }, null, 2)}\n`);
  else if (found.length === 0) cli.out.write("No job is kept, and no queue has a limit.\n");
  else cli.out.write(queueTable(found, styleFor(cli.out, cli.env)));
}

const columns = ["queue", "ready", "running", "later", "behind", "waiting", "dead", "limit", "oldest"];

function queueTable(queues: readonly JobQueue[], style: Style): string {
  const rows = queues.map((queue): readonly Cell[] => [
    printable(queue.name),
    ...[queue.ready, queue.running, queue.later, queue.behind, queue.waiting].map(String),
    queue.dead === 0 ? "0" : [String(queue.dead), style.red],
    queue.isPaused ? ["paused", style.yellow] : queue.concurrency === null ? "–" : String(queue.concurrency),
    queue.oldestReadyMs === null ? "" : durationOf(queue.oldestReadyMs),
  ]);
  return table([columns.map((name): Cell => [name, style.dim]), ...rows]);
}

async function pause(cli: Cli, queue: string, isPaused: boolean, options: Options): Promise<void> {
  await withJobs(cli, options, (tools) => (isPaused ? tools.pause(queue) : tools.resume(queue)));
  if (options.json) {
    cli.out.write(`${JSON.stringify({ queue, isPaused })}\n`);
    return;
  }
  const what = isPaused ? "begins no more jobs" : "runs its jobs";
  cli.out.write(`${styleFor(cli.out, cli.env).green("✓")} ${queue} ${what}\n`);
  cli.err.write(
    styleFor(cli.err, cli.env).dim(
      "Where MAINSTAY_JOBS_QUEUES names it, the next start of a server sets it as it says there.\n",
    ),
  );
}
