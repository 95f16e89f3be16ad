import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { introspect, type QueryClient } from "./introspect.ts";
import { databaseType } from "./typescript.ts";

/** Beside the functions, and none itself: declarations are left out when functions are looked for. */
export const functionTypesFile = "database.d.ts";

/**
 * What makes `ctx.db` and `on("bookings", …)` know the schema: the database's types, and where `@mainstay/functions` looks for them.
 */
export function writeFunctionTypes(model: Parameters<typeof databaseType>[0], schemas: readonly string[]): string {
  return `${databaseType(model, schemas)}

declare module "@mainstay/functions" {
  interface Register {
    database: Database;
  }
}
`;
}

/** Writes the file as the database is now. @returns its path, or `null` when it says so already */
export async function refreshFunctionTypes(
  client: QueryClient,
  functionsDir: string,
  schemas: readonly string[],
): Promise<string | null> {
  const path = join(functionsDir, functionTypesFile);
  const text = writeFunctionTypes(await introspect(client), schemas);
  if (existsSync(path) && readFileSync(path, "utf8") === text) return null;
  writeFileSync(path, text);
  return path;
}
