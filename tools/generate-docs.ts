import { globSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { cliPage } from "./docs/cli-page.ts";
import { configPage } from "./docs/config-page.ts";
import { errorsPage, type SourceFile } from "./docs/errors-page.ts";

const root = join(import.meta.dirname, "..");
const server = join(root, "packages/server/src");

/** Every generated page: its path from the root of the repository, and its text. Deterministic. */
export async function generatedPages(): Promise<ReadonlyMap<string, string>> {
  return new Map([
    ["docs/reference/config.md", configPage(readFileSync(join(server, "supabase-config.ts"), "utf8"))],
    ["docs/reference/errors.md", errorsPage(serverSources())],
    ["docs/reference/cli.md", await cliPage(join(root, "packages/cli/bin/mainstay.mjs"))],
  ]);
}

/** Paths of the pages whose file is not what the code says now. */
export function stalePages(pages: ReadonlyMap<string, string>): readonly string[] {
  return [...pages].filter(([path, text]) => readOrNull(join(root, path)) !== text).map(([path]) => path);
}

function serverSources(): readonly SourceFile[] {
  return globSync("**/*.ts", { cwd: server })
    .map((path) => path.replaceAll("\\", "/"))
    .filter((path) => !/\.test\.ts$|[./]testing\.ts$|\/testing\/|\/test-|testing-/.test(path))
    .toSorted()
    .map((path) => ({ path: posix.normalize(path), text: readFileSync(join(server, path), "utf8") }));
}

function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

/** `npm run docs` writes the pages; with `--check` it only says which are stale, and ends with 1 when one is. */
async function main(args: readonly string[]): Promise<void> {
  const pages = await generatedPages();
  const stale = stalePages(pages);
  if (args.includes("--check")) {
    for (const path of stale) console.error(`${path} is stale: run \`npm run docs\` and commit it.`);
    process.exitCode = stale.length > 0 ? 1 : 0;
    return;
  }
  for (const path of stale) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), pages.get(path) ?? "");
    console.log(`Wrote ${path}`);
  }
  if (stale.length === 0) console.log("Every page is as the code says.");
}

if (import.meta.main) await main(process.argv.slice(2));
