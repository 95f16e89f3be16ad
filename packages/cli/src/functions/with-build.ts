import { join } from "node:path";
import type { FunctionBuild } from "@mainstay/server/function-build";
import type { Cli } from "../cli.ts";
import { projectConfig } from "../commands/project-database.ts";

/** Builds the project's functions for one command, beside a server that may run, and lets go of the compiler whatever happens. */
export async function withBuild<T>(cli: Cli, dir: string, work: (build: FunctionBuild) => Promise<T>): Promise<T> {
  const { openFunctionBuild } = await import("@mainstay/server/function-build");
  const { project, functions: settings } = await projectConfig(cli, dir);
  const build = await openFunctionBuild({
    projectDir: project.dir,
    functionsDir: project.functionsDir,
    supabaseConfigFile: project.supabaseConfigFile,
    cacheDir: join(project.dataDir, "cache/functions"),
    mode: "look",
    settings,
    observe: () => {},
  });
  try {
    return await work(build);
  } finally {
    await build.close();
  }
}
