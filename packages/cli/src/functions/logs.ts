import { setTimeout as delay } from "node:timers/promises";
import type { FunctionLog, FunctionLogFilter, FunctionLogs, KeptJob } from "@mainstay/server";
import { Command, Option } from "commander";
import type { Cli } from "../cli.ts";
import { type JsonOptions, type ProjectOptions, withJson, withProject } from "../commands/options.ts";
import { jobTable } from "../jobs/list.ts";
import { withJobs } from "../jobs/with-jobs.ts";
import { styleFor } from "../output/style.ts";
import { timeOf } from "../output/time.ts";
import { wholeNumber } from "../user/whole-number.ts";
import { showLog } from "./show-log.ts";

interface LogsOptions extends ProjectOptions, JsonOptions {
  readonly follow?: boolean;
  readonly request?: string;
  readonly since?: string;
  readonly level?: FunctionLog["level"];
  readonly limit: number;
}

/** Between looks, in ms: servers write at most twice a second. */
const lookMs = 500;
const linesAtOnce = 1_000;

export function logsCommand(cli: Cli): Command {
  return withJson(
    withProject(
      new Command("logs")
        .description("Show what functions have logged and how their invocations ended, the newest last.")
        .argument("[name]", "only of this function")
        .option("-f, --follow", "go on with what comes, until Ctrl-C")
        .option("--request <id>", "all that this request (X-Request-Id) or this job has led to")
        .option("--since <time>", "only from then on: 2026-11-22T10:00:00Z, or 1h ago as `1h`")
        .addOption(new Option("--level <level>", "only so serious ones").choices(["debug", "info", "warn", "error"]))
        .addOption(new Option("-l, --limit <number>", "how many").argParser(wholeNumber(1, 10_000)).default(100)),
    ),
  ).action((name: string | undefined, options: LogsOptions) => logs(cli, name, options));
}

async function logs(cli: Cli, name: string | undefined, options: LogsOptions): Promise<void> {
  const { request, since, level, limit } = options;
  const filter: FunctionLogFilter = {
    limit,
    ...(name === undefined ? {} : { functionName: name }),
    ...(request === undefined ? {} : { requestId: request }),
    ...(since === undefined ? {} : { sinceMs: timeOf(since) }),
    ...(level === undefined ? {} : { level }),
  };
  const style = styleFor(cli.out, cli.env);
  const show = (lines: readonly FunctionLog[]) => {
    for (const line of lines) cli.out.write(`${options.json ? JSON.stringify(line) : showLog(line, style)}\n`);
  };
  await withJobs(cli, options, async (jobs, tools) => {
    // Asked before the lines: what comes between is shown with the first look.
    const last = await tools.lastId();
    const found = await tools.list(filter);
    show(found);
    if (request !== undefined && !options.json)
      showJobs(cli, await jobs.list({ causedBy: found[0]?.requestId ?? request }));
    if (found.length === 0 && !options.follow) say(cli, "Nothing was logged, or is kept no more.");
    if (options.follow) await follow(tools, filter, Math.max(last, found.at(-1)?.id ?? 0), show);
  });
}

/** Jobs of a chain that are kept: what they have logged may be nothing. */
function showJobs(cli: Cli, jobs: readonly KeptJob[]): void {
  if (jobs.length > 0) cli.out.write(`\n${jobTable(jobs, styleFor(cli.out, cli.env))}`);
}

const say = (cli: Cli, text: string): void => void cli.err.write(styleFor(cli.err, cli.env).dim(`${text}\n`));

/** Until somebody wants to stop. */
async function follow(
  tools: FunctionLogs,
  filter: FunctionLogFilter,
  from: number,
  show: (lines: readonly FunctionLog[]) => void,
): Promise<void> {
  const stop = new AbortController();
  const onStop = () => stop.abort();
  process.once("SIGINT", onStop).once("SIGTERM", onStop);
  try {
    for (let after = from; !stop.signal.aborted; ) {
      const lines = await tools.list({ ...filter, after, limit: linesAtOnce });
      show(lines);
      after = lines.at(-1)?.id ?? after;
      if (lines.length < linesAtOnce) await delay(lookMs, undefined, { signal: stop.signal }).catch(() => {});
    }
  } finally {
    process.off("SIGINT", onStop).off("SIGTERM", onStop);
  }
}
