import { readdirSync } from "node:fs";
import { join } from "node:path";

/** Deepest folder that is looked into; a link that leads back to itself ends there at the latest. */
const maxDepth = 12;

/** Folders that have no sources of functions in them. */
const isLeftOut = (name: string): boolean => name === "node_modules" || name.startsWith(".");

/** The folder and all in it, in order. Folders that cannot be read are named and not entered. */
export function foldersIn(dir: string, depth = 0): readonly string[] {
  if (depth > maxDepth) return [];
  return [
    dir,
    ...entriesOf(dir)
      .filter((entry) => entry.isDirectory() && !isLeftOut(entry.name))
      .flatMap((entry) => foldersIn(join(dir, entry.name), depth + 1)),
  ];
}

/** Names of all files there are, which says nothing of what is in them. */
export const filesIn = (dir: string): readonly string[] =>
  foldersIn(dir).flatMap((folder) =>
    entriesOf(folder)
      .filter((entry) => !entry.isDirectory())
      .map((entry) => join(folder, entry.name)),
  );

function entriesOf(dir: string) {
  try {
    return readdirSync(dir, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch {
    return [];
  }
}
