import type { StorageTools } from "@mainstay/server";
import type { Cli } from "../cli.ts";
import { type ProjectOptions, projectDir } from "../commands/options.ts";
import { withProjectDatabase } from "../commands/project-database.ts";

/** Opens the project's files for one command, on a database that has what they need. */
export async function withFiles<T>(
  cli: Cli,
  options: ProjectOptions,
  work: (tools: StorageTools, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { openProjectStorage } = await import("@mainstay/server");
  return withProjectDatabase(cli, projectDir(cli, options), async (open, say) => {
    // Of an embedded database that nobody serves now, which may never have been started. Any other is not ours to change here.
    if (!open.isShared) await open.migrate();
    const { tools, close } = await openProjectStorage(open, (observation) => {
      // What a command finds is its answer, not news.
      if (observation.kind === "warning") say(observation);
    });
    const interrupt = new AbortController();
    const onInterrupt = () => interrupt.abort();
    process.once("SIGINT", onInterrupt).once("SIGTERM", onInterrupt);
    try {
      return await work(tools, interrupt.signal);
    } finally {
      process.off("SIGINT", onInterrupt).off("SIGTERM", onInterrupt);
      await close();
    }
  });
}
