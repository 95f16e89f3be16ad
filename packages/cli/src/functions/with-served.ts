import type { FunctionLogs, OpenProjectDatabase, ProjectCallers } from "@mainstay/server";
import type { Cli } from "../cli.ts";
import { projectConfig, withProjectDatabase } from "../commands/project-database.ts";
import { createProgress } from "../output/progress.ts";
import { styleFor } from "../output/style.ts";
import { readRunRecord } from "../serve/run-record.ts";

/** A project that answers requests. */
export interface Served {
  readonly url: string;
  readonly callers: ProjectCallers;
  readonly logs: FunctionLogs;
  /** A server of this machine that goes on afterwards; otherwise it was started for this. */
  readonly isRunning: boolean;
}

/** Asks the server of this project that runs; where none does, starts one for as long as this takes, on a port of its own and for requests only. */
export async function withServed<T>(cli: Cli, dir: string, work: (served: Served) => Promise<T>): Promise<T> {
  const { project } = await projectConfig(cli, dir);
  const record = readRunRecord(project.dataDir);
  if (record !== null) {
    return withProjectDatabase(cli, dir, (open) => withCallers(open, record.url, true, work));
  }
  const progress = createProgress(cli.err, styleFor(cli.err, cli.env));
  progress.update("Starting the functions, since no server runs");
  const { startServer } = await import("@mainstay/server");
  const server = await startServer({
    projectDir: dir,
    env: cli.env,
    flags: { http: { host: "127.0.0.1", port: 0 } },
    observe(observation) {
      if (observation.kind === "functions.diagnostic" && observation.severity === "error") {
        progress.warn(`${observation.file ?? "functions"}: ${observation.message}`);
      }
    },
    serves: "requests",
  }).finally(() => progress.clear());
  try {
    return await withCallers(server, server.url, false, work);
  } finally {
    await server.stop(AbortSignal.timeout(stopMs));
  }
}

/** How long what goes on after an answer may take, of a server that was started for it. */
const stopMs = 10_000;

async function withCallers<T>(
  open: Pick<OpenProjectDatabase, "config" | "database">,
  url: string,
  isRunning: boolean,
  work: (served: Served) => Promise<T>,
): Promise<T> {
  const { openProjectCallers, openProjectLogs } = await import("@mainstay/server");
  const callers = await openProjectCallers(open, () => {});
  try {
    return await work({ url, callers, logs: openProjectLogs(open), isRunning });
  } finally {
    await callers.close();
  }
}
