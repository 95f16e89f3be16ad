import { existsSync } from "node:fs";
import { join } from "node:path";

const folder = join(import.meta.dirname, "../thread/deno");

/**
 * The file that stands for a module of Deno's standard library (`http/server`), or `null` when we have none. One file may stand for all of a
 * part: `std-http.ts` for `http/server` and `http/file_server`.
 */
export function stdModule(module: string): string | null {
  const parts = module
    .replace(/\/mod$/, "")
    .replaceAll("_", "-")
    .split("/");
  for (let length = parts.length; length > 0; length -= 1) {
    const name = `std-${parts.slice(0, length).join("-")}`;
    // Written in TypeScript; where the server is installed as a package, JavaScript.
    const found = ["ts", "js"]
      .map((extension) => join(folder, `${name}.${extension}`))
      .find((path) => existsSync(path));
    if (found !== undefined) return found;
  }
  return null;
}
