import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * The repository's own code, bundled (tools/launcher/bundle.mjs): a thousand modules less to load, which is a quarter of the time of a start and of the memory.
 * Worth something only as long as it is what the sources say.
 */
const dir = fileURLToPath(new URL("../bundle", import.meta.url));

/** What it begins with. */
export const bundleEntry = join(dir, "main.js");

/** What it was made of; in the order of `stampOf`. */
export const bundleStamp = join(dir, "made-of.json");

/**
 * Times and sizes of sources: who edits one changes its time. `null` where one is missing.
 *
 * @param {readonly string[]} files absolute
 */
export function stampOf(files) {
  let stamp = "";
  for (const file of files) {
    const found = statSync(file, { throwIfNoEntry: false });
    if (found === undefined) return null;
    stamp += `${found.mtimeMs} ${found.size}\n`;
  }
  return stamp;
}

/** Whether the bundle is there and nothing that it was made of has changed since. Takes some milliseconds. */
export function isBundled() {
  try {
    const { files, stamp } = JSON.parse(readFileSync(bundleStamp, "utf8"));
    return stampOf(files) === stamp;
  } catch {
    return false;
  }
}
