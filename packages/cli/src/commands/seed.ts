import { basename } from "node:path";
import { Command } from "commander";
import type { Cli } from "../cli.ts";
import { createProgress } from "../output/progress.ts";
import { styleFor } from "../output/style.ts";
import { reportStart } from "../serve/report-start.ts";
import { type JsonOptions, type ProjectOptions, projectDir, withJson, withProject } from "./options.ts";
import { withProjectDatabase } from "./project-database.ts";

interface SeedOptions extends ProjectOptions, JsonOptions {
  readonly again?: boolean;
}

export function command(cli: Cli): Command {
  return withJson(
    withProject(
      new Command("seed")
        .description(
          "Run the project's seed files: seed.sql, seed.ts, then seeds/ by name. Each runs once per database.",
        )
        .option("--again", "run those too that have run before"),
    ),
  ).action((options: SeedOptions) => run(cli, options));
}

async function run(cli: Cli, options: SeedOptions): Promise<void> {
  const { seed } = await import("@mainstay/server/migrate");
  const progress = createProgress(cli.err, styleFor(cli.err, cli.env));
  const report = await withProjectDatabase(cli, projectDir(cli, options), async (open) => {
    // A seed fills tables: without them there is nothing to fill.
    await open.migrate();
    return seed({
      database: open.database,
      files: open.project.seedFiles,
      settings: open.config.migrations,
      isForced: options.again === true,
      // What failed is thrown below, with what to do.
      observe: () => {},
      onProgress: reportStart(progress).seedProgress,
    });
  });
  progress.clear();
  if (report.failed !== null) throw report.failed.problem;
  if (options.json) {
    cli.out.write(`${JSON.stringify({ applied: report.applied, changed: report.changed })}\n`);
    return;
  }
  for (const file of report.applied) progress.done(basename(file));
  for (const file of report.changed)
    progress.warn(`${basename(file)} has changed since it ran: mainstay seed --again runs it anew`);
  if (report.applied.length === 0 && report.changed.length === 0)
    progress.done("Nothing to do: every seed file has run.");
}
