import type { StorageFinding } from "@mainstay/server";
import { Command } from "commander";
import { type Cli, exitCodes } from "../cli.ts";
import { type JsonOptions, type ProjectOptions, withJson, withProject } from "../commands/options.ts";
import { createProgress } from "../output/progress.ts";
import { type Style, styleFor } from "../output/style.ts";
import { withFiles } from "./with-files.ts";

interface CheckOptions extends ProjectOptions, JsonOptions {
  readonly deep?: boolean;
  readonly repair?: boolean;
}

export function checkCommand(cli: Cli): Command {
  return withJson(
    withProject(
      new Command("check")
        .description(
          "Compare what is known of files with the bytes that are stored, both ways, while servers go on. Ends with 1 when something is not right.",
        )
        .option("--deep", "read every byte, and compare it with what was uploaded")
        .option(
          "--repair",
          "remove bytes that belong to no file, and count anew what owners have; files are never touched",
        ),
    ),
  ).action((options: CheckOptions) => run(cli, options));
}

async function run(cli: Cli, { deep = false, repair = false, ...options }: CheckOptions): Promise<void> {
  const style = styleFor(cli.out, cli.env);
  const progress = createProgress(cli.err, styleFor(cli.err, cli.env));
  const counts = { found: 0, losses: 0, repaired: 0 };
  await withFiles(cli, options, async (tools, signal) => {
    const onProgress = (looked: number) => progress.update("Looking at files and blobs", looked);
    try {
      for await (const finding of tools.check({ isDeep: deep, repairs: repair, signal, onProgress })) {
        counts.found++;
        if (finding.isLoss) counts.losses++;
        if (finding.isRepaired) counts.repaired++;
        progress.clear();
        // One line each, as they are found: there may be many.
        cli.out.write(`${options.json ? JSON.stringify(finding) : line(finding, style)}\n`);
      }
    } finally {
      progress.clear();
    }
  });
  if (!options.json) cli.out.write(`${summary(counts, repair)}\n`);
  if (counts.found > counts.repaired) process.exitCode = exitCodes.failed;
}

function line({ message, isLoss, isRepaired }: StorageFinding, style: Style): string {
  if (isRepaired) return `${style.green("repaired")}  ${message}`;
  return `${isLoss ? style.red("damaged ") : style.yellow("leftover")}  ${message}`;
}

type Counts = { readonly found: number; readonly losses: number; readonly repaired: number };

function summary({ found, losses, repaired }: Counts, repairs: boolean): string {
  if (found === 0) return "All is well.";
  const leftovers = found - losses;
  const parts = [
    ...(losses > 0 ? [`${losses} damaged: bring back their bytes from a backup, or upload them again`] : []),
    ...(repaired > 0 ? [`${repaired} repaired`] : []),
    ...(!repairs && leftovers > 0
      ? [`${leftovers} that nobody misses: \`mainstay storage check --repair\` sets them right`]
      : []),
    ...(repairs && leftovers > repaired ? [`${leftovers - repaired} to look at`] : []),
  ];
  return `\n${parts.join("\n")}`;
}
