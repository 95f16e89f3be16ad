import { watch } from "node:fs";
import type { RunningServer } from "@mainstay/server";
import { describeFailure } from "../output/failure.ts";
import type { Progress } from "../output/progress.ts";

/** Editors write a file in several steps: what changes within this time is one change. */
const settleMs = 150;

/**
 * Applies migrations as they appear, those included that have since the start looked for them. One run at a time; a change during a run
 * starts another after it. A failing file is reported and tried again when it changes. `afterwards` is called after each run that failed in nothing.
 * @returns a function that ends the watching and waits for the run in progress
 */
export function watchMigrations(
  server: Pick<RunningServer, "project" | "migrate">,
  progress: Pick<Progress, "done" | "warn">,
  afterwards: () => Promise<void> = async () => {},
): () => Promise<void> {
  const { migrationsDir } = server.project;
  if (migrationsDir === null) return async () => {};
  let timer: NodeJS.Timeout | null = null;
  let running: Promise<void> = Promise.resolve();
  const run = async () => {
    try {
      const { applied } = await server.migrate();
      await afterwards();
      if (applied.length > 0)
        progress.done(`Applied ${applied.map(({ version, name }) => `${version}_${name}`).join(", ")}`);
    } catch (error) {
      const { message, hint } = describeFailure(error);
      progress.warn(`${message}${hint ? `\n  ${hint}` : ""}`);
    }
  };
  const runSoon = () => {
    if (timer !== null) clearTimeout(timer);
    timer = setTimeout(() => {
      running = running.then(run);
    }, settleMs);
  };
  const watcher = watch(migrationsDir, (_, file) => {
    if (file === null || file.endsWith(".sql")) runSoon();
  });
  // The folder may be removed under us, as a branch is switched: nothing to watch is not a failure of the server.
  watcher.on("error", (error) => progress.warn(`New migrations are not noticed any more: ${error.message}`));
  // What was saved while the server started is older than the watching, and nobody would tell of it.
  runSoon();
  return async () => {
    if (timer !== null) clearTimeout(timer);
    watcher.close();
    await running;
  };
}
