import { existsSync } from "node:fs";
import { join, relative } from "node:path";
import type { RunningServer } from "@mainstay/server";
import type { Progress } from "../output/progress.ts";
import { functionTypesFile, refreshFunctionTypes } from "../types/function-types.ts";

/**
 * Keeps the functions' types as the schema is. In a `supabase/` folder only where the file is already: functions written for that product
 * need none, and the folder is another tool's too.
 */
export async function keepFunctionTypes(
  { project, config, database }: Pick<RunningServer, "project" | "config" | "database">,
  progress: Pick<Progress, "done">,
): Promise<void> {
  const { functionsDir, layout } = project;
  if (functionsDir === null || !existsSync(functionsDir)) return;
  if (layout === "supabase" && !existsSync(join(functionsDir, functionTypesFile))) return;
  const client = await database.connect();
  try {
    const file = await refreshFunctionTypes(client, functionsDir, config.data.schemas);
    if (file !== null) progress.done(`Wrote ${relative(project.dir, file)}`);
  } finally {
    await client.end();
  }
}
