import type { FunctionLog, JobDetails } from "@mainstay/server";
import { Command } from "commander";
import type { Cli } from "../cli.ts";
import { withJson, withProject } from "../commands/options.ts";
import { showLog } from "../functions/show-log.ts";
import { printable, printableLines } from "../output/printable.ts";
import { type Style, styleFor } from "../output/style.ts";
import { attemptsOf, stateOf } from "./list.ts";
import { noSuchJob, type Options, withJobs } from "./with-jobs.ts";

/** Log lines of a job that are shown. */
const logLimit = 200;

export function showCommand(cli: Cli): Command {
  return withJson(
    withProject(
      new Command("show")
        .description("Show a job: its payload, what has become of it, its steps, and what its runs have logged.")
        .argument("<id>", "the job"),
    ),
  ).action((id: string, options: Options) => show(cli, id, options));
}

async function show(cli: Cli, id: string, options: Options): Promise<void> {
  const { job, lines } = await withJobs(cli, options, async (tools, logs) => {
    const job = await tools.find(id);
    if (job === null) throw noSuchJob(id);
    const chain = await logs.list({ requestId: job.causedBy ?? job.id, limit: logLimit });
    return { job, lines: chain.filter(({ invocationId }) => invocationId.startsWith(`${job.id}/`)) };
  });
  if (options.json) cli.out.write(`${JSON.stringify({ job, logs: lines }, null, 2)}\n`);
  else cli.out.write(`${pageOf(job, lines, styleFor(cli.out, cli.env)).join("\n")}\n`);
}

function pageOf(job: JobDetails, lines: readonly FunctionLog[], style: Style): readonly string[] {
  const [state, paint] = stateOf(job, style) as readonly [string, Style[keyof Style]];
  const row = (name: string, value: string | null) => (value === null ? [] : [`${style.dim(name.padEnd(10))}${value}`]);
  return [
    `${style.bold(printable(job.name))}  ${paint(state)}`,
    ...row("id", job.id),
    ...row("queue", printable(job.queue)),
    ...row("key", job.key === null ? null : printable(job.key)),
    ...row("attempts", attemptsOf(job, " of ")),
    ...row("request", job.causedBy === null ? null : printable(job.causedBy)),
    ...row("created", job.createdAt),
    ...row(job.state === "ready" ? "runs" : "due", job.runAt),
    ...row("started", job.startedAt),
    ...row("finished", job.finishedAt),
    ...row("server", job.node),
    ...row("payload", json(job.payload)),
    ...row("result", job.result === null ? null : json(job.result)),
    ...row("error", job.lastError === null ? null : style.red(printableLines(job.lastError, " ".repeat(10)))),
    ...stepsOf(job, style),
    ...(lines.length === 0 ? [] : ["", style.bold("Log"), ...lines.map((line) => `  ${showLog(line, style, "  ")}`)]),
  ];
}

function stepsOf({ steps, wait }: JobDetails, style: Style): readonly string[] {
  if (steps.length === 0 && wait === null) return [];
  const shown = steps.map(({ name, kind, value, at, until }) => {
    const mark = kind === "done" ? style.green("✓") : style.yellow("…");
    const what =
      kind === "done" ? json(value) : `${kind === "sleep" ? "sleeps" : "waits"} until ${until ?? "it is woken"}`;
    return `  ${mark} ${printable(name)}  ${style.dim(at)}  ${what}`;
  });
  const event =
    wait === null
      ? []
      : [`  waits for the event ${printable(wait.event)}${wait.key === null ? "" : ` (${printable(wait.key)})`}`];
  return ["", style.bold("Steps"), ...shown, ...event];
}

/** Longest value that is shown; `--json` has all of it. */
const jsonLength = 2_000;

function json(value: unknown): string {
  const text = JSON.stringify(value) ?? "null";
  return text.length > jsonLength ? `${text.slice(0, jsonLength)}…` : text;
}
