import { readdir } from "node:fs/promises";
import { join, relative, sep } from "node:path";

/**
 * Names of the files in a folder, with `/` whatever the system's own is, in order. What begins with a dot is the system's or an editor's; links are not
 * followed. Rejects as the file system does.
 */
export async function filesIn(folder: string): Promise<readonly string[]> {
  const names: string[] = [];
  const walk = async (at: string): Promise<void> => {
    for (const entry of await readdir(at, { withFileTypes: true })) {
      if (entry.name.startsWith(".")) continue;
      const path = join(at, entry.name);
      if (entry.isDirectory()) await walk(path);
      else if (entry.isFile()) names.push(relative(folder, path).split(sep).join("/"));
    }
  };
  await walk(folder);
  return names.sort();
}
