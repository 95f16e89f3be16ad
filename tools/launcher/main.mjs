import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { runAll } from "./child.mjs";
import { isInstalled } from "./installed.mjs";
import { Refusal, say } from "./say.mjs";
import { tasks, usage } from "./tasks.mjs";

/** The folder that holds `package-lock.json`. A copy of `tools/` elsewhere works on its own parent (the tests rely on it). */
export const workspaceRoot = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** The oldest Node this launcher's own syntax is kept for, and that npm of the day still supports. */
const oldestNode = [20, 19];

/**
 * Runs one task of the workspace and gives its exit code. Installs what is missing or stale first, and picks the Node
 * that runs it. A second start pays for two small file reads, one hash and a look at the times of our sources, nothing else: what
 * installs is imported only when it is needed.
 *
 * @param {readonly string[]} argv task name, then arguments for it
 * @returns {Promise<number>}
 */
export async function main(argv) {
  const [name, ...args] = argv;
  if (name === undefined || name === "help" || name === "--help" || name === "-h") {
    say(usage());
    return name === undefined ? 2 : 0;
  }
  const task = Object.hasOwn(tasks, name) ? tasks[name] : undefined;
  try {
    if (task === undefined) throw new Refusal(`There is no task "${name}".\n\n${usage()}`, 2);
    refuseOldNode(process.versions.node);
    if (!isInstalled(workspaceRoot)) await (await import("./install.mjs")).install(workspaceRoot);
    const { pickNode } = await import("./node.mjs");
    const node = await pickNode(workspaceRoot);
    const commands = task.commands(args);
    for (const { file } of commands) {
      if (!existsSync(join(workspaceRoot, file)))
        throw new Refusal(`${file} is missing: this checkout is not complete.`);
    }
    if (task.bundles) await (await import("./bundle.mjs")).bundle(workspaceRoot);
    return await runAll(node, commands, workspaceRoot);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    say(error.message);
    return error.exitCode;
  }
}

/** @param {string} version */
function refuseOldNode(version) {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [oldestMajor = 0, oldestMinor = 0] = oldestNode;
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return;
  throw new Refusal(
    `Node ${version} is too old: install Node ${oldestNode.join(".")} or newer (24 is best, https://nodejs.org), then run this again.`,
  );
}
