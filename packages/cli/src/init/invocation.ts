import { existsSync, realpathSync } from "node:fs";
import { delimiter, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const bin = fileURLToPath(new URL("../../bin/mainstay.mjs", import.meta.url));

/**
 * What to type in `cwd` to run this very command line again: `npx mainstay` where npx finds it on disk, `mainstay` where
 * the shell does, otherwise Node and the file. Never what would fetch a package: the one named `mainstay` in npm's
 * registry is somebody else's.
 *
 * @param cwd absolute path
 */
export function invocation(cwd: string, env: Readonly<Record<string, string | undefined>>): string {
  if (ancestors(cwd).some((folder) => isOurs(join(folder, "node_modules/.bin/mainstay")))) return "npx mainstay";
  const found = (env.PATH ?? "")
    .split(delimiter)
    .find((folder) => folder !== "" && existsSync(join(folder, "mainstay")));
  if (found !== undefined && isOurs(join(found, "mainstay"))) return "mainstay";
  const path = relative(cwd, bin);
  return `node ${quoted(path.startsWith("../..") ? bin : path)}`;
}

/** npx looks for the command in this folder and all above it, as Node does for packages. */
function ancestors(folder: string): readonly string[] {
  const above = dirname(folder);
  return above === folder ? [folder] : [folder, ...ancestors(above)];
}

const isOurs = (path: string): boolean => existsSync(path) && realpathSync(path) === realpathSync(bin);
const quoted = (path: string): string => (/\s/.test(path) ? JSON.stringify(path) : path);
