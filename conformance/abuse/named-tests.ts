import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dirname, "..", "..");
const isName = /\b(?:test|it|describe)(?:\.\w+)?(?:\([^"'`]*\))?\(|^\s*\)\(|^\s*\[?["'`].*["'`],$/;

/** Whether a test below these paths, or a group or table of tests, is named after an id of a threat. */
export function namedTests(...paths: string[]): (id: string) => boolean {
  const names = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard", ...paths], {
    cwd: root,
    encoding: "utf8",
  })
    .split("\n")
    .filter((path) => path.endsWith(".test.ts") && !path.endsWith("threats.test.ts"))
    .flatMap((path) =>
      readFileSync(join(root, path), "utf8")
        .split("\n")
        .filter((line) => isName.test(line)),
    );
  return (id) => names.some((line) => new RegExp(`\\b${id}\\b`).test(line));
}

/** `S01` to `S14`: a section of threats by its letter and how many it has. */
export const idsOf = (section: string, count: number): readonly string[] =>
  Array.from({ length: count }, (_, at) => `${section}${String(at + 1).padStart(2, "0")}`);
