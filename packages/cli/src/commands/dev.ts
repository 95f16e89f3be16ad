import { Command } from "commander";
import type { Cli } from "../cli.ts";
import { serve } from "../serve/serve.ts";
import { type ListenOptions, type ProjectOptions, projectDir, withListening, withProject } from "./options.ts";

export function command(cli: Cli): Command {
  return withListening(
    withProject(
      new Command("dev").description(
        "Serve a project while you work on it. New files in migrations/ are applied as they appear; a busy port gives way to the next free one.",
      ),
    ),
  ).action(async (options: ProjectOptions & ListenOptions) => {
    process.exitCode = await serve(cli, { ...options, projectDir: projectDir(cli, options), mode: "dev" });
  });
}
