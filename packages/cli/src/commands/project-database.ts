import type { Config, Observation, OpenProjectDatabase } from "@mainstay/server";
import type { Cli } from "../cli.ts";
import { createProgress } from "../output/progress.ts";
import { styleFor } from "../output/style.ts";
import { reportStart } from "../serve/report-start.ts";

/**
 * Opens the project's database for one command: the one a running server uses, or the embedded one for as long as this takes.
 * Shows its start, then runs `work`, then closes it whatever happens.
 */
export async function withProjectDatabase<T>(
  cli: Cli,
  projectDir: string,
  work: (open: OpenProjectDatabase, say: (observation: Observation) => void) => Promise<T>,
): Promise<T> {
  const { openProjectDatabase } = await import("@mainstay/server");
  const progress = createProgress(cli.err, styleFor(cli.err, cli.env));
  const report = reportStart(progress);
  const abort = new AbortController();
  const onInterrupt = () => abort.abort();
  process.once("SIGINT", onInterrupt).once("SIGTERM", onInterrupt);
  const observe = (observation: Observation) => {
    // Its version is of interest where it is served, not where it is used for a moment.
    if (observation.kind === "postgres.ready") progress.clear();
    else report.observe(observation);
  };
  try {
    const open = await openProjectDatabase({
      projectDir,
      env: cli.env,
      observe,
      onProgress: report.seedProgress,
      signal: abort.signal,
    });
    try {
      return await work(open, observe);
    } finally {
      progress.clear();
      await open.close();
    }
  } finally {
    progress.clear();
    process.off("SIGINT", onInterrupt).off("SIGTERM", onInterrupt);
  }
}

/** The project's configuration, for commands that need nothing else of the server. */
export async function projectConfig(cli: Cli, projectDir: string): Promise<Config> {
  const { loadConfig } = await import("@mainstay/server/config");
  return loadConfig({ projectDir, env: cli.env });
}
