import { Command } from "commander";
import { type Cli, CommandError, exitCodes } from "../cli.ts";
import { type JsonOptions, type ProjectOptions, projectDir, withJson, withProject } from "../commands/options.ts";
import { styleFor } from "../output/style.ts";
import { showDiagnostic } from "./show.ts";
import { withBuild } from "./with-build.ts";

type CheckOptions = ProjectOptions & JsonOptions;

export function checkCommand(cli: Cli): Command {
  return withJson(
    withProject(
      new Command("check").description(
        "Build the functions and check their types. Ends with 1 when something is wrong with one.",
      ),
    ),
  ).action((options: CheckOptions) => run(cli, options));
}

async function run(cli: Cli, options: CheckOptions): Promise<void> {
  const { functions, found, types } = await withBuild(cli, projectDir(cli, options), async (build) => {
    const types = await build.checkTypes().catch((error: unknown) => {
      if (error instanceof Error && error.name === "NoCompilerError") throw new CommandError(error.message);
      throw error;
    });
    const { functions, diagnostics } = build.current();
    return { functions: functions.map(({ name }) => name), found: diagnostics, types };
  });
  const all = [...found, ...types];
  if (options.json) cli.out.write(`${JSON.stringify({ functions, diagnostics: all })}\n`);
  else {
    const style = styleFor(cli.out, cli.env);
    for (const diagnostic of all) cli.out.write(`${showDiagnostic(diagnostic, style)}\n`);
    const count = `${functions.length} ${functions.length === 1 ? "function" : "functions"}`;
    if (all.length === 0) cli.out.write(`${style.green("✓")} ${count}, nothing to say about\n`);
  }
  // Types are warnings where functions run, and what this command was asked about here.
  if (types.length > 0 || found.some(({ severity }) => severity === "error")) process.exitCode = exitCodes.failed;
}
