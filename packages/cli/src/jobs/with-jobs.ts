import type { FunctionLogs, JobTools } from "@mainstay/server";
import { type Cli, CommandError } from "../cli.ts";
import { type JsonOptions, type ProjectOptions, projectDir } from "../commands/options.ts";
import { withProjectDatabase } from "../commands/project-database.ts";

export type Options = ProjectOptions & JsonOptions;

/** Opens the project's jobs, and what functions have logged, for one command. What is put in motion runs on the servers there are. */
export async function withJobs<T>(
  cli: Cli,
  options: ProjectOptions,
  work: (jobs: JobTools, logs: FunctionLogs) => Promise<T>,
): Promise<T> {
  const { openProjectJobs, openProjectLogs } = await import("@mainstay/server");
  return withProjectDatabase(cli, projectDir(cli, options), async (open) => {
    // Of an embedded database that nobody serves now, which may never have been started. Any other is not ours to change here.
    if (!open.isShared) await open.migrate();
    return work(openProjectJobs(open), openProjectLogs(open));
  });
}

export const noSuchJob = (id: string): CommandError =>
  new CommandError(`There is no job ${id}.`, {
    hint: "`mainstay jobs list` shows them. Most that are done leave nothing but a count.",
  });
