import { Command } from "commander";
import type { Cli } from "../cli.ts";
import { serve } from "../serve/serve.ts";
import { type ListenOptions, type ProjectOptions, projectDir, withListening, withProject } from "./options.ts";

export function command(cli: Cli): Command {
  return withListening(
    withProject(
      new Command("start").description(
        "Serve a project, as in production: logs on standard output, migrations applied once at the start, a busy port refused.",
      ),
    ),
  ).action(async (options: ProjectOptions & ListenOptions) => {
    process.exitCode = await serve(cli, { ...options, projectDir: projectDir(cli, options), mode: "start" });
  });
}
