import type { ScheduleInfo } from "@mainstay/server";
import { Command } from "commander";
import type { Cli } from "../cli.ts";
import { withJson, withProject } from "../commands/options.ts";
import { type Options, withJobs } from "../jobs/with-jobs.ts";
import { printable } from "../output/printable.ts";
import { type Style, styleFor } from "../output/style.ts";
import { type Cell, table } from "../output/table.ts";
import { clockOf } from "../output/time.ts";

/** The most that one look shows. */
const limit = 1_000;

export function listCommand(cli: Cli): Command {
  return withJson(
    withProject(new Command("list").description("List what runs on time: functions, and what SQL has scheduled.")),
  ).action((options: Options) => list(cli, options));
}

async function list(cli: Cli, options: Options): Promise<void> {
  const schedules = await withJobs(cli, options, (tools) => tools.schedules(limit));
  if (options.json) cli.out.write(`${JSON.stringify({ schedules }, null, 2)}\n`);
  else if (schedules.length === 0) cli.out.write("Nothing runs on time.\n");
  else cli.out.write(scheduleTable(schedules, styleFor(cli.out, cli.env)));
}

function scheduleTable(schedules: readonly ScheduleInfo[], style: Style): string {
  const time = (iso: string | null) => (iso === null ? "–" : clockOf(iso));
  const rows = schedules.map(({ owner, name, expression, timeZone, nextRunAt, lastRunAt }): readonly Cell[] => [
    [printable(name), style.bold],
    owner,
    printable(expression),
    printable(timeZone),
    time(nextRunAt),
    [time(lastRunAt), style.dim],
  ]);
  return table([["name", "of", "when", "zone", "next", "last"].map((name): Cell => [name, style.dim]), ...rows]);
}
